package node

import (
	"context"
	"time"

	"ticketrush/stockd/owner"
)

// clockStep is from when on a change of the ledger's clock is worth a line in the log.
const clockStep = time.Second

// readClock asks the ledger for its time, and which server it is.
func (n *Node) readClock(ctx context.Context) error {
	sent := time.Since(n.started)
	at, server, err := n.db.Clock(ctx)
	if err != nil {
		return err
	}
	if was := n.ledgerID.Swap(&server); was != nil && *was != server {
		n.otherServer(*was, server)
	}
	if moved := n.clock.Reading(sent, time.Since(n.started), at); moved.Abs() >= clockStep {
		n.log.Warn("this machine's clock and the ledger's differ, or one was set; the ledger's counts", "ledger_ahead", moved.Round(time.Millisecond))
	}
	return nil
}

// otherServer drops everything that was read from a ledger that has become another: one that was promoted may lack the last commits, and one that was
// restored to an earlier time lacks more.
func (n *Node) otherServer(was, is string) {
	n.log.Error("the ledger is another server now, or was restored: everything is read again", "was", was, "is", is)
	n.charts.forget()
	n.catalog.Store(&Catalog{})
	n.give(owner.Reset{Cause: "the ledger was " + was + " and is " + is})
	if err := n.refreshCatalog(n.ctx); err != nil {
		n.log.Warn("the catalog could not be read", "error", err)
	}
}

// Now is the ledger's time, as this node knows it.
func (n *Node) Now() time.Time { return n.clock.At(time.Since(n.started)) }
