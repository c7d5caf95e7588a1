package node

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"sync"
	"time"

	"ticketrush/stockd/owner"
	"ticketrush/stockd/stock"
)

const (
	reportAllEvery = 3 * time.Second // heals a report that was lost
	copyIdle       = time.Minute     // a copy that nobody asks for ends
	firstWait      = 300 * time.Millisecond
)

// changes are the reports that wait to be sent; a newer one of a segment replaces an older one.
type changes struct {
	mu   sync.Mutex
	all  map[segmentKey]owner.SegmentState
	wake chan struct{}
}

func (c *changes) add(states []owner.SegmentState) {
	c.mu.Lock()
	if c.all == nil {
		c.all = map[segmentKey]owner.SegmentState{}
	}
	for _, s := range states {
		c.all[segmentKey{s.Event, s.Segment}] = s
	}
	c.mu.Unlock()
	poke(c.wake)
}

func (c *changes) take() map[stock.EventID][]owner.SegmentState {
	c.mu.Lock()
	defer c.mu.Unlock()
	byEvent := map[stock.EventID][]owner.SegmentState{}
	for _, s := range c.all {
		byEvent[s.Event] = append(byEvent[s.Event], s)
	}
	clear(c.all)
	return byEvent
}

// EventNode is the node that gathers an event's availability, and whether it is this one. Any node may stand in.
func (n *Node) EventNode(event stock.EventID) (node Owner, self bool) {
	id := owner.Best(n.table.ids(), uint64(event))
	if id == "" || id == n.cfg.NodeID {
		return Owner{NodeID: n.self.ID, APIAddr: n.self.API, InternalAddr: n.self.Internal}, true
	}
	m := n.table.member(id)
	return Owner{NodeID: m.ID, APIAddr: m.API, InternalAddr: m.Internal}, false
}

// pushChanges sends what changed in this node's segments to the events' nodes.
func (n *Node) pushChanges() {
	all := time.NewTicker(reportAllEvery)
	defer all.Stop()
	for {
		select {
		case <-n.ctx.Done():
			return
		case <-all.C:
			n.ask(func(c *owner.Core) { c.ReportAll() })
		case <-n.changes.wake:
			n.sendChanges(n.changes.take())
		}
	}
}

// sendChanges makes one call for each node.
func (n *Node) sendChanges(byEvent map[stock.EventID][]owner.SegmentState) {
	byNode := map[Owner][]owner.SegmentState{}
	for event, states := range byEvent {
		node, self := n.EventNode(event)
		if self {
			n.mergeCounts(states)
			continue
		}
		byNode[node] = append(byNode[node], states...)
	}
	var calls sync.WaitGroup
	for node, states := range byNode {
		calls.Go(func() {
			if err := n.peers.post(n.ctx, node.node(), "/internal/v1/counts", countsDoc{Segments: states}, nil, 500*time.Millisecond); err != nil {
				n.log.Debug("counts were not heard: the next full report has them", "by", node.NodeID, "error", err)
			}
		})
	}
	calls.Wait()
}

func (n *Node) mergeCounts(states []owner.SegmentState) {
	now := time.Now()
	byEvent := map[stock.EventID][]owner.SegmentState{}
	for _, s := range states {
		if _, known := n.Catalog().ByNumber(s.Event); known { // so that there are no more boards than events
			byEvent[s.Event] = append(byEvent[s.Event], s)
		}
	}
	for event, states := range byEvent {
		n.metrics.deltas.Add(float64(n.boards.get(event).merge(states, now)))
	}
}

// board is an event's board, filled if that is quick. On other nodes than the event's it is a copy that follows for as long as it is used.
func (n *Node) board(event stock.EventID) *board {
	b := n.boards.get(event)
	now := time.Now()
	b.used.Store(now.UnixMilli())
	if _, self := n.EventNode(event); !self && !b.following.Swap(true) {
		n.tasks.Go(func() { n.follow(b) })
	}
	select {
	case <-b.filled:
	default:
		select {
		case <-b.filled:
		case <-time.After(firstWait):
		case <-n.ctx.Done():
		}
	}
	return b
}

// follow copies a board from the event's node.
func (n *Node) follow(b *board) {
	defer b.following.Store(false)
	version, from := "", ""
	for n.ctx.Err() == nil && time.Since(time.UnixMilli(b.used.Load())) < copyIdle {
		node, self := n.EventNode(b.event)
		if self {
			return
		}
		if node.NodeID != from {
			version, from = "", node.NodeID
		}
		var doc boardDoc
		query := url.Values{"since": {version}, "wait_ms": {"1000"}}
		err := n.peers.call(n.ctx, node.node(), http.MethodGet, fmt.Sprintf("/internal/v1/boards/%d?%s", b.event, query.Encode()), nil, &doc, 3*time.Second)
		pause := 100 * time.Millisecond // bounds how often a board is copied in a rush
		if err != nil {
			n.log.Debug("a board could not be copied", "event", b.event, "from", node.NodeID, "error", err)
			pause = 300 * time.Millisecond
		} else {
			version = doc.Version
			b.merge(doc.Segments, time.Now())
			if !doc.Stale {
				b.touch(time.Now())
			}
		}
		select {
		case <-time.After(pause):
		case <-n.ctx.Done():
		}
	}
}

// touch notes that the board is as its source has it.
func (b *board) touch(now time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, s := range b.segments {
		s.heard = now
	}
}

// Counts are an event's totals by segment, when they were right, and whether that is too long ago to rely on.
func (n *Node) Counts(event stock.EventID) (counts map[stock.SegmentNo]stock.Counts, asOf time.Time, stale bool) {
	e, ok := n.Catalog().ByNumber(event)
	if !ok {
		return nil, time.Time{}, true
	}
	return n.board(event).counts(len(e.Segments), time.Now())
}

// ErrNoSeats says that the states of a segment's seats have not been heard yet.
var ErrNoSeats = errors.New("the seats of the segment are not known yet")

// SeatStates are the states of a segment's seats in index order; nothing for an area. The owner is asked when it is this node.
func (n *Node) SeatStates(_ context.Context, event stock.EventID, segment stock.SegmentNo) ([]stock.State, error) {
	e, ok := n.Catalog().ByNumber(event)
	if !ok || e.Segment(segment) == nil {
		return nil, fmt.Errorf("event %d has no segment %d", event, segment)
	}
	s := e.Segment(segment)
	if s.Area {
		return nil, nil
	}
	states, ok := n.board(event).seats(segment, s.Capacity)
	if !ok {
		return nil, ErrNoSeats
	}
	return states, nil
}

// Subscribe follows an event's changes after the delta with id last; "" and unknown ids begin with a Reset. The channel is closed when the
// subscriber is too slow, and by cancel.
func (n *Node) Subscribe(event stock.EventID, last string) (<-chan Delta, func()) {
	b := n.board(event)
	deltas, cancel := b.subscribe(last)
	keep := time.NewTicker(copyIdle / 3)
	done := make(chan struct{})
	n.tasks.Go(func() { // a copy stays while somebody listens
		defer keep.Stop()
		for {
			select {
			case <-keep.C:
				n.board(event)
			case <-done:
				return
			case <-n.ctx.Done():
				return
			}
		}
	})
	return deltas, sync.OnceFunc(func() { close(done); cancel() })
}
