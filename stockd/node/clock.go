package node

import (
	"context"
	"time"
)

// clockStep is from when on a change of the ledger's clock is worth a line in the log.
const clockStep = time.Second

// readClock asks the ledger for its time.
func (n *Node) readClock(ctx context.Context) error {
	sent := time.Since(n.started)
	at, err := n.db.Clock(ctx)
	if err != nil {
		return err
	}
	if moved := n.clock.Reading(sent, time.Since(n.started), at); moved.Abs() >= clockStep {
		n.log.Warn("this machine's clock and the ledger's differ, or one was set; the ledger's counts", "ledger_ahead", moved.Round(time.Millisecond))
	}
	return nil
}

// Now is the ledger's time, as this node knows it.
func (n *Node) Now() time.Time { return n.clock.At(time.Since(n.started)) }
