package gate_test

import (
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"ticketrush/stockd/gate"
)

func TestPage(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "gate.json")
	b := bundle()
	if err := b.Save(path); err != nil {
		t.Fatal(err)
	}
	checker, err := gate.NewChecker("north", b, open(t, filepath.Join(t.TempDir(), "scans.log")), false)
	if err != nil {
		t.Fatal(err)
	}
	handler := gate.NewServer(checker, path, func() time.Time { return night }, slog.New(slog.DiscardHandler)).Handler()
	do := func(method, target, body string, change ...func(*http.Request)) *httptest.ResponseRecorder {
		r := httptest.NewRequest(method, target, strings.NewReader(body))
		r.Host = "127.0.0.1:7180"
		if method == http.MethodPost {
			r.Header.Set("Content-Type", "application/json")
		}
		for _, c := range change {
			c(r)
		}
		rec := httptest.NewRecorder()
		handler.ServeHTTP(rec, r)
		return rec
	}
	check := func(code string) (v struct {
		gate.Verdict

		Inside int
	}) {
		t.Helper()
		rec := do("POST", "/check", `{"code":"`+code+`"}`)
		if rec.Code != 200 {
			t.Fatalf("%d %s", rec.Code, rec.Body)
		}
		if err := json.Unmarshal(rec.Body.Bytes(), &v); err != nil {
			t.Fatal(err)
		}
		return v
	}
	if rec := do("GET", "/", ""); rec.Code != 200 || !strings.Contains(rec.Body.String(), "Gate north") || !strings.Contains(rec.Header().Get("Content-Security-Policy"), "script-src 'self'") {
		t.Errorf("%d %s", rec.Code, rec.Body)
	}
	for _, file := range []string{"/gate.js", "/gate.css", "/qr/decode.js", "/qr/index.js", "/qr/LICENSE.txt", "/state"} {
		if rec := do("GET", file, ""); rec.Code != 200 {
			t.Errorf("%s: %d", file, rec.Code)
		}
	}
	one := ticket()
	text := one.Sign(key)
	if v := check(text); v.Result != gate.OK || v.Inside != 1 || v.Seat != "N-12-7" {
		t.Errorf("%+v", v)
	}
	if v := check(text); v.Result != gate.Again || v.First.Gate != "north" || v.Inside != 1 {
		t.Errorf("%+v", v)
	}
	if v := check(strings.Repeat("A", 5000)); v.Result != gate.Unreadable {
		t.Errorf("%+v", v)
	}
	// A page of another site, and another name for this device, are turned away.
	for name, change := range map[string]func(*http.Request){
		"rebinding": func(r *http.Request) { r.Host = "evil.example:7180" }, "another site": func(r *http.Request) { r.Header.Set("Sec-Fetch-Site", "cross-site") },
	} {
		if rec := do("POST", "/check", `{"code":"x"}`, change); rec.Code != 403 {
			t.Errorf("%s: %d", name, rec.Code)
		}
	}
	if rec := do("POST", "/check", "code=x", func(r *http.Request) { r.Header.Set("Content-Type", "text/plain") }); rec.Code != 415 {
		t.Errorf("a form of another site: %d", rec.Code)
	}
	if rec := do("POST", "/check", `{`); rec.Code != 400 {
		t.Errorf("%d", rec.Code)
	}
	// A bundle that is fetched anew counts at once.
	next := ticket()
	b.Revoked[next.Ticket], b.AsOf = "refunded", night.Add(-7*time.Hour)
	if err := b.Save(path); err != nil {
		t.Fatal(err)
	}
	if v := check(next.Sign(key)); v.Result != gate.Revoked {
		t.Errorf("%+v", v)
	}
	if rec := do("GET", "/state", ""); !strings.Contains(rec.Body.String(), `"old":true`) {
		t.Errorf("%s", rec.Body)
	}
}
