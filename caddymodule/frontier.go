package caddymodule

import (
	"bytes"
	"compress/gzip"
	"crypto/ed25519"
	"encoding/base64"
	"net/http"
	"strconv"
	"strings"

	"ticketrush/room"
)

// frontierDoc is the one document that everybody polls, ready to be sent.
type frontierDoc struct {
	body, gz  []byte
	tag, etag string
	key       string // base64 of the public key that it is signed with
	state     *room.Document
}

func newFrontierDoc(body []byte, tag string, key ed25519.PublicKey, state *room.Document) (*frontierDoc, error) {
	var gz bytes.Buffer
	zip, _ := gzip.NewWriterLevel(&gz, gzip.BestSpeed)
	if _, err := zip.Write(body); err != nil {
		return nil, err
	}
	if err := zip.Close(); err != nil {
		return nil, err
	}
	return &frontierDoc{
		body: body, gz: gz.Bytes(), tag: tag, etag: `W/"` + tag + `"`, key: base64.StdEncoding.EncodeToString(key), state: state,
	}, nil
}

// serveFrontier answers everybody with the same bytes.
func (h *Handler) serveFrontier(w http.ResponseWriter, r *http.Request) {
	doc := h.keeper.doc.Load()
	if doc == nil {
		h.notReady(w)
		return
	}
	setHeaders(w.Header(),
		"Content-Type", "application/json",
		"Cache-Control", "public, max-age=1, s-maxage=1, stale-while-revalidate=5, stale-if-error=60",
		"X-Content-Type-Options", "nosniff",
		"Wr-Frontier-Key", doc.key,
	)
	serveBytes(w, r, doc.body, doc.gz, doc.etag)
}

// setHeaders sets headers by pairs of name, in its canonical form, and value. It costs one allocation for all of them; the values are this answer's own,
// since handlers around ours may change them in place.
func setHeaders(h http.Header, pairs ...string) {
	for i := 0; i+1 < len(pairs); i += 2 {
		h[pairs[i]] = pairs[i+1 : i+2 : i+2]
	}
}

// serveBytes answers with ready-made bytes, compressed where the client takes that, or with 304.
func serveBytes(w http.ResponseWriter, r *http.Request, body, gz []byte, etag string) {
	h := w.Header()
	setHeaders(h, "Etag", etag)
	h.Add("Vary", "Accept-Encoding")
	if match := r.Header.Get("If-None-Match"); match != "" && strings.Contains(match, strings.TrimPrefix(etag, "W/")) {
		w.WriteHeader(http.StatusNotModified)
		return
	}
	if len(gz) > 0 && len(gz) < len(body) && acceptsGzip(r.Header.Get("Accept-Encoding")) {
		h.Set("Content-Encoding", "gzip")
		body = gz
	}
	h.Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(http.StatusOK)
	if r.Method != http.MethodHead {
		_, _ = w.Write(body)
	}
}

func acceptsGzip(header string) bool {
	for part := range strings.SplitSeq(header, ",") {
		name, q, weighted := strings.Cut(strings.TrimSpace(part), ";")
		if strings.EqualFold(strings.TrimSpace(name), "gzip") {
			return !weighted || !strings.HasPrefix(strings.ReplaceAll(strings.ReplaceAll(q, " ", ""), "q=0.", "q=1"), "q=0")
		}
	}
	return false
}
