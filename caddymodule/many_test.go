package caddymodule

import (
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"
)

const line = `
	waiting_room demo {
		protect /buy/*
		rate 200
		max_active 3
		pass 10m
		grace 1s
	}
	root * DIR/site
	file_server
`

// pair is two edges of one room that stockd owns.
type pair struct {
	t     *testing.T
	nodes *nodes
	a, b  *process
}

func newPair(t *testing.T) *pair {
	t.Helper()
	p := &pair{t: t, nodes: newNodes(t, 2), a: newProcess(t), b: newProcess(t)}
	p.nodes.start(0)
	p.nodes.start(1)
	p.a.start(p.nodes.global(p.a.edge, "a"), line)
	p.a.ready()
	p.b.start(p.nodes.global(p.b.edge, "b"), strings.Replace(line, "rate 200", "rate 7", 1))
	p.b.ready()
	return p
}

// bearer gives a fan's place or pass as an app sends it.
func bearer(token any) []string {
	return []string{"Authorization", "WaitingRoom " + token.(string)}
}

// claimAt claims with a place that some edge gave, once.
func (p *process) claimAt(place string) answer {
	p.t.Helper()
	return p.fan().do("POST", "/.wr/v1/demo/claim", "{}", bearer(place)...)
}

// passAt claims until the place is inside, and gives the pass.
func (p *process) passAt(place string) (pass string) {
	p.t.Helper()
	p.until("the place is inside", func() bool {
		a := p.claimAt(place)
		if a.StatusCode == http.StatusCreated {
			pass = a.json(p.t)["pass"].(string)
		}
		return pass != ""
	})
	return pass
}

func (p *process) place() string {
	p.t.Helper()
	var text string
	p.until("a place is given", func() bool {
		a := p.fan().join()
		if a.StatusCode == http.StatusOK {
			text = a.json(p.t)["place"].(string)
		}
		return text != ""
	})
	return text
}

func (p *process) state() map[string]any {
	p.t.Helper()
	return p.ops("GET", "/waiting_room/rooms/demo", "").json(p.t)
}

// crowd lets n people join and claim at the edges in turn, until most of them are inside and each of the others was told so many times to wait. It
// gives the passes.
func (p *pair) crowd(n, most, times int) (passes []string) {
	p.t.Helper()
	edges := []*process{p.a, p.b}
	var mu sync.Mutex
	var work sync.WaitGroup
	for i := range n {
		work.Go(func() {
			place := edges[i%2].place()
			for refused := 0; refused < times; {
				a := edges[(i+refused)%2].claimAt(place)
				mu.Lock()
				full := len(passes) >= most
				if a.StatusCode == http.StatusCreated {
					passes = append(passes, a.json(p.t)["pass"].(string))
				}
				mu.Unlock()
				if a.StatusCode == http.StatusCreated {
					return
				}
				if full {
					refused++
				}
			}
		})
	}
	work.Wait()
	return passes
}

// TestManyEdgesShareOneLine takes two Caddys and two nodes through the life of a room.
func TestManyEdgesShareOneLine(t *testing.T) {
	p := newPair(t)
	a, b := p.a, p.b
	differs := func() int { return b.logged("another value", `"setting":"rate"`, `"here":"7"`, `"in_force":"200"`) }
	b.until("the setting that differs is in the log", func() bool { return differs() > 0 })
	if n := differs(); n != 1 {
		t.Errorf("the setting that differs is in the log %d times", n)
	}
	if n := a.logged("another value"); n != 0 {
		t.Errorf("%d settings differ at the edge that created the room", n)
	}

	// Never more inside than slots, over both.
	passes := p.crowd(10, 3, 2)
	if len(passes) != 3 {
		t.Fatalf("%d people are inside with 3 slots", len(passes))
	}
	for _, pass := range passes {
		for _, edge := range []*process{a, b} {
			if got := edge.fan().do("GET", "/buy/", "", bearer(pass)...); got.StatusCode != 200 || got.text != "the shop" {
				t.Errorf("a pass at an edge: %d %s", got.StatusCode, got.text)
			}
		}
	}
	// A pass that is left at one edge is no good at the other, and its slot goes to somebody else.
	if got := a.fan().do("POST", "/.wr/v1/demo/leave", "{}", bearer(passes[0])...); got.StatusCode != http.StatusNoContent {
		t.Fatalf("leave: %d %s", got.StatusCode, got.text)
	}
	b.until("the other edge has heard that the pass was left", func() bool {
		return b.fan().do("GET", "/buy/", "", bearer(passes[0])...).StatusCode == http.StatusTooManyRequests
	})
	// Joins at one edge, claims at the other.
	early := a.place()
	if got := a.ops("POST", "/waiting_room/rooms/demo/frontier", `{"open":20,"reason":"seven before this one have gone"}`); got.StatusCode != 200 {
		t.Fatalf("open: %d %s", got.StatusCode, got.text)
	}
	b.passAt(early)
	if got := a.state(); got["owner"] != "stockd" || got["edge"] != "a" || got["inside"] != 3.0 || got["ready"] != true {
		t.Errorf("the room: %v", got)
	}
	for name, edge := range map[string]*process{"a": a, "b": b} {
		text := edge.ops("GET", "/metrics", "").text
		if strings.Contains(text, `ticketrush_room_inside{`) || !strings.Contains(text, `ticketrush_room_requests_total{`) {
			t.Errorf("edge %s counts who is inside, as the room's owner does", name)
		}
	}

	opsReachTheOwner(t, p)
	frontierAgrees(t, p)
	edgeComesBack(t, p)
}

// opsReachTheOwner changes the room at one edge and looks at the other.
func opsReachTheOwner(t *testing.T, p *pair) {
	a, b := p.a, p.b
	must := func(e *process, action, body string, want int) answer {
		t.Helper()
		got := e.ops("POST", "/waiting_room/rooms/demo/"+action, body)
		if got.StatusCode != want {
			t.Fatalf("%s: %d %s", action, got.StatusCode, got.text)
		}
		return got
	}
	must(a, "pause", `{"reason":"a test"}`, 200)
	b.until("the other edge has paused", func() bool { return b.state()["state"] == "paused" })
	must(b, "resume", `{"reason":"a test"}`, 200)
	a.until("the other edge goes on", func() bool { return a.state()["state"] == "open" })
	must(b, "rate", `{"rate":150,"max_active":4,"reason":"a test"}`, 200)
	a.until("the other edge knows the rate", func() bool { s := a.state(); return s["rate"] == 150.0 && s["max_active"] == 4.0 })
	must(a, "rate", `{"reason":"nothing"}`, 400)
	must(a, "dance", `{"reason":"unknown"}`, 404)
	must(a, "beacon", `{"beacon":"7","reason":"no draw here"}`, 400)

	codes := must(a, "codes", `{"count":2,"reason":"a test"}`, 200).json(t)["codes"].([]any)
	used := b.fan().do("POST", "/.wr/v1/demo/join", fmt.Sprintf(`{"code":%q}`, codes[0]))
	if used.StatusCode != 200 || used.json(t)["class"] != 0.0 {
		t.Errorf("a code of the other edge: %d %s", used.StatusCode, used.text)
	}
	if again := a.fan().do("POST", "/.wr/v1/demo/join", fmt.Sprintf(`{"code":%q}`, codes[0])); again.StatusCode != 403 {
		t.Errorf("a code that was used at the other edge: %d %s", again.StatusCode, again.text)
	}
	must(b, "revoke_code", fmt.Sprintf(`{"code":%q,"reason":"a test"}`, codes[1]), 200)
	if revoked := a.fan().do("POST", "/.wr/v1/demo/join", fmt.Sprintf(`{"code":%q}`, codes[1])); revoked.StatusCode != 403 {
		t.Errorf("a code that was revoked at the other edge: %d %s", revoked.StatusCode, revoked.text)
	}

	place := a.place()
	must(b, "edition", `{"reason":"a test"}`, 200)
	a.until("a place of the edition before is void", func() bool { return a.claimAt(place).StatusCode == http.StatusUnauthorized })
}

// frontierAgrees opens places by hand and measures when each edge shows that. The bound is 500 ms; a busy machine is no error.
func frontierAgrees(t *testing.T, p *pair) {
	edges := []*process{p.a, p.b}
	passes := p.crowd(4, 4, 1) // the room is full: nothing but ops moves the frontier
	if len(passes) != 4 {
		t.Fatalf("%d of 4 are inside", len(passes))
	}
	for range 20 {
		p.a.place()
	}
	p.a.until("the owner knows of them", func() bool { return p.a.state()["waiting"] == 20.0 })
	frontier := func(e *process) any {
		return e.fan().get("/.wr/v1/demo/frontier").json(t)["frontier"].(map[string]any)["main"]
	}
	for range 4 {
		var moved [2]time.Time
		before := frontier(p.a)
		p.b.until("the edges agree on the frontier before", func() bool { before = frontier(p.a); return frontier(p.b) == before })
		began := time.Now()
		opened := make(chan answer, 1)
		go func() { opened <- p.a.ops("POST", "/waiting_room/rooms/demo/frontier", `{"open":3,"reason":"a test"}`) }()
		p.a.until("both edges show the move", func() bool {
			for i, e := range edges {
				if moved[i].IsZero() && frontier(e) != before {
					moved[i] = time.Now()
				}
			}
			return !moved[0].IsZero() && !moved[1].IsZero()
		})
		if got := <-opened; got.StatusCode != 200 {
			t.Fatalf("open: %d %s", got.StatusCode, got.text)
		}
		t.Logf("after ops asked for a move of the frontier the edges showed it at %v and %v", moved[0].Sub(began).Round(time.Millisecond), moved[1].Sub(began).Round(time.Millisecond))
	}
}

// edgeComesBack kills an edge and starts it again under the same name.
func edgeComesBack(t *testing.T, p *pair) {
	joined := func() float64 { return p.b.state()["joined"].(float64) }
	before := p.a.place()
	n := joined()
	p.a.until("the owner has counted all places", func() bool { last := n; n = joined(); return n == last && n > 0 })
	p.a.kill()
	p.a.start(p.nodes.global(p.a.edge, "a"), line)
	p.a.ready()
	place := func(e *process, text string) map[string]any {
		t.Helper()
		got := e.fan().do("GET", "/.wr/v1/demo/place", "", bearer(text)...)
		if got.StatusCode != 200 {
			t.Fatalf("a place: %d %s", got.StatusCode, got.text)
		}
		return got.json(t)
	}
	after := p.a.place()
	if was, is := place(p.a, before)["rank"].(string), place(p.a, after)["rank"].(string); len(was) > len(is) || len(was) == len(is) && was >= is {
		t.Errorf("after the restart rank %s was given, before it %s", is, was)
	}
	p.a.until("the owner counts the new process's places with those of the one before", func() bool { return joined() >= n+1 })
	p.a.until("the edge goes on as the room's", func() bool { return p.a.state()["ready"] == true })
}

// TestTheRoomOutlivesItsOwner stops nodes under two edges.
func TestTheRoomOutlivesItsOwner(t *testing.T) {
	p := newPair(t)
	a, b := p.a, p.b
	passes := p.crowd(6, 3, 1)
	if len(passes) != 3 {
		t.Fatalf("%d people are inside with 3 slots", len(passes))
	}
	waiting := a.place()
	owner := p.nodes.ownerOf(a.edge, "demo")
	owner.kill()
	// Pages and the document are served without an owner.
	for _, e := range []*process{a, b} {
		if got := e.fan().navigate("/buy/"); got.StatusCode != 202 && got.StatusCode != 503 || !strings.Contains(got.text, "<html") {
			t.Errorf("the page without an owner: %d", got.StatusCode)
		}
		if got := e.fan().get("/.wr/v1/demo/frontier"); got.StatusCode != 200 {
			t.Errorf("the frontier without an owner: %d", got.StatusCode)
		}
		if got := e.fan().do("GET", "/buy/", "", bearer(passes[0])...); got.text != "the shop" {
			t.Errorf("a pass without an owner: %d", got.StatusCode)
		}
	}
	if next := p.nodes.ownerOf(a.edge, "demo"); next == owner {
		t.Fatal("the dead node owns the room")
	}
	a.until("the other node answers", func() bool {
		s := a.state()
		return s["ready"] == true && s["inside"] == 3.0
	})
	for range 3 {
		if got := b.claimAt(waiting); got.StatusCode == http.StatusCreated {
			t.Fatal("the new owner has forgotten who is inside")
		}
	}
	b.until("a pass is left", func() bool {
		return b.fan().do("POST", "/.wr/v1/demo/leave", "{}", bearer(passes[1])...).StatusCode == http.StatusNoContent
	})
	if got := b.ops("POST", "/waiting_room/rooms/demo/frontier", `{"open":20,"reason":"three before this one have gone"}`); got.StatusCode != 200 {
		t.Fatalf("open: %d %s", got.StatusCode, got.text)
	}
	a.passAt(waiting)

	// With all nodes away nothing is granted, and what runs goes on.
	last := b.place()
	p.nodes.ownerOf(a.edge, "demo").kill()
	if got := b.claimAt(last); got.StatusCode != http.StatusServiceUnavailable {
		t.Errorf("a claim with all nodes away: %d %s", got.StatusCode, got.text)
	}
	if got := a.ops("POST", "/waiting_room/rooms/demo/pause", `{"reason":"nobody hears it"}`); got.StatusCode != http.StatusServiceUnavailable {
		t.Errorf("a change with all nodes away: %d %s", got.StatusCode, got.text)
	}
	if got := a.fan().do("GET", "/buy/", "", bearer(passes[2])...); got.text != "the shop" {
		t.Errorf("a pass with all nodes away: %d", got.StatusCode)
	}
	a.until("ops are told", func() bool { s := a.state(); return s["ready"] == false && s["error"] != "" })
	if n := a.logged("the room's owner does not answer"); n == 0 {
		t.Error("the log has no word of it")
	}
	if got := a.fan().get("/.wr/v1/demo/frontier"); got.StatusCode != 200 {
		t.Errorf("the frontier with all nodes away: %d", got.StatusCode)
	}
}

// TestTheOwnerComesLater starts an edge before stockd, and tells it of stockd in a reload.
func TestTheOwnerComesLater(t *testing.T) {
	c := newNodes(t, 1)
	p := newProcess(t)
	p.start(c.global(p.edge, "early"), line)
	if got := p.fan().navigate("/buy/"); got.StatusCode != 503 || !strings.Contains(got.text, "<html") {
		t.Errorf("the page before there is an owner: %d", got.StatusCode)
	}
	if got := p.fan().get("/"); got.text != "the front page" {
		t.Errorf("the site: %d %s", got.StatusCode, got.text)
	}
	if got := p.fan().join(); got.StatusCode != 503 {
		t.Errorf("a join before there is an owner: %d %s", got.StatusCode, got.text)
	}
	p.until("ops are told", func() bool {
		s := p.state()
		return s["ready"] == false && strings.Contains(fmt.Sprint(s["error"]), "stockd")
	})
	c.start(0)
	p.ready()
	p.passAt(p.place())
}

// TestAReloadMovesTheRoom brings a room that an edge owned alone to stockd, in a reload, and takes others with a configuration that cannot work.
func TestAReloadMovesTheRoom(t *testing.T) {
	c := newNodes(t, 1)
	c.start(0)
	e := newEdge(t)
	keys := e.write("room.keys", string(c.keys))
	e.mustLoad("waiting_room {\n keys "+keys+"\n }", line)
	e.fan().enter()
	if got := e.ops("GET", "/waiting_room/rooms/demo", "").json(t); got["owner"] != "edge" {
		t.Errorf("alone: %v", got)
	}
	e.mustLoad(c.global(e, "moved"), line)
	e.until("stockd owns the room", func() bool {
		s := e.ops("GET", "/waiting_room/rooms/demo", "").json(t)
		return s["owner"] == "stockd" && s["ready"] == true
	})
	f := e.fan()
	f.enter()
	e.mustLoad(c.global(e, "moved"), line) // the room stays where it is
	if got := e.ops("GET", "/waiting_room/rooms/demo", "").json(t); got["inside"] != 1.0 {
		t.Errorf("after a reload: %v", got)
	}
	if got := f.get("/buy/"); got.text != "the shop" {
		t.Errorf("a pass after a reload: %d", got.StatusCode)
	}
	if err := e.load(strings.Replace(c.global(e, "moved"), "keys "+keys, "", 1), line); err == nil || !strings.Contains(err.Error(), "room_keys_file") {
		t.Errorf("without keys: %v", err)
	}
	if err := e.load(strings.Replace(c.global(e, "moved"), "edge moved", "edge "+strings.Repeat("x", 65), 1), line); err == nil || !strings.Contains(err.Error(), "edge") {
		t.Errorf("with a long name: %v", err)
	}
}

// TestForeignKeysAreNoticed gives an edge other keys than stockd has.
func TestForeignKeysAreNoticed(t *testing.T) {
	c, other := newNodes(t, 1), newNodes(t, 0)
	c.start(0)
	p := newProcess(t)
	global := c.global(p.edge, "foreign")
	p.write("room.keys", string(other.keys))
	p.start(global, line)
	p.until("ops are told", func() bool { return strings.Contains(fmt.Sprint(p.state()["error"]), "other keys") })
	if got := p.fan().join(); got.StatusCode != 503 {
		t.Errorf("a join: %d %s", got.StatusCode, got.text)
	}
}
