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
