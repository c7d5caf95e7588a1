package rush

import (
	"testing"
	"time"
)

func TestQuantileIsTheNearestRank(t *testing.T) {
	t.Parallel()
	var s samples
	if got := s.quantile(0.5); got != 0 {
		t.Errorf("without samples: %v", got)
	}
	for _, ms := range []int{30, 10, 50, 20, 40} {
		s.add(time.Duration(ms) * time.Millisecond)
	}
	for _, c := range []struct {
		q    float64
		want int
	}{{0, 10}, {0.2, 10}, {0.21, 20}, {0.5, 30}, {0.95, 50}, {0.99, 50}, {1, 50}} {
		if got := s.quantile(c.q); got != time.Duration(c.want)*time.Millisecond {
			t.Errorf("quantile(%v) = %v, want %d ms", c.q, got, c.want)
		}
	}
	s.add(time.Millisecond) // after a look the next one must sort again
	if got := s.quantile(0); got != time.Millisecond {
		t.Errorf("after a smaller sample the least is %v", got)
	}
	var hundred samples
	for i := range 100 {
		hundred.add(time.Duration(i+1) * time.Millisecond)
	}
	if s := hundred.spread(); s.N != 100 || s.P50 != 50*time.Millisecond || s.P99 != 99*time.Millisecond || s.Max != 100*time.Millisecond {
		t.Errorf("spread of 1..100 ms: %+v", s)
	}
}

func TestAdmissionRateCountsOnlyWhileOthersWait(t *testing.T) {
	t.Parallel()
	start := time.Unix(1000, 0)
	tl := newTally(start)
	for range 10 {
		tl.arrived(start)
	}
	// Two a second while somebody waits; the last one is alone and comes much later.
	for i := range 9 {
		tl.admitted(start.Add(time.Duration(i)*500*time.Millisecond), time.Second)
	}
	tl.admitted(start.Add(time.Minute), time.Minute)
	if got := tl.admissionRate(); got < 2 || got > 2.5 {
		t.Errorf("%v admissions per second, want about 2", got)
	}
}

func TestRowsFollowTheSeconds(t *testing.T) {
	t.Parallel()
	start := time.Unix(1000, 0)
	tl := newTally(start)
	tl.arrived(start.Add(100 * time.Millisecond))
	tl.stock(start.Add(time.Second), Availability{Free: 7, Held: 2})
	tl.refused(start.Add(3*time.Second), "seat-taken")
	if len(tl.rows) != 4 {
		t.Fatalf("%d rows, want 4", len(tl.rows))
	}
	if tl.rows[0].Arrivals != 1 || tl.rows[0].Free != -1 || tl.rows[3].Free != 7 || tl.rows[3].Refusals != 1 || tl.rows[3].Waiting != 1 {
		t.Errorf("rows: %+v", tl.rows)
	}
}
