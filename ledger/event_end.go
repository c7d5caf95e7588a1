package ledger

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"

	"ticketrush/ledger/db"
)

// Why an event cannot end as it is asked to.
var (
	ErrEventHeld     = errors.New("the event took place: its revenue was recognised")
	ErrEventNotBegun = errors.New("the event has not begun")
	ErrEventOnSale   = errors.New("the event is not closed yet")
)

// MassRefund is how far it is to give everybody their money back.
type MassRefund struct {
	ID         uuid.UUID
	Reason     string
	Actor      string
	BegunAt    time.Time
	FinishedAt time.Time // zero until nothing of the event is paid for, or may still be
	Currency   string
	Open       int64 // orders that are paid, or may still be, or whose money is on its way
	Refunds    int64 // decided
	Amount     int64 // of them, minor units of Currency
	Sent       int64
	AmountSent int64
	Failed     int64 // of those that were decided: their provider could not send them, and is asked again
}

// EventCancel closes an event for good and begins its mass refund, which the order service works off. mass names it; a second call says again.
// Errors: ErrNotFound, ErrEventHeld.
func (l *DB) EventCancel(ctx context.Context, event int32, mass uuid.UUID, reason, actor string, now time.Time) (again bool, err error) {
	code, err := l.q.EventCancel(ctx, l.short, db.EventCancelParams{Event: event, Mass: mass, Reason: reason, Actor: actor, Now: now})
	switch {
	case err != nil:
		return false, explain(err)
	case code == -1:
		return false, ErrNotFound
	case code == 2:
		return false, ErrEventHeld
	}
	return code == 1, nil
}

// EventPostpone moves an event to another date; refundsUntil is until when buyers may give their tickets back by themselves, zero leaves it. A second
// call says again. Errors: ErrNotFound, ErrEventCancelled, ErrEventHeld.
func (l *DB) EventPostpone(ctx context.Context, event int32, startsAt, refundsUntil time.Time) (again bool, err error) {
	code, err := l.q.EventPostpone(ctx, l.short, db.EventPostponeParams{Event: event, StartsAt: startsAt, RefundsUntil: nullTime(refundsUntil)})
	switch {
	case err != nil:
		return false, explain(err)
	case code == -1:
		return false, ErrNotFound
	case code == 2:
		return false, ErrEventCancelled
	case code == 3:
		return false, ErrEventHeld
	}
	return code == 1, nil
}

// EventRecognise posts what was earned with an event that took place: to its organiser, or as revenue of the house. posted is false when there was
// nothing to post. Errors: ErrNotFound, ErrEventCancelled, ErrEventNotBegun, ErrEventOnSale.
func (l *DB) EventRecognise(ctx context.Context, event int32, now time.Time) (posted bool, err error) {
	code, err := l.q.EventRecognise(ctx, l.short, db.EventRecogniseParams{Event: event, Now: now})
	if err != nil {
		return false, explain(err)
	}
	switch code {
	case 0, 1:
		return code == 0, nil
	case 2:
		return false, ErrEventCancelled
	case 3:
		return false, ErrEventNotBegun
	case 4:
		return false, ErrEventOnSale
	}
	return false, ErrNotFound
}

// MassRefundsOpen are the mass refunds that have not finished.
func (l *DB) MassRefundsOpen(ctx context.Context) ([]uuid.UUID, error) {
	ids, err := l.q.MassRefundsOpen(ctx, l.short)
	return ids, explain(err)
}

// MassRefundStep decides the refunds of the next orders, in one transaction, and returns where it stopped; uuid.Nil: there are no more, or somebody
// else is at it.
func (l *DB) MassRefundStep(ctx context.Context, mass, after uuid.UUID, limit int32, now time.Time) (uuid.UUID, error) {
	last, err := l.q.MassRefundStep(ctx, l.short, db.MassRefundStepParams{Mass: mass, After: after, Count: limit, Now: now})
	return last, explain(err)
}

// MassRefundGet reads the mass refund of an event; ErrNotFound when it was not cancelled.
func (l *DB) MassRefundGet(ctx context.Context, event int32) (MassRefund, error) {
	r, err := l.q.MassRefundGet(ctx, l.short, event)
	if errors.Is(err, sql.ErrNoRows) {
		return MassRefund{}, ErrNotFound
	}
	return MassRefund{
		ID: r.ID, Reason: r.Reason, Actor: r.Actor, BegunAt: r.BegunAt, FinishedAt: r.FinishedAt.Time, Currency: r.Currency, Open: r.Open,
		Refunds: r.Refunds, Amount: r.Amount, Sent: r.Sent, AmountSent: r.AmountSent, Failed: r.Failed,
	}, explain(err)
}

// Organiser is what belongs to one, in minor units of Currency.
type Organiser struct {
	Organiser  string `json:"organiser"`
	Currency   string `json:"currency"`
	Recognised int64  `json:"recognised"` // of events that took place
	Refunded   int64  `json:"refunded"`   // of it, since
	PaidOut    int64  `json:"paid_out"`
	Owed       int64  `json:"owed"` // the rest; below zero after refunds of what was paid out
}

// Organisers lists what belongs to whom.
func (l *DB) Organisers(ctx context.Context) ([]Organiser, error) {
	rows, err := l.q.OrganiserList(ctx, l.short)
	out := make([]Organiser, 0, len(rows))
	for _, r := range rows {
		out = append(out, Organiser(r))
	}
	return out, explain(err)
}

// Why a payout is not recorded.
var (
	ErrPayoutTooMuch = errors.New("more than is owed")
	ErrPayoutReused  = errors.New("the reference was used for another payout")
)

// Payout is money that was sent to an organiser. Reference is the bank transfer's: an organiser has each once.
type Payout struct {
	Organiser string
	Currency  string
	Amount    int64 // minor units of Currency
	Reference string
	Actor     string
}

// PayoutRecord posts a payout; the same again says so. Errors: ErrPayoutTooMuch, ErrPayoutReused.
func (l *DB) PayoutRecord(ctx context.Context, p Payout, now time.Time) (again bool, err error) {
	id, err := uuid.NewV7()
	if err != nil {
		return false, err
	}
	code, err := l.q.PayoutRecord(ctx, l.short, db.PayoutRecordParams{
		ID: id, Organiser: p.Organiser, Currency: p.Currency, Amount: p.Amount, Reference: p.Reference, Actor: p.Actor, Now: now,
	})
	switch {
	case err != nil:
		return false, explain(err)
	case code == 2:
		return false, ErrPayoutReused
	case code == 3:
		return false, ErrPayoutTooMuch
	}
	return code == 1, nil
}

// EventNumber finds an event by its slug, with its organiser, "" for the house; ErrNotFound when there is none.
func (l *DB) EventNumber(ctx context.Context, slug string) (number int32, organiser string, err error) {
	r, err := l.q.EventBySlug(ctx, l.short, slug)
	if errors.Is(err, sql.ErrNoRows) {
		return 0, "", fmt.Errorf("event %q: %w", slug, ErrNotFound)
	}
	return r.ID, r.Organiser, explain(err)
}
