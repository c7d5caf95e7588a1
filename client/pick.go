package client

import (
	"sync"
	"sync/atomic"
	"time"

	"ticketrush/stockd/stock"
)

// nodes remembers which nodes could not be reached.
type nodes struct {
	eject time.Duration
	next  atomic.Uint32
	mu    sync.Mutex
	out   map[string]time.Time // until when
}

const outMax = 1024

// failed leaves a node out for a while.
func (n *nodes) failed(addr string, now time.Time) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.out == nil || len(n.out) > outMax {
		n.out = map[string]time.Time{}
	}
	n.out[addr] = now.Add(n.eject)
}

func (n *nodes) worked(addr string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	delete(n.out, addr)
}

func (n *nodes) isOut(addr string, now time.Time) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	until, ok := n.out[addr]
	return ok && now.Before(until)
}

// pick is the API address to try: the hint of a 421, the owner, else any living node in turn. Nodes that are left out come last, but they do come:
// never are all left out.
func (c *Client) pick(hint string, part stock.PartitionID, hasPart bool, now time.Time) (string, bool) {
	if hint != "" && !c.nodes.isOut(hint, now) {
		return hint, true
	}
	if hasPart {
		if addr, _, ok := c.routes.Owner(part); ok && !c.nodes.isOut(addr, now) {
			return addr, true
		}
	}
	living := c.routes.Nodes()
	if len(living) == 0 {
		return "", false
	}
	first := int(c.nodes.next.Add(1))
	for i := range living {
		if n := living[(first+i)%len(living)]; n.API != "" && !c.nodes.isOut(n.API, now) {
			return n.API, true
		}
	}
	n := living[first%len(living)]
	return n.API, n.API != ""
}
