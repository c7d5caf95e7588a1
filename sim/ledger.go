package sim

import (
	"bytes"
	"cmp"
	"fmt"
	"maps"
	"math"
	"slices"

	"github.com/google/uuid"

	"ticketrush/stockd/order"
	"ticketrush/stockd/owner"
	"ticketrush/stockd/stock"
)

// Ledger is the ledger in memory: slow, obvious, and proven equal to the real one by a test. Each method is one transaction, and takes effect at
// once; that the real ones do as much under concurrency is tested at Postgres.
type Ledger struct {
	// Clock is the database's own time, Unix microseconds. Required.
	Clock func() int64
	// Digest is the digest of a work, which goes into the hash chain. Nil: a sum of the work's printed form.
	Digest func(b *owner.Batch, work int) []byte

	// OrphanGrace is how long a payment that we do not know is left alone, ms: it may be told of before it was written down. 30 s in the real one.
	OrphanGrace int64
	// LateLooks is how long seats are looked for when an order is paid late, and LateAccepts how long those that were accepted may take, ms. 2 and 10 minutes
	// in the real one.
	LateLooks, LateAccepts int64
	// Moved hears of each step of an order. May be nil.
	Moved func(o *Order, from order.State, event string)

	wrong Mutant

	sessions map[int64]*sessionRow
	lastSess int64
	parts    map[stock.PartitionID]*partRow
	segments map[segmentKey]*segmentRow
	holds    map[uuid.UUID]*holdRow
	quota    map[quotaKey]int32
	keys     map[requestKey]keyRow
	batches  map[batchKey]*batchRow
	orders   map[uuid.UUID]*Order
	payments map[uuid.UUID]*Payment
	byRef    map[string]uuid.UUID // payments
	facts    map[string]int16     // what became of what a provider told, by its id
	outbox   map[string]*Job      // by dedup
	refunds  map[uuid.UUID]*Refund
	lates    map[uuid.UUID]*Late // by payment
	shows    map[stock.EventID]*show
	soldOf   map[uuid.UUID][]stock.SeatID // of each hold, also when the sale has ended
	returns  uint64                       // refunds that nobody has asked for
	grants   map[uuid.UUID]*grantRow
	jobs     int

	flushing map[stock.PartitionID]int // partitions whose row is locked by a flush on its way
	locked   map[uuid.UUID]int         // orders whose row is locked by a transaction on its way
}

type segmentKey struct {
	event stock.EventID
	no    stock.SegmentNo
}

type quotaKey struct {
	event     stock.EventID
	dimension stock.Dimension
	key       uuid.UUID
}

type requestKey struct{ scope, key uuid.UUID }

type batchKey struct {
	part stock.PartitionID
	seq  int64
}

type sessionRow struct {
	node    string
	expires int64 // Unix µs
	dead    bool
}

type partRow struct {
	session, epoch, seq int64
	head                [32]byte
	owners              map[int64]int64 // the session of each epoch
}

type segmentRow struct {
	ref                          owner.SegmentRef
	area                         bool
	home                         stock.SegmentNo
	opened                       int32 // what it was put on sale with
	capacity, held, paying, sold int32
	seats                        map[int32]*seatRow
	live                         map[uuid.UUID]*holdRow
}

type seatRow struct {
	stock.SeatRow
	sold *saleRow // the live sale
}

type saleRow struct {
	ver   int32
	order uuid.UUID
	seq   int64
}

// Hold states of the ledger.
const (
	holdTrying int16 = iota
	holdHeld
	holdDropped
	holdEnded
)

type holdRow struct {
	stock.HoldRow // Deadline as the row has it
	segment       segmentKey
	part          stock.PartitionID
	state         int16
	remaining     int64 // ms, written at a hand-off; negative: none

	legs  []stock.SegmentNo // of a hold over several segments; its segment's number is 0
	try   int32
	until int64 // while it is being tried: from when on anybody may drop it, Unix µs
}

func (h *holdRow) wide() bool { return len(h.legs) > 0 }

// counts is whether the whole of the hold counts against limits.
func (h *holdRow) counts() bool { return h.state == holdHeld || h.state == holdTrying }

type keyRow struct {
	fingerprint uuid.UUID
	part        stock.PartitionID
	seq         int64
	row         int
	kind        stock.Kind
	hold, order uuid.UUID
	refused     stock.Code
	outcome     stock.Outcome // with seq 0: what it was refused with
}

type batchRow struct {
	id       uuid.UUID
	epoch    int64
	outcomes []stock.Outcome
	hash     [32]byte
}

// NewLedger makes an empty ledger.
func NewLedger(clock func() int64) *Ledger {
	return &Ledger{
		Clock: clock, OrphanGrace: 30_000, LateLooks: lateLooks, LateAccepts: lateAccepts, sessions: map[int64]*sessionRow{}, parts: map[stock.PartitionID]*partRow{}, segments: map[segmentKey]*segmentRow{},
		holds: map[uuid.UUID]*holdRow{}, quota: map[quotaKey]int32{}, keys: map[requestKey]keyRow{}, batches: map[batchKey]*batchRow{},
		orders: map[uuid.UUID]*Order{}, payments: map[uuid.UUID]*Payment{}, byRef: map[string]uuid.UUID{}, facts: map[string]int16{},
		outbox: map[string]*Job{}, refunds: map[uuid.UUID]*Refund{}, lates: map[uuid.UUID]*Late{}, shows: map[stock.EventID]*show{}, soldOf: map[uuid.UUID][]stock.SeatID{}, grants: map[uuid.UUID]*grantRow{}, flushing: map[stock.PartitionID]int{}, locked: map[uuid.UUID]int{},
	}
}

// AddSegment puts a segment on sale; places is the number of seats, or of an area the segment's share; home is the area's first segment.
func (l *Ledger) AddSegment(ref owner.SegmentRef, home stock.SegmentNo, area bool, places int32) {
	s := &segmentRow{ref: ref, home: home, area: area, opened: places, capacity: places, seats: map[int32]*seatRow{}, live: map[uuid.UUID]*holdRow{}}
	if !area {
		for i := range places {
			s.seats[i] = &seatRow{SeatRow: stock.SeatRow{Seat: stock.NewSeatID(ref.Segment, i)}}
		}
	}
	l.segments[segmentKey{ref.Event, ref.Segment}] = s
	if l.shows[ref.Event] == nil {
		l.shows[ref.Event] = &show{begins: math.MaxInt64}
	}
}

func (l *Ledger) part(p stock.PartitionID) *partRow {
	row := l.parts[p]
	if row == nil {
		row = &partRow{owners: map[int64]int64{}}
		l.parts[p] = row
	}
	return row
}

// SessionOpen opens a session that lives for ttl µs.
func (l *Ledger) SessionOpen(node string, ttl int64) int64 {
	l.lastSess++
	l.sessions[l.lastSess] = &sessionRow{node: node, expires: l.Clock() + ttl}
	return l.lastSess
}

// SessionRenew prolongs a live session; false when it is over.
func (l *Ledger) SessionRenew(id, ttl int64) bool {
	if !l.live(id) {
		return false
	}
	l.sessions[id].expires = l.Clock() + ttl
	return true
}

// SessionEnd ends a session.
func (l *Ledger) SessionEnd(id int64) {
	if s := l.sessions[id]; s != nil {
		s.dead = true
	}
}

func (l *Ledger) live(id int64) bool {
	s := l.sessions[id]
	return s != nil && !s.dead && s.expires > l.Clock()
}

// Claim takes the partitions that are free, whose session is over, or that the caller's node has. One that a flush is writing is left out.
func (l *Ledger) Claim(session int64, node string, parts []stock.PartitionID) []owner.Claim {
	if !l.live(session) {
		return nil
	}
	parts = slices.Clone(parts)
	slices.Sort(parts)
	var got []owner.Claim
	for _, p := range parts {
		row := l.part(p)
		if l.flushing[p] > 0 || l.live(row.session) && l.sessions[row.session].node != node {
			continue
		}
		row.session = session
		row.epoch++
		row.owners[row.epoch] = session
		got = append(got, owner.Claim{Part: p, Epoch: row.epoch, Seq: row.seq})
	}
	return got
}

// Release gives partitions up and writes what is left of their holds.
func (l *Ledger) Release(session int64, parts []owner.PartRelease) {
	released := map[stock.PartitionID]bool{}
	for _, r := range parts {
		if row := l.part(r.Part); row.epoch == r.Epoch && row.session == session {
			row.session = 0
			released[r.Part] = true
		}
	}
	for _, r := range parts {
		for _, life := range r.Lives {
			if h := l.holds[life.Hold]; h != nil && h.state == holdHeld && !h.wide() && released[h.part] {
				h.remaining = life.RemainingMs
			}
		}
	}
}

// LoadedHold is a hold as its row says.
type LoadedHold struct {
	stock.HoldRow       // Deadline is the row's
	State         int16 // 1 held, 3 ended: the hold of sold seats; of a leg any
	RemainingMs   int64 // what was left at a hand-off; negative: none
}

// LoadedSegment is the stock of one segment.
type LoadedSegment struct {
	owner.SegmentRef
	Area                         bool
	Home                         stock.SegmentNo
	Capacity, Held, Paying, Sold int32
	NextUnit                     int32
	Seats                        []stock.SeatRow // those that were ever touched
	Holds                        []LoadedHold    // live ones, those of sold seats, and those of legs
}

// Load reads the segments of partitions; with only, no others than these.
func (l *Ledger) Load(parts []stock.PartitionID, only []owner.SegmentRef) []LoadedSegment {
	var loaded []LoadedSegment
	for _, s := range l.sortedSegments() {
		if slices.Contains(parts, s.ref.Part) && (only == nil || slices.Contains(only, s.ref)) {
			loaded = append(loaded, l.loadSegment(s))
		}
	}
	return loaded
}

func (l *Ledger) sortedSegments() []*segmentRow {
	return slices.SortedFunc(maps.Values(l.segments), func(a, b *segmentRow) int {
		return cmp.Or(cmp.Compare(a.ref.Event, b.ref.Event), cmp.Compare(a.ref.Segment, b.ref.Segment))
	})
}

func (l *Ledger) loadSegment(s *segmentRow) LoadedSegment {
	out := LoadedSegment{SegmentRef: s.ref, Area: s.area, Home: s.home, Capacity: s.capacity, Held: s.held, Paying: s.paying, Sold: s.sold, NextUnit: 1}
	sold, legs := map[uuid.UUID]bool{}, map[uuid.UUID]bool{}
	for _, i := range slices.Sorted(maps.Keys(s.seats)) {
		seat := s.seats[i]
		if seat.Ver == 0 {
			continue
		}
		if s.area {
			out.NextUnit = max(out.NextUnit, i+1)
		}
		if h := l.holds[seat.Hold]; h != nil && h.wide() {
			legs[seat.Hold] = true
		} else if seat.State == stock.Sold {
			sold[seat.Hold] = true
		}
		out.Seats = append(out.Seats, seat.SeatRow)
	}
	for _, id := range slices.SortedFunc(maps.Keys(s.live), byID) {
		out.Holds = append(out.Holds, loadedHold(s.live[id]))
	}
	for _, id := range slices.SortedFunc(maps.Keys(sold), byID) {
		if h := l.holds[id]; h.state == holdEnded {
			out.Holds = append(out.Holds, loadedHold(h))
		}
	}
	for _, id := range slices.SortedFunc(maps.Keys(legs), byID) {
		out.Holds = append(out.Holds, loadedHold(l.holds[id]))
	}
	return out
}

func loadedHold(h *holdRow) LoadedHold {
	row := LoadedHold{HoldRow: h.HoldRow, State: h.state, RemainingMs: h.remaining}
	row.Leg = h.wide()
	return row
}

func byID(a, b uuid.UUID) int { return bytes.Compare(a[:], b[:]) }

// Hold reads a hold's row and the state of its seats; not found when there never was one.
func (l *Ledger) Hold(id uuid.UUID) (row LoadedHold, seats []stock.SeatRow, found bool) {
	h := l.holds[id]
	if h == nil {
		return LoadedHold{}, nil, false
	}
	for _, key := range h.segments() {
		s := l.segments[key]
		for _, i := range slices.Sorted(maps.Keys(s.seats)) {
			if s.seats[i].Hold == id {
				seats = append(seats, s.seats[i].SeatRow)
			}
		}
	}
	return loadedHold(h), seats, true
}

// Replayed is what became of a request that was applied before.
func (l *Ledger) Replayed(scope, key uuid.UUID) (row keyRow, outcome stock.Outcome, found bool) {
	row, found = l.keys[requestKey{scope, key}]
	if !found || row.seq == 0 { // written with the row of a hold over several segments
		return row, row.outcome, found
	}
	return row, l.batches[batchKey{row.part, row.seq}].outcomes[row.row], true
}

// Constraint is the last line of the ledger: it refuses a call as a whole. It never fires unless something is broken.
type Constraint struct{ Text string }

func (c *Constraint) Error() string { return c.Text }

func broken(format string, args ...any) error { return &Constraint{fmt.Sprintf(format, args...)} }

// allows is what an order's state permits to be done with its seats.
func (l *Ledger) allows(op *stock.Op, o *Order) bool {
	if o == nil || o.Hold != op.Hold {
		return false
	}
	ended := o.State == order.Expired || o.State == order.Cancelled || o.State == order.Refunding || o.State == order.Refunded
	switch op.Kind {
	case stock.KindPin:
		return o.State == order.Paying && (o.Attempt == op.Attempt || l.wrong == PinWithoutAttempt) || l.wrong == PinWithoutAttempt && o.State == order.PendingPayment
	case stock.KindUnpin:
		return l.wrong == UnpinWithoutOrderCheck ||
			(o.Attempt > op.Attempt || o.Attempt == op.Attempt && (o.State == order.PendingPayment || ended)) && (!op.Free || ended)
	case stock.KindSell:
		return l.wrong == SellWithoutOrderCheck || (o.State == order.Paid || o.State == order.Issued) && o.Attempt == op.Attempt
	case stock.KindRefund: // a line that has ended stays so
		for _, m := range op.Moves {
			if o.State != order.Cancelled && !o.endedSeat(m.Seat) && l.wrong != UnsellWithoutLine {
				return false
			}
		}
		return ended && o.State != order.Expired || o.State == order.Issued
	}
	return false
}
