package owner

import (
	"sync"
	"time"
)

// Clock tells the ledger's time. Deadlines are written by one node, read by others and judged by the database, so all of them go by the
// database's clock; between two readings the process's monotonic clock counts on, which nobody steps. From the first reading on it never goes
// back. It is safe for concurrent use.
type Clock struct {
	mu   sync.Mutex
	base time.Time     // the ledger's time at 0 of the monotonic clock
	off  time.Duration // how wrong base may have been when it was read
	read time.Duration // when base was read, 0 before the first reading
	last time.Time
}

// clockDrift bounds how far a monotonic clock and the ledger's part in a second. It is the margin that the session's deadline has too.
const clockDrift = time.Second / 200

// NewClock makes a clock that believes the machine's until its first reading: start is the machine's time at 0 of the monotonic clock.
func NewClock(start time.Time) *Clock { return &Clock{base: start} }

// At is the ledger's time at a moment of the monotonic clock.
func (c *Clock) At(mono time.Duration) time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := c.base.Add(mono)
	if c.read == 0 {
		return now // the machine's word, which binds nobody
	}
	if now.After(c.last) {
		c.last = now
	}
	return c.last
}

// Reading takes in what the ledger's clock said between two moments of the monotonic one. It is kept when it is closer than what the last
// one has become by drift, or when the two cannot both be right. It returns by how much the time was moved.
func (c *Clock) Reading(sent, received time.Duration, ledger time.Time) time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	half := (received - sent + 1) / 2
	base := ledger.Add(-sent - half)
	moved := base.Sub(c.base)
	aged := c.err(received)
	if c.read != 0 && half > aged && moved.Abs() <= half+aged {
		return 0
	}
	c.base, c.off, c.read = base, half, max(received, 1)
	return moved
}

// Error is how wrong the time may be at a moment, after the first reading, unless the ledger's clock was set since.
func (c *Clock) Error(mono time.Duration) time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.err(mono)
}

func (c *Clock) err(mono time.Duration) time.Duration {
	return c.off + time.Duration(float64(mono-c.read)/float64(time.Second)*float64(clockDrift))
}
