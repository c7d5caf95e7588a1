package stock

import (
	"errors"

	"github.com/google/uuid"
)

// Segment is the stock of one segment of an event. Not safe for concurrent use.
type Segment struct {
	event EventID
	no    SegmentNo
}

// Layout is the geometry of a segment's seats, shared by all events of a chart.
type Layout struct{}

var errNotBuilt = errors.New("stock: not built yet")

// NewSegment makes a segment of seats, all available. A layout is shared and never changed.
func NewSegment(layout *Layout, event EventID, no SegmentNo) *Segment {
	return &Segment{event: event, no: no}
}

// NewArea makes a segment of capacity units without seats.
func NewArea(event EventID, no SegmentNo, capacity int32) *Segment {
	return &Segment{event: event, no: no}
}

// Load replaces the state by what the ledger has. It refuses rows that contradict each other; the segment must not be used then.
func (s *Segment) Load(rows []SeatRow, holds []HoldRow, nextUnit int32) error { return errNotBuilt }

// Apply decides one command. now is Unix milliseconds.
func (s *Segment) Apply(cmd Command, now int64) Effect { return Effect{} }

// Settle makes an operation final, or undoes it, by what the ledger said, and returns what the client may be told.
func (s *Segment) Settle(op *Op, outcome Outcome, now int64) Answer { return Answer{} }

// Due returns up to max holds whose deadline has passed and that have no operation under way.
func (s *Segment) Due(now int64, max int) []uuid.UUID { return nil }

// Hold is a committed hold.
func (s *Segment) Hold(id uuid.UUID) (HoldView, bool) { return HoldView{}, false }

// Counts are the totals, tentative holds counted as held.
func (s *Segment) Counts() Counts { return Counts{} }

// States appends the state of each seat in index order; nothing for an area.
func (s *Segment) States(to []State) []State { return to }

// LargestRun is the largest party that would sit together now.
func (s *Segment) LargestRun() int32 { return 0 }

// Pins returns the holds pinned at or before olderThan (Unix ms), oldest first. After Load all pins are old.
func (s *Segment) Pins(olderThan int64) []Pin { return nil }

// Check verifies that nothing was lost or made: free + held + paying + sold = capacity, and each index agrees with the seats.
func (s *Segment) Check() error { return errNotBuilt }
