package sim

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/google/uuid"

	"ticketrush/stockd/order"
	"ticketrush/stockd/stock"
)

// Order is an order's row. Times are Unix ms.
type Order struct {
	ID          uuid.UUID
	Event       stock.EventID
	Hold        uuid.UUID
	State       order.State
	Ver         int32
	Attempt     int32
	Total       int64
	PayingUntil int64
	UpdatedAt   int64
	Lines       []stock.OrderLine
	Ended       []bool // which lines are refunded; none yet: nil
}

// Payment is one attempt to pay an order at the provider.
type Payment struct {
	ID, Order uuid.UUID
	Attempt   int32
	Ref       string
	Amount    int64
	State     string
	Placed    bool  // it pays its order
	Captured  int64 // of Amount
	Refunded  int64 // of it
}

// Fact is what the provider told of a payment.
type Fact struct {
	ID, Ref, Kind string
	Amount        int64
}

// What became of a fact; the values are the ledger's.
const (
	factPaid int16 = iota
	factAlready
	factNotPinned
	factNotPaying
	factOther
	factFailed
	factNothing
	factOrphan
	factMismatch
	factLate int16 = 15
)

// Verdict is what became of a fact. Again: it was told and applied before.
type Verdict struct {
	Code  int16
	Again bool
	Order uuid.UUID
}

// move moves an order and writes its history.
func (l *Ledger) move(o *Order, to order.State, event string, attempt int32, until, now int64) error {
	if !order.May(o.State, event, to) {
		return broken("order %v cannot go from %v to %v by %s", o.ID, o.State, to, event)
	}
	from := o.State
	o.State, o.Attempt, o.PayingUntil, o.UpdatedAt = to, attempt, until, now
	o.Ver++
	if l.Moved != nil {
		l.Moved(o, from, event)
	}
	return nil
}

// OrderMove moves an order; false when it is not in the state from any more, or is being paid by a later attempt.
func (l *Ledger) OrderMove(id uuid.UUID, from, to order.State, event string, attempt int32, until, now int64) (bool, error) {
	o := l.orders[id]
	if o == nil || o.State != from || o.Attempt > attempt {
		return false, nil
	}
	return true, l.move(o, to, event, attempt, until, now)
}

// OrderExpire ends an order that was not paid in time and notes that its attempt's payment is to be voided.
func (l *Ledger) OrderExpire(id uuid.UUID, from order.State, attempt int32, now int64) (bool, error) {
	moved, err := l.OrderMove(id, from, order.Expired, order.EventDeadline, attempt, 0, now)
	if err != nil || !moved {
		return false, err
	}
	_, payments, _ := l.OrderGet(id)
	for i := range payments {
		if p := &payments[i]; p.Attempt == attempt && p.State == order.PaymentCreated {
			l.giveBack(p, false, 0, now)
		}
	}
	return true, nil
}

// beginGrace is how long after the last end of its hold an order may still begin to be paid, ms: the hold may have been re-armed.
const beginGrace = 3000

// PaymentBegin turns a pending order into a paying one and returns the attempt; -1 no such order, -2 another state, -3 too many attempts, -4 the
// hold has ended, -5 the event is cancelled.
func (l *Ledger) PaymentBegin(id uuid.UUID, attempts int32, until, now int64) (int32, error) {
	o := l.orders[id]
	switch {
	case o == nil:
		return -1, nil
	case o.State != order.PendingPayment:
		return -2, nil
	case o.Attempt >= attempts:
		return -3, nil
	}
	if l.shows[o.Event].cancelled {
		return -5, nil
	}
	if h := l.holds[o.Hold]; h.state != holdHeld || h.MaxExpires+beginGrace <= now {
		return -4, nil
	}
	attempt := o.Attempt + 1
	if h := l.holds[o.Hold]; h.wide() {
		h.Attempt = attempt
	}
	return attempt, l.move(o, order.Paying, order.EventPayStart, attempt, until, now)
}

// PaymentInsert keeps a payment that was created at the provider; the second of an attempt changes nothing.
func (l *Ledger) PaymentInsert(p Payment) {
	for _, other := range l.payments {
		if other.Order == p.Order && other.Attempt == p.Attempt {
			return
		}
	}
	p.State = order.PaymentCreated
	l.payments[p.ID] = &p
	l.byRef[p.Ref] = p.ID
}

// PaymentState sets the state of a payment that is not final yet.
func (l *Ledger) PaymentState(id uuid.UUID, state string) {
	if p := l.payments[id]; p != nil && (p.State == order.PaymentCreated || p.State == order.PaymentAuthorized) {
		p.State = state
	}
}

// OrderGet reads an order and its payments, by attempt.
func (l *Ledger) OrderGet(id uuid.UUID) (Order, []Payment, bool) {
	o := l.orders[id]
	if o == nil {
		return Order{}, nil, false
	}
	var payments []Payment
	for _, p := range l.payments {
		if p.Order == id {
			payments = append(payments, *p)
		}
	}
	slices.SortFunc(payments, func(a, b Payment) int { return cmp.Compare(a.Attempt, b.Attempt) })
	return *o, payments, true
}

// Take keeps facts and applies each once. It is the commit point of sales.
func (l *Ledger) Take(facts []Fact, now int64) ([]Verdict, error) {
	pins := map[uuid.UUID]int{}
	for _, f := range facts {
		if p := l.payments[l.byRef[f.Ref]]; p != nil {
			pins[p.Order] = l.pinned(l.orders[p.Order], p.Attempt)
		}
	}
	return l.take(facts, pins, now)
}

// take is Take with what it knows of the pins, which a mutant reads too early.
func (l *Ledger) take(facts []Fact, pins map[uuid.UUID]int, now int64) ([]Verdict, error) {
	out := make([]Verdict, len(facts))
	for i, f := range facts {
		p := l.payments[l.byRef[f.Ref]]
		if p != nil {
			out[i].Order = p.Order
		}
		if code, told := l.facts[f.ID]; told {
			out[i].Code, out[i].Again = code, true
			continue
		}
		if p == nil {
			out[i].Code = factOrphan
			if f.Kind == order.PaymentAuthorized || f.Kind == order.PaymentCaptured {
				l.callBack(Job{Dedup: "orphan:" + f.Ref, Topic: topicOrphan, Ref: f.Ref, Due: now + l.OrphanGrace})
			}
		} else {
			code, err := l.apply(p, f, pins[p.Order], now)
			if err != nil {
				return nil, err
			}
			out[i].Code = code
		}
		l.facts[f.ID] = out[i].Code
	}
	return out, nil
}

// apply applies one fact about a payment of ours.
func (l *Ledger) apply(p *Payment, f Fact, pins int, now int64) (int16, error) {
	o := l.orders[p.Order]
	if code, told, err := l.lateTold(o, p, f.Kind, now); told || err != nil {
		return code, err
	}
	switch {
	case f.Kind == order.PaymentFailed:
		return l.applyFailed(p, o, now)
	case f.Kind != order.PaymentAuthorized && f.Kind != order.PaymentCaptured:
		return factNothing, nil
	}
	if p.State == order.PaymentCreated || p.State == order.PaymentFailed || p.State == order.PaymentVoided {
		p.State = order.PaymentAuthorized
	}
	code, err := factMismatch, error(nil)
	if f.Amount == p.Amount {
		code, err = l.decide(o, p, p.Attempt, pins, now)
	}
	if code == factNotPaying && err == nil {
		late, err := l.lateBegin(o, p, f.Kind == order.PaymentCaptured, now)
		if late || err != nil {
			return factLate, err
		}
	}
	if code > factAlready && !p.Placed {
		l.giveBack(p, f.Kind == order.PaymentCaptured, f.Amount, now)
	}
	return code, err
}

func (l *Ledger) applyFailed(p *Payment, o *Order, now int64) (int16, error) {
	if p.Placed {
		return factNothing, nil
	}
	if p.State == order.PaymentCreated || p.State == order.PaymentAuthorized {
		p.State = order.PaymentFailed
	}
	if o.State != order.Paying && o.State != order.Stuck || o.Attempt != p.Attempt {
		return factNothing, nil
	}
	to := order.Expired
	if o.State == order.Paying && l.holds[o.Hold].Deadline > now {
		to = order.PendingPayment
	}
	return factFailed, l.move(o, to, order.EventPayFail, o.Attempt, 0, now)
}

// decide is the commit point of a sale: the order waits for this attempt, and every one of its seats is pinned to it.
func (l *Ledger) decide(o *Order, p *Payment, attempt int32, pins int, now int64) (int16, error) {
	if other := l.placed(o.ID); other != nil {
		if other.ID == p.ID {
			return factAlready, nil
		}
		return factOther, nil
	}
	if o.State != order.Paying && o.State != order.Stuck || o.Attempt != attempt || l.shows[o.Event].cancelled {
		return factNotPaying, nil
	}
	if l.refunded(p.ID) { // its money is on its way back
		return factNotPaying, nil
	}
	if (pins != len(o.Lines) || int32(pins) != l.holds[o.Hold].Quantity) && l.wrong != DecideWithoutPins {
		return factNotPinned, nil
	}
	p.Placed = true
	return factPaid, l.move(o, order.Paid, order.EventPayOK, attempt, 0, now)
}

// pinned is how many of an order's seats are pinned to an attempt.
func (l *Ledger) pinned(o *Order, attempt int32) (n int) {
	for _, line := range o.Lines {
		seat := l.segments[segmentKey{o.Event, line.Seat.Segment()}].seats[line.Seat.Index()]
		if seat != nil && seat.State == stock.Paying && seat.Order == o.ID && seat.Attempt == attempt && seat.Hold == o.Hold {
			n++
		}
	}
	return n
}

// giveBack gives money back that pays nothing: authorised is voided, captured is refunded, once, as much as the provider has.
func (l *Ledger) giveBack(p *Payment, captured bool, amount, now int64) {
	if !captured {
		l.callBack(Job{Dedup: "void:" + p.ID.String(), Topic: topicVoid, Ref: p.Ref, Payment: p.ID, Due: now})
		return
	}
	if l.refunded(p.ID) {
		return
	}
	p.State, p.Captured = order.PaymentCaptured, min(amount, p.Amount)
	refund := l.newRefund()
	l.refunds[refund] = &Refund{ID: refund, Payment: p.ID, Order: p.Order, Amount: amount}
	l.callRefund(refund, now)
}

// CaptureFail ends a paid order whose capture was refused; false when it is not paid.
func (l *Ledger) CaptureFail(id, payment uuid.UUID, now int64) (bool, error) {
	o := l.orders[id]
	if o == nil || o.State != order.Paid {
		return false, nil
	}
	if p := l.payments[payment]; p.Placed {
		p.Placed, p.State = false, order.PaymentFailed
	}
	l.callBack(Job{Dedup: "unsell:" + id.String(), Topic: topicUnsell, Order: id, Due: now})
	if p := l.payments[payment]; p != nil {
		l.callBack(Job{Dedup: "void:" + p.ID.String(), Topic: topicVoid, Ref: p.Ref, Payment: p.ID, Due: now})
	}
	return true, l.move(o, order.Cancelled, order.EventCaptureFail, o.Attempt, 0, now)
}

// What Issue found.
const (
	issuedNow int32 = iota
	issuedAlready
	issuedNotSold
	issuedNotPaid
)

// Issue notes the capture and issues the tickets of an order whose seats are all sold.
func (l *Ledger) Issue(id, payment uuid.UUID, now int64) (int32, error) {
	o, p := l.orders[id], l.payments[payment]
	switch {
	case o != nil && o.State == order.Issued:
		return issuedAlready, nil
	case o == nil || o.State != order.Paid:
		return issuedNotPaid, nil
	}
	for _, line := range o.Lines {
		seat := l.segments[segmentKey{o.Event, line.Seat.Segment()}].seats[line.Seat.Index()]
		if seat == nil || seat.sold == nil || seat.sold.order != id {
			return issuedNotSold, nil
		}
	}
	if p == nil || !p.Placed {
		return issuedNotPaid, nil
	}
	p.State, p.Captured = order.PaymentCaptured, p.Amount
	return issuedNow, l.move(o, order.Issued, order.EventIssue, o.Attempt, 0, now)
}

func (l *Ledger) sortedOrders(fit func(*Order) bool) []uuid.UUID {
	var ids []uuid.UUID
	for id, o := range l.orders {
		if fit(o) {
			ids = append(ids, id)
		}
	}
	slices.SortFunc(ids, byID)
	return ids
}

// OrdersToFollow are the paid orders that were decided at or before a time.
func (l *Ledger) OrdersToFollow(before int64) []uuid.UUID {
	return l.sortedOrders(func(o *Order) bool { return o.State == order.Paid && o.UpdatedAt <= before })
}

// OrdersOverdue are the orders whose payment takes too long, and those whose provider was silent then.
func (l *Ledger) OrdersOverdue(now int64) []uuid.UUID {
	return l.sortedOrders(func(o *Order) bool {
		return o.State == order.Paying && o.PayingUntil <= now || o.State == order.Stuck
	})
}

// LoosePin is a pin whose order has ended or waits for another attempt.
type LoosePin struct {
	Order, Hold uuid.UUID
	Attempt     int32
	Segment     segmentKey
	State       order.State
}

// LoosePins are the pins that nobody waits for.
func (l *Ledger) LoosePins() []LoosePin {
	var pins []LoosePin
	for _, id := range slices.SortedFunc(maps.Keys(l.holds), byID) {
		h := l.holds[id]
		o := l.orders[h.Order]
		if h.state != holdHeld || h.Attempt == 0 || o == nil {
			continue
		}
		switch o.State {
		case order.PendingPayment, order.Expired, order.Cancelled, order.Refunding, order.Refunded:
		default:
			continue
		}
		for _, line := range o.Lines {
			seat := l.segments[segmentKey{o.Event, line.Seat.Segment()}].seats[line.Seat.Index()]
			if seat != nil && seat.Hold == id && seat.State == stock.Paying {
				pins = append(pins, LoosePin{Order: o.ID, Hold: id, Attempt: h.Attempt, Segment: h.segment, State: o.State})
				break
			}
		}
	}
	return pins
}

// linesText are the seats of an order's lines, in order, with a cross for those that have ended.
func (o *Order) linesText() string {
	var all []string
	for i, line := range o.Lines {
		text := fmt.Sprintf("%012d", line.Seat)
		if o.ended(i) {
			text += "x"
		}
		all = append(all, text)
	}
	slices.Sort(all)
	return strings.Join(all, " ")
}

// Dump is the whole of the ledger's stock and orders as text, in order: two equal ledgers have equal dumps.
func (l *Ledger) Dump() string {
	var b []byte
	for _, s := range l.sortedSegments() {
		b = fmt.Appendf(b, "segment %d/%d held %d paying %d sold %d\n", s.ref.Event, s.ref.Segment, s.held, s.paying, s.sold)
		for _, i := range slices.Sorted(maps.Keys(s.seats)) {
			if seat := s.seats[i]; seat.Ver > 0 {
				b = fmt.Appendf(b, "seat %d state %d ver %d type %d hold %v/%d order %v/%d sale %v\n", seat.Seat, seat.State, seat.Ver, seat.Type, seat.Hold,
					seat.Generation, seat.Order, seat.Attempt, seat.sold != nil)
			}
		}
	}
	for _, id := range slices.SortedFunc(maps.Keys(l.holds), byID) {
		h := l.holds[id]
		documents := []stock.SeatID{} // that they stand for, 0 for other limits
		for _, q := range h.Quotas {
			documents = append(documents, q.Seat)
		}
		deadline, last := h.Deadline, h.MaxExpires
		if h.state == holdTrying || h.state == holdDropped { // by the clock of each
			deadline, last = 0, 0
		}
		b = fmt.Appendf(b, "hold %v state %d try %d legs %v gen %d quantity %d deadline %d max %d left %d order %v/%d documents %v\n", id, h.state, h.try, h.legs, h.Generation,
			h.Quantity, deadline, last, h.remaining, h.Order, h.Attempt, documents)
	}
	for _, id := range l.sortedOrders(func(*Order) bool { return true }) {
		o := l.orders[id]
		b = fmt.Appendf(b, "order %v hold %v state %v ver %d attempt %d total %d lines %v until %d\n", id, o.Hold, o.State, o.Ver, o.Attempt, o.Total, o.linesText(), o.PayingUntil)
		_, payments, _ := l.OrderGet(id)
		for _, p := range payments {
			b = fmt.Appendf(b, "payment %d %s amount %d placed %v captured %d refunded %d\n", p.Attempt, p.State, p.Amount, p.Placed, p.Captured, p.Refunded)
		}
	}
	return string(b)
}
