package caddymodule

import (
	"bytes"
	"compress/gzip"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"go.uber.org/zap"

	"ticketrush/pass"
	"ticketrush/room"
)

// frontierDoc is the one document that everybody polls, ready to be sent.
type frontierDoc struct {
	at       time.Time
	body, gz []byte
	etag     string
	state    room.Document
}

// frontierJSON is the document without its signature. 64-bit numbers are decimal text: JavaScript's numbers end at 2^53.
type frontierJSON struct {
	Room      string            `json:"room"`
	Edition   uint16            `json:"edition"`
	State     room.Phase        `json:"state"`
	OpensAt   *time.Time        `json:"opens_at"`
	Frontier  map[string]string `json:"frontier"`
	Rate      float64           `json:"rate"`
	Inside    int               `json:"inside"`
	MaxActive int               `json:"max_active"`
	Waiting   uint64            `json:"waiting"`
	Histogram [][2]any          `json:"histogram"`
	Stock     stockJSON         `json:"stock"`
	Poll      [][2]any          `json:"poll"`
	Now       string            `json:"now"`
	AsOfMs    int64             `json:"as_of_ms"`
}

type stockJSON struct {
	Left *int64 `json:"left"`
}

// publish makes the document of now. Only the keeper's goroutine calls it, so that documents follow each other.
func (k *keeper) publish(now time.Time) {
	k.mu.Lock()
	d := k.room.Document(now)
	log, left := k.log, k.left
	k.mu.Unlock()
	var stock *int64
	if left != nil {
		stock = left()
	}
	doc, err := k.encode(now, d, stock)
	if err != nil {
		log.Error("encode the frontier document", zap.Error(err))
		return
	}
	k.doc.Store(doc)
	metrics.inside.WithLabelValues(k.name).Set(float64(d.Inside))
	metrics.maxActive.WithLabelValues(k.name).Set(float64(d.MaxActive))
	metrics.waiting.WithLabelValues(k.name).Set(float64(d.Waiting))
	metrics.rate.WithLabelValues(k.name).Set(d.Rate)
	metrics.show.WithLabelValues(k.name).Set(d.ShowRate)
}

func (k *keeper) encode(now time.Time, d room.Document, left *int64) (*frontierDoc, error) {
	out := frontierJSON{
		Room: k.name, Edition: d.Edition, State: d.Phase, Rate: d.Rate, Inside: d.Inside, MaxActive: d.MaxActive, Waiting: d.Waiting,
		Frontier: map[string]string{
			"main": strconv.FormatUint(d.Frontier[room.GroupMain], 10), "slow": strconv.FormatUint(d.Frontier[room.GroupSlow], 10),
		},
		Histogram: make([][2]any, 0, len(d.Histogram)), Stock: stockJSON{left}, Poll: pollTable(),
		Now: now.UTC().Format("2006-01-02T15:04:05.000Z07:00"), AsOfMs: now.UnixMilli(),
	}
	if !d.OpensAt.IsZero() {
		at := d.OpensAt.UTC()
		out.OpensAt = &at
	}
	for _, p := range d.Histogram {
		out.Histogram = append(out.Histogram, [2]any{strconv.FormatUint(p.Rank, 10), p.Count})
	}
	body, err := json.Marshal(out)
	if err != nil {
		return nil, err
	}
	body = sign(frontierKey(k.keys.Load()), body)
	var gz bytes.Buffer
	zip, _ := gzip.NewWriterLevel(&gz, gzip.BestSpeed)
	if _, err := zip.Write(body); err != nil {
		return nil, err
	}
	if err := zip.Close(); err != nil {
		return nil, err
	}
	sum := sha256.Sum256(body)
	return &frontierDoc{at: now, body: body, gz: gz.Bytes(), etag: `W/"` + base64.RawURLEncoding.EncodeToString(sum[:12]) + `"`, state: d}, nil
}

func pollTable() (rows [][2]any) {
	for _, s := range room.PollTable {
		var under any
		if s.Under > 0 {
			under = int64(s.Under / time.Second)
		}
		rows = append(rows, [2]any{under, s.Every.Milliseconds()})
	}
	return rows
}

// frontierKey signs the documents of all rooms that share a keys file.
func frontierKey(keys *pass.Keyring) ed25519.PrivateKey {
	return ed25519.NewKeyFromSeed(keys.Derive("frontier/ed25519", ed25519.SeedSize))
}

// sign adds the member "signature" to a JSON object. It signs the bytes of the object as they are without that member: cut `,"signature":"…"`
// before the closing brace to verify.
func sign(key ed25519.PrivateKey, body []byte) []byte {
	signature := ed25519.Sign(key, body)
	return fmt.Appendf(body[:len(body)-1:len(body)-1], `,"signature":%q}`, base64.StdEncoding.EncodeToString(signature))
}

// serveFrontier answers everybody with the same bytes.
func (h *Handler) serveFrontier(w http.ResponseWriter, r *http.Request) {
	doc := h.keeper.doc.Load()
	if doc == nil {
		h.notReady(w)
		return
	}
	hd := w.Header()
	hd.Set("Content-Type", "application/json")
	hd.Set("Cache-Control", "public, max-age=1, s-maxage=1, stale-while-revalidate=5, stale-if-error=60")
	hd.Set("X-Content-Type-Options", "nosniff")
	key := frontierKey(h.keeper.keys.Load()).Public().(ed25519.PublicKey)
	hd.Set("Wr-Frontier-Key", base64.StdEncoding.EncodeToString(key))
	serveBytes(w, r, doc.body, doc.gz, doc.etag)
}

// serveBytes answers with ready-made bytes, compressed where the client takes that, or with 304.
func serveBytes(w http.ResponseWriter, r *http.Request, body, gz []byte, etag string) {
	h := w.Header()
	h.Set("ETag", etag)
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
