package sim

import (
	"cmp"
	"slices"

	"github.com/google/uuid"

	"ticketrush/stockd/stock"
)

// grantRow is capacity moved from one segment of an area to another: given, and taken or on its way.
type grantRow struct {
	event    stock.EventID
	from, to stock.SegmentNo
	n        int32
	given    batchKey
	taken    *batchKey // nil: on its way
}

// Untaken is a grant on its way.
type Untaken struct {
	ID    uuid.UUID
	Event stock.EventID
	stock.Grant
}

// GrantsUntaken are the grants that nobody has taken.
func (l *Ledger) GrantsUntaken() []Untaken {
	var left []Untaken
	for id, g := range l.grants {
		if g.taken == nil {
			left = append(left, Untaken{id, g.event, stock.Grant{From: g.from, To: g.to, Quantity: g.n}})
		}
	}
	slices.SortFunc(left, func(a, b Untaken) int {
		return cmp.Or(cmp.Compare(a.Event, b.Event), cmp.Compare(a.To, b.To), byID(a.ID, b.ID))
	})
	return left
}

// areaOf are the segments that sell the same places.
func (l *Ledger) areaOf(event stock.EventID, home stock.SegmentNo) []*segmentRow {
	return slices.DeleteFunc(l.sortedSegments(), func(s *segmentRow) bool { return s.ref.Event != event || s.home != home })
}

// moveGrants writes what is given, then what is taken: once, by the segment that it was given to.
func (f *flush) moveGrants() error {
	for i := range f.ops {
		op := &f.ops[i]
		if !f.open(i) || op.Kind != stock.KindGrantOut {
			continue
		}
		if f.grants[op.Hold] != nil {
			f.out[i] = stock.OutcomeReplay
			continue
		}
		s, to := f.segments[segmentKey{op.Event, op.Segment}], f.segments[segmentKey{op.Event, op.Other}]
		if to == nil || to.home != s.home || to == s {
			return broken("segment %d gives %d places to segment %d, which is not of its area", op.Segment, op.Quantity, op.Other)
		}
		f.grants[op.Hold] = &grantRow{event: op.Event, from: op.Segment, to: op.Other, n: op.Quantity, given: f.at(op.work)}
		if s.capacity -= op.Quantity; s.held+s.paying+s.sold > s.capacity {
			return broken("segment %d has given away what it has sold: %d held, %d paying, %d sold of %d", op.Segment, s.held, s.paying, s.sold, s.capacity)
		}
	}
	for i := range f.ops {
		op := &f.ops[i]
		if !f.open(i) || op.Kind != stock.KindGrantIn {
			continue
		}
		g := f.grants[op.Hold]
		if g == nil || g.event != op.Event || g.from != op.Other || g.to != op.Segment || g.n != op.Quantity || g.taken != nil && f.wrong != GrantTakenTwice {
			f.out[i] = stock.OutcomeGrantGone
			continue
		}
		at := f.at(op.work)
		g.taken = &at
		f.segments[segmentKey{op.Event, op.Segment}].capacity += op.Quantity
	}
	return nil
}

func (f *flush) at(work int) batchKey {
	return batchKey{f.batch.Works[work].Part, f.batch.Works[work].Seq}
}

// soldOut compares a "sold out" with all segments of the same places: what is on its way between them is not sold.
func (f *flush) soldOut() error {
	for i := range f.ops {
		op := &f.ops[i]
		if !f.open(i) || op.Kind != stock.KindNote || op.Refused != stock.CodeSoldOut || f.wrong == SoldOutOfOneSegment {
			continue
		}
		if !soldTogether(f.areaOf(op.Event, f.segments[segmentKey{op.Event, op.Segment}].home)) {
			f.out[i] = stock.OutcomeNotSold
		}
	}
	return nil
}

// soldTogether is whether segments have sold all that they were put on sale with.
func soldTogether(all []*segmentRow) bool {
	left := int32(0)
	for _, s := range all {
		left += s.opened - s.sold
	}
	return left == 0
}
