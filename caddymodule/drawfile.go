package caddymodule

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"

	"ticketrush/room/draw"
	"ticketrush/room/host"
)

const (
	// drawKeptMax bounds a published draw that is kept, bytes: one of 240,000 people; there is one for each room. A larger one is passed on from the owner each time.
	drawKeptMax = 8 << 20
	// drawAsks bounds how many are passed on at once: a million people are 33 MB.
	drawAsks = 4
)

// drawFile is the published draw as this edge gives it out. It never changes, so whoever has it is told so without asking the owner, and one that is not large is kept.
type drawFile struct {
	asks chan struct{} // permits

	mu   sync.Mutex // guards what follows
	etag string
	text []byte // nil: none is kept
}

func newDrawFile() *drawFile { return &drawFile{asks: make(chan struct{}, drawAsks)} }

func (f *drawFile) kept(etag string) []byte {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.etag != etag {
		return nil
	}
	return f.text
}

func (f *drawFile) keep(etag string, text []byte) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.etag, f.text = etag, text
}

// pass writes the owner's answer to w, and keeps it where it is not too large. begun says whether anything was written.
func (f *drawFile) pass(ctx context.Context, owner interface {
	Drawn(ctx context.Context, w io.Writer) error
}, etag string, w io.Writer) (begun bool, err error) {
	select {
	case f.asks <- struct{}{}:
		defer func() { <-f.asks }()
	case <-ctx.Done():
		return false, errNotReady
	}
	c := &keptCopy{to: w}
	if err := owner.Drawn(ctx, c); err != nil {
		return c.begun, err
	}
	if !c.large {
		f.keep(etag, c.text.Bytes())
	}
	return c.begun, nil
}

// keptCopy passes on what is written, and remembers it up to drawKeptMax.
type keptCopy struct {
	to    io.Writer
	text  bytes.Buffer
	begun bool
	large bool
}

func (c *keptCopy) Write(p []byte) (int, error) {
	c.begun = true
	if c.large = c.large || c.text.Len()+len(p) > drawKeptMax; c.large {
		c.text = bytes.Buffer{}
	} else {
		c.text.Write(p)
	}
	return c.to.Write(p)
}

// drawTag names a draw: its seed follows from everything that is in it.
func drawTag(edition uint16, seed draw.Hash) string {
	return fmt.Sprintf(`W/"%d-%x"`, edition, seed[:12])
}

// serveDraw gives the whole draw, for everybody to check: `stockd verify-draw` reads it.
func (h *Handler) serveDraw(w http.ResponseWriter, r *http.Request) {
	k := h.keeper
	k.mu.RLock()
	d, edition := k.edge.Draw(), k.edge.Edition()
	k.mu.RUnlock()
	if d == nil || d.Drawn == nil {
		h.noDraw(w, host.ErrNoDraw)
		return
	}
	hd, etag := w.Header(), drawTag(edition, d.Drawn.Seed)
	hd.Set("Content-Type", "text/plain; charset=utf-8")
	hd.Set("Cache-Control", "public, max-age=60, s-maxage=60, stale-while-revalidate=60, stale-if-error=600")
	hd.Set("X-Content-Type-Options", "nosniff")
	hd.Set("Access-Control-Allow-Origin", "*") // as the log's
	if text := k.drawFile.kept(etag); text != nil || strings.Contains(r.Header.Get("If-None-Match"), strings.TrimPrefix(etag, "W/")) {
		serveBytes(w, r, text, nil, etag)
		return
	}
	setHeaders(hd, "Etag", etag)
	if r.Method == http.MethodHead {
		return
	}
	switch begun, err := k.drawFile.pass(r.Context(), k.ask(), etag, w); {
	case begun && err != nil:
		panic(http.ErrAbortHandler) // else a part would be taken for the whole
	case err != nil:
		hd.Del("Cache-Control")
		hd.Del("Etag")
		h.noDraw(w, err)
	}
}
