package room

import (
	"testing"
	"time"

	"pgregory.net/rapid"
)

// crowded is a room with more people in its line than it can let in while a test runs.
func crowded(t testing.TB, set Settings, people int) *alone {
	t.Helper()
	r := newAlone(t, set)
	for i := range people {
		if _, err := r.edge.Join(start, tid(i), ClassArrival); err != nil {
			t.Fatal(err)
		}
	}
	r.sync(start)
	return r
}

func TestAutomaticRate(t *testing.T) {
	t.Parallel()
	r := crowded(t, Settings{Auto: true, RateMin: 10, RateMax: 70, MaxActive: 3}, 5000)
	now := start
	run := func(seconds int, pressure float64) float64 {
		for range 4 * seconds {
			now = now.Add(openEvery * time.Millisecond)
			r.edge.Feel(pressure)
			r.sync(now)
			r.Tick(now)
		}
		return r.rate()
	}
	if got := run(120, 0.2); got != 70 {
		t.Errorf("a site that is well has rate %v", got)
	}
	if got := run(3, 0.95); got >= 70 {
		t.Errorf("a site under pressure has rate %v", got)
	}
	if got := run(60, 0.95); got != 10 {
		t.Errorf("a site that stays under pressure has rate %v", got)
	}
}

// TestTheRateFollowsTheSitesAnswers: whatever edges say and whoever comes, the rate goes down in each step in which answers took longer than the target,
// goes up only while somebody waits, and stays within its bounds.
func TestTheRateFollowsTheSitesAnswers(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		const low, high = 5, 50
		target := time.Duration(rapid.IntRange(1, 2000).Draw(t, "target")) * time.Millisecond
		room, err := New(Settings{Auto: true, RateMin: low, RateMax: high, Latency: target, MaxActive: 2}, start)
		if err != nil {
			t.Fatal(err)
		}
		r := &alone{Room: room, edge: NewEdge("a", 1, start), t: t}
		r.sync(start)
		now, joined := start, 0
		for range rapid.IntRange(1, 40).Draw(t, "steps") {
			if rapid.Bool().Draw(t, "somebody comes") {
				r.join(now, tid(joined), ClassArrival)
				joined++
			}
			p99 := time.Duration(rapid.IntRange(0, 4000).Draw(t, "p99")) * time.Millisecond
			r.edge.Answered(p99)
			r.sync(now)
			r.edge.Answered(0)
			before, due, demand := r.rate(), r.auto.rate > 0 && now.UnixMilli() >= r.auto.next, r.demand()
			r.Tick(now)
			r.store(now)
			after := r.rate()
			switch slow := p99 > target; {
			case after < low || after > high:
				t.Fatalf("rate %v, not %d to %d", after, low, high)
			case !due:
			case slow && !(after < before || before == low):
				t.Fatalf("answers of %v, target %v: the rate goes from %v to %v", p99, target, before, after)
			case !slow && after < before, after > before && !demand:
				t.Fatalf("answers of %v, target %v, somebody waits: %v: the rate goes from %v to %v", p99, target, demand, before, after)
			case !slow && demand && after <= before && before < high:
				t.Fatalf("somebody waits, and the rate stays at %v", before)
			}
			now = now.Add(time.Duration(rapid.SampledFrom([]int{1000, 2000}).Draw(t, "ms")) * time.Millisecond)
			if r.auto.next > now.UnixMilli() {
				now = time.UnixMilli(r.auto.next)
			}
		}
	})
}

func TestReportsOfAnswersAreChecked(t *testing.T) {
	t.Parallel()
	r := newAlone(t, Settings{})
	for _, ms := range []float64{-1, p99Max + 1} {
		p := r.edge.Report(start)
		p.P99Ms = ms
		if err := r.Sync(start, &p); err == nil {
			t.Errorf("answers that take %v ms are taken", ms)
		}
	}
}
