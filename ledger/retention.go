package ledger

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/sqlc-dev/pqtype"

	"ticketrush/ledger/db"
)

// Retention says how long personal data are kept that nobody has asked to erase. What it names ends by itself.
type Retention struct {
	ClientIP time.Duration // of an order, since it was opened
	Names    time.Duration // of ticket holders, since their event began
	Messages time.Duration // of the sandbox's bank, since they were told
}

// Ended is how many rows of each kind have ended.
type Ended map[string]int64

// More says that there may be more to end: some kind has ended as many as it may at once.
func (e Ended) More(most int32) bool {
	for _, n := range e {
		if n >= int64(most) {
			return true
		}
	}
	return false
}

// Retain ends what is past its time, at most a number of rows of each kind. Several nodes may do it at once. Raw messages of providers have the end that was
// written with them, keys of requests theirs.
func (l *DB) Retain(ctx context.Context, keep Retention, most int32, now time.Time) (Ended, error) {
	ended := Ended{}
	var failed error
	for _, kind := range []struct {
		name string
		end  func() (int64, error)
	}{
		{"payment_event_bodies", func() (int64, error) {
			return l.q.BodiesEnd(ctx, l.short, db.BodiesEndParams{Now: now, Count: most})
		}},
		{"idempotency", func() (int64, error) {
			return l.q.IdempotencyEnd(ctx, l.short, db.IdempotencyEndParams{Now: now, Count: most})
		}},
		{"outbox", func() (int64, error) {
			return l.q.OutboxMessagesEnd(ctx, l.short, db.OutboxMessagesEndParams{Before: now.Add(-keep.Messages), Count: most})
		}},
		{"waitlist", func() (int64, error) {
			return l.q.WaitlistEnd(ctx, l.short, db.WaitlistEndParams{Now: now, Count: most})
		}},
		{"client_ip", func() (int64, error) {
			return l.q.ClientAddressesEnd(ctx, l.short, db.ClientAddressesEndParams{Before: now.Add(-keep.ClientIP), Count: most})
		}},
		{"ticket_holders", func() (int64, error) {
			return l.q.HoldersExpire(ctx, l.short, db.HoldersExpireParams{Before: now.Add(-keep.Names), Count: most, Now: now})
		}},
	} {
		n, err := kind.end()
		ended[kind.name] = n
		if err != nil {
			failed = errors.Join(failed, fmt.Errorf("end what is past its time in %s: %w", kind.name, explain(err)))
		}
	}
	return ended, failed
}

// ErrOrderLives says that an order is still needed: its tickets are to let somebody in, or money is under way.
var ErrOrderLives = errors.New("the order is still needed")

// OrdersOfBuyer are the orders of a pseudonym.
func (l *DB) OrdersOfBuyer(ctx context.Context, buyer string) (orders []uuid.UUID, err error) {
	rows, err := l.q.OrdersOfBuyer(ctx, l.short, buyer)
	for _, r := range rows {
		orders = append(orders, r.ID)
	}
	return orders, explain(err)
}

// Erase takes the personal data of an order out of the ledger, in one transaction: the names and documents of its tickets, the raw messages about its
// payments, the client's address, and the pseudonym that ties it to the buyer's other orders. No hashed and no append-only row is touched, so the ledger adds
// up as before. What was erased goes into the audit log by count. force erases what is still needed. Errors: ErrNotFound, ErrOrderLives.
func (l *DB) Erase(ctx context.Context, order uuid.UUID, who string, force bool, now time.Time) (Ended, error) {
	erased := Ended{}
	err := l.inTx(ctx, func(tx *sql.Tx) error {
		rows, err := l.q.OrderToErase(ctx, tx, order)
		switch {
		case err != nil:
			return err
		case len(rows) == 0:
			return ErrNotFound
		case !force && lives(rows[0].State, rows[0].StartsAt, now):
			return fmt.Errorf("%w: it is %s, and its event begins %s", ErrOrderLives, orderState(rows[0].State), rows[0].StartsAt.UTC().Format(time.RFC3339))
		}
		for _, kind := range []struct {
			name  string
			erase func() (int64, error)
		}{
			{"ticket_holders", func() (int64, error) {
				return l.q.HoldersErase(ctx, tx, db.HoldersEraseParams{OrderID: order, Now: now})
			}},
			{"payment_event_bodies", func() (int64, error) { return l.q.BodiesErase(ctx, tx, order) }},
			{"outbox", func() (int64, error) { return l.q.OutboxMessagesErase(ctx, tx, order) }},
			{"sandbox_payments", func() (int64, error) { return l.q.ReturnAddressesForget(ctx, tx, order) }},
			{"tickets", func() (int64, error) { return l.q.OwnersForget(ctx, tx, order) }},
			{"orders", func() (int64, error) { return l.q.OrderForget(ctx, tx, order) }},
		} {
			if erased[kind.name], err = kind.erase(); err != nil {
				return fmt.Errorf("erase in %s: %w", kind.name, err)
			}
		}
		detail, err := json.Marshal(erased)
		if err != nil {
			return err
		}
		return l.q.AuditInsert(ctx, tx, db.AuditInsertParams{
			Actor: who, Action: "privacy.erase", Subject: "order " + order.String(), Detail: pqtype.NullRawMessage{RawMessage: detail, Valid: true},
		})
	})
	return erased, err
}

// lives says that an order waits for money, or that its tickets are still to let somebody in.
func lives(state int16, starts, now time.Time) bool {
	switch state {
	case OrderExpired, OrderCancelled, OrderRefunded:
		return false
	case OrderIssued:
		return now.Before(starts)
	}
	return true
}
