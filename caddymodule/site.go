package caddymodule

import (
	"context"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"go.uber.org/zap"
)

// siteWriter hears what the site says, about an admitted visitor and about itself, and keeps that from the visitor:
//
//	Wr-Command: release | revoke | extend=‹seconds›
//	Wr-Pressure: 0..1
type siteWriter struct {
	caddyhttp.ResponseWriterWrapper
	request  *http.Request
	room     *Handler
	visit    visit
	heard    bool
	fresh    *visit // a place to be set with the answer; nil: none
	answered func() // to be called when the site's headers are there; nil: nobody counts
}

func newSiteWriter(w http.ResponseWriter, r *http.Request, h *Handler, v visit) *siteWriter {
	return &siteWriter{ResponseWriterWrapper: caddyhttp.ResponseWriterWrapper{ResponseWriter: w}, request: r, room: h, visit: v}
}

// commandMax bounds how long an answer of the site waits for its command to become durable.
const commandMax = 3 * time.Second

// extendMax bounds what a site may ask for at once.
const extendMax = 4 * time.Hour

func (w *siteWriter) hear() {
	if w.heard {
		return
	}
	w.heard = true
	if w.answered != nil {
		w.answered()
	}
	h := w.Header()
	if w.fresh != nil {
		w.room.setPlace(w, w.request, *w.fresh)
		h.Set("Cache-Control", "no-store, private") // it is one visitor's, whatever the site said
	}
	command, pressure := take(h, "Wr-Command"), take(h, "Wr-Pressure")
	if pressure != "" {
		w.feel(pressure)
	}
	if command == "" || w.visit.pass == "" {
		return // there is nobody inside whom it could be about
	}
	ctx, cancel := context.WithTimeout(w.request.Context(), commandMax)
	defer cancel()
	if err := w.obey(ctx, strings.TrimSpace(command)); err != nil {
		w.room.log.Warn("a command of the site was not carried out", zap.String("command", command), zap.Error(err))
	}
}

// take removes a header, whose name is in its canonical form, and gives its first value.
func take(h http.Header, name string) string {
	all := h[name]
	if len(all) == 0 {
		return ""
	}
	delete(h, name)
	return all[0]
}

func (w *siteWriter) feel(text string) {
	p, err := strconv.ParseFloat(strings.TrimSpace(text), 64)
	if err != nil || !(p >= 0 && p <= 1) {
		w.room.log.Warn("Wr-Pressure is not a number from 0 to 1", zap.String("value", text))
		return
	}
	k := w.room.keeper
	k.mu.Lock()
	k.edge.Feel(p)
	k.mu.Unlock()
}

func (w *siteWriter) obey(ctx context.Context, command string) error {
	h, v := w.room, w.visit
	switch {
	case command == "release":
		if err := h.leave(ctx, v, false); err != nil {
			return err
		}
	case command == "revoke":
		if err := h.revoke(ctx, v); err != nil {
			return err
		}
	case strings.HasPrefix(command, "extend="):
		seconds, err := strconv.Atoi(command[len("extend="):])
		if err != nil || seconds < 1 || time.Duration(seconds)*time.Second > extendMax {
			return strconv.ErrRange
		}
		s, err := h.renew(ctx, v, time.Duration(seconds)*time.Second)
		if err == nil {
			h.setPass(w, w.request, v, s)
		}
		return err
	default:
		return strconv.ErrSyntax
	}
	h.setCookie(w, w.request, h.names.securePass, h.names.plainPass, "", 0, false)
	return nil
}

// WriteHeader hears the site before its headers go out.
func (w *siteWriter) WriteHeader(status int) {
	if status >= 200 || status == http.StatusSwitchingProtocols {
		w.hear()
	}
	w.ResponseWriterWrapper.WriteHeader(status)
}

// Write hears the site when it did not call WriteHeader.
func (w *siteWriter) Write(b []byte) (int, error) {
	w.hear()
	return w.ResponseWriterWrapper.Write(b)
}

// ReadFrom keeps the way open for sendfile.
func (w *siteWriter) ReadFrom(r io.Reader) (int64, error) {
	w.hear()
	return w.ResponseWriterWrapper.ReadFrom(r)
}

// FlushError lets streams through.
func (w *siteWriter) FlushError() error {
	w.hear()
	return http.NewResponseController(w.ResponseWriter).Flush()
}

// Flush is FlushError for callers that know only that.
func (w *siteWriter) Flush() { _ = w.FlushError() }
