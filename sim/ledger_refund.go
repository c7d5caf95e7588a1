package sim

import (
	"crypto/md5"
	"fmt"
	"slices"

	"github.com/google/uuid"

	"ticketrush/stockd/order"
	"ticketrush/stockd/stock"
)

// What goes back: refunds of orders and of lines, and events that are cancelled.

// show is what the ledger has of an event beside its stock.
type show struct {
	begins    int64 // Unix ms
	cancelled bool
	mass      uuid.UUID // its mass refund
	returned  bool      // which has finished
}

// Refund is money that goes back: for lines of an order, or of a payment that pays nothing.
type Refund struct {
	ID, Payment, Order uuid.UUID
	Fingerprint        uuid.UUID // of what was asked
	Lines              bool
	Amount             int64
	Sent               bool
}

// What RefundDecide found; the values are the ledger's.
const (
	refundDecided int32 = iota
	refundReplay
	refundState
	refundNoLine
	refundTooSoon
	refundNothing
	refundIDReused
	refundNoOrder int32 = -1
)

// left are the lines of an order that have not ended.
func (o *Order) left() (n int) {
	for i := range o.Lines {
		if !o.ended(i) {
			n++
		}
	}
	return n
}

// ended is whether a line belongs to nothing but its refund.
func (o *Order) ended(line int) bool { return o.Ended != nil && o.Ended[line] }

// endedSeat is whether a seat is that of a line that has ended.
func (o *Order) endedSeat(seat stock.SeatID) bool {
	i := slices.IndexFunc(o.Lines, func(l stock.OrderLine) bool { return l.Seat == seat })
	return i >= 0 && o.ended(i)
}

// placed is the payment that pays an order; nil when none does.
func (l *Ledger) placed(id uuid.UUID) *Payment {
	for _, p := range l.payments {
		if p.Order == id && p.Placed {
			return p
		}
	}
	return nil
}

// RefundDecide decides to give money back for seats of an order, or for all that it still has. Another wish under the same id is refused.
func (l *Ledger) RefundDecide(id, refund, fingerprint uuid.UUID, seats []stock.SeatID, now int64) (int32, error) {
	o := l.orders[id]
	if o == nil {
		return refundNoOrder, nil
	}
	if known := l.refunds[refund]; known != nil {
		if known.Order == id && known.Fingerprint == fingerprint {
			return refundReplay, nil
		}
		return refundIDReused, nil
	}
	p := l.placed(id)
	if p == nil || o.State != order.Paid && o.State != order.Issued && o.State != order.Refunding {
		return refundState, nil
	}
	if o.left() == 0 {
		return refundNothing, nil
	}
	var ends []stock.SeatID
	var amount int64
	for i, line := range o.Lines {
		if !o.ended(i) && (len(seats) == 0 || slices.Contains(seats, line.Seat)) {
			ends = append(ends, line.Seat)
			amount += line.Face + line.Fee + line.Tax
		}
	}
	switch {
	case len(seats) > 0 && len(ends) != len(seats):
		return refundNoLine, nil
	case o.State == order.Paid && len(ends) != o.left():
		return refundTooSoon, nil
	}
	l.refunds[refund] = &Refund{ID: refund, Payment: p.ID, Order: id, Fingerprint: fingerprint, Lines: true, Amount: amount}
	l.linesEnd(o, refund, ends, now)
	if err := l.move(o, order.Refunding, order.EventCancel, o.Attempt, 0, now); err != nil {
		return 0, err
	}
	l.callRefund(refund, now)
	return refundDecided, nil
}

// linesEnd ends lines of an order and notes that their seats come back.
func (l *Ledger) linesEnd(o *Order, by uuid.UUID, seats []stock.SeatID, now int64) {
	ended := make([]bool, len(o.Lines)) // whoever has read the order has the old ones
	copy(ended, o.Ended)
	for i, line := range o.Lines {
		if slices.Contains(seats, line.Seat) && (l.wrong != RefundEndsOneLine || !slices.Contains(ended, true)) {
			ended[i] = true
		}
	}
	o.Ended = ended
	l.callBack(Job{Dedup: "unsell:" + by.String(), Topic: topicUnsell, Order: o.ID, Due: now})
}

func (l *Ledger) callRefund(id uuid.UUID, now int64) {
	r := l.refunds[id]
	l.callBack(Job{Dedup: "refund:" + id.String(), Topic: topicRefund, Ref: l.payments[r.Payment].Ref, Payment: r.Payment, Refund: id, Due: now})
}

// newRefund is an id for a refund that nobody has asked for.
func (l *Ledger) newRefund() uuid.UUID {
	l.returns++
	return number(9, l.returns)
}

// RefundSent notes that a refund was sent by its provider; false when that was known.
func (l *Ledger) RefundSent(id uuid.UUID, now int64) (bool, error) {
	r := l.refunds[id]
	if r == nil || r.Sent {
		return false, nil
	}
	p := l.payments[r.Payment]
	if p.Captured == 0 {
		p.State, p.Captured = order.PaymentCaptured, p.Amount
	}
	r.Sent = true
	p.State = order.PaymentCaptured
	if p.Refunded+r.Amount >= p.Captured {
		p.State = order.PaymentRefunded
	}
	p.Refunded = min(p.Captured, p.Refunded+r.Amount)
	return true, l.refundOK(r.Order, now)
}

// RefundVoided notes that the money of a refund had only been authorised, and was given back; false when that was known, or the money was taken.
func (l *Ledger) RefundVoided(id uuid.UUID, now int64) (bool, error) {
	r := l.refunds[id]
	if r == nil || r.Sent || l.payments[r.Payment].Captured > 0 {
		return false, nil
	}
	r.Sent = true
	l.payments[r.Payment].State = order.PaymentVoided
	return true, l.refundOK(r.Order, now)
}

// RefundGet reads a refund with its payment.
func (l *Ledger) RefundGet(id uuid.UUID) (Refund, Payment) {
	r := l.refunds[id]
	return *r, *l.payments[r.Payment]
}

// refundOK: an order whose last refund is on its way out has it behind it.
func (l *Ledger) refundOK(id uuid.UUID, now int64) error {
	o := l.orders[id]
	if o.State != order.Refunding {
		return nil
	}
	for _, r := range l.refunds {
		if r.Order == id && r.Lines && !r.Sent && l.wrong != RefundedTooSoon {
			return nil
		}
	}
	to := order.Refunded
	if o.left() > 0 {
		to = order.Issued
	}
	return l.move(o, to, order.EventRefundOK, o.Attempt, 0, now)
}

// refunded is whether money of a payment goes back, or went.
func (l *Ledger) refunded(payment uuid.UUID) bool {
	for _, r := range l.refunds {
		if r.Payment == payment {
			return true
		}
	}
	return false
}

// SeatsToUnsell are the seats that an order still has although their lines, or the order, have ended.
func (l *Ledger) SeatsToUnsell(id uuid.UUID) (seats []stock.SeatRow) {
	o := l.orders[id]
	for i, line := range o.Lines {
		seat := l.segments[segmentKey{o.Event, line.Seat.Segment()}].seats[line.Seat.Index()]
		if seat != nil && seat.Order == id && seat.State >= stock.Paying && (o.ended(i) || o.State == order.Cancelled) {
			seats = append(seats, seat.SeatRow)
		}
	}
	slices.SortFunc(seats, func(a, b stock.SeatRow) int { return int(a.Seat - b.Seat) })
	return seats
}

// EventCancel closes an event and begins its mass refund; 0 now, 1 before, -1 no such event.
func (l *Ledger) EventCancel(event stock.EventID, mass uuid.UUID) int32 {
	s := l.shows[event]
	switch {
	case s == nil:
		return -1
	case s.cancelled:
		return 1
	}
	s.cancelled, s.mass = true, mass
	return 0
}

// MassRefundsOpen are those that have not finished, by their events.
func (l *Ledger) MassRefundsOpen() (open []stock.EventID) {
	for event, s := range l.shows {
		if s.cancelled && !s.returned {
			open = append(open, event)
		}
	}
	slices.Sort(open)
	return open
}

// MassRefundStep decides the refunds of the next orders of a cancelled event and returns the last one's id; none: there are no more.
func (l *Ledger) MassRefundStep(event stock.EventID, after uuid.UUID, limit int, now int64) (uuid.UUID, error) {
	s := l.shows[event]
	if !s.cancelled || s.returned {
		return noID, nil
	}
	ids := l.sortedOrders(func(o *Order) bool {
		open := o.State == order.Paid || o.State == order.Issued || o.State == order.Refunding
		return o.Event == event && byID(o.ID, after) > 0 && open && o.left() > 0 && (l.wrong != MassSkipsWide || !l.holds[o.Hold].wide())
	})
	if len(ids) == 0 {
		under := l.sortedOrders(func(o *Order) bool {
			return o.Event == event && o.State != order.Expired && o.State != order.Cancelled && o.State != order.Refunded
		})
		s.returned = len(under) == 0 || l.wrong == MassEndsEarly
		return noID, nil
	}
	ids = ids[:min(limit, len(ids))]
	for _, id := range ids {
		if _, err := l.RefundDecide(id, massRefundID(s.mass, id), s.mass, nil, now); err != nil {
			return noID, err
		}
	}
	return ids[len(ids)-1], nil
}

// massRefundID is the refund of an order by a mass refund: the same, whoever goes on with it.
func massRefundID(mass, ordered uuid.UUID) uuid.UUID {
	return uuid.UUID(md5.Sum(fmt.Append(nil, mass.String(), ordered.String())))
}
