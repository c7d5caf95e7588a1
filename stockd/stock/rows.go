package stock

import "github.com/google/uuid"

// SeatRow is a seat, or a unit of an area, as the ledger has it. Rows of seats that never moved may be left out.
type SeatRow struct {
	Seat       SeatID
	State      State
	Ver        int32
	Hold       uuid.UUID // zero when available
	Generation int32
	Order      uuid.UUID
	Attempt    int32
	Type       int16
}

// HoldRow is a hold as the ledger has it. Deadline is what the loading node allows it from now on (Unix ms of its clock).
// A sold hold may come with its row, for the quotas that a refund gives back, or without one.
type HoldRow struct {
	ID         uuid.UUID
	Generation int32
	Quantity   int32
	Deadline   int64
	MaxExpires int64
	Order      uuid.UUID
	Attempt    int32
	Quotas     []Quota
	// Leg says that the row is of a hold over several segments: only its seats here are the segment's, and neither Quantity nor Deadline count. Of its
	// documents only those that stand for seats here matter.
	Leg bool
}

// Leg is a leg whose hold's row has to be looked at.
type Leg struct {
	Hold uuid.UUID
	Try  int32
}

// Pin is a hold fixed for a payment.
type Pin struct {
	Hold    uuid.UUID
	Order   uuid.UUID
	Attempt int32
}
