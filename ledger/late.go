package ledger

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"github.com/google/uuid"

	"ticketrush/ledger/db"
)

// States of a late payment.
const (
	LateLooking  = "looking"
	LateOffered  = "offered" // other seats are held until the buyer says yes or no
	LateAccepted = "accepted"
	LatePlaced   = "placed"   // it has paid its order
	LateReturned = "returned" // the money goes back
)

// Late is a payment that succeeded when its order had ended, and what is done for it.
type Late struct {
	Order    uuid.UUID
	Attempt  int32
	Payment  uuid.UUID
	Captured bool // the money was taken already, by the provider's word
	State    string
	Hold     uuid.UUID // of the offer
	Seats    []int64   // the order's seats, in order, are these in the offer
	Until    time.Time // then the money goes back
}

// LateGet reads the late payment of an order's attempt; ErrNotFound when the attempt is none.
func (l *DB) LateGet(ctx context.Context, order uuid.UUID) (Late, error) {
	r, err := l.q.LateGet(ctx, l.short, order)
	if errors.Is(err, sql.ErrNoRows) {
		return Late{}, ErrNotFound
	}
	return Late{Order: r.OrderID, Attempt: r.Attempt, Payment: r.Payment, Captured: r.Captured, State: r.State, Hold: r.Hold.UUID, Seats: r.Seats, Until: r.Until}, explain(err)
}

// LateOpen are orders with a late payment for which something is to be done.
func (l *DB) LateOpen(ctx context.Context, now time.Time, limit int32) ([]uuid.UUID, error) {
	ids, err := l.q.LateOpen(ctx, l.short, db.LateOpenParams{Now: now, Count: limit})
	return ids, explain(err)
}

// LateCategories are the categories with seats as good as those of the order or better, by price, cheapest first.
func (l *DB) LateCategories(ctx context.Context, order uuid.UUID) ([]int16, error) {
	list, err := l.q.LateCategories(ctx, l.short, order)
	return list, explain(err)
}

// LateAdopt gives an order a hold that was taken for it, with these seats for its lines, in order. It says false when the order does not look for seats
// with this attempt any more, or the hold is over.
func (l *DB) LateAdopt(ctx context.Context, order uuid.UUID, attempt int32, hold uuid.UUID, seats []int64, now time.Time) (bool, error) {
	code, err := l.q.LateAdopt(ctx, l.short, db.LateAdoptParams{OrderID: order, Attempt: attempt, Hold: hold, Seats: seats, Now: now})
	return code <= 1, explain(err)
}

// LateOffer keeps an offer until a time. It says false when the order does not look for seats any more.
func (l *DB) LateOffer(ctx context.Context, order uuid.UUID, attempt int32, hold uuid.UUID, seats []int64, until time.Time) (bool, error) {
	offered, err := l.q.LateOffer(ctx, l.short, db.LateOfferParams{OrderID: order, Attempt: attempt, Hold: hold, Seats: seats, Until: until})
	return offered, explain(err)
}

// What LateAccept found.
const (
	LateYes       int32 = iota
	LateYesBefore       // it was said before
	LateNoOffer         // nothing is offered
	LateOver            // the offer is over
)

// LateAccept takes an offer for the buyer: the order has the offered seats from here on, held.
func (l *DB) LateAccept(ctx context.Context, order uuid.UUID, now time.Time) (int32, error) {
	code, err := l.q.LateAccept(ctx, l.short, db.LateAcceptParams{OrderID: order, Now: now})
	return code, explain(err)
}

// LateDecide decides an order that was paid late: FactPaid, FactAlready, or FactNotPinned and the like.
func (l *DB) LateDecide(ctx context.Context, order uuid.UUID, attempt int32, payment uuid.UUID, now time.Time) (int16, error) {
	code, err := l.q.LateDecide(ctx, l.short, db.LateDecideParams{OrderID: order, Attempt: attempt, Payment: payment, Now: now})
	return code, explain(err)
}

// LateReturn sends the money of a late payment back. It says false when its order does not look for seats any more.
func (l *DB) LateReturn(ctx context.Context, order uuid.UUID, attempt int32, reason string, now time.Time) (bool, error) {
	returned, err := l.q.LateReturn(ctx, l.short, db.LateReturnParams{OrderID: order, Attempt: attempt, Reason: reason, Now: now})
	return returned, explain(err)
}
