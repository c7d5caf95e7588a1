package owner

import (
	"time"

	"github.com/google/uuid"

	"ticketrush/stockd/stock"
)

// expire ends the holds whose deadline has passed, a bounded number at a time. It only tidies up: a deadline is compared whenever an
// operation is applied.
func (c *Core) expire() {
	for p := range c.parts {
		t := c.parts[p].tenure
		if t == nil || len(t.segments) == 0 || !c.ready(stock.PartitionID(p)) {
			continue
		}
		for _, s := range t.segments {
			if t.over || len(c.lane(t.part).pending) >= 2*c.cfg.BatchMax {
				break
			}
			c.guard(t, func() { c.expireSegment(t, s) })
		}
	}
}

func (c *Core) expireSegment(t *tenure, s *segment) {
	for _, hold := range s.engine.Due(c.now.Wall, expireMax) {
		if _, busy := t.busy[hold]; busy {
			continue
		}
		effect := s.engine.Apply(stock.Command{Kind: stock.KindExpire, Event: s.event, Segment: s.no, Hold: hold}, c.now.Wall)
		if effect.Op != nil {
			c.fly(&operation{op: effect.Op, tenure: t, segment: s})
		}
	}
}

// reportChanged tells what has changed in the segments that are served.
func (c *Core) reportChanged() {
	var changed []SegmentState
	for p := range c.parts {
		part := &c.parts[p]
		if part.state != serving && part.state != draining {
			continue
		}
		t := part.tenure
		for _, s := range t.segments {
			if !s.changed || t.over {
				continue
			}
			s.changed = false
			if state, ok := c.state(t, s); ok {
				changed = append(changed, state)
			}
		}
	}
	if len(changed) > 0 {
		c.emit(Changed{Segments: changed})
	}
}

// state reads a segment; not ok when its engine panicked, and its partition is loaded anew.
func (c *Core) state(t *tenure, s *segment) (state SegmentState, ok bool) {
	ok = c.guard(t, func() {
		state = SegmentState{Event: s.event, Segment: s.no, Part: t.part, Epoch: t.epoch, Seq: t.seq, Counts: s.engine.Counts(), Seats: pack(s.engine.States(nil))}
	})
	return state, ok
}

// pack writes two bits for each seat.
func pack(states []stock.State) []byte {
	if len(states) == 0 {
		return nil
	}
	b := make([]byte, (len(states)+3)/4)
	for i, s := range states {
		b[i/4] |= byte(s&3) << (i % 4 * 2)
	}
	return b
}

// markAllChanged reports everything again, because who gathers the counts may be another node now.
func (c *Core) markAllChanged() {
	for p := range c.parts {
		if t := c.parts[p].tenure; t != nil {
			for _, s := range t.segments {
				s.changed = true
			}
		}
	}
}

// ReportAll makes the next report complete.
func (c *Core) ReportAll() { c.markAllChanged() }

// Hold is a committed hold as memory has it. Stale says that another owner may know better. Not found is not final.
func (c *Core) Hold(id uuid.UUID) (view stock.HoldView, stale, ok bool) {
	t := c.parts[stock.CoordinatorOf(id)].tenure
	if t == nil {
		return stock.HoldView{}, true, false
	}
	c.guard(t, func() {
		var s *segment
		s, view = t.holder(id)
		ok = s != nil
	})
	return view, !c.promising() || t.over, ok
}

// Segment is the state of a segment in memory.
func (c *Core) Segment(event stock.EventID, no stock.SegmentNo) (SegmentState, bool) {
	t := c.parts[stock.PartitionOf(event, no)].tenure
	if t == nil {
		return SegmentState{}, false
	}
	s := t.segment(event, no)
	if s == nil {
		return SegmentState{}, false
	}
	return c.state(t, s)
}

// StalePin is a pin that waits for its order longer than it should.
type StalePin struct {
	Event   stock.EventID
	Segment stock.SegmentNo
	stock.Pin
}

// StalePins are the pins made at or before olderThan (Unix ms), up to limit of them. After a take-over all pins are old.
func (c *Core) StalePins(olderThan int64, limit int) []StalePin {
	var pins []StalePin
	for p := range c.parts {
		if c.parts[p].state != serving {
			continue
		}
		t := c.parts[p].tenure
		for _, s := range t.segments {
			if t.over {
				break
			}
			var found []stock.Pin
			c.guard(t, func() { found = s.engine.Pins(olderThan) })
			for _, pin := range found {
				if len(pins) == limit {
					return pins
				}
				pins = append(pins, StalePin{s.event, s.no, pin})
			}
		}
	}
	return pins
}

// LaneStatus is what a lane is doing.
type LaneStatus struct {
	Pending  int  `json:"pending"`
	InFlight int  `json:"in_flight"`
	Unknown  bool `json:"unknown"`
	Resends  int  `json:"resends"`
}

// Status is a core at a glance.
type Status struct {
	Node      string        `json:"node"`
	Session   int64         `json:"session"`
	Promising bool          `json:"promising"`
	Promise   time.Duration `json:"promise_ns"` // how long from now
	Members   []string      `json:"members"`
	Wanted    int           `json:"wanted"`
	Serving   int           `json:"serving"`
	Moving    int           `json:"moving"` // claiming, loading, draining, releasing
	Segments  int           `json:"segments"`
	Waiting   int           `json:"waiting"` // requests without an answer yet
	Lanes     []LaneStatus  `json:"lanes"`
	Frozen    bool          `json:"frozen"`
	Hot       int           `json:"hot"` // partitions in the first minutes of a rush, which do not move for balance
	Draining  bool          `json:"draining"`
}

// Balanced is whether the node has what it should have and nothing else.
func (s Status) Balanced() bool {
	return s.Promising && s.Moving == 0 && s.Serving == s.Wanted && !s.Draining
}

// Status sums the core up.
func (c *Core) Status() Status {
	s := Status{
		Node: c.cfg.Node, Session: c.session.id, Promising: c.promising(), Promise: max(c.session.deadline-c.now.Mono, 0),
		Members: append([]string(nil), c.members...), Waiting: c.open, Frozen: c.frozen, Draining: c.closing,
	}
	for p := range c.parts {
		part := &c.parts[p]
		if c.wanted(stock.PartitionID(p)) {
			s.Wanted++
		}
		switch part.state {
		case serving:
			s.Serving++
			s.Segments += len(part.tenure.segments)
			if part.tenure.heat.stays(c.now.Mono, c.cfg.HotRate, c.cfg.HotStay) {
				s.Hot++
			}
		case claiming, loading, draining, releasing:
			s.Moving++
		case idle:
		}
	}
	for i := range c.lanes {
		l := &c.lanes[i]
		status := LaneStatus{Pending: len(l.pending), Unknown: l.unknown}
		if l.flight != nil {
			status.Resends = l.flight.sends - 1
			for _, w := range l.flight.works {
				status.InFlight += len(w)
			}
		}
		s.Lanes = append(s.Lanes, status)
	}
	return s
}
