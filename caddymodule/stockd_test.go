package caddymodule

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
)

// TestStockdDirective stands two nodes up that speak the protocol of routes, owners and passes, and goes through the edge to them.
func TestStockdDirective(t *testing.T) {
	e := newEdge(t)
	key := e.write("internal.key", "a shared secret\n")
	api := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusCreated)
		_ = json.NewEncoder(w).Encode(map[string]string{
			"path": r.URL.Path, "pass": r.Header.Get("X-Wr-Pass"), "tid": r.Header.Get("X-Wr-Tid"), "body": string(body), "internal": r.Header.Get("X-Stockd-Internal-Key"),
			"forwarded": r.Header.Get("X-Forwarded-For"),
		})
	}))
	defer api.Close()
	var asked atomic.Int64
	internal := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("X-Stockd-Internal-Key") != "a shared secret" {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		if asked.Add(1) > 1 {
			<-r.Context().Done() // the long poll: nothing new
			return
		}
		fmt.Fprintf(w, `{"version":"1","nodes":[{"node":"n1","api":%q,"internal":%q}],"routes":[]}`, strings.TrimPrefix(api.URL, "http://"), r.Host)
	}))
	defer func() { internal.CloseClientConnections(); internal.Close() }()
	// The nodes are named in the site: this edge owns its room alone.
	e.mustLoad("", `
	waiting_room demo {
		protect /buy/*
		rate 200
	}
	stockd /v1/* `+internal.URL+` {
		key `+key+`
	}
	respond /other "site"
`)
	f := e.fan()
	if a := f.do("POST", "/v1/events/arena/holds", "{}"); a.StatusCode != 403 || a.json(t)["join"] != "/.wr/v1/demo/join" {
		t.Errorf("a hold without a pass: %d %s", a.StatusCode, a.text)
	}
	if a := f.do("POST", "/v1/webhooks/sandbox", "{}"); a.StatusCode != 201 || a.json(t)["path"] != "/v1/webhooks/sandbox" {
		t.Errorf("a webhook: %d %s", a.StatusCode, a.text)
	}
	if a := f.do("POST", "/v1/events/arena/holds", "{}", "Authorization", "Bearer key"); a.StatusCode != 201 {
		t.Errorf("a hold with an API key: %d %s", a.StatusCode, a.text)
	}
	passed := f.enter()["pass"]
	a := f.do("POST", "/v1/events/arena/holds", `{"a":1}`, "X-Stockd-Internal-Key", "lie", "X-Wr-Pass", "lie")
	if m := a.json(t); a.StatusCode != 201 || m["pass"] != passed || m["body"] != `{"a":1}` || m["internal"] != "" || m["forwarded"] != "127.0.0.1" {
		t.Errorf("a hold with a pass: %d %s", a.StatusCode, a.text)
	}
	if a := f.do("POST", "/v1/events/arena/holds", strings.Repeat("x", 70_000)); a.StatusCode != 413 {
		t.Errorf("a large body: %d %s", a.StatusCode, a.text)
	}
	if a := f.get("/other"); a.text != "site" {
		t.Errorf("the site: %q", a.text)
	}
	api.Close()
	if a := f.do("GET", "/v1/events/arena", ""); a.StatusCode != 503 || a.Header.Get("Content-Type") != "application/problem+json" {
		t.Errorf("with stockd away: %d %s", a.StatusCode, a.text)
	}
}
