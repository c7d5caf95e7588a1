package room

import (
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// TestLineIsExactWhileItFits compares with a sorted list.
func TestLineIsExactWhileItFits(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		ranks := rapid.SliceOfNDistinct(rapid.Uint64Range(1, 1<<50), 1, 200, rapid.ID).Draw(rt, "ranks")
		slices.Sort(ranks)
		var l Line
		for _, r := range ranks {
			l.Add(r)
		}
		for i, r := range ranks {
			if got := l.CountUpTo(r); got != uint64(i+1) {
				rt.Fatalf("CountUpTo(%d) = %d, want %d", r, got, i+1)
			}
			if got := (crowd{&lines{l}}).classRank(0, uint64(i+1)); got != r {
				rt.Fatalf("classRank(%d) = %d, want %d", i+1, got, r)
			}
		}
	})
}

// TestLineIsBounded counts far more ranks than there are buckets: nobody is lost, and counts and ranks agree.
func TestLineIsBounded(t *testing.T) {
	t.Parallel()
	var l Line
	var a arrivals
	const n = 300_000
	for i := range n {
		l.Add(a.next(ClassArrival, int64(i/7), 0))
	}
	if len(l.Buckets) > bucketsMax || l.Total() != n || l.CountUpTo(l.Last()) != n {
		t.Fatalf("%d buckets, %d in total, %d up to the last", len(l.Buckets), l.Total(), l.CountUpTo(l.Last()))
	}
	only := crowd{&lines{ClassArrival: l}}
	for i := uint64(1); i <= n; i += 997 {
		if got := l.CountUpTo(only.classRank(ClassArrival, i)); got != i {
			t.Fatalf("%d places end at a rank that %d have", i, got)
		}
	}
	var all lines
	all[ClassArrival] = l
	all[ClassPriority].Add(5)
	all[ClassSlow].Add(uint64(ClassSlow)<<classShift + 5)
	points := crowd{&all}.points(PointsMax)
	if len(points) > PointsMax || points[len(points)-1].Count != n+2 {
		t.Errorf("%d points, the last counts %d", len(points), points[len(points)-1].Count)
	}
	if !slices.IsSortedFunc(points, func(a, b Point) int {
		if a.Rank < b.Rank && a.Count <= b.Count {
			return -1
		}
		return 1
	}) {
		t.Error("the histogram does not grow")
	}
}

func TestArrivalsGrow(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		var a arrivals
		last := uint64(0)
		ms := int64(0)
		for range rapid.IntRange(1, 5000).Draw(rt, "n") {
			if rapid.IntRange(0, 9).Draw(rt, "step") == 0 {
				ms += rapid.Int64Range(-5, 50).Draw(rt, "ms")
			}
			if next := a.next(ClassArrival, ms, 3); next <= last {
				rt.Fatalf("rank %d after %d", next, last)
			} else {
				last = next
			}
		}
	})
}
