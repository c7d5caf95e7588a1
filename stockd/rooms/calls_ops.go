package rooms

import (
	"fmt"
	"io"
	"net/http"
	"strings"

	"ticketrush/client"
	"ticketrush/room"
	"ticketrush/room/draw"
	"ticketrush/room/host"
)

// serveChange carries out what ops ask for. Whether it was done when the host was not ready is not known, so it is not asked for again by itself.
func (r *Rooms) serveChange(w http.ResponseWriter, a *ask) {
	var in host.Change
	err := a.read(&in)
	if err == nil {
		var h host.Owner
		if h, err = a.owner(); err != nil {
			again(w)
			return
		}
		err = h.Change(a.Context(), in)
	}
	r.metrics.calls.WithLabelValues(a.name, "change", resultOf(err)).Inc()
	if err != nil {
		refuse(w, err)
		return
	}
	say(w, http.StatusOK, nil)
}

// serveCodes issues access codes; as serveChange.
func (r *Rooms) serveCodes(w http.ResponseWriter, a *ask) {
	var in client.RoomIssue
	var out client.RoomCodes
	err := a.read(&in)
	if err == nil {
		var h host.Owner
		if h, err = a.owner(); err != nil {
			again(w)
			return
		}
		out.First, err = h.IssueCodes(a.Context(), in.Count, in.Reason)
	}
	r.metrics.calls.WithLabelValues(a.name, "codes", resultOf(err)).Inc()
	if err != nil {
		refuse(w, err)
		return
	}
	say(w, http.StatusOK, out)
}

func (r *Rooms) serveRedeem(w http.ResponseWriter, a *ask) {
	var in client.RoomRedeem
	var out client.RoomRedeemed
	err := a.read(&in)
	if err == nil {
		var h host.Owner
		if h, err = a.owner(); err == nil {
			out.Rank, err = h.Redeem(a.Context(), in.Tid, in.Serial, in.Uses)
		}
	}
	r.metrics.calls.WithLabelValues(a.name, "redeem", resultOf(err)).Inc()
	answer(w, out, err)
}

func (r *Rooms) serveReceipt(w http.ResponseWriter, a *ask) {
	var tid room.Tid
	if err := tid.UnmarshalText([]byte(a.URL.Query().Get("tid"))); err != nil {
		refuse(w, fmt.Errorf("%w: %w", client.ErrRoomRequest, err))
		return
	}
	var receipt *draw.Receipt
	h, err := a.owner()
	if err == nil {
		receipt, err = h.Receipt(a.Context(), tid)
	}
	answer(w, receipt, err)
}

// serveDraw writes the whole draw. What breaks off on the way has a shorter body than a chunked one may have, so nobody takes a part for the whole.
func (r *Rooms) serveDraw(w http.ResponseWriter, a *ask) {
	h, err := a.owner()
	begun := &writer{to: w}
	if err == nil {
		err = h.Drawn(a.Context(), begun)
	}
	switch {
	case err != nil && begun.begun:
		panic(http.ErrAbortHandler)
	case err != nil:
		answer(w, nil, err)
	}
}

// writer notes whether anything was written.
type writer struct {
	to    io.Writer
	begun bool
}

// Write implements io.Writer.
func (w *writer) Write(b []byte) (int, error) {
	w.begun = true
	return w.to.Write(b)
}

// serveLog gives a part of the room's transparency log.
func (r *Rooms) serveLog(w http.ResponseWriter, a *ask) {
	var part []byte
	h, err := a.owner()
	if err == nil {
		part, err = h.Log(a.Context(), strings.TrimPrefix(a.verb, "log/"))
	}
	if err != nil {
		answer(w, nil, err)
		return
	}
	write(w, http.StatusOK, "application/octet-stream", part)
}
