package caddymodule

import (
	"bytes"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
)

func init() {
	caddy.RegisterModule(new(StockCounts))
}

// StockCounts keeps the answers about what is left for a moment, so that a crowd that looks costs stockd one request per event and moment.
// It keeps only JSON answers with status 200, so only events that exist. With stockd away an older answer is given, for at most 30 s, with
// `Wr-Stale: 1`; after that what is left is unknown, never 0.
type StockCounts struct {
	// Paths of availability documents; the part that `*` stands for names the event. Default: /v1/events/*/availability.
	Paths caddyhttp.MatchPath `json:"paths,omitempty"`
	// For is how long an answer is kept. Default: 2s.
	For caddy.Duration `json:"for,omitempty"`

	counts *countsCache
}

// staleMax is how old an answer may be that is given because stockd has none.
const staleMax = 30 * time.Second

// answerMax bounds an answer that is kept.
const answerMax = 4 << 20

// CaddyModule returns the Caddy module information.
func (*StockCounts) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "http.handlers.stock_counts", New: func() caddy.Module { return new(StockCounts) }}
}

// Provision finds the cache, which survives reloads.
func (c *StockCounts) Provision(ctx caddy.Context) error {
	if len(c.Paths) == 0 {
		c.Paths = caddyhttp.MatchPath{"/v1/events/*/availability"}
	}
	if c.For == 0 {
		c.For = caddy.Duration(2 * time.Second)
	}
	app, err := ctx.App("waiting_room")
	if err != nil {
		return err
	}
	c.counts = app.(*App).counts
	return c.Paths.Provision(ctx)
}

// Validate checks how long answers are kept.
func (c *StockCounts) Validate() error {
	if d := time.Duration(c.For); d < 100*time.Millisecond || d > staleMax {
		return fmt.Errorf("stock_counts %v: want 100ms to %v", d, staleMax)
	}
	return nil
}

// ServeHTTP answers from the cache, or asks and keeps the answer.
func (c *StockCounts) ServeHTTP(w http.ResponseWriter, r *http.Request, next caddyhttp.Handler) error {
	match, err := c.Paths.MatchWithError(r)
	seats := r.URL.RawQuery == "seats=1"
	if err != nil || !match || r.Method != http.MethodGet || r.URL.RawQuery != "" && !seats || strings.Contains(r.Header.Get("Accept"), "application/vnd.") {
		return next.ServeHTTP(w, r)
	}
	key := r.URL.Path + "?" + r.URL.RawQuery
	if a := c.fresh(key); a != nil {
		a.write(w, r, false)
		return nil
	}
	if !c.counts.enter(key, r.Context().Done()) {
		if a := c.fresh(key); a != nil {
			a.write(w, r, false)
			return nil
		}
		return next.ServeHTTP(w, r)
	}
	defer c.counts.leave(key)
	if a := c.fresh(key); a != nil {
		a.write(w, r, false)
		return nil
	}
	return c.ask(w, r, next, key)
}

func (c *StockCounts) fresh(key string) *countsAnswer {
	if a, ok := c.counts.answers.Get(key); ok && time.Since(a.at) < time.Duration(c.For) {
		return a
	}
	return nil
}

// ask gets the answer from the handlers after this one. The client's conditions stay out of it: what is kept is the whole document.
func (c *StockCounts) ask(w http.ResponseWriter, r *http.Request, next caddyhttp.Handler, key string) error {
	asked := time.Now()
	var buf bytes.Buffer
	rec := caddyhttp.NewResponseRecorder(w, &buf, func(status int, h http.Header) bool { return true })
	inner := r.Clone(r.Context())
	for _, name := range []string{"If-None-Match", "If-Modified-Since", "Accept-Encoding", "Range"} {
		inner.Header.Del(name)
	}
	if err := next.ServeHTTP(rec, inner); err != nil || rec.Status() >= 500 {
		if a, ok := c.counts.answers.Get(key); ok && time.Since(a.at) < staleMax {
			clear(w.Header())
			a.write(w, r, true)
			return nil
		}
		if err != nil {
			return err
		}
		return rec.WriteResponse()
	}
	kind := w.Header().Get("Content-Type")
	if rec.Status() != http.StatusOK || !strings.HasPrefix(kind, "application/json") || buf.Len() > answerMax || w.Header().Get("Set-Cookie") != "" {
		return rec.WriteResponse()
	}
	a := &countsAnswer{at: asked, contentType: kind, etag: w.Header().Get("ETag"), body: bytes.Clone(buf.Bytes())}
	c.counts.answers.Add(key, a)
	c.counts.learn(c.event(r.URL.Path), a.body, asked)
	a.write(w, r, false)
	return nil
}

// event gives what `*` stands for in the first path that fits.
func (c *StockCounts) event(path string) string {
	for _, pattern := range c.Paths {
		before, after, _ := strings.Cut(pattern, "*")
		name, ok := strings.CutPrefix(path, before)
		if name, fits := strings.CutSuffix(name, after); ok && fits && !strings.Contains(name, "/") {
			return name
		}
	}
	return ""
}

func (a *countsAnswer) write(w http.ResponseWriter, r *http.Request, stale bool) {
	h := w.Header()
	h.Set("Content-Type", a.contentType)
	h.Set("Cache-Control", "public, max-age=1, s-maxage=1")
	h.Set("Age", strconv.Itoa(int(time.Since(a.at)/time.Second)))
	h.Del("Content-Length")
	if stale {
		h.Set("Wr-Stale", "1")
	}
	if a.etag != "" {
		h.Set("ETag", a.etag)
		if r.Header.Get("If-None-Match") == a.etag {
			w.WriteHeader(http.StatusNotModified)
			return
		}
	}
	h.Set("Content-Length", strconv.Itoa(len(a.body)))
	w.WriteHeader(http.StatusOK)
	_, _ = w.Write(a.body)
}

var (
	_ caddy.Provisioner           = (*StockCounts)(nil)
	_ caddy.Validator             = (*StockCounts)(nil)
	_ caddyhttp.MiddlewareHandler = (*StockCounts)(nil)
)
