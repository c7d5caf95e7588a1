package owner

import (
	"testing"
	"time"

	"ticketrush/stockd/stock"
)

// askAfter sends a command whose client has waited already.
func (w *world) askAfter(n *simNode, cmd stock.Command, waited time.Duration) {
	w.lastID++
	w.requests[w.lastID] = &simRequest{cmd: cmd, node: n}
	w.give(n, Request{ID: w.lastID, Part: stock.PartitionOf(cmd.Event, cmd.Segment), Command: cmd, Waited: waited})
}

// TestTheWaitBeforeCounts: a request has QueueWait from its arrival at the cluster, not from its arrival here, whatever came before it.
func TestTheWaitBeforeCounts(t *testing.T) {
	t.Parallel()
	w := started(t, 1)
	w.ledgerDown = true
	w.run(w.now + 4*time.Second)
	n := w.nodes[0]
	w.askAfter(n, w.newHold(1, 1), 0)
	w.askAfter(n, w.newHold(1, 1), 1500*time.Millisecond)
	w.askAfter(n, w.newHold(1, 1), 2*time.Second)
	if w.replies[ProblemOverloaded] != 1 {
		t.Errorf("who has waited for two seconds already: %v", w.replies)
	}
	if oldest := n.core.OldestWait(); oldest != 0 {
		t.Errorf("the oldest has waited %v", oldest)
	}
	w.run(w.now + 600*time.Millisecond)
	if w.replies[ProblemLedgerAway] != 1 {
		t.Errorf("after half a second: %v", w.replies)
	}
	if oldest := n.core.OldestWait(); oldest < 500*time.Millisecond || oldest > 700*time.Millisecond {
		t.Errorf("the oldest has waited %v", oldest)
	}
	w.run(w.now + 1500*time.Millisecond)
	if w.replies[ProblemLedgerAway] != 2 || n.core.OldestWait() != 0 {
		t.Errorf("after two seconds: %v, the oldest %v", w.replies, n.core.OldestWait())
	}
	w.ledgerDown = false
	w.run(w.now + 5*time.Second)
	check(t, w.settled())
}
