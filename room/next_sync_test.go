package room

import (
	"testing"
	"time"

	"pgregory.net/rapid"
)

// Edges whose clocks differ sync at the same moment of the owner's time, to the error of their measurement, and never twice at once.
func TestEdgesSyncTogether(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		now := time.UnixMilli(1_800_000_000_000).Add(time.Duration(rapid.Int64Range(0, 1e9).Draw(t, "now")))
		e := NewEdge("a", 1, now)
		ahead := time.Duration(rapid.Int64Range(-1e6, 1e6).Draw(t, "ahead")) * time.Millisecond
		trip := time.Duration(rapid.Int64Range(0, 40).Draw(t, "trip")) * time.Millisecond
		answered := now.Add(trip / 2)
		report := e.Report(now)
		e.Took(now, now.Add(trip), &report, &Answer{Fence: 1, ID: 1, Edition: 1, Now: answered.Add(ahead).UnixMilli()})
		at := now.Add(trip + time.Duration(rapid.Int64Range(0, 1e9).Draw(t, "later")))
		wait := e.NextSync(at)
		if wait <= 0 || wait > SyncEvery {
			t.Fatalf("the next sync is in %v", wait)
		}
		owner := at.Add(wait).Add(ahead).UnixMilli() % SyncEvery.Milliseconds()
		off := min(owner, SyncEvery.Milliseconds()-owner)
		if bound := e.Bound(at.Add(wait)) + 1; float64(off) > bound {
			t.Fatalf("the owner's time is %d ms off a sync, and the edge is not wrong by more than %.1f ms", off, bound)
		}
	})
}
