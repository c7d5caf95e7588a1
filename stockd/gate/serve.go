package gate

import (
	"bytes"
	"embed"
	"encoding/json"
	"errors"
	"html/template"
	"io/fs"
	"log/slog"
	"mime"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"time"
)

//go:embed page
var page embed.FS

var index = template.Must(template.ParseFS(page, "page/index.html"))

const (
	pageCSP = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self'; media-src 'self' blob:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
	// oldAfter is the age of a list of revocations that people should be told of.
	oldAfter = 6 * time.Hour
	codeMax  = 4096 // bytes of a request
)

// Server is the page of a gate, for the browser of the same device. It answers only under the names of the device itself, so that no page of another
// site can reach it.
type Server struct {
	checker *Checker
	path    string // of the bundle: read again when it has changed
	now     func() time.Time
	log     *slog.Logger

	mu  sync.Mutex
	mod time.Time
}

// NewServer serves a gate. bundlePath is looked at with each request, so that a bundle that was fetched anew counts at once.
func NewServer(c *Checker, bundlePath string, now func() time.Time, log *slog.Logger) *Server {
	return &Server{checker: c, path: bundlePath, now: now, log: log}
}

// Handler is the page and what it asks.
func (s *Server) Handler() http.Handler {
	files, err := fs.Sub(page, "page")
	if err != nil {
		panic(err) // it is embedded
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", s.index)
	mux.HandleFunc("GET /state", s.state)
	mux.HandleFunc("POST /check", s.check)
	mux.Handle("GET /", http.FileServerFS(files))
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", pageCSP)
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Cache-Control", "no-store")
		h.Set("Permissions-Policy", "camera=(self)")
		if !own(r) {
			http.Error(w, "This gate answers at 127.0.0.1 and localhost only.", http.StatusForbidden)
			return
		}
		s.refresh()
		mux.ServeHTTP(w, r)
	})
}

// own is whether a request comes from a page of this gate, or from no page at all.
func own(r *http.Request) bool {
	host := r.Host
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	ip := net.ParseIP(strings.Trim(host, "[]"))
	if host != "localhost" && (ip == nil || !ip.IsLoopback()) {
		return false
	}
	site := r.Header.Get("Sec-Fetch-Site")
	return site == "" || site == "same-origin" || site == "none"
}

// refresh takes a bundle into use that was fetched since. One that cannot be read leaves the present one in use.
func (s *Server) refresh() {
	s.mu.Lock()
	defer s.mu.Unlock()
	info, err := os.Stat(s.path)
	if err != nil || info.ModTime().Equal(s.mod) {
		return
	}
	b, err := Load(s.path)
	if err != nil || b.Event != s.checker.Bundle().Event {
		s.log.Warn("the bundle has changed and cannot be used; the gate goes on with the one before", "file", s.path, "error", err)
		s.mod = info.ModTime()
		return
	}
	s.mod = info.ModTime()
	s.checker.Use(b)
}

func (s *Server) index(w http.ResponseWriter, _ *http.Request) {
	b := s.checker.Bundle()
	var out bytes.Buffer
	err := index.Execute(&out, map[string]any{"Gate": s.checker.gate, "Name": b.Name, "Venue": b.Venue, "Starts": stamp(b.StartsAt), "AsOf": stamp(b.AsOf),
		"Rehearse": s.checker.rehearse, "Inside": s.checker.Inside()})
	if err != nil {
		s.log.Error("the page cannot be made", "error", err)
		http.Error(w, "The page cannot be made.", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	_, _ = w.Write(out.Bytes()) // the browser went away: nothing to do
}

func (s *Server) state(w http.ResponseWriter, _ *http.Request) {
	b := s.checker.Bundle()
	reply(w, http.StatusOK, map[string]any{"as_of": stamp(b.AsOf), "old": s.now().Sub(b.AsOf) > oldAfter, "inside": s.checker.Inside()})
}

func (s *Server) check(w http.ResponseWriter, r *http.Request) {
	if kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || kind != "application/json" {
		reply(w, http.StatusUnsupportedMediaType, map[string]string{"error": "send application/json"})
		return
	}
	var body struct {
		Code string `json:"code"`
	}
	err := json.NewDecoder(http.MaxBytesReader(w, r.Body, codeMax)).Decode(&body)
	var large *http.MaxBytesError
	if err != nil && !errors.As(err, &large) {
		reply(w, http.StatusBadRequest, map[string]string{"error": "send {\"code\": …}"})
		return
	}
	v, err := s.checker.Check(body.Code, s.now()) // what was too long has no code, and is unreadable
	if err != nil {
		s.log.Error("a scan cannot be written down", "error", err)
		reply(w, http.StatusInternalServerError, map[string]string{"error": "The scan cannot be written down: " + err.Error()})
		return
	}
	reply(w, http.StatusOK, struct {
		Verdict

		Inside int `json:"inside"`
	}{v, s.checker.Inside()})
}

func reply(w http.ResponseWriter, status int, body any) {
	text, err := json.Marshal(body)
	if err != nil {
		panic(err) // plain values
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(text) // the browser went away: nothing to do
}
