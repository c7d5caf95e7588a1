package caddymodule

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
)

// TestAnEndedPassIsRefusedAtOnce: whoever asks the edge that answered finds that the pass is no good, however soon, also by a copy of it.
func TestAnEndedPassIsRefusedAtOnce(t *testing.T) {
	e := newEdge(t)
	var command atomic.Value
	command.Store("")
	site := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if c := command.Load().(string); c != "" {
			w.Header().Set("Wr-Command", c)
		}
		fmt.Fprint(w, "ok")
	}))
	defer site.Close()
	e.mustLoad("", "waiting_room demo {\n protect /buy/*\n rate 200\n}\nreverse_proxy "+strings.TrimPrefix(site.URL, "http://"))
	for name, end := range map[string]func(*fan){
		"leave":   func(f *fan) { f.do("POST", "/.wr/v1/demo/leave", "{}") },
		"release": func(f *fan) { command.Store("release"); f.get("/buy/"); command.Store("") },
		"revoke":  func(f *fan) { command.Store("revoke"); f.get("/buy/"); command.Store("") },
	} {
		for i := range 10 {
			f := e.fan()
			copied := "WaitingRoom " + f.enter()["pass"].(string)
			if a := e.fan().do("GET", "/buy/", "", "Authorization", copied); a.StatusCode != 200 {
				t.Fatalf("%s: a living pass: %d", name, a.StatusCode)
			}
			e.ops("GET", "/waiting_room/rooms/demo", "") // the edge has just synced, so it does not again by itself
			end(f)
			if a := e.fan().do("GET", "/buy/", "", "Authorization", copied); a.StatusCode != 429 {
				t.Fatalf("%s, try %d: the pass still lets somebody in: %d", name, i, a.StatusCode)
			}
		}
	}
}
