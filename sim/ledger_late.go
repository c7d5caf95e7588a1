package sim

import (
	"slices"

	"github.com/google/uuid"

	"ticketrush/stockd/order"
	"ticketrush/stockd/stock"
)

// Payments that succeed when their orders have ended.

// Late is what is done for one; times are Unix ms.
type Late struct {
	Order    uuid.UUID
	Attempt  int32
	Payment  uuid.UUID
	Captured bool
	State    string
	Hold     uuid.UUID // of the offer
	Seats    []stock.SeatID
	Until    int64
}

// States of a late payment.
const (
	lateLooking  = "looking"
	lateOffered  = "offered"
	lateAccepted = "accepted"
	latePlaced   = "placed"
	lateReturned = "returned"
)

// What LateAdopt and LateAccept found; the values are the ledger's.
const (
	adopted       int32 = iota // or yes
	adoptedBefore              // or yes before
	adoptNot                   // it does not look for seats with this attempt; or nothing is offered
	adoptNoHold                // the hold is over, or has an order, or other seats; or the offer is over
)

// How long seats are looked for, and how long a buyer who has said yes has to get them, in the real one.
const (
	lateLooks   = int64(120_000)
	lateAccepts = int64(600_000)
)

func (r *Late) open() bool {
	return r.State == lateLooking || r.State == lateOffered || r.State == lateAccepted
}

// lateBegin lets an order that has ended wait once more for a payment that comes late; false when it may not.
func (l *Ledger) lateBegin(o *Order, p *Payment, captured bool, now int64) (bool, error) {
	s := l.shows[o.Event]
	if o.State != order.Expired && o.State != order.Cancelled || l.lates[p.ID] != nil || l.refunded(p.ID) || s.cancelled || s.begins <= now {
		return false, nil
	}
	for _, line := range o.Lines { // its capture was refused, and its seats come back
		if seat := l.segments[segmentKey{o.Event, line.Seat.Segment()}].seats[line.Seat.Index()]; seat != nil && seat.sold != nil && seat.sold.order == o.ID && l.wrong != LateBeforeUnsold {
			return false, nil
		}
	}
	for _, other := range l.orders {
		if other.Hold == o.Hold && other.State != order.Expired && other.State != order.Cancelled {
			return false, nil
		}
	}
	until := now + l.LateLooks
	if err := l.move(o, order.Paying, order.EventPayOK, o.Attempt+1, until, now); err != nil {
		return false, err
	}
	p.Attempt = o.Attempt
	if job := l.outbox["void:"+p.ID.String()]; job != nil && l.wrong != LateStillVoided {
		job.Done = true
	}
	l.lates[p.ID] = &Late{Order: o.ID, Attempt: o.Attempt, Payment: p.ID, Captured: captured, State: lateLooking, Until: until}
	return true, nil
}

// lateTold is what is told of a payment while its order looks for seats; none of it: false.
func (l *Ledger) lateTold(o *Order, p *Payment, kind string, now int64) (code int16, told bool, err error) {
	r := l.lates[p.ID]
	if r == nil || !r.open() {
		return 0, false, nil
	}
	if kind == order.PaymentCaptured {
		r.Captured = true
	}
	if kind != order.PaymentFailed && kind != order.PaymentVoided {
		return factNothing, true, nil
	}
	r.State, p.State = lateReturned, kind
	if o.State == order.Paying && o.Attempt <= r.Attempt {
		err = l.move(o, order.Expired, order.EventPayFail, r.Attempt, 0, now)
	}
	return factFailed, true, err
}

// LateGet reads what is done for an order's late payment; false when it has none.
func (l *Ledger) LateGet(id uuid.UUID) (Late, bool) {
	for _, r := range l.lates {
		if r.Order == id && r.Attempt == l.orders[id].Attempt {
			return *r, true
		}
	}
	return Late{}, false
}

// late is the row of an order's attempt; nil when there is none.
func (l *Ledger) late(id uuid.UUID, attempt int32) *Late {
	for _, r := range l.lates {
		if r.Order == id && r.Attempt == attempt {
			return r
		}
	}
	return nil
}

// LateOpen are the orders for which something is still to be done.
func (l *Ledger) LateOpen(now int64) []uuid.UUID {
	var ids []uuid.UUID
	for _, r := range l.lates {
		if r.State == lateLooking || r.State == lateAccepted || r.State == lateOffered && r.Until <= now {
			ids = append(ids, r.Order)
		}
	}
	slices.SortFunc(ids, byID)
	return ids
}

// LateAdopt makes a hold the order's. Its lines move to other seats if they are others.
func (l *Ledger) LateAdopt(id uuid.UUID, attempt int32, hold uuid.UUID, seats []stock.SeatID) int32 {
	o := l.orders[id]
	switch {
	case o == nil || o.State != order.Paying || o.Attempt != attempt:
		return adoptNot
	case o.Hold == hold:
		return adoptedBefore
	}
	h := l.holds[hold]
	if h == nil || h.state != holdHeld || h.Order != noID || h.Deadline*1000 <= l.Clock() {
		return adoptNoHold
	}
	had, its := make([]stock.SeatID, 0, len(o.Lines)), int32(0)
	for _, line := range o.Lines {
		had = append(had, line.Seat)
	}
	slices.Sort(had)
	for _, seat := range slices.Compact(slices.Sorted(slices.Values(seats))) {
		s := l.segments[segmentKey{h.segment.event, seat.Segment()}]
		if s != nil && s.seats[seat.Index()] != nil && s.seats[seat.Index()].Hold == hold && s.seats[seat.Index()].State == stock.Held {
			its++
		}
	}
	if its != h.Quantity || int(its) != len(seats) || len(seats) != len(had) {
		return adoptNoHold
	}
	lines := slices.Clone(o.Lines)
	for i := range lines {
		lines[i].Seat = seats[slices.Index(had, lines[i].Seat)]
	}
	o.Lines, o.Hold, h.Order = lines, hold, id
	if h.wide() {
		h.Attempt = attempt
	}
	return adopted
}

// LateOffer offers other seats, which a hold has, until a time; false when the order does not look for seats any more.
func (l *Ledger) LateOffer(id uuid.UUID, attempt int32, hold uuid.UUID, seats []stock.SeatID, until int64) bool {
	r := l.late(id, attempt)
	if r == nil || r.State != lateLooking {
		return false
	}
	r.State, r.Hold, r.Seats, r.Until = lateOffered, hold, seats, until
	l.orders[id].PayingUntil = until
	return true
}

// LateAccept is the buyer's yes: the order has the offered seats.
func (l *Ledger) LateAccept(id uuid.UUID, now int64) int32 {
	o := l.orders[id]
	if o == nil {
		return adoptNot
	}
	r := l.late(id, o.Attempt)
	switch {
	case r == nil || r.Hold == noID:
		return adoptNot
	case r.State == lateAccepted || r.State == latePlaced:
		return adoptedBefore
	case r.State != lateOffered || r.Until <= now:
		return adoptNoHold
	}
	if code := l.LateAdopt(id, r.Attempt, r.Hold, r.Seats); code > adoptedBefore {
		return adoptNoHold
	}
	r.State, r.Until = lateAccepted, now+l.LateAccepts
	o.PayingUntil = r.Until
	return adopted
}

// LateDecide is decide, for an order that was paid late.
func (l *Ledger) LateDecide(id uuid.UUID, attempt int32, payment uuid.UUID, now int64) (int16, error) {
	o, p := l.orders[id], l.payments[payment]
	if h := l.holds[o.Hold]; o.State == order.Paying && h.state != holdHeld {
		return factNotPinned, nil
	}
	code, err := l.decide(o, p, attempt, l.pinned(o, attempt), now)
	if r := l.late(id, attempt); err == nil && code <= factAlready && r != nil {
		r.State = latePlaced
	}
	return code, err
}

// LateReturn sends the money back; false when the order does not look for seats any more.
func (l *Ledger) LateReturn(id uuid.UUID, attempt int32, now int64) (bool, error) {
	o, r := l.orders[id], l.late(id, attempt)
	if r == nil || !r.open() || o.State != order.Paying || o.Attempt != attempt {
		return false, nil
	}
	p := l.payments[r.Payment]
	refund := l.newRefund()
	r.State = lateReturned
	l.refunds[refund] = &Refund{ID: refund, Payment: p.ID, Order: id, Lines: true, Amount: p.Amount}
	var all []stock.SeatID
	for _, line := range o.Lines {
		all = append(all, line.Seat)
	}
	l.linesEnd(o, refund, all, now)
	if err := l.move(o, order.Refunding, order.EventNoSeats, o.Attempt, 0, now); err != nil {
		return false, err
	}
	if r.Captured {
		p.State, p.Captured = order.PaymentCaptured, p.Amount
	}
	if l.wrong != LateKeepsMoney {
		l.callRefund(refund, now)
	}
	return true, nil
}
