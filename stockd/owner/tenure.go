package owner

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"

	"ticketrush/stockd/stock"
)

// tenure is one ownership of a partition: from a claim to its end. Operations keep their tenure, so that a batch that is answered late
// settles the state that it was decided on and never the successor's.
type tenure struct {
	part     stock.PartitionID
	epoch    int64
	seq      int64 // the last one used
	since    time.Duration
	segments []*segment // in order of event and number
	busy     map[uuid.UUID]struct{}
	lines    map[uuid.UUID][]*request // commands that wait for an operation on the same hold
	flying   int                      // operations applied and not settled
	heat     heat
	counted  bool // in Core.handing
	over     bool
}

type segment struct {
	event   stock.EventID
	no      stock.SegmentNo
	engine  Engine
	changed bool
}

func newTenure(claim Claim, now time.Duration) *tenure {
	return &tenure{
		part: claim.Part, epoch: claim.Epoch, seq: claim.Seq, since: now,
		busy: map[uuid.UUID]struct{}{}, lines: map[uuid.UUID][]*request{},
	}
}

func (t *tenure) segment(event stock.EventID, no stock.SegmentNo) *segment {
	at, ok := slices.BinarySearchFunc(t.segments, segment{event: event, no: no}, func(s *segment, want segment) int {
		return cmp.Or(cmp.Compare(s.event, want.event), cmp.Compare(s.no, want.no))
	})
	if !ok {
		return nil
	}
	return t.segments[at]
}

// holder is the segment that has a hold.
func (t *tenure) holder(id uuid.UUID) (*segment, stock.HoldView) {
	for _, s := range t.segments {
		if view, ok := s.engine.Hold(id); ok {
			return s, view
		}
	}
	return nil, stock.HoldView{}
}

// add takes loaded segments in; one that is there already stays as it is.
func (t *tenure) add(loaded []LoadedSegment) {
	for _, l := range loaded {
		if t.segment(l.Event, l.Segment) != nil {
			continue
		}
		t.segments = append(t.segments, &segment{event: l.Event, no: l.Segment, engine: l.Engine, changed: true})
		slices.SortFunc(t.segments, func(a, b *segment) int { return cmp.Or(cmp.Compare(a.event, b.event), cmp.Compare(a.no, b.no)) })
	}
}

// drop ends a tenure without a hand-off. What was not sent yet waits for the next tenure; what is in flight is resolved by its batch.
func (c *Core) drop(p stock.PartitionID, retryAt time.Duration) {
	part := &c.parts[p]
	if t := part.tenure; t != nil {
		c.endTenure(t)
		if part.state == serving || part.state == draining || part.state == releasing {
			c.emit(Serving{Parts: []PartEpoch{{p, t.epoch}}})
		}
		if t.counted {
			c.handing--
		}
		if part.state == draining {
			c.draining--
		}
		for _, r := range c.unsent(t) {
			c.enqueue(r)
		}
		if t.flying > 0 {
			part.past = t
		}
	}
	part.state, part.tenure, part.retryAt = idle, nil, retryAt
	c.claimAt = min(c.claimAt, max(retryAt, c.now.Mono))
	if !c.wanted(p) {
		c.turnAway(p, ProblemMoving)
	}
}

func (c *Core) endTenure(t *tenure) {
	if t.over {
		panic("owner: a tenure ended twice")
	}
	t.over = true
}

// unsent takes the requests of a tenure that are not in a sent batch, in order of arrival.
func (c *Core) unsent(t *tenure) []*request {
	l := c.lane(t.part)
	var requests []*request
	l.pending = slices.DeleteFunc(l.pending, func(o *operation) bool {
		if o.tenure != t {
			return false
		}
		c.land(o)
		if o.request != nil {
			requests = append(requests, o.request)
		}
		return true
	})
	if len(l.pending) == 0 {
		l.waits = false
	}
	for _, line := range t.lines {
		requests = append(requests, line...)
	}
	clear(t.lines)
	slices.SortFunc(requests, byArrival)
	return requests
}

// strike drops a partition because of a bug: it is loaded anew, later and later while the bug goes on.
func (c *Core) strike(t *tenure, kind, text string) {
	c.alarm(t.part, kind, text)
	part := &c.parts[t.part]
	if part.tenure != t {
		return
	}
	wait := min(strikeFirst<<min(part.strikes, 10), strikeMax)
	part.strikes++
	c.drop(t.part, c.now.Mono+wait)
}

// guard runs code of an engine; nothing calls an engine without it. A panic costs that partition's memory, which the ledger has anyway, and
// nothing else: the partition is claimed and loaded again, its requests wait for that or are told to try again.
func (c *Core) guard(t *tenure, f func()) (ok bool) {
	defer func() {
		if cause := recover(); cause != nil {
			ok = false
			c.strike(t, "panic", fmt.Sprint(cause))
		}
	}()
	f()
	return true
}
