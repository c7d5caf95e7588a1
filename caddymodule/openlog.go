package caddymodule

import (
	"context"
	"crypto/ed25519"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"

	"ticketrush/room/host"
	"ticketrush/room/openlog"
)

const (
	// tilesMax bounds the tiles that are kept: a full one of entries has about 45 kB.
	tilesMax = 256
	// checkpointFor is how long a checkpoint is given out.
	checkpointFor = time.Second
	// logAsks bounds the questions to the owner about the log at once: nobody can make a crowd of them.
	logAsks = 4
)

// openLog is the room's transparency log as this edge gives it out: what never changes is kept, and of the rest one answer a second.
type openLog struct {
	tiles *lru.Cache[string, []byte]
	asks  chan struct{} // permits

	mu         sync.Mutex // guards what follows, and is held while the owner is asked for a checkpoint
	checkpoint []byte
	at         time.Time
}

func newOpenLog() *openLog {
	tiles, _ := lru.New[string, []byte](tilesMax) // fails for a size under 1 only
	return &openLog{tiles: tiles, asks: make(chan struct{}, logAsks)}
}

// head gives the checkpoint.
func (l *openLog) head(ctx context.Context, owner host.Owner) ([]byte, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.checkpoint != nil && time.Since(l.at) < checkpointFor {
		return l.checkpoint, nil
	}
	asked := time.Now()
	text, err := owner.Log(ctx, "checkpoint")
	if err == nil {
		l.checkpoint, l.at = text, asked
	}
	return text, err
}

// tile gives a tile or a bundle of entries.
func (l *openLog) tile(ctx context.Context, owner host.Owner, path string) ([]byte, error) {
	if part, ok := l.tiles.Get(path); ok {
		return part, nil
	}
	select {
	case l.asks <- struct{}{}:
		defer func() { <-l.asks }()
	case <-ctx.Done():
		return nil, errNotReady
	}
	part, err := owner.Log(ctx, path)
	if err == nil {
		l.tiles.Add(path, part)
	}
	return part, err
}

// serveLog gives the room's transparency log: `checkpoint`, `tile/…` and `key`, the key that the checkpoint is signed with.
func (h *Handler) serveLog(w http.ResponseWriter, r *http.Request, path string) {
	keys := h.keeper.keys.Load()
	if keys == nil {
		h.notReady(w)
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), ownerPatience)
	defer cancel()
	var part []byte
	var err error
	kind, cache := "text/plain; charset=utf-8", "public, max-age=1, s-maxage=1"
	switch {
	case path == "key":
		var text string
		text, err = openlog.VerifierKey(host.LogOrigin(h.Room), host.LogKey(keys).Public().(ed25519.PublicKey))
		part, cache = []byte(text+"\n"), "public, max-age=300"
	case path == "checkpoint":
		part, err = h.keeper.openLog.head(ctx, h.keeper.ask())
	case strings.HasPrefix(path, "tile/"):
		kind, cache = "application/octet-stream", "public, max-age=31536000, immutable"
		part, err = h.keeper.openLog.tile(ctx, h.keeper.ask(), path)
	default:
		err = host.ErrNoLog
	}
	switch {
	case errors.Is(err, host.ErrNoLog):
		problem{
			Type: "/problems/no-log", Title: "The room's log has no such part", Status: http.StatusNotFound,
			Detail: "There are log/checkpoint, log/key, log/draw, and the tiles of https://c2sp.org/tlog-tiles up to the checkpoint's size.",
		}.write(w)
		return
	case err != nil:
		h.refusal(w, err)
		return
	}
	hd := w.Header()
	hd.Set("Content-Type", kind)
	hd.Set("Cache-Control", cache)
	hd.Set("X-Content-Type-Options", "nosniff")
	hd.Set("Access-Control-Allow-Origin", "*") // anybody's page may check the log
	hd.Set("Content-Length", strconv.Itoa(len(part)))
	w.WriteHeader(http.StatusOK)
	if r.Method != http.MethodHead {
		_, _ = w.Write(part)
	}
}
