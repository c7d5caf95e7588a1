package caddymodule

import (
	"strings"
	"testing"
	"time"

	"ticketrush/pass"
)

// TestAPlaceSaysThatItIsInTheDraw: it does so once the room's owner has stored it, wherever it is shown; one that does not know is told again.
func TestAPlaceSaysThatItIsInTheDraw(t *testing.T) {
	e := newEdge(t)
	lobby := strings.Replace(shop, "rate 200", "rate 200\n\t\topens "+time.Now().Add(time.Hour).UTC().Format(time.RFC3339), 1)
	e.mustLoad("", lobby)
	f, b := e.fan(), newBrowser(t)
	place := f.joinWith(b).json(t)
	if place["in_draw"] != true || f.get("/.wr/v1/demo/place").json(t)["in_draw"] != true {
		t.Fatalf("%v", place)
	}
	// As an edge gives it that lost its owner before the answer: a place of the lobby that nobody was told of.
	value, _, err := keepers.LoadOrNew("demo", nil)
	if err != nil {
		t.Fatal(err)
	}
	k := value.(*keeper)
	defer func() { _, _ = keepers.Delete("demo") }()
	k.mu.RLock()
	edition, before := k.edge.Edition(), k.edge.Document().Lobby
	k.mu.RUnlock()
	text, err := k.keys.Load().Sign(&pass.Token{
		Type: pass.Lobby, Flags: pass.Unbound, Room: k.number, Edition: edition, Tid: randomTid(), Issued: time.Now(), Expires: time.Now().Add(time.Hour),
	})
	if err != nil {
		t.Fatal(err)
	}
	g := e.fan()
	g.setCookie("wr_demo_place", text)
	if p := g.get("/.wr/v1/demo/place").json(t); p["in_draw"] == true || p["state"] != "lobby" {
		t.Errorf("nobody was told of it: %v", p)
	}
	if p := g.join().json(t); p["in_draw"] != true || p["rank"] != "0" {
		t.Errorf("joined again: %v", p)
	}
	e.until("the owner has it", func() bool {
		return g.get("/.wr/v1/demo/frontier").json(t)["lobby"].(float64) > float64(before)
	})
}

// TestWhatIsLeftSectionBySection adds up the segments of a section, and keeps a bounded number of them.
func TestWhatIsLeftSectionBySection(t *testing.T) {
	t.Parallel()
	c, err := newCountsCache()
	if err != nil {
		t.Fatal(err)
	}
	left := func(event string) []placesLeft { sections, _ := c.places(event); return sections }
	const head = `{"totals":{"capacity":9,"free":6},"segments":[`
	c.learn("e", []byte(head+`{"section":"A","free":1},{"section":"B","free":2},{"section":"A","free":3}]}`), time.Now())
	if got := left("e"); len(got) != 2 || got[0] != (placesLeft{"A", 4}) || got[1] != (placesLeft{"B", 2}) {
		t.Errorf("%v", got)
	}
	c.learn("k", []byte(head+`],"categories":[{"category":"I","free":2},{"category":"II","free":0}]}`), time.Now())
	if _, got := c.places("k"); len(got) != 2 || got[0] != (placesLeft{"I", 2}) || got[1] != (placesLeft{"II", 0}) {
		t.Errorf("by category: %v", got)
	}
	c.learn("k", []byte(head+`],"categories":[`+strings.Repeat(`{"category":"I","free":2},`, sectionsMax)+`{"category":"II","free":0}]}`), time.Now())
	if _, got := c.places("k"); len(got) != sectionsMax {
		t.Errorf("%d categories are kept, at most %d", len(got), sectionsMax)
	}
	if got := left("another"); got != nil {
		t.Errorf("an event that is not known: %v", got)
	}
	many := make([]string, sectionsMax+50)
	for i := range many {
		many[i] = `{"section":"` + strings.Repeat("x", i+1) + `","free":1}`
	}
	c.learn("e", []byte(head+strings.Join(many, ",")+"]}"), time.Now())
	if got := left("e"); len(got) != sectionsMax {
		t.Errorf("%d sections are kept, at most %d", len(got), sectionsMax)
	}
	c.learn("e", []byte(head+"]}"), time.Now().Add(-2*countsTooOld))
	if got := left("e"); got != nil {
		t.Errorf("what is too old: %v", got)
	}
}
