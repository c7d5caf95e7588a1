package site

import (
	"compress/gzip"
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
)

func get(t *testing.T, h http.Handler, path string, header ...string) *http.Response {
	t.Helper()
	r := httptest.NewRequest(http.MethodGet, path, nil)
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w.Result()
}

func text(t *testing.T, r io.Reader) string {
	t.Helper()
	body, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return string(body)
}

func TestPages(t *testing.T) {
	t.Parallel()
	h := Handler(Config{Room: "demo", Event: "aurora", Title: `Aurora "<night>"`})
	for path, want := range map[string]string{"/": "Get tickets", "/buy/": `id="map"`, "/tickets?order=ord_1": `id="tickets"`, "/buy/tickets?order=ord_1": `id="tickets"`, "/o/": "Opening your order", "/t/": `id="code"`} {
		res := get(t, h, path)
		body := text(t, res.Body)
		if res.StatusCode != http.StatusOK || !strings.Contains(body, want) || !strings.Contains(body, `data-event="aurora" data-room="demo"`) {
			t.Errorf("%s: status %d, or its content is missing", path, res.StatusCode)
		}
		if strings.Contains(body, "<night>") {
			t.Errorf("%s: the title became markup", path)
		}
		if res.Header.Get("Content-Security-Policy") != csp {
			t.Errorf("%s: no policy", path)
		}
		for _, bad := range []string{`\son[a-z]+=`, `\sstyle=`, `<style`, `javascript:`, `<script(?: type="module")?>`, `(?:src|href|action)="(?:https?:)?//`} {
			if found := regexp.MustCompile(bad).FindString(body); found != "" {
				t.Errorf("%s holds %q, which the policy blocks", path, found)
			}
		}
	}
	if res := get(t, h, "/buy"); res.StatusCode != http.StatusPermanentRedirect || res.Header.Get("Location") != "/buy/" {
		t.Errorf("/buy answers %d", res.StatusCode)
	}
	for _, path := range []string{"/nope", "/buy/nope", "/assets/", "/assets/buy.html", "/assets/../site.go"} {
		if res := get(t, h, path); res.StatusCode == http.StatusOK {
			t.Errorf("%s is served", path)
		}
	}
}

// TestEveryReferenceIsServed follows what pages and modules name, so that a renamed file cannot break the shop in a browser only.
func TestEveryReferenceIsServed(t *testing.T) {
	t.Parallel()
	h := Handler(Config{Event: "aurora"})
	reference := regexp.MustCompile(`(?:(?:src|href)="(/assets/[^"]+)"|from '\./([^']+)')`)
	todo, seen := []string{"/", "/buy/", "/tickets", "/o/", "/t/"}, map[string]bool{}
	for len(todo) > 0 {
		path := todo[0]
		todo = todo[1:]
		if seen[path] {
			continue
		}
		seen[path] = true
		res := get(t, h, path)
		if res.StatusCode != http.StatusOK || res.Header.Get("Content-Type") == "" {
			t.Errorf("%s: status %d, type %q", path, res.StatusCode, res.Header.Get("Content-Type"))
			continue
		}
		for _, m := range reference.FindAllStringSubmatch(text(t, res.Body), -1) {
			if m[2] != "" {
				m[1] = "/assets/" + m[2]
			}
			todo = append(todo, m[1])
		}
	}
	if len(seen) < 28 {
		t.Errorf("only %d files are reached", len(seen))
	}
}

func TestCaching(t *testing.T) {
	t.Parallel()
	h := Handler(Config{Event: "aurora"})
	plain := get(t, h, "/assets/shop.js")
	etag := plain.Header.Get("ETag")
	if !strings.HasPrefix(etag, `W/"`) || strings.HasSuffix(etag, `-gzip"`) {
		t.Errorf("ETag %q", etag)
	}
	if res := get(t, h, "/assets/shop.js", "If-None-Match", etag); res.StatusCode != http.StatusNotModified {
		t.Errorf("a known ETag gives %d", res.StatusCode)
	}
	zipped := get(t, h, "/assets/shop.js", "Accept-Encoding", "gzip, br")
	r, err := gzip.NewReader(zipped.Body)
	if err != nil {
		t.Fatal(err)
	}
	if text(t, r) != text(t, plain.Body) {
		t.Error("the compressed copy differs")
	}
}
