package caddymodule

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"ticketrush/room/openlog"
)

// everywhere looks at both edges.
func (p *pair) everywhere(what string, ok func(e *process) bool) {
	p.t.Helper()
	for _, e := range []*process{p.a, p.b} {
		e.until(what, func() bool { return ok(e) })
	}
}

// document is what everybody is told of the room at an edge.
func (p *process) document() map[string]any {
	p.t.Helper()
	return p.fan().get("/.wr/v1/demo/frontier").json(p.t)
}

// inDraw waits until the owner has stored that a place of the lobby is in the draw. It gives the place.
func (p *process) inDraw() (place string) {
	p.t.Helper()
	p.until("a place is in the draw", func() bool {
		a := p.fan().join()
		if a.StatusCode != http.StatusOK || a.json(p.t)["in_draw"] != true {
			return false
		}
		place = a.json(p.t)["place"].(string)
		return true
	})
	return place
}

// TestARoomThatOpensAgainAndAgain takes a room at stockd, with two edges, from one sale into the lobby of the next, in which its owner is killed: what was of the
// first sale is void everywhere, and what was of the second lobby is kept by the next owner.
func TestARoomThatOpensAgainAndAgain(t *testing.T) {
	p := &pair{t: t, nodes: newNodes(t, 2), a: newProcess(t), b: newProcess(t)}
	p.nodes.start(0)
	p.nodes.start(1)
	opens := time.Now().Add(20 * time.Second).UTC().Truncate(time.Millisecond)
	const sale, lobby = 10 * time.Second, time.Minute
	site := strings.Replace(line, "rate 200", fmt.Sprintf("rate 200\n\t\topens %s\n\t\tlobby %s\n\t\tends %s\n\t\tevery %s",
		opens.Format(time.RFC3339Nano), lobby, opens.Add(sale).Format(time.RFC3339Nano), lobby+sale), 1)
	p.a.start(p.nodes.global(p.a.edge, "a"), site)
	p.b.start(p.nodes.global(p.b.edge, "b"), site)
	p.a.ready()
	p.b.ready()

	first := p.a.inDraw()
	p.everywhere("the first sale is open", func(e *process) bool { return e.document()["state"] == "open" })
	next := opens.Add(lobby + sale).Format("2006-01-02T15:04:05")
	if d := p.b.document(); !strings.HasPrefix(fmt.Sprint(d["next_at"]), next) {
		t.Errorf("the next sale is announced for %v, want %s", d["next_at"], next)
	}
	pass := p.b.passAt(first)
	inside := func(e *process) bool { return e.fan().do("GET", "/buy/", "", bearer(pass)...).text == "the shop" }
	p.everywhere("the pass is good", inside)
	before := p.a.document()

	p.everywhere("the next lobby is open", func(e *process) bool { return e.document()["state"] == "lobby" })
	if d := p.a.document(); d["edition"] != before["edition"].(float64)+1 || d["commitment"] == before["commitment"] || !strings.HasPrefix(fmt.Sprint(d["opens_at"]), next) {
		t.Errorf("the next occurrence is %v after %v", d, before)
	}
	p.everywhere("the pass of the first sale is void", func(e *process) bool { return !inside(e) })
	p.everywhere("the place of the first sale is void", func(e *process) bool { return e.claimAt(first).StatusCode == http.StatusUnauthorized })

	second := p.b.inDraw()
	p.a.until("the owner has counted the place", func() bool { return p.a.document()["lobby"] == 1.0 })
	owner, told := p.nodes.ownerOf(p.a.edge, "demo"), p.a.document()
	owner.kill()
	if p.nodes.ownerOf(p.a.edge, "demo") == owner {
		t.Fatal("the dead node owns the room")
	}
	p.everywhere("the next owner answers", func(e *process) bool { return e.state()["ready"] == true })
	for _, e := range []*process{p.a, p.b} {
		d := e.document()
		for _, what := range []string{"state", "edition", "opens_at", "ends_at", "next_at", "commitment", "lobby"} {
			if d[what] != told[what] {
				t.Errorf("%s was %v and is %v with the next owner", what, told[what], d[what])
			}
		}
		if got := e.fan().do("GET", "/.wr/v1/demo/place", "", bearer(second)...); got.StatusCode != 200 || got.json(t)["state"] != "lobby" {
			t.Errorf("the place of the second lobby: %d %s", got.StatusCode, got.text)
		}
	}
	if report := (logFiles{e: p.b.edge}).verify(openlog.KindDraw, openlog.Options{}); report.Kinds[openlog.KindCommit] != 2 || report.Kinds[openlog.KindEdition] != 1 {
		t.Errorf("the log has %v", report.Kinds)
	}
	if problems, err := p.nodes.reconcile(); err != nil || problems != 0 {
		t.Errorf("the ledger's check of its rooms: %d, %v", problems, err)
	}
}

// TestPassthroughAtStockd: ops say at one edge that nobody is held back; it holds at both, without an owner and with the next one, until they say otherwise at the other.
func TestPassthroughAtStockd(t *testing.T) {
	p := newPair(t)
	through := func(e *process) bool {
		a, again := e.fan().navigate("/buy/"), e.fan().do("GET", "/buy/", "")
		return a.text == "the shop" && again.text == "the shop" && e.document()["passthrough"] == true
	}
	held := func(e *process) bool {
		return e.fan().do("GET", "/buy/", "").StatusCode == http.StatusTooManyRequests && e.document()["passthrough"] != true
	}
	passes := p.crowd(3, 3, 1) // the room is full
	p.everywhere("people are held back", held)
	waits := p.a.place()
	must := func(e *process, action string) {
		t.Helper()
		if a := e.ops("POST", "/waiting_room/rooms/demo/"+action, `{"reason":"a test"}`); a.StatusCode != http.StatusOK {
			t.Fatalf("%s: %d %s", action, a.StatusCode, a.text)
		}
	}
	must(p.a, "passthrough")
	p.everywhere("nobody is held back", through)
	for _, n := range p.nodes.all {
		n.kill()
	}
	p.everywhere("the owner is missed", func(e *process) bool { return e.state()["ready"] == false })
	for _, e := range []*process{p.a, p.b} {
		if !through(e) {
			t.Error("without an owner people are held back again")
		}
	}
	p.nodes.start(1)
	p.everywhere("the next owner answers", func(e *process) bool { s := e.state(); return s["ready"] == true && s["passthrough"] == true })
	for _, e := range []*process{p.a, p.b} {
		if !through(e) {
			t.Error("the next owner holds people back again")
		}
	}
	// Nobody who was let through is inside, and who was inside still is.
	if s := p.b.state(); s["inside"] != 3.0 {
		t.Errorf("in passthrough: %v", s)
	}
	must(p.b, "enforce")
	p.everywhere("people are held back again", held)
	p.everywhere("a pass from before is good", func(e *process) bool { return e.fan().do("GET", "/buy/", "", bearer(passes[0])...).text == "the shop" })
	if a := p.a.fan().do("GET", "/.wr/v1/demo/place", "", bearer(waits)...); a.StatusCode != http.StatusOK {
		t.Errorf("a place from before: %d %s", a.StatusCode, a.text)
	}
	if report := (logFiles{e: p.a.edge}).verify(openlog.KindEnforce, openlog.Options{}); report.Kinds[openlog.KindPassthrough] != 1 {
		t.Errorf("the log has %v", report.Kinds)
	}
}
