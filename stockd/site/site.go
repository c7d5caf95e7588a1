package site

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"embed"
	"encoding/base64"
	"fmt"
	"html/template"
	"io/fs"
	"net/http"
	"path"
	"strings"
)

//go:embed static
var static embed.FS

// csp is the policy of all pages: everything from here, nothing inline. blob: is for the tickets' QR codes, which are fetched with a token.
const csp = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; connect-src 'self'; form-action 'self'; " +
	"base-uri 'none'; frame-ancestors 'none'"

// Config says what the storefront sells.
type Config struct {
	// Room is the waiting room in front of /buy/; empty means that there is none.
	Room string
	// Event is the slug or id of the event on sale.
	Event string
	// Title is what people read until the event itself has been loaded; empty means Event.
	Title string
	// Account is an address of the organiser's site, on the same origin, that answers with the account token (a JWT) of whoever is signed in there.
	// Empty means that there are no accounts. SignIn is where people sign in; it is given the way back as ?return=.
	Account, SignIn string
}

// pages maps each path to its template.
var pages = map[string]string{
	"/":            "index.html",
	"/buy/":        "buy.html",
	"/tickets":     "tickets.html",
	"/buy/tickets": "tickets.html",
	"/o/":          "o.html",
	"/t/":          "t.html",
}

var contentTypes = map[string]string{
	".html": "text/html; charset=utf-8",
	".css":  "text/css; charset=utf-8",
	".js":   "text/javascript; charset=utf-8",
	".svg":  "image/svg+xml",
}

// file is one answer, made once.
type file struct {
	body, gz          []byte
	contentType, etag string
}

// Handler serves the storefront for GET and HEAD. It panics when the embedded templates are broken, which a test rules out.
func Handler(cfg Config) http.Handler {
	if cfg.Title == "" {
		cfg.Title = cfg.Event
	}
	mux := http.NewServeMux()
	templates := template.Must(template.ParseFS(static, "static/*.html"))
	for route, name := range pages {
		var b bytes.Buffer
		if err := templates.ExecuteTemplate(&b, name, cfg); err != nil {
			panic(fmt.Errorf("render %s: %w", name, err))
		}
		if route == "/" {
			route = "/{$}"
		} else if strings.HasSuffix(route, "/") {
			route += "{$}"
		}
		mux.Handle("GET "+route, newFile(name, b.Bytes()))
	}
	mux.Handle("GET /buy", http.RedirectHandler("/buy/", http.StatusPermanentRedirect))
	names, err := fs.Glob(static, "static/*")
	if err != nil {
		panic(err)
	}
	for _, name := range names {
		if path.Ext(name) == ".html" {
			continue
		}
		body, err := static.ReadFile(name)
		if err != nil {
			panic(err)
		}
		mux.Handle("GET /assets/"+path.Base(name), newFile(name, body))
	}
	return mux
}

func newFile(name string, body []byte) *file {
	sum := sha256.Sum256(body)
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	// Writing to memory cannot fail.
	_, _ = w.Write(body)
	_ = w.Close()
	return &file{body: body, gz: b.Bytes(), contentType: contentTypes[path.Ext(name)], etag: `W/"` + base64.RawURLEncoding.EncodeToString(sum[:12]) + `"`}
}

// ServeHTTP answers from memory. Every browser asks again each time and nearly always gets a 304, so an upgrade is seen at once.
func (f *file) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("Content-Security-Policy", csp)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "same-origin")
	h.Set("Cache-Control", "no-cache")
	h.Set("ETag", f.etag)
	h.Set("Vary", "Accept-Encoding")
	if strings.Contains(r.Header.Get("If-None-Match"), f.etag) {
		w.WriteHeader(http.StatusNotModified)
		return
	}
	h.Set("Content-Type", f.contentType)
	body := f.body
	if strings.Contains(r.Header.Get("Accept-Encoding"), "gzip") {
		h.Set("Content-Encoding", "gzip")
		body = f.gz
	}
	h.Set("Content-Length", fmt.Sprint(len(body)))
	if r.Method != http.MethodHead {
		_, _ = w.Write(body) // the client went away: nothing to do
	}
}
