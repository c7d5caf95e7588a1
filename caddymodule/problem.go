package caddymodule

import (
	"encoding/json"
	"net/http"
	"strconv"
	"time"
)

// problem is an RFC 9457 document with the members that a waiting client needs.
type problem struct {
	Type       string `json:"type"`
	Title      string `json:"title"`
	Status     int    `json:"status"`
	Detail     string `json:"detail,omitempty"`
	Rank       string `json:"rank,omitempty"`
	Position   int64  `json:"position,omitempty"`
	WaitS      int64  `json:"wait_s,omitempty"`
	NextPollMs int64  `json:"next_poll_ms,omitempty"`
	Join       string `json:"join,omitempty"`
	Challenge  string `json:"challenge,omitempty"` // to be signed by the browser to which the place is bound
}

// write answers with the problem. Personal answers are never stored by a cache.
func (p problem) write(w http.ResponseWriter) {
	h := w.Header()
	h.Set("Content-Type", "application/problem+json")
	h.Set("Cache-Control", "no-store, private")
	h.Set("X-Content-Type-Options", "nosniff")
	if p.NextPollMs > 0 && h.Get("Retry-After") == "" {
		setRetryAfter(h, time.Duration(p.NextPollMs)*time.Millisecond)
	}
	body, err := json.Marshal(p)
	if err != nil {
		http.Error(w, p.Title, p.Status)
		return
	}
	h.Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(p.Status)
	_, _ = w.Write(body)
}

// setRetryAfter rounds up to whole seconds, as the header wants.
func setRetryAfter(h http.Header, d time.Duration) {
	h.Set("Retry-After", strconv.FormatInt(int64((d+time.Second-1)/time.Second), 10))
}

func writeJSON(w http.ResponseWriter, status int, v any) {
	body, err := json.Marshal(v)
	if err != nil {
		problem{Type: "about:blank", Title: "Internal error", Status: http.StatusInternalServerError}.write(w)
		return
	}
	h := w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("Cache-Control", "no-store, private")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(status)
	_, _ = w.Write(body)
}
