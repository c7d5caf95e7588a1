package admin

import (
	"crypto/sha256"
	"embed"
	"encoding/base64"
	"io/fs"
	"net/http"
	"path"
	"strings"
)

//go:embed static
var static embed.FS

// csp is the policy of the page: everything from here, nothing inline.
const csp = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; form-action 'self'; " +
	"base-uri 'none'; frame-ancestors 'none'"

var contentTypes = map[string]string{".html": "text/html; charset=utf-8", ".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8"}

// Handler serves the page of ops at /admin, that of finance at /admin/finance, and their files under /admin/assets/, for GET and HEAD. Mount it at both
// /admin and /admin/; more special routes, GET /admin/status and those below /admin/finance/, are the API's. It needs no key: the pages are the same for
// everybody and hold no data.
func Handler() http.Handler {
	mux := http.NewServeMux()
	names, err := fs.Glob(static, "static/*")
	if err != nil {
		panic(err) // the pattern is a constant
	}
	for _, name := range names {
		body, err := static.ReadFile(name)
		if err != nil {
			panic(err)
		}
		if path.Base(name) == "admin.html" {
			mux.Handle("GET /admin", serve(name, body))
			mux.Handle("GET /admin/{$}", serve(name, body))
			continue
		}
		if path.Base(name) == "finance.html" {
			mux.Handle("GET /admin/finance", serve(name, body))
			continue
		}
		mux.Handle("GET /admin/assets/"+path.Base(name), serve(name, body))
	}
	return mux
}

func serve(name string, body []byte) http.Handler {
	sum := sha256.Sum256(body)
	etag := `"` + base64.RawURLEncoding.EncodeToString(sum[:12]) + `"`
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", csp)
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Cache-Control", "no-cache")
		h.Set("ETag", etag)
		if strings.Contains(r.Header.Get("If-None-Match"), etag) {
			w.WriteHeader(http.StatusNotModified)
			return
		}
		h.Set("Content-Type", contentTypes[path.Ext(name)])
		if r.Method != http.MethodHead {
			_, _ = w.Write(body) // the client went away: nothing to do
		}
	})
}
