package rooms_test

import (
	"testing"

	"ticketrush/ledger"
)

// After a restore of the ledger to an earlier time its rooms' owners have higher numbers than any that edges may have met since: or the edges would take
// each new owner for one that was replaced.
func TestEdgesFollowARestoredLedger(t *testing.T) {
	t.Parallel()
	g := newGang(t, database(t), 1)
	r := g.enter(g.client(), "spring", slow)
	e := newEdge(t, "a", r)
	g.nodes[0].stop(t)
	db, err := ledger.Open(t.Context(), g.dsn, ledger.Options{AllowNoFsync: true})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.Restored(t.Context(), "test", "test"); err != nil {
		t.Fatal(err)
	}
	e.mu.Lock()
	met := e.fence
	e.mu.Unlock()
	g.start(0)
	g.settle(1)
	again := newEdge(t, "b", g.client().Room("spring")) // the first one's client only knows the address of before
	again.mu.Lock()
	fence := again.fence
	again.mu.Unlock()
	if fence < met+1<<19 {
		t.Errorf("the owner after the restore is number %d, the one before was number %d, and there may have been more", fence, met)
	}
	g.nodes[1].stop(t)
	g.start(0)
	g.settle(1)
	last := newEdge(t, "c", g.client().Room("spring"))
	last.mu.Lock()
	defer last.mu.Unlock()
	if last.fence <= fence || last.fence > fence+1000 { // a busy machine may make some more
		t.Errorf("the next owner is number %d, after %d", last.fence, fence)
	}
}
