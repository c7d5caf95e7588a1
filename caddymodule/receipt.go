package caddymodule

import (
	"context"
	"errors"
	"net/http"

	"ticketrush/room"
	"ticketrush/room/host"
)

// serveReceipt gives the proof of a visitor's place in the draw.
func (h *Handler) serveReceipt(w http.ResponseWriter, r *http.Request) {
	v := h.visit(r)
	if v.place == "" && v.pass == "" {
		h.noPlace(w)
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), ownerPatience)
	defer cancel()
	receipt, err := h.keeper.ask().Receipt(ctx, v.tid)
	if h.noDraw(w, err) {
		return
	}
	w.Header().Set("Cache-Control", "private, max-age=3600")
	writeJSON(w, http.StatusOK, receipt)
}

// serveDraw gives the whole draw, for everybody to check: `stockd verify-draw` reads it.
func (h *Handler) serveDraw(w http.ResponseWriter, r *http.Request) {
	k := h.keeper
	k.mu.RLock()
	d := k.edge.Draw()
	k.mu.RUnlock()
	if d == nil || d.Drawn == nil {
		h.noDraw(w, host.ErrNoDraw)
		return
	}
	hd := w.Header()
	hd.Set("Content-Type", "text/plain; charset=utf-8")
	hd.Set("Cache-Control", "public, max-age=60")
	hd.Set("X-Content-Type-Options", "nosniff")
	if r.Method == http.MethodHead {
		return
	}
	if err := k.ask().Drawn(r.Context(), w); err != nil {
		hd.Del("Cache-Control")
		h.noDraw(w, err)
	}
}

// noDraw answers why there is nothing to prove; false when there is no error.
func (h *Handler) noDraw(w http.ResponseWriter, err error) bool {
	switch {
	case err == nil:
		return false
	case errors.Is(err, host.ErrNoDraw):
		detail := "The room has held no draw, or this place was not in it: it was given after the lobby, or came too late for the draw."
		if k := h.keeper; k.phase() == room.PhaseLobby || k.phase() == room.PhaseDrawing {
			detail = "The draw is held when the lobby ends."
		}
		problem{Type: "/problems/no-draw", Title: "There is no proof of a draw for this place", Status: http.StatusNotFound, Detail: detail}.write(w)
	default:
		h.refusal(w, err)
	}
	return true
}
