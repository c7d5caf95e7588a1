package node

import (
	"testing"

	"ticketrush/stockd/stock"
)

// A ledger that has become another server, as after a failover or a restore, is read again under a new session, and the catalog with it.
func TestAnotherServerIsReadAnew(t *testing.T) {
	t.Parallel()
	g := newCalmGang(t, database(t), 1)
	e := g.putOnSale("promoted", 1, 2, 10)
	n := g.nodes[0]
	part := stock.PartitionOf(e.Number, 1)
	epoch := n.local[part].Load()
	old := "1234/00000001"
	n.ledgerID.Store(&old)
	until(t, "the stock is served under a new epoch", func() bool { return n.local[part].Load() > epoch })
	if again, ok := n.Catalog().ByNumber(e.Number); !ok || again == e {
		t.Error("the catalog was not read again")
	}
	g.must(n, newHold(e, 1, 2))
	g.reconcile()
}
