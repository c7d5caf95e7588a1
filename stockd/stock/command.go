package stock

import (
	"github.com/google/uuid"
)

// Kind names what an operation does. Its values are the journal's: they are written to the ledger and never renumbered.
type Kind int16

const (
	KindHold     Kind = 1 + iota // available → held
	KindExtend                   // held, later deadline
	KindPin                      // held → paying, for (order, attempt)
	KindUnpin                    // paying → held, or free when Free is set
	KindRelease                  // held → available, asked for
	KindExpire                   // held → available, the deadline has passed
	KindSell                     // paying → sold
	KindRefund                   // sold → available
	KindGrantOut                 // capacity given to another segment of the area; Hold names the grant
	KindGrantIn                  // capacity taken from another segment of the area; Hold names the grant
	KindOrder                    // an order is opened on a hold: moves no seat
	KindNote                     // a final "no", or a replay: moves no seat, takes a sequence number
	KindLeg                      // available → held, for a hold over several segments that is being tried
	KindUnleg                    // held or paying → available, because that hold was dropped or has ended
)

// Command is one request to one segment. It says what is wanted; the segment decides which seats.
// Times are Unix milliseconds of the node that applies the command.
type Command struct {
	Kind    Kind      `json:"kind"`
	Event   EventID   `json:"event"`
	Segment SegmentNo `json:"segment"`
	// Hold names the hold: for KindHold the id that the new hold will get. For a grant it is the grant's id.
	Hold uuid.UUID `json:"hold"`
	// Other is the other segment of a grant: who gets it for KindGrantOut, who gave it for KindGrantIn. Ask.Quantity is then the most that is
	// to be given, 0 for half of what is free, or what was given.
	Other SegmentNo `json:"other,omitempty"`
	// Request is who asks and under which idempotency key; zero for the owner's own commands (expire, follow).
	Request Request `json:"request"`
	// Ask is what a KindHold or KindLeg wants.
	Ask Ask `json:"ask"`
	// TTL is the life of a hold in milliseconds, for KindHold and KindExtend.
	TTL int64 `json:"ttl_ms,omitempty"`
	// MaxTTL bounds the life of a hold with all its extensions, in milliseconds, for KindHold.
	MaxTTL int64 `json:"max_ttl_ms,omitempty"`
	// Quotas are the limits that a new hold counts against: each once, and the documents of a real-name sale one for each ticket, in the order of Ask.
	// A leg does not count: its hold's row has, and only a refund of its seats gives back. It has the documents of its own tickets.
	Quotas []Quota `json:"quotas,omitempty"`
	// Order and Attempt name the order for pin, unpin, sell, refund; Order alone for KindOrder and for a release that ends an order.
	Order   uuid.UUID `json:"order"`
	Attempt int32     `json:"attempt,omitempty"`
	// Try is which try of the hold a KindLeg belongs to, from 1.
	Try int32 `json:"try,omitempty"`
	// Free makes KindUnpin give the seats back to the pool and not to the hold.
	Free bool `json:"free,omitempty"`
	// NewOrder is what KindOrder inserts, opaque to the engine: it is carried to the ledger with the operation.
	NewOrder *NewOrder `json:"new_order,omitempty"`
}

// Request identifies one client request for idempotency. Scope is a hash of the tid or API key, Key of the Idempotency-Key,
// Fingerprint of the payload.
type Request struct {
	Scope       uuid.UUID `json:"scope"`
	Key         uuid.UUID `json:"key"`
	Fingerprint uuid.UUID `json:"fingerprint"`
}

// Dimension is what a purchase limit counts by.
type Dimension int16

const (
	DimensionTid Dimension = 1 + iota
	DimensionAccount
	DimensionDocument
)

// Quota is one limit: at most Limit seats in hold, payment and sale per Key in an event. The whole hold counts for it; a document counts for one
// of its seats.
type Quota struct {
	Dimension Dimension `json:"dimension"`
	Key       uuid.UUID `json:"key"` // hash of the tid, account or document
	Limit     int32     `json:"limit"`
	// Seat is the seat that a document stands for. It is 0 for the other dimensions, and in a command: the segment that chooses the seats fills it in.
	// Of a hold over several segments it is 0 until the leg is taken.
	Seat SeatID `json:"seat,omitempty"`
}

// Together says how a party wants to sit. A segment answers for itself only: with TogetherPreferred it would rather refuse than scatter
// people, because another segment may have seats together. Who asks several segments asks them all so, and then again with TogetherAny.
type Together int8

const (
	TogetherPreferred Together = iota // adjacent, or in two rows, or near and nobody alone
	TogetherRequired                  // adjacent
	TogetherAny                       // as preferred, and if need be anywhere; companion seats too
)

// Orphans says what may happen to single seats that are left over beside a choice.
type Orphans int8

const (
	OrphansAvoid Orphans = iota
	OrphansNever
	OrphansAllow
)

// Ask is what a hold wants: named Seats, or Quantity seats (or units of an area) that the segment chooses.
type Ask struct {
	Seats []SeatAsk `json:"seats,omitempty"`
	// Quantity is the size of the party when the segment chooses; 0 with Seats.
	Quantity int32 `json:"quantity,omitempty"`
	// Types are the ticket types, one for each of Quantity; empty means type 0 for all.
	Types []int16 `json:"types,omitempty"`
	// Categories is a mask of the categories allowed; 0 means any.
	Categories uint64   `json:"categories,omitempty"`
	Together   Together `json:"together,omitempty"`
	Orphans    Orphans  `json:"orphans,omitempty"`
	// Accessible is how many of the seats must be accessible ones; their companions come with them where they are free.
	Accessible int32 `json:"accessible,omitempty"`
	// Nearest gives an equivalent hold when a named seat is gone, in the same answer.
	Nearest bool `json:"nearest,omitempty"`
}

// SeatAsk is one named seat and the ticket type it is wanted as.
type SeatAsk struct {
	Seat SeatID `json:"seat"`
	Type int16  `json:"type"`
}

// NewOrder is the order that KindOrder opens. Amounts are integer minor units of Currency.
type NewOrder struct {
	ID       uuid.UUID   `json:"id"`
	Buyer    string      `json:"buyer"` // pseudonym
	Currency string      `json:"currency"`
	ClientIP string      `json:"client_ip,omitempty"`
	Lines    []OrderLine `json:"lines"`
}

// OrderLine is the price of one seat, fixed when the order is opened.
type OrderLine struct {
	Seat SeatID `json:"seat"`
	Type int16  `json:"type"`
	Face int64  `json:"face"`
	Fee  int64  `json:"fee"`
	Tax  int64  `json:"tax"`
}
