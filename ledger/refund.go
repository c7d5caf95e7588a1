package ledger

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"github.com/google/uuid"

	"ticketrush/ledger/db"
)

// Refund is money that goes back to a buyer.
type Refund struct {
	ID        uuid.UUID
	Payment   uuid.UUID
	OrderID   uuid.UUID
	Lines     bool  // it is for lines of the order; else its payment pays nothing
	Amount    int64 // minor units of Currency
	Currency  string
	Reason    string
	Actor     string // who decided it
	State     string // decided, sent, failed: it is sent again
	Failures  int32
	CreatedAt time.Time
}

// RefundWish is a refund to be decided.
type RefundWish struct {
	ID          uuid.UUID // the same wish twice is one refund
	Fingerprint uuid.UUID // of what was asked: another wish under the same id is refused
	Order       uuid.UUID
	Seats       []int64   // none: all that the order still has
	Reason      string    // for people
	Void        string    // what its tickets say: refunded, or cancelled for an event that does not take place
	Actor       string    // who decides it: buyer, or a name
	Mass        uuid.UUID // the mass refund that it belongs to; zero: none
}

// What RefundDecide found.
const (
	RefundDecided  int32 = iota
	RefundReplay         // it was decided before
	RefundState          // the order is in another state
	RefundNoLine         // a seat is not the order's, or not any more
	RefundTooSoon        // a part of an order whose tickets are not issued yet: ask again
	RefundNothing        // the order has nothing left
	RefundIDReused       // the id is another wish's
)

// RefundDecide decides a refund, in one transaction: the order is refunding, its lines and tickets end, what was earned is owed to the buyer, and the
// calls that send the money and free the seats are noted. ErrNotFound: there is no such order.
func (l *DB) RefundDecide(ctx context.Context, w *RefundWish, now time.Time) (int32, error) {
	seats := w.Seats
	if seats == nil {
		seats = []int64{}
	}
	code, err := l.q.RefundDecide(ctx, l.short, db.RefundDecideParams{
		OrderID: w.Order, ID: w.ID, Fingerprint: w.Fingerprint, Seats: seats, Reason: w.Reason, VoidReason: w.Void, Actor: w.Actor,
		Mass: uuid.NullUUID{UUID: w.Mass, Valid: w.Mass != uuid.Nil}, Now: now,
	})
	if err == nil && code < 0 {
		return 0, ErrNotFound
	}
	return code, explain(err)
}

// RefundPayment is a refund with what its payment was at last.
type RefundPayment struct {
	Refund
	PaymentState string
	Placed       bool // the payment paid its order
	Captured     int64
}

// RefundGet reads a refund; ErrNotFound when there is none.
func (l *DB) RefundGet(ctx context.Context, id uuid.UUID) (RefundPayment, error) {
	r, err := l.q.RefundGet(ctx, l.short, id)
	if errors.Is(err, sql.ErrNoRows) {
		return RefundPayment{}, ErrNotFound
	}
	return RefundPayment{
		Refund: Refund{
			ID: r.ID, Payment: r.Payment, OrderID: r.OrderID, Lines: r.Lines, Amount: r.Amount, Currency: r.Currency, Reason: r.Reason, Actor: r.Actor, State: r.State,
			Failures: r.Failures, CreatedAt: r.CreatedAt,
		},
		PaymentState: r.PaymentState, Placed: r.Placed, Captured: r.Captured,
	}, explain(err)
}

// RefundsOfOrder are an order's refunds, in order of time.
func (l *DB) RefundsOfOrder(ctx context.Context, order uuid.UUID) ([]Refund, error) {
	rows, err := l.q.RefundsOfOrder(ctx, l.short, order)
	if err != nil {
		return nil, explain(err)
	}
	out := make([]Refund, 0, len(rows))
	for _, r := range rows {
		out = append(out, Refund(r))
	}
	return out, nil
}

// RefundSent writes down that a refund was sent by its provider, with its posting. It says false when that was known.
func (l *DB) RefundSent(ctx context.Context, refund uuid.UUID, now time.Time) (bool, error) {
	sent, err := l.q.RefundSent(ctx, l.short, db.RefundSentParams{ID: refund, Now: now})
	return sent, explain(err)
}

// RefundVoided writes down that the money of a refund had only been authorised, and that the authorisation was given back. It says false when the
// refund was over, or the money was taken.
func (l *DB) RefundVoided(ctx context.Context, refund uuid.UUID, now time.Time) (bool, error) {
	voided, err := l.q.RefundVoided(ctx, l.short, db.RefundVoidedParams{ID: refund, Now: now})
	return voided, explain(err)
}

// LooseSeat is a seat that an order still has although its line, or the order, has ended.
type LooseSeat struct {
	Seat  int64
	State int16 // 2 paying, 3 sold
}

// SeatsToUnsell are the seats of an order that have to come back, in order.
func (l *DB) SeatsToUnsell(ctx context.Context, order uuid.UUID) ([]LooseSeat, error) {
	rows, err := l.q.SeatsToUnsell(ctx, l.short, order)
	if err != nil {
		return nil, explain(err)
	}
	out := make([]LooseSeat, 0, len(rows))
	for _, r := range rows {
		out = append(out, LooseSeat(r))
	}
	return out, nil
}

// OrdersToSell are orders in dispute that have pins which nobody has sold.
func (l *DB) OrdersToSell(ctx context.Context, limit int32) ([]uuid.UUID, error) {
	ids, err := l.q.OrdersToSell(ctx, l.short, limit)
	return ids, explain(err)
}
