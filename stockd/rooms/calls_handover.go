package rooms

import (
	"net/http"

	"ticketrush/client"
	"ticketrush/room"
	"ticketrush/room/host"
)

// serveOffer has a place wait for a code.
func (r *Rooms) serveOffer(w http.ResponseWriter, a *ask) {
	var in client.RoomOffer
	var out client.RoomOffered
	err := a.read(&in)
	if err == nil {
		var h host.Owner
		if h, err = a.owner(); err == nil {
			left, failed := h.Offer(a.Context(), in.Place, in.Code, in.Look)
			out.LeftMs, err = left.Milliseconds(), failed
		}
	}
	r.metrics.calls.WithLabelValues(a.name, "offer", resultOf(err)).Inc()
	answer(w, out, err)
}

// serveHandover gives a place to whoever shows the code.
func (r *Rooms) serveHandover(w http.ResponseWriter, a *ask) {
	var in client.RoomHandover
	var out room.Place
	err := a.read(&in)
	if err == nil {
		var h host.Owner
		if h, err = a.owner(); err == nil {
			out, err = h.Handover(a.Context(), in.Code, in.Taker)
		}
	}
	r.metrics.calls.WithLabelValues(a.name, "handover", resultOf(err)).Inc()
	answer(w, out, err)
}
