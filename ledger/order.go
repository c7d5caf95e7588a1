package ledger

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"github.com/google/uuid"

	"ticketrush/ledger/db"
)

// States of an order, as the ledger numbers them.
const (
	OrderPendingPayment int16 = 1 + iota
	OrderPaying
	OrderPaid
	OrderIssued
	OrderExpired
	OrderCancelled
	OrderRefunding
	OrderRefunded
	OrderDisputed
	OrderStuck
)

// Order is an order with what is needed to find its seats.
type Order struct {
	ID          uuid.UUID
	Event       int32
	Segment     int32 // 0: its hold is over several segments
	Part        int32
	Hold        uuid.UUID
	State       int16
	Ver         int32
	Attempt     int32
	Buyer       string
	Total       int64 // minor units of Currency
	Currency    string
	HoldUntil   time.Time
	PayingUntil time.Time // zero unless paying
	CreatedAt   time.Time
	Lines       []Line
	Payments    []Payment
}

// Line is one seat of an order with its price, and how people call the seat.
type Line struct {
	OrderLine
	Refund   uuid.UUID // zero while it is live: then the refund, or the dispute, that has ended it
	Label    string
	Category int16
}

// Wide says that the order's hold is over several segments.
func (o *Order) Wide() bool { return o.Segment == 0 }

// Segments are the segments of the order's seats, in order.
func (o *Order) Segments() []int32 {
	seats := make([]int64, len(o.Lines))
	for i, l := range o.Lines {
		seats[i] = l.Seat
	}
	return segmentsOf(o.Segment, seats)
}

// Segments are the segments of the order's seats, in order.
func (o *PaidOrder) Segments() []int32 {
	seats := make([]int64, len(o.Lines))
	for i, l := range o.Lines {
		seats[i] = l.Seat
	}
	return segmentsOf(o.Segment, seats)
}

// segmentsOf are the segments of a hold's seats, which are in order; one is 0 where there are several.
func segmentsOf(one int32, seats []int64) []int32 {
	if one != 0 {
		return []int32{one}
	}
	var segments []int32
	for _, seat := range seats {
		if no := int32(seat >> 24); len(segments) == 0 || segments[len(segments)-1] != no {
			segments = append(segments, no)
		}
	}
	return segments
}

// OrderGet reads an order with its lines and payments; ErrNotFound when there is none.
func (l *DB) OrderGet(ctx context.Context, id uuid.UUID) (Order, error) {
	r, err := l.q.OrderGet(ctx, l.short, id)
	if errors.Is(err, sql.ErrNoRows) {
		return Order{}, ErrNotFound
	}
	if err != nil {
		return Order{}, explain(err)
	}
	o := Order{
		ID: r.ID, Event: r.Event, Segment: r.Segment, Part: r.Part, Hold: r.Hold, State: r.State, Ver: r.Ver, Attempt: r.Attempt, Buyer: r.BuyerRef,
		Total: r.Total, Currency: r.Currency, HoldUntil: r.Deadline, PayingUntil: r.PayingUntil.Time, CreatedAt: r.CreatedAt,
	}
	lines, err := l.q.OrderLines(ctx, l.short, db.OrderLinesParams{ID: id, Event: o.Event})
	if err != nil {
		return Order{}, explain(err)
	}
	for _, x := range lines {
		o.Lines = append(o.Lines, Line{
			OrderLine: OrderLine{Seat: x.Seat, Type: x.Type, Face: x.Face, Fee: x.Fee, Tax: x.Tax}, Refund: x.Refund.UUID, Label: x.Label, Category: x.Category,
		})
	}
	payments, err := l.q.PaymentsOfOrder(ctx, l.short, id)
	if err != nil {
		return Order{}, explain(err)
	}
	for _, p := range payments {
		o.Payments = append(o.Payments, Payment(p))
	}
	return o, nil
}

// OrderMove moves an order from one state to another and writes its history. It says false when the order is not in the state from; the
// ledger refuses a move that the table of transitions does not have.
func (l *DB) OrderMove(ctx context.Context, id uuid.UUID, from, to int16, event string, attempt int32, reason string, now time.Time) (bool, error) {
	moved, err := l.q.OrderMove(ctx, l.short, db.OrderMoveParams{ID: id, FromState: from, ToState: to, Event: event, Attempt: attempt, Reason: reason, Now: now})
	return moved, explain(err)
}

// OrderExpire ends an order that was not paid in time, and notes the calls that void its attempt's payments, in one transaction. It says false
// when the order is not in the state from, or a later attempt is under way.
func (l *DB) OrderExpire(ctx context.Context, id uuid.UUID, from int16, attempt int32, reason string, now time.Time) (bool, error) {
	moved, err := l.q.OrderExpire(ctx, l.short, db.OrderExpireParams{ID: id, FromState: from, Attempt: attempt, Reason: reason, Now: now})
	return moved, explain(err)
}

// OrderStuck moves a paying order whose provider does not answer to stuck; it is asked again until the given time.
func (l *DB) OrderStuck(ctx context.Context, id uuid.UUID, attempt int32, reason string, until, now time.Time) (bool, error) {
	moved, err := l.q.OrderMove(ctx, l.short, db.OrderMoveParams{
		ID: id, FromState: OrderPaying, ToState: OrderStuck, Event: "deadline", Attempt: attempt, Reason: reason, PayingUntil: nullTime(until), Now: now,
	})
	return moved, explain(err)
}

// CaptureFail ends a paid order whose provider refuses to capture: its postings are reversed, and a job "unsell" of the outbox names it. It
// says false when the order is not paid.
func (l *DB) CaptureFail(ctx context.Context, order, payment uuid.UUID, reason string, now time.Time) (bool, error) {
	ended, err := l.q.CaptureFail(ctx, l.short, db.CaptureFailParams{ID: order, Payment: payment, Reason: reason, Now: now})
	return ended, explain(err)
}

// PaidOrder is what is to be known of a paid order to finish it.
type PaidOrder struct {
	ID         uuid.UUID
	Event      int32
	EventUID   uuid.UUID
	StartsAt   time.Time
	Hold       uuid.UUID
	Segment    int32 // 0: its hold is over several segments
	Attempt    int32
	Payment    uuid.UUID // the one that pays it
	Provider   string
	PaymentRef string
	Amount     int64 // minor units
	Lines      []OrderLine
}

// OrdersPaid reads those of the orders that are paid and not issued; the others are left out. Of their lines only seat and type are read.
func (l *DB) OrdersPaid(ctx context.Context, ids []uuid.UUID) (map[uuid.UUID]PaidOrder, error) {
	rows, err := l.q.OrdersPaid(ctx, l.short, ids)
	if err != nil {
		return nil, explain(err)
	}
	orders := make(map[uuid.UUID]PaidOrder, len(rows))
	for _, r := range rows {
		o := PaidOrder{ID: r.ID, Event: r.Event, EventUID: r.Uid, StartsAt: r.StartsAt, Hold: r.Hold, Segment: r.Segment, Attempt: r.Attempt,
			Payment: r.Payment, Provider: r.Provider, PaymentRef: r.ProviderRef, Amount: r.Amount}
		for i := range r.Seats {
			o.Lines = append(o.Lines, OrderLine{Seat: r.Seats[i], Type: int16(r.Types[i])})
		}
		orders[o.ID] = o
	}
	return orders, nil
}

// What Issue found.
const (
	IssuedNow     int32 = iota
	IssuedAlready       // was issued before
	IssuedNotSold       // a seat is not sold yet
	IssuedNotPaid       // the order is in another state
)

// NewTicket is a ticket to be issued.
type NewTicket struct {
	ID   uuid.UUID
	Seat int64
	Code string
}

// NewIssue is an order to be issued, by the payment that paid it.
type NewIssue struct {
	Order   uuid.UUID
	Payment uuid.UUID
	Tickets []NewTicket // one for each seat of the order
}

// Issue keeps and posts the facts that payments were captured, and issues the tickets of their orders, all in one transaction. It says of each order
// what it found. An error means that none was issued: one that the ledger refuses is found by issuing each by itself.
func (l *DB) Issue(ctx context.Context, orders []NewIssue, now time.Time) ([]int32, error) {
	p := db.IssueParams{Now: now}
	for i, o := range orders {
		p.Orders = append(p.Orders, o.Order)
		p.Payments = append(p.Payments, o.Payment)
		for _, t := range o.Tickets {
			p.TicketOrders = append(p.TicketOrders, int32(i+1))
			p.Tickets = append(p.Tickets, t.ID)
			p.Seats = append(p.Seats, t.Seat)
			p.Codes = append(p.Codes, t.Code)
		}
	}
	found, err := l.q.Issue(ctx, l.short, p)
	if err == nil && len(found) != len(orders) {
		err = errors.New("the ledger answered about another number of orders than it was to issue")
	}
	return found, explain(err)
}

// OrdersToFollow are paid orders that were not issued although they were decided before the given time.
func (l *DB) OrdersToFollow(ctx context.Context, before time.Time, limit int32) ([]uuid.UUID, error) {
	ids, err := l.q.OrdersToFollow(ctx, l.short, db.OrdersToFollowParams{Before: before, Count: limit})
	return ids, explain(err)
}

// OrderAskAt says when the provider of a stuck order is asked again.
func (l *DB) OrderAskAt(ctx context.Context, id uuid.UUID, at time.Time) error {
	return explain(l.q.OrderAskAt(ctx, l.short, db.OrderAskAtParams{ID: id, At: at}))
}

// OrdersOverdue are orders whose payment has taken longer than it may, and those whose provider was silent then: when they are due to be asked about, or,
// with stuck, all.
func (l *DB) OrdersOverdue(ctx context.Context, now time.Time, stuck bool, limit int32) ([]uuid.UUID, error) {
	ids, err := l.q.OrdersOverdue(ctx, l.short, db.OrdersOverdueParams{Now: now, Stuck: stuck, Count: limit})
	return ids, explain(err)
}

// LoosePin is a pin whose order has ended, or waits for another attempt.
type LoosePin struct {
	Order   uuid.UUID
	Attempt int32
	Hold    uuid.UUID
	Event   int32
	Segment int32 // 0: the hold is over several
	State   int16 // of the order
}

// LoosePins are pins that nobody waits for: whoever should have undone them has crashed, or is at it.
func (l *DB) LoosePins(ctx context.Context, limit int32) ([]LoosePin, error) {
	rows, err := l.q.PinsToFree(ctx, l.short, limit)
	if err != nil {
		return nil, explain(err)
	}
	pins := make([]LoosePin, 0, len(rows))
	for _, r := range rows {
		pins = append(pins, LoosePin{Order: r.OrderID.UUID, Attempt: r.Attempt, Hold: r.Hold, Event: r.Event, Segment: r.Segment, State: r.State})
	}
	return pins, nil
}

// Transition is one row of the table of what may follow what.
type Transition struct {
	From  int16
	Event string
	To    int16
}

// Transitions reads the table by which the ledger refuses illegal histories.
func (l *DB) Transitions(ctx context.Context) ([]Transition, error) {
	rows, err := l.q.OrderTransitions(ctx, l.short)
	if err != nil {
		return nil, explain(err)
	}
	out := make([]Transition, 0, len(rows))
	for _, r := range rows {
		out = append(out, Transition{From: r.FromState, Event: r.Event, To: r.ToState})
	}
	return out, nil
}

// orderStateNames are the names of an order's states.
var orderStateNames = [...]string{"none", "pending_payment", "paying", "paid", "issued", "expired", "cancelled", "refunding", "refunded", "disputed", "stuck"}

// OrderStateName is what people call a state of an order.
func OrderStateName(s int16) string {
	if s < 0 || int(s) >= len(orderStateNames) {
		return "unknown"
	}
	return orderStateNames[s]
}
