package ledger

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"github.com/google/uuid"

	"ticketrush/ledger/db"
)

// Payment is one attempt to pay an order at a provider. Its states are created, authorized, captured, failed, voided, refunded.
type Payment struct {
	ID          uuid.UUID
	OrderID     uuid.UUID
	Attempt     int32
	Provider    string
	ProviderRef string
	PayUrl      string
	Key         uuid.UUID // of the request that began it
	Amount      int64
	Currency    string
	State       string
	Placed      bool // this payment pays its order
	Captured    int64
	Refunded    int64
}

// Why a payment could not begin.
var (
	ErrOrderState      = errors.New("the order is not in the state for it")
	ErrTooManyAttempts = errors.New("the order was tried to be paid too often")
	ErrHoldOver        = errors.New("the hold of the order has ended")
	ErrEventCancelled  = errors.New("the event was cancelled")
)

// PaymentBegin turns a pending order into a paying one and returns the number of the attempt. From here the order's lines and its hold are
// frozen. Errors: ErrNotFound, ErrOrderState, ErrTooManyAttempts, ErrHoldOver, ErrEventCancelled.
func (l *DB) PaymentBegin(ctx context.Context, order uuid.UUID, maxAttempts int32, until, now time.Time) (int32, error) {
	n, err := l.q.PaymentBegin(ctx, l.short, db.PaymentBeginParams{ID: order, MaxAttempts: maxAttempts, Until: until, Now: now})
	if err != nil {
		return 0, explain(err)
	}
	switch n {
	case -1:
		return 0, ErrNotFound
	case -2:
		return 0, ErrOrderState
	case -3:
		return 0, ErrTooManyAttempts
	case -4:
		return 0, ErrHoldOver
	case -5:
		return 0, ErrEventCancelled
	}
	return n, nil
}

// PaymentInsert keeps a payment that was created at its provider.
func (l *DB) PaymentInsert(ctx context.Context, p Payment) error {
	return explain(l.q.PaymentInsert(ctx, l.short, db.PaymentInsertParams{
		ID: p.ID, OrderID: p.OrderID, Attempt: p.Attempt, Provider: p.Provider, ProviderRef: p.ProviderRef, PayUrl: p.PayUrl, Key: p.Key, Amount: p.Amount, Currency: p.Currency,
	}))
}

// PaymentByRef finds a payment by the provider's name for it; ErrNotFound when it is not ours.
func (l *DB) PaymentByRef(ctx context.Context, provider, ref string) (Payment, error) {
	r, err := l.q.PaymentByRef(ctx, l.short, db.PaymentByRefParams{Provider: provider, ProviderRef: ref})
	if errors.Is(err, sql.ErrNoRows) {
		return Payment{}, ErrNotFound
	}
	return Payment(r), explain(err)
}

// PaymentNamed finds a payment by any name that its provider has for it, or by our id, and gives the name under which it is kept. What it is told by the way,
// which name belongs to which payment, it keeps. ErrNotFound when the payment is not ours.
func (l *DB) PaymentNamed(ctx context.Context, provider, name, also string, payment uuid.UUID) (string, error) {
	ref, err := l.q.PaymentNamed(ctx, l.short, db.PaymentNamedParams{Provider: provider, Name: name, Also: also, Payment: payment})
	if err == nil && ref == "" {
		err = ErrNotFound
	}
	return ref, explain(err)
}

// PaymentState sets the state of a payment that is not final yet.
func (l *DB) PaymentState(ctx context.Context, id uuid.UUID, state string, now time.Time) error {
	return explain(l.q.PaymentState(ctx, l.short, db.PaymentStateParams{ID: id, State: state, Now: now}))
}

// PaymentEventOutcome is what became of a provider's fact: applied, ignored, orphan or conflict; ErrNotFound when it was never told.
func (l *DB) PaymentEventOutcome(ctx context.Context, provider, eventID string) (outcome, detail string, err error) {
	r, err := l.q.PaymentEventResultGet(ctx, l.short, db.PaymentEventResultGetParams{Provider: provider, EventID: eventID})
	if errors.Is(err, sql.ErrNoRows) {
		return "", "", ErrNotFound
	}
	return r.Outcome, r.Detail, explain(err)
}

// OrphanRefunded posts that the captured money of a payment that we never knew went back.
func (l *DB) OrphanRefunded(ctx context.Context, provider, ref string, amount int64, currency string, now time.Time) error {
	return explain(l.q.OrphanRefunded(ctx, l.short, db.OrphanRefundedParams{Provider: provider, Ref: ref, Amount: amount, Currency: currency, Now: now}))
}
