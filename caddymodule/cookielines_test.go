package caddymodule

import (
	"context"
	"crypto/tls"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"ticketrush/pass"
)

// told is all that a request leads to for somebody inside.
type told struct {
	tid, pass string
	header    http.Header
	vars      map[string]any
}

// shown gives what a handler makes of a copy of a request.
func (h *Handler) shown(r *http.Request) told {
	vars := map[string]any{}
	r = r.Clone(context.WithValue(r.Context(), caddyhttp.VarsCtxKey, vars))
	v := h.admission(r)
	if v.pass != "" {
		h.introduce(r, &v, vars)
	}
	return told{v.tid.String(), v.pass, r.Header, vars}
}

// requestOf makes a request of cookies as browsers, proxies and attackers send them.
func requestOf(rng *rand.Rand, values []string) *http.Request {
	r := httptest.NewRequest(http.MethodGet, "http://127.0.0.1/buy/", nil)
	r.Header.Set("X-Wr-Tid", "stale")
	names := []string{"wr_demo_pass", "__Host-wr_demo_pass", "wr_demo_place", "wr_other_pass", "theme"}
	var parts []string
	for range rng.IntN(4) {
		parts = append(parts, names[rng.IntN(len(names))]+"="+values[rng.IntN(len(values))])
	}
	if len(parts) > 0 {
		r.Header["Cookie"] = []string{strings.Join(parts, "; ")}
	}
	switch rng.IntN(12) {
	case 0:
		r.Header["Cookie"] = append(r.Header["Cookie"], "wr_demo_pass="+values[0])
	case 1:
		r.Header.Set("Authorization", "WaitingRoom "+values[rng.IntN(len(values))])
	case 2:
		r.Header.Set("Authorization", "Basic c2VhdDo3")
	case 3:
		r.Header["Cookie"] = []string{strings.Join(parts, "; ") + "; wr_demo_pass=" + values[0] + "; pad=" + strings.Repeat("x", lineMax)}
	}
	if rng.IntN(3) == 0 {
		r.TLS = &tls.ConnectionState{HandshakeComplete: true}
	}
	return r
}

// TestKeptLinesChangeNothing compares an edge that remembers lines of cookies with one that does not, while passes end, keys change and the room has a new
// edition.
func TestKeptLinesChangeNothing(t *testing.T) {
	e := newEdge(t)
	e.mustLoad("", shop)
	app, err := caddy.ActiveContext().App("waiting_room")
	if err != nil {
		t.Fatal(err)
	}
	use := app.(*App).rooms["demo"]
	plain := &Handler{Room: "demo", names: use.names, keeper: use.keeper, admittedVar: admittedVar("demo")}
	keeps := *plain
	keeps.lines = newCookieLines()

	fans := []*fan{e.fan(), e.fan(), e.fan()}
	values := []string{"", "x", strings.Repeat("A", pass.TextLen)}
	for _, f := range fans {
		values = append(values, f.enter()["pass"].(string), f.cookie("wr_demo_place"))
	}
	values[0] = values[3]
	rng := rand.New(rand.NewPCG(1, 2))
	inside := func(name string) (n int) {
		t.Helper()
		for i := range 2000 {
			r := requestOf(rng, values)
			want := plain.shown(r)
			for range 2 {
				if got := keeps.shown(r); !reflect.DeepEqual(got, want) {
					t.Fatalf("%s, request %d: with memory %+v, without %+v", name, i, got, want)
				}
			}
			if want.pass != "" {
				n++
			}
		}
		return n
	}
	all := inside("everybody is in")
	if all == 0 || keeps.known() == 0 {
		t.Fatalf("%d requests were let in, %d lines are kept", all, keeps.known())
	}

	good := use.keeper.keys.Load()
	other, err := pass.ParseKeyring([]byte("current 9 " + strings.Repeat("QUJD", 10) + "QUI=\n"))
	if err != nil {
		t.Fatal(err)
	}
	use.keeper.keys.Store(other)
	if n := inside("other keys"); n > 0 {
		t.Errorf("%d requests were let in by keys that did not sign", n)
	}
	use.keeper.keys.Store(good)

	if a := fans[1].do("POST", "/.wr/v1/demo/leave", "{}"); a.StatusCode/100 != 2 {
		t.Fatalf("leave: %d %s", a.StatusCode, a.text)
	}
	e.until("the pass that was left is over", func() bool {
		r := httptest.NewRequest(http.MethodGet, "/buy/", nil)
		r.Header.Set("Cookie", "wr_demo_pass="+values[5])
		return plain.shown(r).pass == ""
	})
	if n := inside("one left"); n == 0 || n >= all {
		t.Errorf("%d requests were let in, %d before one left", n, all)
	}

	if a := e.ops("POST", "/waiting_room/rooms/demo/edition", `{"reason":"test"}`); a.StatusCode != http.StatusOK {
		t.Fatalf("edition: %d %s", a.StatusCode, a.text)
	}
	if n := inside("a new edition"); n > 0 {
		t.Errorf("%d requests were let in with a pass of an old edition", n)
	}
}

// known counts what is kept.
func (h *Handler) known() (n int) {
	for i := range h.lines.slots {
		if h.lines.slots[i].Load() != nil {
			n++
		}
	}
	return n
}

// TestKeptLineEndsWithItsPass looks a moment before the end of a pass, and at it.
func TestKeptLineEndsWithItsPass(t *testing.T) {
	keys := new(pass.Keyring)
	end := time.UnixMilli(1_800_000_000_000)
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	r.Header.Set("Cookie", "wr_demo_pass=x")
	l := newCookieLines()
	l.keep(&cookieLine{keys: keys, token: pass.Token{Expires: end}, cookies: "wr_demo_pass=x"})
	if l.find(r, keys, end.Add(-time.Millisecond)) == nil {
		t.Error("a line is forgotten before its pass ends")
	}
	if l.find(r, keys, end) != nil {
		t.Error("a line outlives its pass")
	}
}

// TestLinesAreBounded sends more lines than there is room for.
func TestLinesAreBounded(t *testing.T) {
	h := Handler{lines: newCookieLines()}
	for i := range 3 * linesMax {
		h.lines.keep(&cookieLine{cookies: fmt.Sprint("theme=", i)})
	}
	if n := h.known(); n > linesMax || n < linesMax/2 {
		t.Errorf("%d lines are kept, want up to %d", n, linesMax)
	}
}
