//go:build !race

// The race detector makes sync.Pool forget at random, so allocations are counted without it.

package draw

import "testing"

func TestRankDoesNotAllocate(t *testing.T) {
	r := NewRanker(Hash(nth32(9)))
	if n := testing.AllocsPerRun(1000, func() { r.Rank(Tid{}) }); n > 0 {
		t.Errorf("a rank allocates %v times", n)
	}
}
