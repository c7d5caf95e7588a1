package caddymodule

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"time"
)

// streamsMax bounds the open streams of a room: each costs a connection. More are told to poll.
const streamsMax = 2000

// streamHeartbeat keeps proxies from closing a quiet stream.
const streamHeartbeat = 20 * time.Second

// serveStream sends the frontier document at each change, as server-sent events. A reload ends it with a spread time to come back.
func (h *Handler) serveStream(w http.ResponseWriter, r *http.Request) {
	if h.keeper.doc.Load() == nil {
		h.notReady(w)
		return
	}
	if n := h.keeper.streams.Add(1); n > streamsMax {
		h.keeper.streams.Add(-1)
		problem{Type: "/problems/too-many-streams", Title: "Poll frontier instead", Status: http.StatusServiceUnavailable, NextPollMs: 3000}.write(w)
		return
	}
	defer h.keeper.streams.Add(-1)
	hd := w.Header()
	hd.Set("Content-Type", "text/event-stream")
	hd.Set("Cache-Control", "no-store")
	hd.Set("X-Accel-Buffering", "no")
	w.WriteHeader(http.StatusOK)
	flush := http.NewResponseController(w).Flush
	ticker := time.NewTicker(time.Second)
	defer ticker.Stop()
	var sent *frontierDoc
	last := time.Now()
	for {
		doc := h.keeper.doc.Load()
		var err error
		switch {
		case doc != sent && doc != nil:
			_, err = fmt.Fprintf(w, "id: %d\nevent: frontier\ndata: %s\n\n", doc.state.Now.UnixMilli(), doc.body)
			sent, last = doc, time.Now()
		case time.Since(last) >= streamHeartbeat:
			_, err = fmt.Fprint(w, ": still here\n\n")
			last = time.Now()
		}
		if err != nil || flush() != nil {
			return
		}
		select {
		case <-ticker.C:
		case <-r.Context().Done():
			return
		case <-h.app.ctx.Done():
			_, _ = fmt.Fprintf(w, "retry: %d\n\n", 1000+rand.IntN(9000))
			return
		}
	}
}
