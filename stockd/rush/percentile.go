package rush

import (
	"math"
	"slices"
	"time"
)

// samples collects durations. A rush has some hundred thousand of them, so all are kept and percentiles are exact.
type samples struct {
	all    []time.Duration
	sorted bool
}

func (s *samples) add(d time.Duration) {
	s.all, s.sorted = append(s.all, d), false
}

// quantile is the nearest-rank percentile: the smallest sample that at least a share q of all does not exceed. 0 without samples.
func (s *samples) quantile(q float64) time.Duration {
	if len(s.all) == 0 {
		return 0
	}
	if !s.sorted {
		slices.Sort(s.all)
		s.sorted = true
	}
	i := int(math.Ceil(q*float64(len(s.all)))) - 1
	return s.all[min(max(i, 0), len(s.all)-1)]
}

// spread gives what a summary shows.
func (s *samples) spread() Spread {
	return Spread{N: len(s.all), P50: s.quantile(0.5), P95: s.quantile(0.95), P99: s.quantile(0.99), Max: s.quantile(1)}
}

// Spread describes how long something took, over N times.
type Spread struct {
	N                  int
	P50, P95, P99, Max time.Duration
}
