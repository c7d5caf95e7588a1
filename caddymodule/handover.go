package caddymodule

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"image/png"
	"net/http"
	"strings"
	"time"

	"github.com/boombuler/barcode/qr"

	"ticketrush/caddymodule/page"
	"ticketrush/pass"
	"ticketrush/room"
)

// A place goes on on another device by a code that is shown on the one and typed on the other (room.Room.Offer, Handover). A code is 45 random bits and
// 5 of an HMAC-SHA-256 by a key of the room and edition, in ten letters and digits: so of 32 mistyped ones 31 are told as such here, and are no guess.
// The room's owner gets a digest by the same key, never the code; it counts the guesses of everybody together, since whoever guesses has many addresses.
const (
	handoverLetters = 10
	handoverCheck   = 5 // bits
)

// errMistyped is what a code is that this room never made.
var errMistyped = errors.New("it is mistyped, or not a code of this room")

// handoverCode is a code as a number of 50 bits.
type handoverCode uint64

func (k *keeper) handoverMAC(edition uint16, what string, n uint64) []byte {
	mac := hmac.New(sha256.New, k.keys.Load().Derive(fmt.Sprintf("handover/%s/%d", k.name, edition), 32))
	mac.Write([]byte(what))
	mac.Write(binary.BigEndian.AppendUint64(nil, n))
	return mac.Sum(nil)
}

// newHandover makes a code at random.
func (k *keeper) newHandover(edition uint16) handoverCode {
	var b [8]byte
	_, _ = rand.Read(b[:]) // never fails
	return k.handover(edition, binary.BigEndian.Uint64(b[:])>>(64-5*handoverLetters+handoverCheck))
}

// handover is the code with these random bits.
func (k *keeper) handover(edition uint16, random uint64) handoverCode {
	return handoverCode(random<<handoverCheck | uint64(k.handoverMAC(edition, "check", random)[0])>>(8-handoverCheck))
}

// String gives two groups of five.
func (c handoverCode) String() string {
	var text [handoverLetters]byte
	for i := range text {
		text[i] = crockford[c>>(5*(handoverLetters-1-i))&31]
	}
	return string(text[:5]) + "-" + string(text[5:])
}

// readHandover checks a code by itself; whether a place waits for it only the owner knows.
func (k *keeper) readHandover(edition uint16, text string) (c handoverCode, err error) {
	text = lenient.Replace(strings.ToUpper(strings.TrimSpace(text)))
	if len(text) != handoverLetters {
		return 0, errMistyped
	}
	for i := range text {
		digit := strings.IndexByte(crockford, text[i])
		if digit < 0 {
			return 0, errMistyped
		}
		c = c<<5 | handoverCode(digit)
	}
	if k.handover(edition, uint64(c)>>handoverCheck) != c {
		return 0, errMistyped
	}
	return c, nil
}

// digest is what the owner knows of a code.
func (k *keeper) digest(edition uint16, c handoverCode) (d room.Digest) {
	return room.Digest(k.handoverMAC(edition, "code", uint64(c))[:len(d)])
}

// codeFor reads a code that somebody typed, of the present edition.
func (h *Handler) codeFor(text string) (c handoverCode, edition uint16, err error) {
	edition, ready := h.edition()
	if !ready || h.keeper.keys.Load() == nil {
		return 0, 0, errNotReady
	}
	c, err = h.keeper.readHandover(edition, text)
	return c, edition, err
}

// offerJSON is a code, and how long it is good.
type offerJSON struct {
	Code       string `json:"code"`
	ExpiresInS int64  `json:"expires_in_s"`
	Link       string `json:"link,omitempty"` // to the page on the other device, with the code filled in
	QR         string `json:"qr,omitempty"`   // the link as a picture for a camera, a data URL; without the white border that it needs
}

// serveOffer gives a code for the visitor's place, in place of an earlier one; asked with a code, it says whether that still waits.
func (h *Handler) serveOffer(w http.ResponseWriter, r *http.Request) {
	in, ok := h.input(w, r)
	if !ok {
		return
	}
	v := h.visit(r)
	if v.place == "" {
		h.noPlace(w)
		return
	}
	code, left, err := h.offer(r.Context(), &v, &in)
	if err != nil {
		h.refuseHandover(w, r, &v, &in, err)
		return
	}
	if in.form {
		h.renderPage(w, r, v, h.look(v), h.safeReturn(in.back), func(d *page.Data) { d.State, d.Code, d.NoJSRefreshSeconds = "code", code.String(), 0 })
		return
	}
	out := offerJSON{Code: code.String(), ExpiresInS: int64(left / time.Second)}
	if in.Code == "" {
		metrics.handovers.WithLabelValues(h.Room, "offered").Inc()
		out.Link = h.handoverLink(r, in.Return, out.Code)
		out.QR = drawQR(out.Link)
	}
	writeJSON(w, http.StatusOK, out)
}

// offer has the visitor's place wait for a code. Whoever shows the code of the place only looks, and need not sign for that.
func (h *Handler) offer(ctx context.Context, v *visit, in *input) (code handoverCode, left time.Duration, err error) {
	edition, look := v.edition, in.Code != ""
	if look {
		code, edition, err = h.codeFor(in.Code)
	} else if err = h.prove(v, in, offerText); err == nil {
		code = h.keeper.newHandover(edition)
	}
	if err != nil {
		return 0, 0, err
	}
	ctx, cancel := context.WithTimeout(ctx, ownerPatience)
	defer cancel()
	place := room.Place{Tid: v.tid, Rank: v.rank, Handed: v.handed, Flags: byte(v.flags), Risk: v.risk}
	left, err = h.keeper.ask().Offer(ctx, place, h.keeper.digest(edition, code), look)
	return code, left, err
}

// handoverLink leads to the page on this site. What comes after # is not sent, so it is in no log.
func (h *Handler) handoverLink(r *http.Request, back, code string) string {
	scheme := "http://"
	if isSecure(r) {
		scheme = "https://"
	}
	return scheme + r.Host + h.safeReturn(back) + "#place=" + code
}

// drawQR gives a picture with one pixel for each module; nothing for what no QR code can hold.
func drawQR(text string) string {
	symbol, err := qr.Encode(text, qr.M, qr.Auto)
	if err != nil {
		return ""
	}
	var b bytes.Buffer
	if err := png.Encode(&b, symbol); err != nil {
		return ""
	}
	return "data:image/png;base64," + base64.StdEncoding.EncodeToString(b.Bytes())
}

// serveHandover gives the visitor the place that waits for a code, in place of the one that they have.
func (h *Handler) serveHandover(w http.ResponseWriter, r *http.Request) {
	in, ok := h.input(w, r)
	if !ok {
		return
	}
	v, err := h.takeOver(r.Context(), h.visit(r), &in)
	if err != nil {
		h.refuseHandover(w, r, &v, &in, err)
		return
	}
	metrics.handovers.WithLabelValues(h.Room, "taken").Inc()
	h.setPlace(w, r, v)
	if in.form {
		w.Header().Set("Cache-Control", "no-store, private")
		http.Redirect(w, r, h.safeReturn(in.back), http.StatusSeeOther)
		return
	}
	h.writePlace(w, v)
}

// refuseHandover says why not: to a form by the page.
func (h *Handler) refuseHandover(w http.ResponseWriter, r *http.Request, v *visit, in *input, err error) {
	metrics.handovers.WithLabelValues(h.Room, "refused").Inc()
	switch {
	case errors.Is(err, errProofMissing), errors.Is(err, errProofOld), errors.Is(err, errProofWrong), errors.Is(err, errOtherBrowser):
		h.refuseProof(w, r, v, in, err)
	case in.form:
		_, text, _ := handoverRefusal(err)
		v.moved = errors.Is(err, room.ErrHandedOver)
		h.renderPage(w, r, *v, h.look(*v), h.safeReturn(in.back), func(d *page.Data) {
			d.Trouble, d.NoJSRefreshSeconds = text, 0 // it stays until it is read
		})
	default:
		h.refusal(w, err)
	}
}

// takeOver gives the visit of whoever has taken a place over; with an error the visit as it was.
func (h *Handler) takeOver(ctx context.Context, v visit, in *input) (visit, error) {
	if v.pass != "" {
		return v, errInsideHere
	}
	code, edition, err := h.codeFor(in.Code)
	if err != nil {
		return v, err
	}
	ctx, cancel := context.WithTimeout(ctx, ownerPatience)
	defer cancel()
	p, err := h.keeper.ask().Handover(ctx, h.keeper.digest(edition, code), takerOf(in))
	if err != nil {
		return v, err
	}
	v = visit{tid: p.Tid, rank: p.Rank, risk: p.Risk, handed: p.Handed, key: in.device.short(), edition: edition}
	v.flags = pass.Flags(p.Flags) &^ (pass.Unbound | pass.NoJS)
	if in.device.public == nil {
		v.flags |= pass.Unbound
	}
	if in.form {
		v.flags |= pass.NoJS
	}
	if lots := h.keeper.lots.Load(); v.rank == 0 && lots != nil {
		v.rank = lots.Rank(v.tid)
	}
	return v, h.signPlace(&v)
}

// errInsideHere says why somebody inside takes nobody's place over.
var errInsideHere = errors.New("you are inside already on this device: the code can be used when your pass has ended")

// takerOf tells one device that asks again from another: by its key, else by its nonce; without JavaScript each time is another.
func takerOf(in *input) (d room.Digest) {
	switch {
	case in.device.public != nil:
		copy(d[:], in.device.print[:])
	case in.Nonce != "":
		sum := sha256.Sum256([]byte(in.Nonce))
		copy(d[:], sum[:])
	default:
		_, _ = rand.Read(d[:]) // never fails
	}
	return d
}

// handoverProblems are what clients get for errors about a place that goes to another device. A wrong code has one: nobody learns whether it once was a
// right one.
var handoverProblems = []struct {
	errs    []error
	problem problem
	text    string // of the page
}{
	{[]error{room.ErrHandedOver}, problem{
		Type: "/problems/place-moved", Title: "This place was moved to another device", Status: http.StatusForbidden,
		Detail: "Go on there. To have it here again, get a code there and use it here.",
	}, "p_moved"},
	{[]error{errMistyped, room.ErrNoOffer}, problem{
		Type: "/problems/handover-code", Title: "No place waits for this code", Status: http.StatusForbidden,
		Detail: "It is mistyped, was used, or has ended. Get a new one on the device that has the place: it is good once, for five minutes.",
	}, "hand_wrong"},
	{[]error{room.ErrTries, room.ErrOffersFull}, problem{
		Type: "/problems/handover-busy", Title: "No place can be moved just now", Status: http.StatusServiceUnavailable, NextPollMs: 5000,
		Detail: "Too many wrong codes were tried, or too many places are being moved. Ask again in a moment; the place is kept.",
	}, "busy"},
	{[]error{room.ErrInside, errInsideHere}, problem{
		Type: "/problems/place-inside", Title: "Somebody is inside", Status: http.StatusConflict,
		Detail: "A place is moved when no pass of it lives, and to a device that has no living pass.",
	}, "hand_inside"},
	{[]error{room.ErrHandoverMax}, problem{
		Type: "/problems/handover-limit", Title: "This place cannot be moved any more", Status: http.StatusConflict,
		Detail: "It was moved as often as a place may be. It is good on the device that has it.",
	}, "hand_limit"},
}

// handoverRefusal turns such an error into the problem that a client gets, and the key of what the page says; false when it is about something else.
func handoverRefusal(err error) (p problem, text string, ok bool) {
	for _, known := range handoverProblems {
		for _, is := range known.errs {
			if errors.Is(err, is) {
				return known.problem, known.text, true
			}
		}
	}
	return p, "busy", false
}
