package caddymodule

import (
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"pgregory.net/rapid"
)

var epoch = time.Date(2026, 12, 1, 9, 0, 0, 0, time.UTC)

// TestP99IsThatOfTheLastSeconds compares with the sorted list, whatever the answers took.
func TestP99IsThatOfTheLastSeconds(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		var l latency
		now := epoch
		var took []time.Duration
		for range rapid.IntRange(latencyLeast, 400).Draw(t, "n") {
			d := time.Duration(rapid.Int64Range(1, 20_000).Draw(t, "ms")) * time.Millisecond
			l.end(l.begin(now), d, now)
			took = append(took, d)
			now = now.Add(time.Duration(rapid.IntRange(0, 9).Draw(t, "then")) * time.Millisecond)
		}
		slices.Sort(took)
		want := took[len(took)-1-len(took)/100]
		if got := l.p99(now); got < want || float64(got) > 1.1*float64(want) {
			t.Fatalf("%v of %d answers, the list says %v", got, len(took), want)
		}
		if got := l.p99(now.Add(6 * time.Second)); got != 0 {
			t.Fatalf("%v six seconds later", got)
		}
	})
}

// TestASiteThatHangsIsSlow: what it has not answered counts with its age, also when that is beyond what is told apart.
func TestASiteThatHangsIsSlow(t *testing.T) {
	t.Parallel()
	var l latency
	var slots []int64
	for range 30 {
		slots = append(slots, l.begin(epoch))
	}
	for age, least := range map[time.Duration]time.Duration{10 * time.Second: 9 * time.Second, 59 * time.Second: 55 * time.Second} {
		if got := l.p99(epoch.Add(age)); got < least || got > age+age/5 {
			t.Errorf("after %v: %v", age, got)
		}
	}
	later := epoch.Add(5 * time.Minute)
	for range 2 * latencyOpen { // time goes on, and the slots are used again
		later = later.Add(latencySlot)
		l.end(l.begin(later), time.Millisecond, later)
	}
	if got := l.p99(later); got < 55*time.Second {
		t.Errorf("after %v: %v", later.Sub(epoch), got)
	}
	for _, slot := range slots {
		l.end(slot, later.Sub(epoch), later)
	}
	if got := l.p99(later.Add(6 * time.Second)); got != 0 || l.old != 0 {
		t.Errorf("all is answered: %v, %d", got, l.old)
	}
}

// TestTheRateFallsWhenTheSiteIsSlow measures a real site through the edge.
func TestTheRateFallsWhenTheSiteIsSlow(t *testing.T) {
	e := newEdge(t)
	var slow atomic.Bool
	gate := make(chan struct{})
	site := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		if slow.Load() {
			select {
			case <-gate:
			case <-r.Context().Done():
			}
		}
	}))
	defer site.Close()
	e.mustLoad("", `
	waiting_room demo {
		rate auto 5 60
		latency 300ms
		max_active 1000
	}
	reverse_proxy `+strings.TrimPrefix(site.URL, "http://"))
	in := e.fan()
	in.enter()
	rate := func() float64 { return e.ops("GET", "/waiting_room/rooms/demo", "").json(t)["rate"].(float64) }
	for range 150 {
		e.fan().join()
	}
	e.until("the rate rises while people wait", func() bool { in.get("/x"); return rate() > 5 })
	before := rate()
	slow.Store(true)
	var g sync.WaitGroup
	for range latencyLeast {
		g.Go(func() { in.get("/x") })
	}
	e.until("the rate falls while the site hangs", func() bool { return rate() < before })
	if text := e.ops("GET", "/metrics", "").text; !strings.Contains(text, `ticketrush_room_site_p99_seconds{room="demo"}`) {
		t.Error("metrics lack what the site takes")
	}
	close(gate)
	g.Wait()
}
