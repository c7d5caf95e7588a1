package reconcile

import (
	"cmp"
	"slices"

	"github.com/google/uuid"
)

// Kinds of movements that make a sale and end it.
const (
	moveSell   = 7
	moveRefund = 8
)

// stateSold is the state of a sold seat.
const stateSold = 3

// replay is what the movements of some partitions have made.
type replay struct {
	seats map[seatKey]seatNow
	sales map[saleKey]*saleRecord
}

// seatNow is a seat after its last movement.
type seatNow struct {
	state        int16
	ver, attempt int32
	hold, order  uuid.UUID
	row          *seatRecord // what seats has, when that was compared
	live         bool        // sales has a live sale of it
}

// saleKey is a sale: of a seat, by the movement that sold it.
type saleKey struct {
	seatKey
	ver int32
}

func newReplay() replay {
	return replay{seats: map[seatKey]seatNow{}, sales: map[saleKey]*saleRecord{}}
}

func (y *replay) reset() {
	clear(y.seats)
	clear(y.sales)
}

// take checks a movement against the one before it of the same seat.
func (y *replay) take(found *tally, m *journalRow) {
	was := y.seats[m.key()]
	switch {
	case m.Ver != was.ver+1:
		found.broken(movementRow(m), "event %d seat %d goes from version %d to %d: movements are missing", m.Event, m.Seat, was.ver, m.Ver)
	case m.From != was.state:
		found.broken(movementRow(m), "event %d seat %d version %d starts %s, but the one before ended %s", m.Event, m.Seat, m.Ver, stateName(m.From), stateName(was.state))
	case m.From > 0 && m.Hold != was.hold:
		found.broken(movementRow(m), "event %d seat %d version %d is moved for hold %s, but belonged to hold %s", m.Event, m.Seat, m.Ver, m.Hold, was.hold)
	}
	y.seats[m.key()] = seatNow{state: m.To, ver: m.Ver, attempt: m.Attempt, hold: m.Hold, order: m.Order}
	switch m.Kind {
	case moveSell:
		y.sales[saleKey{m.key(), m.Ver}] = &saleRecord{seatKey: m.key(), ver: m.Ver, part: m.part, sold: m.seq, price: m.price, order: m.Order, hold: m.Hold}
	case moveRefund:
		if s := y.sales[saleKey{m.key(), m.Ver - 1}]; s != nil {
			s.ended = m.seq
		}
	}
}

// seat compares a row of seats with what the journal made of it.
func (y *replay) seat(found *tally, s *seatRecord) {
	now, moved := y.seats[s.seatKey]
	broken := func(format string, args ...any) { found.broken(seatRow(s.event, s.seat), format, args...) }
	switch {
	case !moved:
		broken("it is %s at version %d, but the journal has no movement of it", stateName(s.state), s.ver)
	case s.state != now.state || s.ver != now.ver:
		broken("it is %s at version %d, but the journal ends with %s at version %d", stateName(s.state), s.ver, stateName(now.state), now.ver)
	case s.state > 0 && s.hold != now.hold:
		broken("it belongs to hold %s, but to %s in the journal", s.hold, now.hold)
	case s.state > 1 && (s.order != now.order || s.attempt != now.attempt):
		broken("it belongs to order %s attempt %d, but to %s attempt %d in the journal", s.order, s.attempt, now.order, now.attempt)
	}
	now.row = s
	y.seats[s.seatKey] = now
}

// sale compares a row of sales with the movements that made and ended it, and with its seat while it is live. Seats are compared before.
func (y *replay) sale(found *tally, s *saleRecord) {
	broken := func(format string, args ...any) { found.broken(saleRow(s.event, s.seat, s.ver), format, args...) }
	key := saleKey{s.seatKey, s.ver}
	j := y.sales[key]
	delete(y.sales, key)
	switch {
	case j == nil:
		broken("the journal has no such sell")
	case s.price != j.price:
		broken("the sale's price is %d, the journal's %d", s.price, j.price)
	case s.ended != j.ended:
		broken("the sale ended at sequence %d, in the journal at %d (0: it did not)", s.ended, j.ended)
	case s.order != j.order || s.sold != j.sold || s.hold != j.hold || s.part != j.part:
		broken("the sale is of order %s at sequence %d, the journal's of order %s at %d, or their holds or partitions differ", s.order, s.sold, j.order, j.sold)
	}
	if s.ended != 0 {
		return
	}
	now := y.seats[s.seatKey]
	switch of := now.row; {
	case of == nil || of.state != stateSold:
		broken("it is a live sale to order %s, but the seat is not sold", s.order)
		return
	case of.ver != s.ver || of.order != s.order || of.hold != s.hold:
		broken("the sale is to order %s at version %d, the seat is sold to %s at version %d, or their holds differ", s.order, s.ver, of.order, of.ver)
	}
	now.live = true
	y.seats[s.seatKey] = now
}

// rest is what the journal made and nobody has.
func (y *replay) rest(seats, sales *tally) {
	var gone, unsold []seatKey
	for key, now := range y.seats {
		switch {
		case now.row == nil:
			gone = append(gone, key)
		case now.row.state == stateSold && !now.live:
			unsold = append(unsold, key)
		}
	}
	slices.SortFunc(gone, seatKey.compare)
	for _, key := range gone {
		now := y.seats[key]
		seats.broken(seatRow(key.event, key.seat), "the journal has it up to version %d (%s), but there is no such seat, or it was never touched", now.ver, stateName(now.state))
	}
	slices.SortFunc(unsold, seatKey.compare)
	for _, key := range unsold {
		s := y.seats[key].row
		sales.broken(seatRow(key.event, key.seat), "it is sold at version %d to order %s, but has no live sale", s.ver, s.order)
	}
	missing := make([]saleKey, 0, len(y.sales))
	for key := range y.sales {
		missing = append(missing, key)
	}
	slices.SortFunc(missing, func(a, b saleKey) int { return cmp.Or(a.compare(b.seatKey), cmp.Compare(a.ver, b.ver)) })
	for _, key := range missing {
		j := y.sales[key]
		sales.broken(saleRow(key.event, key.seat, key.ver), "the journal sold it at sequence %d to order %s, but there is no such sale", j.sold, j.order)
	}
}
