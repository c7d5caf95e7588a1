package stock

import (
	"slices"

	"github.com/google/uuid"
)

// WideHold is a hold over several segments that is to be tried: what its row says.
type WideHold struct {
	ID       uuid.UUID
	Event    EventID
	Segments []SegmentNo // in order
	Quantity int32       // of all legs together
	Quotas   []Quota     // its documents are one for each ticket, leg by leg
	Request  Request
}

// Segments are the segments of a hold's seats, in order.
func (v *HoldView) Segments() []SegmentNo {
	var all []SegmentNo
	for _, s := range v.Seats {
		all = append(all, s.Seat.Segment())
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// Wide says that the hold is over several segments.
func (v *HoldView) Wide() bool { return v.Segment == 0 }

// WideState is the state of a hold's row. The values are the ledger's.
type WideState int16

const (
	WideTrying WideState = iota
	WideHeld
	WideDropped
	WideEnded
)

// WideRow is what the row of a hold over several segments says.
type WideRow struct {
	Hold  uuid.UUID
	State WideState
	Try   int32
}

// Keeps is whether the hold keeps a leg that was taken for a try.
func (r WideRow) Keeps(try int32) bool {
	return r.Try <= try && (r.State == WideTrying || r.State == WideHeld)
}
