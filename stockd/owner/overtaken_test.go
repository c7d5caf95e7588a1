package owner

import (
	"testing"
	"time"

	"ticketrush/stockd/stock"
)

// Found by the simulator: two processes ran under one node id; the second took a partition, and ended. The first went on to believe that it
// served it, and because nobody sent it anything to flush, the partition was dark for as long as its session lived.
func TestOvertakenTakesItsPartitionBack(t *testing.T) {
	t.Parallel()
	w := started(t, 2)
	part := stock.PartitionOf(1, 2)
	n := w.owner(2)
	twin := w.ledger.open(n.id, 3*time.Second)
	got := w.ledger.claim(twin, []stock.PartitionID{part})
	w.ledger.sessions[twin].dead = true
	if len(got) != 1 || n.on[part] != 1 {
		t.Fatalf("the twin got %v, the node serves under epoch %d", got, n.on[part])
	}
	w.give(n, Overtaken{[]PartEpoch{{part, 1}}}) // no news
	if n.on[part] != 1 {
		t.Fatal("a partition was dropped for its own epoch")
	}
	w.give(n, Overtaken{[]PartEpoch{{part, got[0].Epoch}, {stock.Partitions, 9}}})
	w.run(w.now + 3*time.Second)
	check(t, w.settled())
	if n.on[part] != got[0].Epoch+1 {
		t.Errorf("the node serves under epoch %d", n.on[part])
	}
}

// Found by the simulator: a claim was given up, another one for the same partition was answered with no, and then the first was committed after
// all. The rows named a session that did not know of it, and nobody else could have the partition while that session lived.
func TestNamedInTheRowsHandsItOn(t *testing.T) {
	t.Parallel()
	w := started(t, 2)
	part := stock.PartitionOf(1, 2)
	n := w.owner(2)
	other := w.nodes[0]
	if other == n {
		other = w.nodes[1]
	}
	row := &w.ledger.parts[part]
	row.session, row.epoch = other.core.session.id, row.epoch+1 // the late commit
	w.give(n, Overtaken{[]PartEpoch{{part, row.epoch}}})
	w.run(w.now + 5*time.Second)
	if n.on[part] != 0 || other.on[part] != 0 {
		t.Fatal("the partition is served although its row names somebody who does not know")
	}
	w.give(other, Named{other.core.session.id + 100, []stock.PartitionID{part}}) // of another process
	w.give(other, Named{other.core.session.id, []stock.PartitionID{part, stock.Partitions}})
	w.run(w.now + 5*time.Second)
	check(t, w.settled())
	if n.on[part] == 0 {
		t.Error("the partition has not come to the node that should have it")
	}
}
