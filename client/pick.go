package client

import (
	"sync"
	"sync/atomic"
	"time"
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

// pick is the address to try: the hint of a 421, the owner, else any living node in turn. Nodes that are left out come last, but they do come:
// never are all left out.
func (c *Client) pick(k *call, now time.Time) (string, bool) {
	if k.hint != "" && !c.nodes.isOut(k.hint, now) {
		return k.hint, true
	}
	if k.hasPart {
		if node, _ := c.routes.owner(k.part); node.at(k.internal) != "" && !c.nodes.isOut(node.at(k.internal), now) {
			return node.at(k.internal), true
		}
	}
	living := c.routes.Nodes()
	if len(living) == 0 {
		return "", false
	}
	first := int(c.nodes.next.Add(1))
	for i := range living {
		if addr := living[(first+i)%len(living)].at(k.internal); addr != "" && !c.nodes.isOut(addr, now) {
			return addr, true
		}
	}
	addr := living[first%len(living)].at(k.internal)
	return addr, addr != ""
}
