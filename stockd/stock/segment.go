package stock

import (
	"slices"

	"github.com/google/uuid"
)

// QuantityMax is the most seats or units of one hold.
const QuantityMax = 64

// slabChunk is how many holds are allocated together.
const slabChunk = 32

// Segment is the stock of one segment of an event. Not safe for concurrent use.
type Segment struct {
	event  EventID
	no     SegmentNo
	layout *Layout // nil for an area

	capacity int32 // what tentative grants give away is taken off
	held     int32 // tentative holds included
	paying   int32
	sold     int32

	// Seats only.
	free  []uint64 // per block
	owner []uint32 // per seat: the hold's place in the slab, 0 when free
	ver   []int32  // per seat: how often it has moved, as the ledger has it
	index index

	// Areas only: the next unit. Units are never used twice; those of a refused hold are left out.
	nextUnit int32
	home     SegmentNo              // the segment where the last places of the area are sold; no itself when the area has one segment
	grants   map[uuid.UUID]transfer // under way

	slab       []*[slabChunk]hold // place 0 is not used
	places     uint32             // how many were made, with place 0
	freeHold   uint32             // first free place, chained through next
	byID       map[uuid.UUID]uint32
	generation int32 // the last one given

	timers  *wheel // made with the first hold
	overdue uint32 // ring of holds whose timer has run out
	pins    uint32 // ring of pinned holds, oldest first
	legs    uint32 // ring of legs, the one whose row was looked at longest ago first

	picked []int32    // scratch of the search
	chosen []heldSeat // scratch of the choice
}

// hold is a hold of at least one seat. Its state is the state of its seats.
type hold struct {
	id, order, fingerprint uuid.UUID
	seats                  []heldSeat // by index
	quotas                 []Quota
	deadline, maxExpires   int64
	fire                   int64 // the second of the timer
	since                  int64 // pinned at; of a leg: when its row was last looked at, Unix ms
	generation, attempt    int32 // of a leg the generation is the try
	next, prev             uint32
	list                   uint8
	state                  State
	tentative              bool // not committed yet
	leg                    bool // the seats here of a hold over several segments
	busy                   Kind // the operation under way, 0 for none
	rung                   int8
	substituted            bool
}

// heldSeat is a seat or unit of a hold. ver is used for units; the versions of seats are in Segment.ver. ticket says for which of the tickets that
// were asked for it was chosen; nobody needs it once the hold is made.
type heldSeat struct {
	index  int32
	ver    int32
	typ    int16
	ticket int16
}

// NewSegment makes a segment of seats, all available. A layout is shared and never changed.
func NewSegment(layout *Layout, event EventID, no SegmentNo) *Segment {
	s := &Segment{event: event, no: no, layout: layout, capacity: layout.Capacity()}
	s.reset()
	return s
}

// NewArea makes a segment of capacity units without seats: an area that has this segment alone.
func NewArea(event EventID, no SegmentNo, capacity int32) *Segment {
	return NewShare(event, no, no, capacity)
}

// NewShare makes a segment of an area that has several: capacity is its share now. home is the area's first segment.
func NewShare(event EventID, no, home SegmentNo, capacity int32) *Segment {
	s := &Segment{event: event, no: no, home: home, capacity: capacity}
	s.reset()
	return s
}

// reset makes everything available.
func (s *Segment) reset() {
	s.held, s.paying, s.sold, s.nextUnit, s.generation = 0, 0, 0, 1, 0
	s.slab, s.places, s.freeHold, s.byID = nil, 1, 0, map[uuid.UUID]uint32{}
	s.timers, s.overdue, s.pins, s.legs, s.grants = nil, 0, 0, 0, nil
	if s.layout == nil {
		return
	}
	l := s.layout
	s.free = make([]uint64, len(l.blocks))
	s.owner = make([]uint32, len(l.dist))
	s.ver = make([]int32, len(l.dist))
	s.index = newIndex(len(l.blocks))
	for b := range l.blocks {
		s.free[b] = l.blocks[b].full
		s.updateIndex(&s.index, b)
	}
}

// Hold is a committed hold; a tentative one is not shown, because nobody may rely on it, nor a leg, which is a part of one.
func (s *Segment) Hold(id uuid.UUID) (HoldView, bool) {
	slot, ok := s.byID[id]
	if !ok || s.at(slot).tentative || s.at(slot).leg {
		return HoldView{}, false
	}
	return *s.view(s.at(slot)), true
}

// viewBox is one allocation for a view and its seats.
type viewBox struct {
	view  HoldView
	seats [4]HeldSeat
}

func (s *Segment) view(h *hold) *HoldView {
	box := &viewBox{view: HoldView{
		ID: h.id, Event: s.event, Segment: s.no, Generation: h.generation, State: h.state,
		Deadline: h.deadline, MaxExpires: h.maxExpires, Order: h.order, Attempt: h.attempt,
	}}
	seats := box.seats[:0]
	for _, seat := range h.seats {
		held := HeldSeat{Seat: NewSeatID(s.no, seat.index), Type: seat.typ}
		if s.layout != nil {
			held.Category = s.layout.Category(seat.index)
		}
		seats = append(seats, held)
	}
	box.view.Seats = seats
	return &box.view
}

// Counts are the totals, tentative holds counted as held.
func (s *Segment) Counts() Counts {
	return Counts{Capacity: s.capacity, Free: s.freeCount(), Held: s.held, Paying: s.paying, Sold: s.sold}
}

func (s *Segment) freeCount() int32 { return s.capacity - s.held - s.paying - s.sold }

// States appends the state of each seat in index order; nothing for an area.
func (s *Segment) States(to []State) []State {
	to = slices.Grow(to, len(s.owner))
	for _, slot := range s.owner {
		if slot == 0 {
			to = append(to, Available)
		} else {
			to = append(to, s.at(slot).state)
		}
	}
	return to
}

// LargestRun is the largest party that would sit together now, without accessible and companion seats; for an area, what is free.
func (s *Segment) LargestRun() int32 {
	if s.layout == nil {
		return s.freeCount()
	}
	return s.largestRun(filter{})
}

// Pins returns the holds pinned at or before olderThan (Unix ms), oldest first. After Load all pins are old.
func (s *Segment) Pins(olderThan int64) []Pin {
	var pins []Pin
	for at := s.pins; at != 0; {
		h := s.at(at)
		if h.since > olderThan {
			break
		}
		if h.busy == 0 {
			pins = append(pins, Pin{Hold: h.id, Order: h.order, Attempt: h.attempt})
		}
		if at = h.next; at == s.pins {
			break
		}
	}
	return pins
}

// Due returns up to limit holds whose deadline has passed and that have no operation under way. What it costs is bounded by limit,
// so that a wave of expiries cannot stall sales; what is left over comes with the next call, and is refused by its deadline meanwhile.
func (s *Segment) Due(now int64, limit int) []uuid.UUID {
	s.turn(now, 2*limit)
	if s.overdue == 0 {
		return nil
	}
	var due []uuid.UUID
	for first, looked := s.overdue, 0; looked < 2*limit && len(due) < limit; looked++ {
		h := s.at(s.overdue)
		if h.busy == 0 {
			due = append(due, h.id)
		}
		if s.overdue = h.next; s.overdue == first {
			break
		}
	}
	return due
}

// at is a place of the slab; holds do not move, so the pointer stays good until the hold is dropped.
func (s *Segment) at(slot uint32) *hold { return &s.slab[slot/slabChunk][slot%slabChunk] }

// newHold takes a place of the slab.
func (s *Segment) newHold(id uuid.UUID) (uint32, *hold) {
	slot := s.freeHold
	if slot != 0 {
		s.freeHold = s.at(slot).next
	} else {
		slot = s.places
		s.places++
		if int(slot/slabChunk) >= len(s.slab) {
			s.slab = append(s.slab, new([slabChunk]hold))
		}
	}
	h := s.at(slot)
	seats := h.seats[:0]
	*h = hold{id: id, seats: seats}
	s.byID[id] = slot
	return slot, h
}

// dropHold gives the place back; its seats are somebody else's business.
func (s *Segment) dropHold(slot uint32) {
	h := s.at(slot)
	s.unlink(slot, h)
	delete(s.byID, h.id)
	*h = hold{seats: h.seats[:0], next: s.freeHold}
	s.freeHold = slot
}

// take marks a seat as the hold's.
func (s *Segment) take(slot uint32, index int32) {
	s.owner[index] = slot
	b, bit := s.layout.bit(index)
	s.free[b] &^= 1 << bit
}

// give makes a seat available.
func (s *Segment) give(index int32) {
	s.owner[index] = 0
	b, bit := s.layout.bit(index)
	s.free[b] |= 1 << bit
}

// reindex brings the index up to date with the blocks of these seats, which are in order of index.
func (s *Segment) reindex(seats []heldSeat) {
	last := -1
	for _, seat := range seats {
		if b := int(s.layout.blockOf[seat.index]); b != last {
			s.updateIndex(&s.index, b)
			last = b
		}
	}
}

// count moves n seats between the totals.
func (s *Segment) count(state State, n int32) {
	switch state {
	case Held:
		s.held += n
	case Paying:
		s.paying += n
	case Sold:
		s.sold += n
	case Available:
	}
}
