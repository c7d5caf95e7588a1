package caddymodule

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"ticketrush/room/draw"
)

// A round of quicknet as its relays have it, and what else a relay may say. The tests have no network, so the room lives at the time of this round.
const (
	recordedRound  = 32281667
	recordedAnswer = `{"round":32281667,"signature":"b0f5ae301358ff87a9d3dd539ed4a07c0148b1ab4f7b61a8ca43c7e9ca7ca9553e4faae9188deb30b2cd1a7f447e3e5b","previous_signature":""}`
	recordedValue  = "4fd2fc55983dbfa3f446d8a0bd56f16cc8c5e76afd1ec154b60d477cbabed13b"
	anotherAnswer  = `{"round":1000,"signature":"b44679b9a59af2ec876b1a6b1ad52ea9b1615fc3982b19576350f93447cb1125e342b73a8dd2bacbe47e4b6b63ed5e39"}`
)

// lies are what relays answered in place of the round.
var lies = []string{
	"<html>be back soon</html>", anotherAnswer, strings.Replace(anotherAnswer, "1000", "32281667", 1), strings.Replace(recordedAnswer, "b0f5", "b0f6", 1),
	strings.Replace(recordedAnswer, `"previous_signature":""`, `"randomness":"`+strings.Repeat("00", 32)+`"`, 1),
}

// relay is a server of drand's HTTP API on this machine.
type relay struct {
	*httptest.Server
	asked atomic.Int64
}

func newRelay(t *testing.T, answer func(n int64, w http.ResponseWriter, r *http.Request)) *relay {
	t.Helper()
	r := &relay{}
	r.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		if req.URL.Path != draw.Quicknet().Path(recordedRound) {
			t.Errorf("a relay was asked for %s", req.URL.Path)
		}
		answer(r.asked.Add(1)-1, w, req)
	}))
	t.Cleanup(r.Close)
	return r
}

// opensForRound is when a room opens whose lobby ends, 5 s before, nearly three seconds before the seal would name the round after the recorded one.
func opensForRound() time.Time {
	return draw.Quicknet().TimeOf(recordedRound).Add(-3900*time.Millisecond + 5*time.Second)
}

func siteForRound(beacon string) string {
	return strings.Replace(line, "rate 200", "rate 200\n\t\tbeacon "+beacon+"\n\t\topens "+opensForRound().UTC().Format(time.RFC3339Nano), 1)
}

// lobbyAtRound starts a room whose list is sealed in the three seconds whose next round is the recorded one, with some fans in its lobby.
func lobbyAtRound(t *testing.T, e *edge, beacon string) []*fan {
	t.Helper()
	const ahead = 14 * time.Second // of the opening: 9 s to start and to fill the lobby, also on a slow machine
	back := time.Until(opensForRound().Add(-ahead))
	ownersNow = func() time.Time { return time.Now().Add(back) }
	t.Cleanup(func() { ownersNow = time.Now })
	e.mustLoad("", siteForRound("drand "+beacon))
	fans := make([]*fan, 5)
	for i := range fans {
		fans[i] = e.fan()
		if p := fans[i].join().json(t); p["in_draw"] != true {
			t.Fatalf("in the lobby: %v", p)
		}
	}
	return fans
}

// waits gives what ops are told that the draw waits for.
func (e *edge) waits() string {
	text, _ := e.ops("GET", "/waiting_room/rooms/demo", "").json(e.t)["draw_waits"].(string)
	return text
}

// drawnByRound checks what everybody can: the receipts, and the published draw with the log by the command.
func drawnByRound(t *testing.T, e *edge, fans []*fan) {
	t.Helper()
	e.until("the draw is done", func() bool { return fans[0].get("/.wr/v1/demo/place").json(t)["rank"] != "0" })
	for _, f := range fans {
		receipt, err := draw.ParseReceipt([]byte(f.get("/.wr/v1/demo/receipt").text))
		if err != nil {
			t.Fatal(err)
		}
		if err := receipt.Verify(draw.Trusted{}); err != nil {
			t.Error(err)
		}
		if b := receipt.Beacon; b.Mode() != draw.ModeDrand || b.Round != recordedRound || b.Value != recordedValue || receipt.N != int64(len(fans)) {
			t.Errorf("%+v", receipt)
		}
	}
	if text := e.waits(); text != "" {
		t.Errorf("after the draw ops are told that it waits: %s", text)
	}
	// The room's clock is months behind that of the edge, for which their passes have ended: it is the owner who says that they are inside.
	e.until("three are inside", func() bool {
		for _, f := range fans {
			f.claim()
		}
		return e.ops("GET", "/waiting_room/rooms/demo", "").json(t)["inside"] == 3.0
	})
	verifyDraw(t, e)
}

// TestDrawByDrand goes from the lobby to the draw by a genuine round, whose relays are slow, broken and lying before one has it.
func TestDrawByDrand(t *testing.T) {
	e := newEdge(t)
	liar := newRelay(t, func(n int64, w http.ResponseWriter, r *http.Request) {
		if n == 0 {
			<-r.Context().Done() // says nothing
			return
		}
		fmt.Fprint(w, lies[int(n-1)%len(lies)])
	})
	honest := newRelay(t, func(_ int64, w http.ResponseWriter, _ *http.Request) {
		if liar.asked.Load() <= int64(len(lies)) {
			http.Error(w, "not yet", http.StatusNotFound)
			return
		}
		fmt.Fprint(w, recordedAnswer)
	})
	fans := lobbyAtRound(t, e, liar.URL+" "+liar.URL+"/ "+honest.URL)
	said, shown := map[string]bool{}, false
	e.until("every lie was told", func() bool {
		text := e.waits()
		said[text] = true
		if fans[0].claim().StatusCode == http.StatusCreated && liar.asked.Load() <= int64(len(lies)) {
			t.Fatal("a pass before the draw")
		}
		shown = shown || strings.Contains(e.ops("GET", "/metrics", "").text, `ticketrush_room_draw_waits{room="demo"} 1`)
		return liar.asked.Load() > int64(len(lies)) || text == "" && len(said) > 2
	})
	for _, want := range []string{"comes out at", "deadline exceeded", "not the JSON", "round 1000, asked was", "not that of drand", "randomness", "404 Not Found"} {
		found := false
		for text := range said {
			found = found || strings.Contains(text, want)
		}
		if !found {
			t.Errorf("ops were not told %q, but %v", want, said)
		}
	}
	if !shown {
		t.Error("no metric says that the draw waits")
	}
	drawnByRound(t, e, fans)
}

// TestDrawByDrandWithoutARelay: with all relays gone ops enter what a relay answered, and nothing else.
func TestDrawByDrandWithoutARelay(t *testing.T) {
	e := newEdge(t)
	gone := newRelay(t, func(_ int64, w http.ResponseWriter, _ *http.Request) { http.Error(w, "gone", http.StatusBadGateway) })
	fans := lobbyAtRound(t, e, gone.URL)
	e.until("ops are told", func() bool {
		return strings.Contains(e.waits(), "502 Bad Gateway; ops may name other relays, or enter")
	})
	// The list is known now: a draw without the round that the seal has named is refused to everybody, also to who has the configuration.
	told := gone.asked.Load()
	e.mustLoad("", siteForRound("operator"))
	e.until("the draw still waits", func() bool { return gone.asked.Load() > told })
	enter := func(value string) answer {
		return e.ops("POST", "/waiting_room/rooms/demo/beacon", fmt.Sprintf(`{"beacon":%q,"reason":"read by curl"}`, value))
	}
	for _, lie := range lies {
		if a := enter(lie); a.StatusCode != http.StatusBadRequest {
			t.Errorf("%s is entered: %d %s", lie, a.StatusCode, a.text)
		}
	}
	if a := enter(recordedAnswer); a.StatusCode != http.StatusOK {
		t.Fatalf("the round is entered: %d %s", a.StatusCode, a.text)
	}
	drawnByRound(t, e, fans)
}
