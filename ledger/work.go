package ledger

import (
	"time"

	"github.com/google/uuid"
)

// Flush is one call of the flush function: the work of some partitions, committed together or, partition by partition, fenced.
// Works are in ascending order of Part. The same Flush is sent again, unchanged, when its outcome is unknown.
type Flush struct {
	Batch   uuid.UUID
	Session int64
	Now     time.Time // decided by the caller; truncated to microseconds
	Works   []Work
}

// Work is what one partition wants written under one sequence number.
type Work struct {
	Part  int32
	Epoch int64
	Seq   int64
	Ops   []Op
}

// Op is one operation. Kind and the states have the values of the journal (see migrations).
type Op struct {
	Kind        int16
	Event       int32
	Segment     int32
	Area        bool
	Hold        uuid.UUID // of a grant: its id
	Leg         bool      // it is about a leg: the seats that a hold over several segments has in one; Generation is the try
	Other       int32     // of a grant: the segment at its other end
	Generation  int32
	Quantity    int32
	Scope       uuid.UUID // zero: no idempotency row
	Key         uuid.UUID
	Fingerprint uuid.UUID
	Order       uuid.UUID
	Attempt     int32
	Free        bool
	Deadline    time.Time
	MaxExpires  time.Time
	Refused     int16
	Quotas      []Quota
	Moves       []Move
	NewOrder    *NewOrder
}

// Quota is one limit that a hold counts against: with its whole quantity, or, when Dimension is 3, a document, with the one seat that it stands for.
type Quota struct {
	Dimension int16
	Key       uuid.UUID
	Limit     int32
	Seat      int64
}

// Move is one seat of an operation; Ver is its version after the move.
type Move struct {
	Seat     int64
	Ver      int32
	From, To int16
	Type     int16
}

// NewOrder is the order that an operation of kind order opens.
type NewOrder struct {
	ID       uuid.UUID
	Buyer    string
	Currency string
	ClientIP string
	Lines    []OrderLine
}

// OrderLine is the price of one seat in minor units.
type OrderLine struct {
	Seat           int64
	Type           int16
	Face, Fee, Tax int64
}

// WorkResult is what became of one Work. When Fenced, the partition has another owner, or this batch was overtaken: nothing of it
// was or ever will be written, and Outcomes is empty.
type WorkResult struct {
	Fenced   bool
	Resent   bool // the work had been applied before; Outcomes are the recorded ones
	Outcomes []int16
}
