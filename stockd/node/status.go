package node

import (
	"fmt"
	"sync"
	"time"

	"ticketrush/client"
	"ticketrush/stockd/owner"
	"ticketrush/stockd/stock"
)

// AlarmEntry is something that people should look at.
type AlarmEntry struct {
	At   time.Time         `json:"at"`
	Kind string            `json:"kind"`
	Part stock.PartitionID `json:"partition"`
	Text string            `json:"text"`
}

const alarmsKept = 100

// alarms are the last ones.
type alarms struct {
	mu   sync.Mutex
	last []AlarmEntry
}

func (n *Node) alarm(e owner.Alarm) {
	n.log.Error("alarm", "kind", e.Kind, "partition", e.Part, "text", e.Text)
	n.metrics.alarms.WithLabelValues(e.Kind).Inc()
	n.alarms.mu.Lock()
	defer n.alarms.mu.Unlock()
	n.alarms.last = append(n.alarms.last, AlarmEntry{At: time.Now(), Kind: e.Kind, Part: e.Part, Text: e.Text})
	if len(n.alarms.last) > alarmsKept {
		n.alarms.last = n.alarms.last[len(n.alarms.last)-alarmsKept:]
	}
}

// Status is the node at a glance, for people.
type Status struct {
	owner.Status
	Nodes      []client.Node  `json:"nodes"`
	Partitions map[string]int `json:"partitions"` // per node, as far as heard
	Alarms     []AlarmEntry   `json:"alarms"`
	Events     int            `json:"events"`
	Catalog    int64          `json:"catalog_version"`
}

// Status is the state of this node and what it knows of the others.
func (n *Node) Status() Status {
	s := Status{Nodes: n.table.others(), Partitions: n.table.perNode(), Catalog: n.Catalog().Version, Events: len(n.Catalog().Events())}
	s.Nodes = append(s.Nodes, n.self)
	n.ask(func(c *owner.Core) { s.Status = c.Status() })
	n.alarms.mu.Lock()
	defer n.alarms.mu.Unlock()
	s.Alarms = append([]AlarmEntry{}, n.alarms.last...)
	return s
}

// readyAnyway is when a node takes traffic although it never had all that it should have: any node can forward.
const readyAnyway = 30 * time.Second

// Ready gives the reasons why this node should get no traffic yet: it stops, the ledger has not confirmed it, or since its start it has not
// taken over what it should have. A rolling restart waits for that.
func (n *Node) Ready() []string {
	if n.stopping.Load() {
		return []string{"the node is stopping"}
	}
	s := owner.Status{}
	if !n.ask(func(c *owner.Core) { s = c.Status() }) {
		return []string{"the node has stopped"}
	}
	var reasons []string
	if !s.Promising {
		reasons = append(reasons, "the ledger has not confirmed this node's session")
	}
	if s.Balanced() {
		n.balanced.Store(true)
	}
	if s.Promising && !n.balanced.Load() && time.Since(n.started) < readyAnyway {
		reasons = append(reasons, fmt.Sprintf("partitions are on their way: %d of %d are served, %d are moving", s.Serving, s.Wanted, s.Moving))
	}
	return reasons
}

// Freeze stops moves for balance on this node, or allows them again.
func (n *Node) Freeze(on bool) { n.give(owner.Freeze{On: on}) }
