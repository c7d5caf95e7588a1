package chaos

import (
	"testing"
	"time"
)

func TestGapIsTheTimeInWhichSomebodyAskedAndNobodyGotAnAnswer(t *testing.T) {
	t.Parallel()
	start := time.Now()
	at := func(ms int) time.Time { return start.Add(time.Duration(ms) * time.Millisecond) }
	want := func(g *gaps, now, ms, segment int) {
		t.Helper()
		if got := g.longest(at(now)); got.length != time.Duration(ms)*time.Millisecond || got.segment != segment {
			t.Errorf("gap %v, want %d ms of segment %d", got, ms, segment)
		}
	}
	g := newGaps()
	want(g, 0, 0, 0)
	g.begin(1, at(0))
	g.begin(1, at(5))
	g.end(1, true, at(10)) // 10 ms since the first asked
	g.end(1, true, at(13))
	want(g, 100, 10, 1) // nobody asks: no gap
	g.begin(2, at(100))
	g.end(2, false, at(150)) // a refusal answers nothing, and nobody asks any more
	want(g, 500, 10, 1)
	g.begin(2, at(600))
	g.begin(2, at(610))
	g.end(2, false, at(620))
	want(g, 650, 50, 2) // it has not ended yet
	g.end(2, true, at(660))
	want(g, 900, 60, 2)
	g.begin(3, at(900))
	g.reset(at(1000))
	want(g, 1001, 1, 3)
	g.end(3, true, at(1004))
	want(g, 2000, 4, 3)
}
