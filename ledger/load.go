package ledger

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"github.com/google/uuid"

	"ticketrush/ledger/db"
	"ticketrush/ledger/journal"
)

// Loaded is the stock of some segments as the ledger has it.
type Loaded struct {
	Segments []SegmentRow
	Seats    []SeatRow // those that were ever touched; the others are free, at version 0
	Holds    []HoldRow // live ones, and those of sold seats: a refund gives back what they count against limits
}

// SegmentRow is a segment and its counters.
type SegmentRow struct {
	Event, Segment, Part         int32
	Area                         bool
	Home                         int32 // of an area: its first segment
	Capacity, Held, Paying, Sold int32
	NextUnit                     int32 // of an area: the first unit number that was never used
}

// SeatRow is a seat that was touched.
type SeatRow struct {
	Event      int32
	Seat       int64
	State      int16
	Ver        int32
	Type       int16
	Hold       uuid.UUID
	Generation int32
	Order      uuid.UUID
	Attempt    int32
}

// HoldRow is a hold. Its states are HoldTrying and so on.
type HoldRow struct {
	ID                   uuid.UUID
	Event, Segment, Part int32
	State                int16
	// Legs are the segments of a hold over several, and Try counts how often it was tried; Segment is 0 then, but in Loaded, where such a row
	// stands once for each segment in which it has seats.
	Legs                 []int32
	Try                  int32
	Generation, Quantity int32
	Quotas               []Quota
	Deadline, MaxExpires time.Time
	// Remaining is what was left of the hold's life at a planned hand-off; negative when there was none.
	Remaining time.Duration
	Order     uuid.UUID
	Attempt   int32
}

// States of a hold.
const (
	HoldTrying  int16 = iota // over several segments: its legs are being taken
	HoldHeld                 // its seats are held, or pinned
	HoldDropped              // over several segments: it was not to be had
	HoldEnded                // its seats are free again, or sold
)

// stateSold is the state of a sold seat.
const stateSold = 3

// unitMask takes an area's unit number from a seat id.
const unitMask = 1<<24 - 1

// Load reads the stock of partitions. It must be a statement after the claim, never the same one: only then it sees what the last owner
// committed while the claim waited.
func (l *DB) Load(ctx context.Context, parts []int32) (*Loaded, error) {
	rows, err := l.q.SegmentsOfParts(ctx, l.short, parts)
	if err != nil {
		return nil, explain(err)
	}
	loaded := &Loaded{}
	for _, r := range rows {
		loaded.Segments = append(loaded.Segments, SegmentRow{Event: r.Event, Segment: r.Segment, Part: r.Part, Area: r.Area, Home: r.Home, Capacity: r.Capacity, Held: r.Held, Paying: r.Paying, Sold: r.Sold})
	}
	return loaded, l.loadSeats(ctx, loaded)
}

// LoadSegments reads segments that were added to partitions which the caller owns already.
func (l *DB) LoadSegments(ctx context.Context, event int32, segments []int32) (*Loaded, error) {
	rows, err := l.q.SegmentsByID(ctx, l.short, db.SegmentsByIDParams{Event: event, Segments: segments})
	if err != nil {
		return nil, explain(err)
	}
	loaded := &Loaded{}
	for _, r := range rows {
		loaded.Segments = append(loaded.Segments, SegmentRow{Event: r.Event, Segment: r.Segment, Part: r.Part, Area: r.Area, Home: r.Home, Capacity: r.Capacity, Held: r.Held, Paying: r.Paying, Sold: r.Sold})
	}
	return loaded, l.loadSeats(ctx, loaded)
}

func (l *DB) loadSeats(ctx context.Context, loaded *Loaded) error {
	var seats db.SeatsOfSegmentsParams
	var holds db.HoldsOfSegmentsParams
	type key struct{ event, segment int32 }
	index := make(map[key]int, len(loaded.Segments))
	for i, s := range loaded.Segments {
		index[key{s.Event, s.Segment}] = i
		seats.Events = append(seats.Events, s.Event)
		seats.Segments = append(seats.Segments, int64(s.Segment))
		holds.Events = append(holds.Events, s.Event)
		holds.Segments = append(holds.Segments, s.Segment)
		holds.Parts = append(holds.Parts, s.Part)
		loaded.Segments[i].NextUnit = 1
	}
	if len(index) == 0 {
		return nil
	}
	seatRows, err := l.q.SeatsOfSegments(ctx, l.short, seats)
	if err != nil {
		return explain(err)
	}
	for _, r := range seatRows {
		loaded.Seats = append(loaded.Seats, SeatRow{Event: r.Event, Seat: r.Seat, State: r.State, Ver: r.Ver, Type: r.Type, Hold: r.Hold.UUID, Generation: r.Generation, Order: r.OrderID.UUID, Attempt: r.Attempt})
		s := &loaded.Segments[index[key{r.Event, int32(r.Seat >> 24)}]]
		if s.Area {
			s.NextUnit = max(s.NextUnit, int32(r.Seat&unitMask)+1)
		}
	}
	return l.loadHolds(ctx, loaded, holds)
}

func (l *DB) loadHolds(ctx context.Context, loaded *Loaded, live db.HoldsOfSegmentsParams) error {
	rows, err := l.q.HoldsOfSegments(ctx, l.short, live)
	if err != nil {
		return explain(err)
	}
	known := map[uuid.UUID]bool{}
	for _, r := range rows {
		loaded.Holds = append(loaded.Holds, holdRow(r.LedgerHold))
		known[r.LedgerHold.ID] = true
	}
	var sold, legs []uuid.UUID
	seen := map[uuid.UUID]int16{}
	for i := range loaded.Seats {
		s := &loaded.Seats[i]
		if s.State == 0 || known[s.Hold] || seen[s.Hold] != 0 {
			continue
		}
		if seen[s.Hold] = s.State; s.State == stateSold {
			sold = append(sold, s.Hold)
		} else {
			legs = append(legs, s.Hold)
		}
	}
	if len(sold) > 0 {
		ended, err := l.q.HoldsOfSales(ctx, l.short, sold)
		if err != nil {
			return explain(err)
		}
		for _, r := range ended {
			loaded.addHold(holdRow(r.LedgerHold))
		}
	}
	if len(legs) > 0 {
		wide, err := l.q.HoldsOfLegs(ctx, l.short, legs)
		if err != nil {
			return explain(err)
		}
		for _, r := range wide {
			loaded.addHold(holdRow(r.LedgerHold))
		}
	}
	return nil
}

// addHold adds a row; one over several segments once for each in which it has seats that are not free.
func (loaded *Loaded) addHold(row HoldRow) {
	if len(row.Legs) == 0 {
		loaded.Holds = append(loaded.Holds, row)
		return
	}
	last := int32(0)
	for i := range loaded.Seats { // in order of event and seat
		s := &loaded.Seats[i]
		if no := int32(s.Seat >> 24); s.Hold == row.ID && s.State > 0 && s.Event == row.Event && no != last {
			row.Segment, last = no, no
			loaded.Holds = append(loaded.Holds, row)
		}
	}
}

func holdRow(h db.LedgerHold) HoldRow {
	row := HoldRow{
		ID: h.ID, Event: h.Event, Segment: h.Segment, Part: h.Part, State: h.State, Legs: h.Legs, Try: h.Try, Generation: h.Generation, Quantity: h.Quantity,
		Deadline: h.Deadline, MaxExpires: h.MaxExpiresAt, Remaining: -1, Order: h.OrderID.UUID, Attempt: h.Attempt,
	}
	if h.RemainingMs.Valid {
		row.Remaining = time.Duration(h.RemainingMs.Int64) * time.Millisecond
	}
	for i := range h.QuotaDims {
		row.Quotas = append(row.Quotas, Quota{Dimension: int16(h.QuotaDims[i]), Key: h.QuotaKeys[i], Limit: h.QuotaLimits[i], Seat: h.QuotaSeats[i]})
	}
	return row
}

// HoldSeat is a seat of a hold.
type HoldSeat struct {
	Seat     int64
	Label    string
	Category int16
	Type     int16
	State    int16
}

// HoldByID reads a hold and its seats; ErrNotFound when there never was one.
func (l *DB) HoldByID(ctx context.Context, id uuid.UUID) (HoldRow, []HoldSeat, error) {
	row, err := l.q.HoldGet(ctx, l.short, id)
	if errors.Is(err, sql.ErrNoRows) {
		return HoldRow{}, nil, ErrNotFound
	}
	if err != nil {
		return HoldRow{}, nil, explain(err)
	}
	segments := row.LedgerHold.Legs
	if len(segments) == 0 {
		segments = []int32{row.LedgerHold.Segment}
	}
	seats := make([]HoldSeat, 0, row.LedgerHold.Quantity)
	for _, no := range segments {
		first := int64(no) << 24
		rows, err := l.q.SeatsOfHold(ctx, l.short, db.SeatsOfHoldParams{Event: row.LedgerHold.Event, Low: first, High: first | unitMask, Hold: uuid.NullUUID{UUID: id, Valid: true}})
		if err != nil {
			return HoldRow{}, nil, explain(err)
		}
		for _, r := range rows {
			seats = append(seats, HoldSeat{Seat: r.Seat, Label: r.Label, Category: r.Category, Type: r.Type, State: r.State})
		}
	}
	return holdRow(row.LedgerHold), seats, nil
}

// Replay is what became of a request that was applied before.
type Replay struct {
	Fingerprint uuid.UUID
	Kind        int16
	Hold        uuid.UUID
	Order       uuid.UUID
	Outcome     int16
	Refused     int16 // the final refusal that a note recorded
}

// Replayed looks a request up; ErrNotFound when it was never applied.
func (l *DB) Replayed(ctx context.Context, scope, key uuid.UUID) (Replay, error) {
	r, err := l.q.IdempotencyGet(ctx, l.short, db.IdempotencyGetParams{Scope: scope, Key: key})
	if errors.Is(err, sql.ErrNoRows) {
		return Replay{}, ErrNotFound
	}
	if err != nil {
		return Replay{}, explain(err)
	}
	outcomes := journal.Outcomes(r.Outcomes)
	if int(r.RowNo) >= len(outcomes) {
		return Replay{}, errors.New("the ledger's idempotency row points behind the outcomes of its batch")
	}
	return Replay{Fingerprint: r.Fingerprint, Kind: r.Kind, Hold: r.Hold, Order: r.OrderID.UUID, Outcome: outcomes[r.RowNo], Refused: r.Refused}, nil
}
