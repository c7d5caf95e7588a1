package node

import (
	"context"
	"sync"
	"time"
)

// clock tells the ledger's time. Deadlines are written by one node, read by others and judged by the database, so all of them go by the
// database's clock; between two readings this machine's monotonic clock counts on, which nobody steps. It never goes back.
type clock struct {
	mu   sync.Mutex
	base time.Time     // the ledger's time at 0 of the core's clock
	off  time.Duration // how wrong base may be
	read time.Duration // when base was read, 0 before the first reading
	last time.Time
}

// clockDrift bounds how far two clocks part in a second, with a wide margin: crystals have 100 ppm, smeared leap seconds 12.
const clockDrift = time.Second / 2000

// at is the ledger's time at a moment of the core's clock.
func (c *clock) at(mono time.Duration) time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	if now := c.base.Add(mono); now.After(c.last) {
		c.last = now
	}
	return c.last
}

// reading takes in what the ledger's clock said between two moments of the core's. The reading is kept when it is closer than what the last one
// has become by drift, or when the two cannot both be right. It returns how far the time was moved.
func (c *clock) reading(sent, received time.Duration, ledger time.Time) time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	half := (received - sent + 1) / 2
	base := ledger.Add(-sent - half)
	moved := base.Sub(c.base)
	aged := c.off + (sent-c.read)/time.Second*clockDrift
	if c.read != 0 && half > aged && moved.Abs() <= half+aged {
		return 0
	}
	c.base, c.off, c.read = base, half, max(received, 1)
	return moved
}

// clockStep is from when on a change of the ledger's clock is worth a line in the log.
const clockStep = time.Second

// readClock asks the ledger for its time.
func (n *Node) readClock(ctx context.Context) error {
	sent := time.Since(n.started)
	at, err := n.db.Clock(ctx)
	if err != nil {
		return err
	}
	if moved := n.clock.reading(sent, time.Since(n.started), at); moved.Abs() >= clockStep {
		n.log.Warn("this machine's clock and the ledger's differ, or one was set; the ledger's counts", "ledger_ahead", moved.Round(time.Millisecond))
	}
	return nil
}

// Now is the ledger's time, as this node knows it.
func (n *Node) Now() time.Time { return n.clock.at(time.Since(n.started)) }
