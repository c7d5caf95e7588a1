package api

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"time"
)

// Limits of what one connection may keep busy.
const (
	bodyWithin      = 10 * time.Second // for a body to arrive
	chartBodyWithin = 2 * time.Minute  // the same, for a chart of somebody whom we know
	answerWriteMax  = 30 * time.Second // for each write of an answer
	// smallBody is what anybody may send; a hold has some hundred bytes. largeBodies is how many larger ones, up to bodyMax, are read at the same time.
	// So 50,000 connections that all send what they may take 400 MB, and those who send more share 16 MB.
	smallBody   = 8 << 10
	largeBodies = 256
)

// readWithin bounds how long the rest of a request may take to arrive; 0: as long as it likes. Not every writer has deadlines (tests).
func readWithin(w http.ResponseWriter, d time.Duration) {
	until := time.Time{}
	if d > 0 {
		until = time.Now().Add(d)
	}
	_ = http.NewResponseController(w).SetReadDeadline(until)
}

// takeBody reads a body before the request takes part in anything: one that drips in must keep nothing from others but its own connection.
func (s *server) takeBody(w http.ResponseWriter, r *http.Request) error {
	if r.Body == nil || r.Body == http.NoBody || r.ContentLength == 0 {
		return nil
	}
	tooLarge := refuse(kindTooLarge, fmt.Sprintf("At most %d bytes are read here.", bodyMax)).set("Connection", "close")
	if r.ContentLength > bodyMax {
		return tooLarge
	}
	body, err := io.ReadAll(io.LimitReader(r.Body, smallBody+1))
	if err == nil && len(body) > smallBody {
		select {
		case s.bodies <- struct{}{}:
			defer func() { <-s.bodies }()
		default:
			return refuse(kindOverloaded, "Too many large bodies at once. Repeat the request with the same key.").after(jitter(overloadRetry))
		}
		var rest []byte
		rest, err = io.ReadAll(io.LimitReader(r.Body, bodyMax+1-int64(len(body))))
		body = append(body, rest...)
	}
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded):
		return refuse(kindMalformed, fmt.Sprintf("The body did not arrive within %v.", bodyWithin)).set("Connection", "close").because(err)
	case err != nil:
		return refuse(kindMalformed, "The body ended before its end.").because(err)
	case len(body) > bodyMax:
		return tooLarge
	}
	readWithin(w, 0) // the connection is watched on, without a limit, for the client going away
	r.Body = io.NopCloser(bytes.NewReader(body))
	return nil
}
