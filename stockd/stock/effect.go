package stock

import (
	"time"

	"github.com/google/uuid"
)

// State is the state of a seat. The values are the ledger's.
type State int16

const (
	Available State = iota
	Held
	Paying
	Sold
)

// Effect is what Segment.Apply decided. When Op is set, nothing may be answered before it is committed and settled.
// When Op is nil the answer is a refusal from memory (busy, try again) and may be given at once.
type Effect struct {
	Op     *Op
	Answer Answer
}

// Op is one operation to be committed: what the ledger is asked to write. It stays tentative until Settle.
type Op struct {
	Kind       Kind
	Event      EventID
	Segment    SegmentNo
	Area       bool // the moves are units of an area: a hold inserts their rows
	Hold       uuid.UUID
	Other      SegmentNo // of a grant: the segment at its other end; Quantity is what it moves
	Generation int32
	Leg        bool // the seats are a leg: Generation is the try
	Quantity   int32
	Request    Request
	Quotas     []Quota
	Order      uuid.UUID
	Attempt    int32
	Free       bool
	Deadline   int64 // Unix ms; hold and extend
	MaxExpires int64 // Unix ms; hold
	Moves      []Move
	NewOrder   *NewOrder
	// Refused is the final refusal that a KindNote records, so that its replay answers the same.
	Refused Code
}

// Move is one seat of an operation. Ver is the seat's version after the move.
type Move struct {
	Seat     SeatID
	Ver      int32
	From, To State
	Type     int16 // ticket type
}

// Outcome is what the ledger said of one operation. The values are the ledger's.
type Outcome int16

const (
	OutcomeApplied     Outcome = 0
	OutcomeReplay      Outcome = 10 // the same request was applied before
	OutcomeKeyReused   Outcome = 11 // the key was used with another payload
	OutcomeHoldGone    Outcome = 20 // compare-and-set on the hold row failed
	OutcomeNotExpired  Outcome = 21 // the row's deadline has not passed by the ledger's clock
	OutcomeOrderNo     Outcome = 30 // the order's state does not allow it
	OutcomeOrderLocked Outcome = 31 // the order row is locked: ask again
	OutcomeOrderOpen   Outcome = 32 // the hold has an open order already
	OutcomeLimitBusy   Outcome = 41 // over a limit, but for holds that are still being tried: ask again. For good it is OutcomeLimit
	OutcomeGrantGone   Outcome = 50 // there is no such grant, or it was taken before
	OutcomeNotSold     Outcome = 51 // not everything is sold in all the segments that sell the same places
	OutcomeNotTrying   Outcome = 60 // the hold over several segments is not being tried with this try
	OutcomeLegStays    Outcome = 61 // the hold over several segments keeps its leg
	OutcomeFenced      Outcome = 99 // another owner has the partition
)

// Code is the class of an answer; the API maps it to a problem type.
type Code int16

const (
	CodeOK Code = iota
	CodeReplay
	CodeSeatTaken
	CodeAllHeld
	CodeSoldOut
	CodeNotTogether
	CodeWouldOrphan
	CodeLimitReached
	CodeLimitBusy // the same buyer has unconfirmed holds: try again
	CodeHoldExpired
	CodeHoldNotYours
	CodeNoHold
	CodeIllegal // illegal transition
	CodeKeyReused
	CodeKeyInFlight
	CodeUnknownSeat
	CodeBusy // an operation on the same hold is under way: try again
	CodeInvalid
)

// Answer is what a client may be told once the effect's operation is settled.
type Answer struct {
	Code Code `json:"code"`
	// Hold is the hold after the operation, where there is one.
	Hold *HoldView `json:"hold,omitempty"`
	// Rung of the best-available ladder that was used, 1 (adjacent, leaves no single seat) upwards; 0 for named seats.
	Rung int8 `json:"rung,omitempty"`
	// Substituted says that on_conflict nearest replaced a named seat.
	Substituted bool `json:"substituted,omitempty"`
	// Conflicts are the named seats that could not be had; Alternatives are free seats like them.
	Conflicts    []SeatID `json:"conflicts,omitempty"`
	Alternatives []SeatID `json:"alternatives,omitempty"`
	// LargestRun is the largest party that would sit together, for CodeNotTogether.
	LargestRun int32 `json:"largest_run,omitempty"`
	// FreeEstimate is when some held seats may come back, for CodeAllHeld.
	FreeEstimate time.Duration `json:"free_estimate,omitempty"`
	// Moving says, for CodeAllHeld, that a grant is under way at this segment: places of the area are counted nowhere just now.
	Moving bool `json:"moving,omitempty"`
	// Granted is the capacity that a grant has moved.
	Granted int32 `json:"granted,omitempty"`
	// Limit, Used and Dimension tell a CodeLimitReached. Used is -1 when it is not known.
	Limit     int32     `json:"limit,omitempty"`
	Used      int32     `json:"used,omitempty"`
	Dimension Dimension `json:"dimension,omitempty"`
	// Seq is where the operation stands in its partition, 0 from memory.
	Seq int64 `json:"seq,omitempty"`
}

// HoldView is a hold as its owner sees it.
type HoldView struct {
	ID         uuid.UUID  `json:"id"`
	Event      EventID    `json:"event"`
	Segment    SegmentNo  `json:"segment"` // 0: the hold is over several
	Generation int32      `json:"generation"`
	State      State      `json:"state"` // Held, Paying or Sold
	Seats      []HeldSeat `json:"seats"`
	Deadline   int64      `json:"deadline"`    // Unix ms
	MaxExpires int64      `json:"max_expires"` // Unix ms
	Order      uuid.UUID  `json:"order"`
	Attempt    int32      `json:"attempt,omitempty"`
}

// HeldSeat is one seat of a hold.
type HeldSeat struct {
	Seat     SeatID `json:"seat"`
	Category int16  `json:"category"`
	Type     int16  `json:"type"`
}

// Counts are a segment's totals. Free + Held + Paying + Sold = Capacity, always.
type Counts struct {
	Capacity, Free, Held, Paying, Sold int32
}
