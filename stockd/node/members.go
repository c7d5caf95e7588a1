package node

import (
	"sync"
	"time"

	"ticketrush/client"
	"ticketrush/stockd/owner"
)

// followMembers tells the core and the routes who is alive.
func (n *Node) followMembers() {
	for {
		n.look()
		select {
		case <-n.gossip.Changed():
			n.log.Info("the members have changed", "members", len(n.gossip.Members()))
		case <-n.healed:
		case <-n.ctx.Done():
			return
		}
	}
}

// look takes over who is alive. Who lives and cannot reach the ledger says so, and is counted out: its stock should go to somebody who can sell it,
// as soon as its session is over. When nobody can reach it nobody is counted out, so that afterwards each has its own back at once.
func (n *Node) look() {
	var ids []string
	var alive []client.Node
	trusting := n.trusting.Load()
	for _, m := range n.gossip.Members() {
		if m.ID == n.self.ID && m.Node != n.self {
			n.log.Error("another process uses this node's id: the two will take each other's partitions away", "its_internal_address", m.Internal)
		}
		if m.Away && trusting && m.ID != n.self.ID {
			continue
		}
		ids = append(ids, m.ID)
		alive = append(alive, m.Node)
	}
	n.table.setMembers(alive)
	n.give(owner.View{Members: ids})
	n.announceAll()
}

// goodbyeWait bounds how long the others are waited for that do not answer: the gossip tells them, too.
const goodbyeWait = 100 * time.Millisecond

// sayGoodbye tells the others that this node leaves, so that they are ready for its stock when it is released.
func (n *Node) sayGoodbye() {
	var all sync.WaitGroup
	for _, other := range n.table.others() {
		all.Go(func() {
			if err := n.peers.post(n.ctx, other, "/internal/v1/goodbye", goodbyeDoc{Node: n.self.ID, Started: n.gossip.Started()}, nil, goodbyeWait); err != nil {
				n.log.Debug("the goodbye was not heard", "by", other.ID, "error", err)
			}
		})
	}
	all.Wait()
}

const (
	// healthEvery is how often the node looks whether the ledger still confirms it.
	healthEvery = 100 * time.Millisecond
	// trustAfter is for how long the ledger must have confirmed this node before those count out that say they are away: when the ledger comes
	// back, everybody gets its session within a moment, but not in the same one.
	trustAfter = time.Second
)

// followHealth tells the others when the ledger does not confirm this node any more, and when it does again.
func (n *Node) followHealth() {
	tick := time.NewTicker(healthEvery)
	defer tick.Stop()
	var since time.Time // when the ledger began to confirm this node; zero: it does not
	ever, away := false, false
	for {
		select {
		case <-n.ctx.Done():
			return
		case <-tick.C:
		}
		promising := false
		if !n.ask(func(c *owner.Core) { promising = c.Promising() }) {
			return
		}
		switch {
		case !promising:
			since = time.Time{}
		case since.IsZero():
			since, ever = time.Now(), true
		}
		if trusting := promising && time.Since(since) >= trustAfter; trusting != n.trusting.Swap(trusting) {
			poke(n.healed)
		}
		if now := ever && !promising; now != away && !n.stopping.Load() {
			away = now
			n.log.Info("the ledger confirms this node", "confirms", !away)
			if err := n.gossip.SetAway(away); err != nil {
				n.log.Warn("the others may not have heard whether this node can own anything", "error", err)
			}
		}
	}
}
