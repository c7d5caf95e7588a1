package node

import (
	"context"
	"net/http"
	"time"

	"ticketrush/stockd/owner"
	"ticketrush/stockd/stock"
)

// Tenant lives on partitions beside their stock, under the same epochs. Its methods are called in the order of what they tell; none but LetGo may
// wait for anything.
type Tenant interface {
	// Begin says that this node serves partitions from now on, under a session.
	Begin(session int64, parts []owner.PartEpoch)
	// End says that it does not any more: they are lost, or were let go of.
	End(parts []owner.PartEpoch)
	// LetGo comes before partitions are handed off. When it returns, everything of theirs is in the ledger and nothing is promised any more; a tenant that
	// cannot say so before ctx ends counts on the fence.
	LetGo(ctx context.Context, parts []owner.PartEpoch)
	// Close ends the tenant at once, as a crash would; after a hand-off it has nothing left to lose.
	Close()
	// Path is what the internal listener gives to its handler: this path and all below it.
	Path() string
	http.Handler
}

// Attach gives the node a tenant. Call it after Open and before Start and InternalHandler.
func (n *Node) Attach(t Tenant) { n.tenant = t }

// Fenced tells the node that the ledger says that a partition is not this node's under an epoch any more. Where nothing of its stock is flushed, the
// node may not have found out.
func (n *Node) Fenced(part stock.PartitionID, epoch int64) {
	n.give(owner.Overtaken{Parts: []owner.PartEpoch{{Part: part, Epoch: epoch + 1}}})
}

// Promising is whether the ledger has confirmed this node lately. It is read without the loop; a machine that stood still finds it false by the clock
// alone.
func (n *Node) Promising() bool { return time.Since(n.started) < time.Duration(n.promise.Load()) }

// Strain is how hard the ledger's part of this node works, from 0 to 1: the age of the oldest request that waits for its commit, as a share of a
// quarter of QueueWait; 1 when the ledger does not confirm the node.
func (n *Node) Strain() float64 {
	if !n.Promising() {
		return 1
	}
	return min(1, float64(n.oldest.Load())/float64(n.cfg.QueueWait/4))
}

// Self is where this node is reached.
func (n *Node) Self() Owner {
	return Owner{NodeID: n.self.ID, APIAddr: n.self.API, InternalAddr: n.self.Internal}
}

// Others are the living nodes without this one.
func (n *Node) Others() (others []Owner) {
	for _, m := range n.table.others() {
		others = append(others, Owner{NodeID: m.ID, APIAddr: m.API, InternalAddr: m.Internal})
	}
	return others
}

// Ask reads what another node answers to a GET of its internal listener.
func (n *Node) Ask(ctx context.Context, other Owner, path string, into any, within time.Duration) error {
	return n.peers.call(ctx, other.node(), http.MethodGet, path, nil, into, within)
}
