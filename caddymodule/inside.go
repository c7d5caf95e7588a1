package caddymodule

import (
	"context"
	"errors"
	"net/http"
	"time"

	"ticketrush/pass"
	"ticketrush/room"
)

// passJSON is what claim and renew answer to somebody inside.
type passJSON struct {
	State      room.Standing `json:"state"`
	Pass       string        `json:"pass"`
	ExpiresAt  string        `json:"expires_at"`
	ExpiresInS int64         `json:"expires_in_s"`
	Renewal    uint16        `json:"renewal"`
	Return     string        `json:"return"`
}

// queuedJSON is what claim answers to somebody who has to wait.
type queuedJSON struct {
	State      room.Standing `json:"state"`
	Position   int64         `json:"position"`
	WaitS      int64         `json:"wait_s"`
	NextPollMs int64         `json:"next_poll_ms"`
	Challenge  string        `json:"challenge,omitempty"` // for the next claim of a bound place
}

// signPass makes the text of a session's pass; the same session gives the same text.
func (h *Handler) signPass(v visit, s room.Session) (string, error) {
	return h.keeper.keys.Load().Sign(&pass.Token{
		Type: pass.Pass, Flags: v.flags, Room: h.keeper.number, Edition: v.edition, Renewal: s.Renewal, Tid: v.tid, Rank: s.Rank,
		Issued: time.UnixMilli(s.Issued), Expires: time.UnixMilli(s.Expires), BrowserKey: v.key, Risk: v.risk,
	})
}

// untilOwner gives how long it is until a moment of the owner's time.
func (k *keeper) untilOwner(moment int64) time.Duration {
	k.mu.RLock()
	defer k.mu.RUnlock()
	return time.Duration(moment-k.edge.Time(time.Now())) * time.Millisecond
}

// setPass signs a pass and sets its cookie.
func (h *Handler) setPass(w http.ResponseWriter, r *http.Request, v visit, s room.Session) bool {
	text, err := h.signPass(v, s)
	if err != nil {
		return false
	}
	h.setCookie(w, r, h.names.securePass, h.names.plainPass, text, h.keeper.untilOwner(s.Expires), false)
	return true
}

func (h *Handler) writePass(w http.ResponseWriter, r *http.Request, status int, v visit, s room.Session) {
	text, err := h.signPass(v, s)
	if err != nil {
		h.notReady(w)
		return
	}
	left := h.keeper.untilOwner(s.Expires)
	h.setCookie(w, r, h.names.securePass, h.names.plainPass, text, left, false)
	w.Header().Set("Wr-State", "admitted")
	writeJSON(w, status, passJSON{
		State: room.StandingAdmitted, Pass: text, ExpiresAt: time.UnixMilli(s.Expires).UTC().Format(time.RFC3339), ExpiresInS: int64(left / time.Second),
		Renewal: s.Renewal, Return: h.Return,
	})
}

// serveClaim turns a place into a pass when it is its turn.
func (h *Handler) serveClaim(w http.ResponseWriter, r *http.Request) {
	in, ok := h.input(w, r)
	if !ok {
		return
	}
	v := h.visit(r)
	if v.place == "" {
		metrics.claims.WithLabelValues(h.Room, "no_place").Inc()
		h.noPlace(w)
		return
	}
	if err := h.prove(&v, &in, challengeText); err != nil {
		metrics.claims.WithLabelValues(h.Room, "unproven").Inc()
		h.refuseProof(w, r, &v, &in, err)
		return
	}
	s, granted, err := h.claim(r.Context(), &v)
	if err != nil {
		metrics.claims.WithLabelValues(h.Room, "refused").Inc()
		if in.form && errors.Is(err, room.ErrHandedOver) { // the page says so
			http.Redirect(w, r, h.safeReturn(in.back), http.StatusSeeOther)
			return
		}
		h.refusal(w, err)
		return
	}
	if granted {
		metrics.claims.WithLabelValues(h.Room, "granted").Inc()
	} else {
		metrics.claims.WithLabelValues(h.Room, "not_yet").Inc()
	}
	if v.fresh {
		h.setPlace(w, r, v)
	}
	switch {
	case in.form:
		if granted {
			h.setPass(w, r, v, s)
		}
		w.Header().Set("Cache-Control", "no-store, private")
		http.Redirect(w, r, h.safeReturn(in.back), http.StatusSeeOther)
	case granted:
		h.writePass(w, r, http.StatusCreated, v, s)
	default:
		view := h.look(v)
		h.describe(w, view)
		writeJSON(w, http.StatusAccepted, queuedJSON{
			view.Standing, view.Position, int64(view.Wait / time.Second), jitter(view.NextPoll).Milliseconds(), h.challenge(&v),
		})
	}
}

// refuseProof answers a claim that does not come from the place's browser. The page says the same in words to somebody without JavaScript.
func (h *Handler) refuseProof(w http.ResponseWriter, r *http.Request, v *visit, in *input, err error) {
	if in.form {
		w.Header().Set("Cache-Control", "no-store, private")
		http.Redirect(w, r, h.safeReturn(in.back), http.StatusSeeOther)
		return
	}
	p := problem{Type: "/problems/proof-required", Title: "Sign the challenge with the key of your browser", Status: http.StatusUnauthorized, Detail: err.Error() + "."}
	switch {
	case errors.Is(err, errOtherBrowser):
		p = otherBrowser(h.base)
	case errors.Is(err, errProofWrong):
		p.Type, p.Title, p.Status = "/problems/proof-invalid", "The signature is wrong", http.StatusForbidden
	}
	p.Challenge = h.challenge(v)
	p.write(w)
}

// otherBrowser tells somebody that their cookie is of another browser's place.
func otherBrowser(base string) problem {
	return problem{
		Type: "/problems/place-of-another-browser", Title: "This place belongs to another browser", Status: http.StatusForbidden, Join: base + "/join",
		Detail: "Its key never leaves the browser that joined. Go on there, or join anew with {\"anew\": true}, at the end of the line.",
	}
}

// ownerPatience bounds what is asked of the owner on behalf of a visitor.
const ownerPatience = 3 * time.Second

// renew gives a living pass a new life; the answer is durable.
func (h *Handler) renew(ctx context.Context, v visit, life time.Duration) (room.Session, error) {
	ctx, cancel := context.WithTimeout(ctx, ownerPatience)
	defer cancel()
	return h.keeper.ask().Renew(ctx, v.tid, v.renewal, life)
}

func (h *Handler) serveRenew(w http.ResponseWriter, r *http.Request) {
	if _, ok := h.input(w, r); !ok {
		return
	}
	v := h.visit(r)
	if v.pass == "" {
		h.refusal(w, room.ErrNotInside)
		return
	}
	s, err := h.renew(r.Context(), v, 0)
	if err != nil {
		h.refusal(w, err)
		return
	}
	h.writePass(w, r, http.StatusOK, v, s)
}

// leave ends a pass, and gives up the place when asked to; the answer is durable.
func (h *Handler) leave(ctx context.Context, v visit, place bool) error {
	ctx, cancel := context.WithTimeout(ctx, ownerPatience)
	defer cancel()
	if err := h.keeper.ask().Leave(ctx, v.tid); err != nil {
		return err
	}
	if place {
		h.forget(v)
	}
	h.keeper.refresh(ctx) // from here on this edge turns the pass away; the others do within a sync
	return nil
}

// forget has this edge give a new rank to whoever joins again.
func (h *Handler) forget(v visit) {
	h.keeper.mu.Lock()
	defer h.keeper.mu.Unlock()
	h.keeper.edge.Forget(v.tid)
}

func (h *Handler) serveLeave(w http.ResponseWriter, r *http.Request) {
	in, ok := h.input(w, r)
	if !ok {
		return
	}
	v := h.visit(r)
	if v.pass == "" && v.place == "" {
		h.noPlace(w)
		return
	}
	// Somebody who has a copy of a place, or had it once, and has no pass, cannot put its owner out.
	if v.pass != "" {
		if err := h.leave(r.Context(), v, true); err != nil {
			h.refusal(w, err)
			return
		}
	} else if !v.bound() {
		h.forget(v)
	}
	h.clearCookie(w, r, h.names.securePass, h.names.plainPass)
	h.clearCookie(w, r, h.names.securePlace, h.names.plainPlace)
	h.clearCookie(w, r, h.names.public, h.names.public)
	w.Header().Set("Cache-Control", "no-store, private")
	if in.form {
		http.Redirect(w, r, h.base+"/page", http.StatusSeeOther)
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

// revoke ends a visitor's admission for the life of a place.
func (h *Handler) revoke(ctx context.Context, v visit) error {
	now := time.Now()
	ctx, cancel := context.WithTimeout(ctx, ownerPatience)
	defer cancel()
	if err := h.keeper.ask().Ban(ctx, v.tid, now.Add(h.placeLife(now))); err != nil {
		return err
	}
	h.keeper.refresh(ctx)
	return nil
}
