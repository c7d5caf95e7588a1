package node

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"ticketrush/client"
	"ticketrush/stockd/owner"
	"ticketrush/stockd/stock"
)

// Owner is the node that has a partition.
type Owner struct {
	NodeID       string
	APIAddr      string
	InternalAddr string
	Epoch        int64
}

// table is who owns what, as this node has heard: from its own core, from announcements and from the ledger. The higher epoch wins.
type table struct {
	self        client.Node
	incarnation string // tells versions of different runs apart

	mu      sync.RWMutex
	version int64                  // of the last change
	members []client.Node          // alive, by gossip
	nodes   map[string]client.Node // all that were ever named, for their addresses
	left    map[string]time.Time   // when those that were members and are no more were last seen
	parts   [stock.Partitions]tablePart
	changed chan struct{} // closed at the next change
}

type tablePart struct {
	epoch   int64
	node    string
	version int64
}

func newTable(self client.Node) *table {
	return &table{
		self: self, incarnation: strconv.FormatInt(time.Now().UnixNano(), 36), nodes: map[string]client.Node{self.ID: self}, left: map[string]time.Time{}, changed: make(chan struct{}),
	}
}

// bump begins a new version. Called with mu held.
func (t *table) bump() {
	t.version++
	close(t.changed)
	t.changed = make(chan struct{})
}

func (t *table) setMembers(members []client.Node) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if slices.Equal(t.members, members) {
		return
	}
	for _, m := range t.members {
		t.left[m.ID] = time.Now()
	}
	for _, m := range members {
		delete(t.left, m.ID)
		t.nodes[m.ID] = m
		if slices.Contains(t.members, m) {
			continue
		}
		for p := range t.parts { // the routes to a node that has come back are news
			if t.parts[p].node == m.ID {
				t.parts[p].version = t.version + 1
			}
		}
	}
	t.members = members
	t.bump()
}

// own notes owners. Only newer epochs count, and the first word under an epoch.
func (t *table) own(node client.Node, parts []owner.PartEpoch) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if known, ok := t.nodes[node.ID]; !ok || known != node && !slices.Contains(t.members, known) {
		t.nodes[node.ID] = node
	}
	news := false
	for _, pe := range parts {
		if pe.Part >= stock.Partitions {
			continue
		}
		if p := &t.parts[pe.Part]; pe.Epoch > p.epoch {
			*p = tablePart{pe.Epoch, node.ID, t.version + 1}
			news = true
		}
	}
	if news {
		t.bump()
	}
}

// owner is who owns a partition.
func (t *table) owner(part stock.PartitionID) (Owner, bool) {
	if part >= stock.Partitions {
		return Owner{}, false
	}
	t.mu.RLock()
	defer t.mu.RUnlock()
	p := t.parts[part]
	node, ok := t.nodes[p.node]
	return Owner{node.ID, node.API, node.Internal, p.epoch}, ok && p.epoch > 0
}

// watch calls overtaken once a partition is owned by another node than the one that a request waits at, unless ctx ends before.
func (t *table) watch(ctx context.Context, part stock.PartitionID, at string, overtaken func()) {
	for {
		t.mu.RLock()
		owner, changed := t.parts[part].node, t.changed
		t.mu.RUnlock()
		if owner != at && owner != "" {
			overtaken()
			return
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return
		}
	}
}

// await waits until a partition has an owner under a newer epoch, at most for wait.
func (t *table) await(ctx context.Context, part stock.PartitionID, epoch int64, wait time.Duration) {
	timer := time.NewTimer(wait)
	defer timer.Stop()
	for {
		t.mu.RLock()
		now, changed := t.parts[part].epoch, t.changed
		t.mu.RUnlock()
		if now > epoch {
			return
		}
		select {
		case <-changed:
		case <-timer.C:
			return
		case <-ctx.Done():
			return
		}
	}
}

func (t *table) member(id string) client.Node {
	t.mu.RLock()
	defer t.mu.RUnlock()
	return t.nodes[id]
}

// others are the living nodes without this one.
func (t *table) others() []client.Node {
	t.mu.RLock()
	defer t.mu.RUnlock()
	return slices.DeleteFunc(slices.Clone(t.members), func(m client.Node) bool { return m.ID == t.self.ID })
}

// farewell is for how long a node that has left still hears news: while it hands over, who comes to it is sent on.
const farewell = 3 * time.Second

// audience are the nodes that should hear who owns what: the others that live, and those that have just left.
func (t *table) audience(now time.Time) []client.Node {
	list := t.others()
	t.mu.RLock()
	defer t.mu.RUnlock()
	for id, at := range t.left {
		if now.Sub(at) < farewell && id != t.self.ID {
			list = append(list, t.nodes[id])
		}
	}
	return list
}

// ids are the living nodes.
func (t *table) ids() []string {
	t.mu.RLock()
	defer t.mu.RUnlock()
	ids := make([]string, 0, len(t.members))
	for _, m := range t.members {
		ids = append(ids, m.ID)
	}
	return ids
}

// perNode counts the partitions of each node.
func (t *table) perNode() map[string]int {
	t.mu.RLock()
	defer t.mu.RUnlock()
	count := map[string]int{}
	for i := range t.parts {
		if t.parts[i].epoch > 0 {
			count[t.parts[i].node]++
		}
	}
	return count
}

// since is the document of what changed after a version, once there is something or wait is over.
func (t *table) since(ctx context.Context, version string, wait time.Duration) client.RoutesDocument {
	timer := time.NewTimer(wait)
	defer timer.Stop()
	for {
		doc, news, changed := t.document(version)
		if news {
			return doc
		}
		select {
		case <-changed:
		case <-timer.C:
			return doc
		case <-ctx.Done():
			return doc
		}
	}
}

func (t *table) document(version string) (doc client.RoutesDocument, news bool, changed <-chan struct{}) {
	t.mu.RLock()
	defer t.mu.RUnlock()
	after := int64(0)
	if incarnation, number, ok := strings.Cut(version, "."); ok && incarnation == t.incarnation {
		after, _ = strconv.ParseInt(number, 10, 64)
	}
	doc.Version = fmt.Sprintf("%s.%d", t.incarnation, t.version)
	doc.Nodes = slices.Clone(t.members)
	index := map[string]int{}
	for i, m := range doc.Nodes {
		index[m.ID] = i
	}
	for p := range t.parts {
		part := &t.parts[p]
		if part.version <= after || part.epoch == 0 {
			continue
		}
		if at, alive := index[part.node]; alive {
			doc.Routes = append(doc.Routes, client.Route{Part: stock.PartitionID(p), Epoch: part.epoch, Node: at})
		}
	}
	return doc, t.version > after, t.changed
}

// Owner is who has a partition, as far as this node has heard.
func (n *Node) Owner(part stock.PartitionID) (Owner, bool) { return n.table.owner(part) }

// readOwners takes the ledger's rows over. They are the truth of a moment ago; announcements are quicker.
func (n *Node) readOwners(ctx context.Context) {
	n.ownersAt.Store(time.Now().UnixMilli())
	rows, err := n.db.Owners(ctx)
	if err != nil {
		n.log.Debug("the owners could not be read", "error", err)
		return
	}
	parts := map[client.Node][]owner.PartEpoch{}
	mine := map[int64][]stock.PartitionID{} // by session
	for _, r := range rows {
		if r.Live {
			if r.Node == n.self.ID {
				mine[r.Session] = append(mine[r.Session], stock.PartitionID(r.Part))
			}
			node := client.Node{ID: r.Node, API: r.APIAddr, Internal: r.InternalAddr}
			parts[node] = append(parts[node], owner.PartEpoch{Part: stock.PartitionID(r.Part), Epoch: r.Epoch})
		}
	}
	for node, owned := range parts {
		n.hear(node, owned)
	}
	for session, parts := range mine {
		n.give(owner.Named{Session: session, Parts: parts})
	}
}

// hear takes over who owns what, as another node or the ledger says. A partition that this node believes to serve, and that somebody has under
// a newer epoch, was taken by another process of this node; the core is told, because without a flush it would not find out.
func (n *Node) hear(node client.Node, parts []owner.PartEpoch) {
	n.table.own(node, parts)
	var lost []owner.PartEpoch
	for _, pe := range parts {
		if pe.Part < stock.Partitions {
			if mine := n.local[pe.Part].Load(); mine != 0 && mine < pe.Epoch {
				lost = append(lost, pe)
			}
		}
	}
	if len(lost) > 0 {
		if node.ID == n.self.ID {
			n.log.Error("another process with this node's id serves its partitions", "partitions", len(lost), "by", node.Internal)
		}
		n.give(owner.Overtaken{Parts: lost})
	}
}

// ownersEvery is how often the ledger's rows are read. ownersSoon is how often at most when somebody is looking for an owner.
const (
	ownersEvery = 5 * time.Second
	ownersSoon  = 250 * time.Millisecond
)

func (n *Node) followOwners() {
	tick := time.NewTicker(ownersEvery)
	defer tick.Stop()
	for {
		select {
		case <-n.ctx.Done():
			return
		case <-tick.C:
			n.readOwners(n.ctx)
		}
	}
}

// lookForOwner reads the rows again when that was not done just now.
func (n *Node) lookForOwner(ctx context.Context) {
	last := n.ownersAt.Load()
	if now := time.Now().UnixMilli(); now-last >= ownersSoon.Milliseconds() && n.ownersAt.CompareAndSwap(last, now) {
		n.readOwners(ctx)
	}
}
