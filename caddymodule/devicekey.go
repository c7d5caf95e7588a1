package caddymodule

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"math/big"
	"time"

	"ticketrush/pass"
	"ticketrush/room"
)

// A place may be bound to a browser. The browser makes a P-256 key whose private half never leaves it, and joins with the public one: the place
// carries the key's thumbprint. Whoever claims a bound place signs a challenge of ours with that key, so a copied cookie claims nothing elsewhere.
// Nothing of this is kept here: the challenge is a token that names the place and soon ends.
//
// What it does not do: a browser without keys has an unbound place, as one has that came without JavaScript; and a pass, once given, is a cookie.

// Why a claim of a bound place is refused.
var (
	errProofMissing = errors.New("this place is bound to a browser, which has to sign a challenge for each claim")
	errProofOld     = errors.New("the challenge has ended, or is not of this place: sign the one in this answer")
	errOtherBrowser = errors.New("this place belongs to another browser: its key is not the one that you show")
	errProofWrong   = errors.New("the signature is not that of the challenge by the place's key")
)

const (
	// keyBytes is an uncompressed point of P-256, as WebCrypto exports it "raw": 4, x, y.
	keyBytes = 65
	// signatureBytes is r and s, 32 bytes each, as WebCrypto signs; not ASN.1.
	signatureBytes = 64
	// challengeLife is how long a challenge may be signed: long enough for a slow phone, too short to be collected.
	challengeLife = time.Minute
	// challengeText is what comes before a challenge in what is signed, so that the key's signatures mean nothing else; offerText is that of an offer.
	challengeText = "ticketrush/claim/v1\n"
	offerText     = "ticketrush/offer/v1\n"
)

// browserKey is a key as a place knows it: the first 8 bytes of the SHA-256 of its point; zero is none.
type browserKey [8]byte

// deviceKey is a browser's public key; the zero value is none.
type deviceKey struct {
	public *ecdsa.PublicKey
	print  [sha256.Size]byte // SHA-256 of the 65 bytes of its point
}

func (k *deviceKey) short() (b browserKey) {
	copy(b[:], k.print[:])
	return b
}

// readDeviceKey reads a public key: base64url, without padding, of its 65 bytes.
func readDeviceKey(text string) (k deviceKey, err error) {
	raw, ok := exactly(keyBytes, text)
	if !ok {
		return k, errors.New("key is the base64url of the 65 bytes of a P-256 point, 4, x, y")
	}
	if k.public, err = ecdsa.ParseUncompressedPublicKey(elliptic.P256(), raw); err != nil {
		return deviceKey{}, errors.New("key is no point of P-256")
	}
	k.print = sha256.Sum256(raw)
	if k.short() == (browserKey{}) {
		return deviceKey{}, errors.New("key has a thumbprint that stands for none: make another")
	}
	return k, nil
}

// exactly reads the base64url of n bytes. Package base64 passes over line breaks wherever they are: a text of another length is another text.
func exactly(n int, text string) ([]byte, bool) {
	if len(text) != base64.RawURLEncoding.EncodedLen(n) {
		return nil, false
	}
	raw, err := base64.RawURLEncoding.Strict().DecodeString(text)
	return raw, err == nil && len(raw) == n
}

// signed says whether signature is that of a text.
func (k *deviceKey) signed(text, signature string) bool {
	raw, ok := exactly(signatureBytes, signature)
	if !ok {
		return false
	}
	sum := sha256.Sum256([]byte(text))
	r, s := new(big.Int).SetBytes(raw[:32]), new(big.Int).SetBytes(raw[32:])
	return ecdsa.Verify(k.public, sum[:], r, s)
}

// tidOf gives the id of the place of a browser: that of its key, else of the nonce that it keeps, else a random one. The same browser gets the same
// one in each tab, at each repetition and at each edge.
func (h *Handler) tidOf(in *input) (tid room.Tid) {
	keys := h.keeper.keys.Load()
	if keys == nil || in.device.public == nil && in.Nonce == "" {
		return randomTid()
	}
	mac := hmac.New(sha256.New, keys.Derive("tid/"+h.Room, 32))
	if in.device.public != nil {
		mac.Write([]byte("key\x00")) // which no nonce has in it
		mac.Write(in.device.print[:])
	} else {
		mac.Write([]byte(in.Nonce))
	}
	return room.Tid(mac.Sum(nil)[:len(tid)])
}

// bind binds a place to a browser's key, once. A place that a navigation brought is bound by the page that it loaded; its number stays, since whoever
// could give one place several numbers would have as many.
func (h *Handler) bind(v *visit, k *deviceKey) error {
	switch {
	case k.public == nil:
		return nil
	case v.bound() && v.key != k.short():
		return errOtherBrowser
	case v.bound():
		return nil
	}
	v.key, v.flags = k.short(), v.flags&^(pass.Unbound|pass.NoJS)
	return h.signPlace(v)
}

// challenge gives what a claim of a bound place is to sign; empty for other places.
func (h *Handler) challenge(v *visit) string {
	keys := h.keeper.keys.Load()
	if !v.bound() || keys == nil {
		return ""
	}
	now := time.Now()
	text, err := keys.Sign(&pass.Token{
		Type: pass.Challenge, Room: h.keeper.number, Edition: v.edition, Tid: v.tid, BrowserKey: v.key, Issued: now, Expires: now.Add(challengeLife),
	})
	if err != nil {
		return ""
	}
	return text
}

// prove says why a claim, or an offer, does not show that it comes from the browser to which the place is bound; nil for an unbound place. What is
// signed begins with what, so that a signature for one is none for the other.
func (h *Handler) prove(v *visit, in *input, what string) error {
	keys := h.keeper.keys.Load()
	switch {
	case !v.bound():
		return nil
	case in.device.public == nil || in.Signature == "" || keys == nil:
		return errProofMissing
	case in.device.short() != v.key:
		return errOtherBrowser
	}
	var tok pass.Token
	err := keys.Verify(in.Challenge, pass.Challenge, h.keeper.number, time.Now(), &tok)
	if err != nil || tok.Edition != v.edition || room.Tid(tok.Tid) != v.tid || browserKey(tok.BrowserKey) != v.key {
		return errProofOld
	}
	if !in.device.signed(what+in.Challenge, in.Signature) {
		return errProofWrong
	}
	return nil
}

// bound says whether the place is bound to a browser's key.
func (v *visit) bound() bool { return v.place != "" && v.flags&pass.Unbound == 0 }
