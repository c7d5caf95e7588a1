package owner

import (
	"testing"
	"time"

	"ticketrush/stockd/stock"
)

// Found by the simulator: a request in flight when its tenure ended was fenced, and granted after requests that had come later and were applied
// under the next tenure meanwhile.
func TestWhoWasInFlightComesFirst(t *testing.T) {
	t.Parallel()
	w := started(t, 1)
	n := w.nodes[0]
	w.slow = time.Second / 2 // the answer takes up to a second: less than people wait
	early := w.newHold(1, 1)
	w.ask(n, early)
	for n.core.lane(stock.PartitionOf(1, 1)).flight == nil {
		w.run(w.now + time.Millisecond)
	}
	w.slow = time.Millisecond
	w.give(n, Renewed{Session: n.core.session.id, Sent: w.now, Alive: false})
	w.run(w.now + 100*time.Millisecond)
	if !n.core.promising() || n.on[stock.PartitionOf(1, 1)] != 2 {
		t.Fatalf("the partition is not served again: %+v", n.core.Status())
	}
	late := w.newHold(1, 1)
	w.ask(n, late)
	w.run(w.now + 3*time.Second)
	check(t, w.settled())
	if w.fencedSeen == 0 {
		t.Fatal("nothing was fenced: the test shows nothing")
	}
	first, second := w.ledger.holds[early.Hold], w.ledger.holds[late.Hold]
	if first == nil || second == nil || first.generation > second.generation {
		t.Errorf("the hold that was asked for first is %+v, the second %+v", first, second)
	}
}
