package caddymodule

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"ticketrush/pass"
)

// browser is what WebCrypto does in a page: a key, and signatures of 64 bytes.
type browser struct {
	t    *testing.T
	key  *ecdsa.PrivateKey
	text string // of the public key
}

func newBrowser(t *testing.T) browser {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := key.PublicKey.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	return browser{t, key, base64.RawURLEncoding.EncodeToString(raw)}
}

func (b browser) sign(text string) string {
	b.t.Helper()
	sum := sha256.Sum256([]byte(text))
	r, s, err := ecdsa.Sign(rand.Reader, b.key, sum[:])
	if err != nil {
		b.t.Fatal(err)
	}
	raw := make([]byte, signatureBytes)
	r.FillBytes(raw[:32])
	s.FillBytes(raw[32:])
	return base64.RawURLEncoding.EncodeToString(raw)
}

func (f *fan) joinWith(b browser, more ...string) answer {
	f.t.Helper()
	return f.do("POST", "/.wr/v1/demo/join", `{"key":"`+b.text+`"`+strings.Join(more, "")+`}`)
}

func (f *fan) claimWith(key, challenge, signature string) answer {
	f.t.Helper()
	body, err := json.Marshal(map[string]string{"key": key, "challenge": challenge, "signature": signature})
	if err != nil {
		f.t.Fatal(err)
	}
	return f.do("POST", "/.wr/v1/demo/claim", string(body))
}

func wants(t *testing.T, what string, a answer, status int, kind string) {
	t.Helper()
	if a.StatusCode != status || a.json(t)["type"] != "/problems/"+kind {
		t.Errorf("%s: %d %s, want %d %s", what, a.StatusCode, a.text, status, kind)
	}
}

// TestABoundPlaceIsClaimedByItsBrowserAlone copies a cookie, and tries everything that whoever has it could try.
func TestABoundPlaceIsClaimedByItsBrowserAlone(t *testing.T) {
	e := newEdge(t)
	e.mustLoad("", shop)
	ada, own, thief := e.fan(), newBrowser(t), newBrowser(t)
	ada.navigate("/buy/") // which brings an unbound place
	loose := ada.get("/.wr/v1/demo/place").json(t)
	place := ada.joinWith(own).json(t)
	if loose["bound"] != false || place["bound"] != true || place["tid"] != loose["tid"] || place["rank"] != loose["rank"] || place["place"] == loose["place"] {
		t.Fatalf("bound: %v, before: %v", place, loose)
	}
	if again := ada.joinWith(own).json(t); again["tid"] != place["tid"] || again["rank"] != place["rank"] {
		t.Errorf("joined again: %v", again)
	}

	bob := e.fan()
	bob.setCookie("wr_demo_place", place["place"].(string))
	e.until("it is the place's turn", func() bool { return bob.get("/.wr/v1/demo/place").json(t)["state"] == "eligible" })
	if a := bob.navigate("/buy/"); a.StatusCode != 202 {
		t.Errorf("a navigation with a copied cookie: %d", a.StatusCode)
	}
	wants(t, "joining with another key", bob.joinWith(thief), 403, "place-of-another-browser")
	a := bob.claim()
	wants(t, "a claim without proof", a, 401, "proof-required")
	challenge := a.json(t)["challenge"].(string)
	wants(t, "another key", bob.claimWith(thief.text, challenge, thief.sign(challengeText+challenge)), 403, "place-of-another-browser")
	wants(t, "another's signature", bob.claimWith(own.text, challenge, thief.sign(challengeText+challenge)), 403, "proof-invalid")
	wants(t, "a signature of something else", bob.claimWith(own.text, challenge, own.sign(challenge)), 403, "proof-invalid")
	wants(t, "a challenge of one's own", bob.claimWith(own.text, "x", own.sign(challengeText+"x")), 401, "proof-required")
	token := place["place"].(string)
	wants(t, "a place for a challenge", bob.claimWith(own.text, token, own.sign(challengeText+token)), 401, "proof-required")
	carl, other := e.fan(), newBrowser(t)
	carl.joinWith(other)
	foreign := carl.claim().json(t)["challenge"].(string)
	wants(t, "the challenge of another place", bob.claimWith(own.text, foreign, own.sign(challengeText+foreign)), 401, "proof-required")
	form := bob.do("POST", "/.wr/v1/demo/claim", "return=%2Fbuy%2F", "Content-Type", "application/x-www-form-urlencoded", "Accept", "text/html")
	if form.StatusCode != http.StatusSeeOther || bob.cookie("wr_demo_pass") != "" {
		t.Errorf("a form: %d", form.StatusCode)
	}

	var passed answer
	e.until("the browser itself is let in", func() bool {
		passed = ada.claimWith(own.text, challenge, own.sign(challengeText+challenge))
		if next, ok := passed.json(t)["challenge"].(string); ok {
			challenge = next
		}
		return passed.StatusCode == http.StatusCreated
	})
	if a := ada.navigate("/buy/"); a.StatusCode != 200 {
		t.Errorf("inside: %d", a.StatusCode)
	}
	if a := bob.do("POST", "/.wr/v1/demo/leave", "{}"); a.StatusCode != 204 {
		t.Errorf("leave: %d %s", a.StatusCode, a.text)
	}
	if a := ada.do("POST", "/.wr/v1/demo/renew", "{}"); a.StatusCode != 200 {
		t.Errorf("whoever copied the place put its owner out: %d %s", a.StatusCode, a.text)
	}
	bob.setCookie("wr_demo_place", place["place"].(string))
	if p := bob.joinWith(thief, `,"anew":true`).json(t); p["bound"] != true || p["tid"] == place["tid"] {
		t.Errorf("joined anew: %v", p)
	}
}

// TestOneKeyIsOnePlace: a browser that lost its cookie, or asks twice at once, has the place that it had.
func TestOneKeyIsOnePlace(t *testing.T) {
	e := newEdge(t)
	e.mustLoad("", shop)
	b := newBrowser(t)
	one, two := e.fan().joinWith(b).json(t), e.fan().joinWith(b).json(t)
	if one["tid"] != two["tid"] || one["rank"] != two["rank"] || one["bound"] != true {
		t.Errorf("one key gave %v and %v", one, two)
	}
	if other := e.fan().joinWith(newBrowser(t)).json(t); other["tid"] == one["tid"] {
		t.Error("two keys gave one place")
	}
}

// TestTheLobbyTakesNobodyTwice: a navigation in the lobby gives no place, so that opening the page twice puts nobody in the draw twice.
func TestTheLobbyTakesNobodyTwice(t *testing.T) {
	e := newEdge(t)
	e.mustLoad("", strings.Replace(shop, "rate 200", "rate 200\n\t\topens "+time.Now().Add(time.Hour).UTC().Format(time.RFC3339), 1))
	f, b := e.fan(), newBrowser(t)
	if a := f.navigate("/buy/"); a.StatusCode != 202 || f.cookie("wr_demo_place") != "" || !strings.Contains(a.text, "/.wr/v1/demo/join") {
		t.Errorf("a navigation: %d, place %q", a.StatusCode, f.cookie("wr_demo_place"))
	}
	if p := f.joinWith(b).json(t); p["in_draw"] != true || p["bound"] != true || p["state"] != "lobby" {
		t.Errorf("joined: %v", p)
	}
	g := e.fan()
	if a := g.do("POST", "/.wr/v1/demo/join", "return=%2Fbuy%2F", "Content-Type", "application/x-www-form-urlencoded", "Accept", "text/html"); a.StatusCode != 303 {
		t.Errorf("the form: %d", a.StatusCode)
	}
	if p := g.get("/.wr/v1/demo/place").json(t); p["in_draw"] != true || p["bound"] != false {
		t.Errorf("by the form: %v", p)
	}
}

func TestBadDeviceKeys(t *testing.T) {
	e := newEdge(t)
	e.mustLoad("", shop)
	good := newBrowser(t)
	raw, err := base64.RawURLEncoding.DecodeString(good.text)
	if err != nil {
		t.Fatal(err)
	}
	changed := func(change func([]byte) []byte) string {
		return base64.RawURLEncoding.EncodeToString(change(append([]byte(nil), raw...)))
	}
	for name, text := range map[string]string{
		"no base64":       "%%%",
		"padded":          good.text + "=",
		"empty point":     changed(func(b []byte) []byte { return b[:1] }),
		"compressed":      changed(func(b []byte) []byte { return append([]byte{2}, b[1:33]...) }),
		"too long":        changed(func(b []byte) []byte { return append(b, 0) }),
		"not on the line": changed(func(b []byte) []byte { b[64] ^= 1; return b }),
		"zero":            changed(func(b []byte) []byte { return append([]byte{4}, make([]byte, 64)...) }),
	} {
		f := e.fan()
		wants(t, name, f.do("POST", "/.wr/v1/demo/join", `{"key":"`+text+`"}`), 400, "invalid")
		if f.cookie("wr_demo_place") != "" {
			t.Errorf("%s: a place was given", name)
		}
	}
	f := e.fan()
	f.joinWith(good)
	challenge := f.claim().json(t)["challenge"].(string)
	signature := good.sign(challengeText + challenge)
	for name, text := range map[string]string{
		"short": signature[:80], "long": signature + "AA", "zeros": strings.Repeat("A", 86), "no base64": strings.Repeat("%", 86), "ones": strings.Repeat("_", 86),
	} {
		wants(t, name, f.claimWith(good.text, challenge, text), 403, "proof-invalid")
	}
	if a := f.claimWith(good.text, challenge, signature); a.StatusCode != 201 && a.StatusCode != 202 {
		t.Errorf("a good signature: %d %s", a.StatusCode, a.text)
	}
}

// TestChallengesEnd: an old challenge is worth nothing, nor is one of an edition before.
func TestChallengesEnd(t *testing.T) {
	t.Parallel()
	h := &Handler{Room: "demo", keeper: newKeeper("demo", "edge")}
	text, err := pass.NewKeysFile()
	if err != nil {
		t.Fatal(err)
	}
	keys, err := pass.ParseKeyring(text)
	if err != nil {
		t.Fatal(err)
	}
	h.keeper.keys.Store(keys)
	b := newBrowser(t)
	device, err := readDeviceKey(b.text)
	if err != nil {
		t.Fatal(err)
	}
	v := visit{place: "x", key: device.short(), edition: 3, tid: randomTid()}
	ask := func(edition uint16, life time.Duration) error {
		challenge, err := keys.Sign(&pass.Token{
			Type: pass.Challenge, Room: h.keeper.number, Edition: edition, Tid: v.tid, BrowserKey: v.key, Issued: time.Now(), Expires: time.Now().Add(life),
		})
		if err != nil {
			t.Fatal(err)
		}
		return h.prove(&v, &input{device: device, Challenge: challenge, Signature: b.sign(challengeText + challenge)}, challengeText)
	}
	if err := ask(3, challengeLife); err != nil {
		t.Errorf("a good one: %v", err)
	}
	if err := ask(3, -time.Second); !errors.Is(err, errProofOld) {
		t.Errorf("an old one: %v", err)
	}
	if err := ask(2, challengeLife); !errors.Is(err, errProofOld) {
		t.Errorf("one of another edition: %v", err)
	}
}

// FuzzDeviceKey: no text is taken for a key but that of a point on the curve, and none for a signature but what the key made.
func FuzzDeviceKey(f *testing.F) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		f.Fatal(err)
	}
	raw, err := key.PublicKey.Bytes()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(base64.RawURLEncoding.EncodeToString(raw), "challenge", strings.Repeat("A", 86))
	f.Add("", "", "")
	f.Fuzz(func(t *testing.T, text, challenge, signature string) {
		k, err := readDeviceKey(text)
		if err != nil {
			if k.public != nil {
				t.Fatal("a key beside an error")
			}
			return
		}
		if again, err := k.public.Bytes(); err != nil || base64.RawURLEncoding.EncodeToString(again) != text {
			t.Fatalf("%q reads as another key: %v", text, err)
		}
		if k.signed(challenge, signature) {
			t.Fatalf("%q signs %q", signature, challenge)
		}
	})
}
