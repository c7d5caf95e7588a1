package node

import (
	"sync"
	"time"

	"ticketrush/stockd/owner"
	"ticketrush/stockd/stock"
)

// announcements are the partitions that the others should hear of. They are advice: the ledger's rows are read now and then anyway.
type announcements struct {
	mu    sync.Mutex
	parts []owner.PartEpoch
	wake  chan struct{}
}

func (a *announcements) add(parts []owner.PartEpoch) {
	a.mu.Lock()
	a.parts = append(a.parts, parts...)
	if len(a.parts) > 2*stock.Partitions {
		a.parts = a.parts[len(a.parts)-2*stock.Partitions:]
	}
	a.mu.Unlock()
	poke(a.wake)
}

func (a *announcements) take() []owner.PartEpoch {
	a.mu.Lock()
	defer a.mu.Unlock()
	parts := a.parts
	a.parts = nil
	return parts
}

// poke wakes who waits on a channel with room for one.
func poke(wake chan struct{}) {
	select {
	case wake <- struct{}{}:
	default:
	}
}

// announceAll tells everything again: somebody has come who has not heard it.
func (n *Node) announceAll() {
	var parts []owner.PartEpoch
	for p := range n.local {
		if epoch := n.local[p].Load(); epoch != 0 {
			parts = append(parts, owner.PartEpoch{Part: stock.PartitionID(p), Epoch: epoch})
		}
	}
	if len(parts) > 0 {
		n.announce.add(parts)
	}
}

func (n *Node) pushAnnouncements() {
	for {
		select {
		case <-n.ctx.Done():
			return
		case <-n.announce.wake:
		}
		doc := announceDoc{Node: n.self, Parts: n.announce.take()}
		if len(doc.Parts) == 0 {
			continue
		}
		// Nobody waits for one that does not listen: what the others hear late costs their clients time. The epochs put the news in order.
		for _, other := range n.table.audience(time.Now()) {
			n.tasks.Go(func() {
				if err := n.peers.post(n.ctx, other, "/internal/v1/announce", doc, nil, time.Second); err != nil {
					n.log.Debug("an announcement was not heard", "by", other.ID, "error", err)
				}
			})
		}
	}
}
