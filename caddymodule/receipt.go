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
