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
	Webhooks time.Duration // the bytes that providers sent, since they came
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

// Retain ends what is past its time, at most a number of rows of each kind. Several nodes may do it at once. Keys of requests have the end that was written
// with them.
func (l *DB) Retain(ctx context.Context, keep Retention, most int32, now time.Time) (Ended, error) {
	ended := Ended{}
	var failed error
	for _, kind := range []struct {
		name string
		end  func() (int64, error)
	}{
		{"payment_event_bodies", func() (int64, error) {
			return l.q.BodiesEnd(ctx, l.short, db.BodiesEndParams{Before: now.Add(-keep.Webhooks), Count: most})
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

// What is still needed is not erased unless it is forced.
var (
	// ErrOrderLives: its tickets are to let somebody in, or money is under way.
	ErrOrderLives = errors.New("the order is still needed")
	// ErrTicketLives: it is to let somebody in.
	ErrTicketLives = errors.New("the ticket is still needed")
)

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
			return fmt.Errorf("%w: it is %s, and its event begins %s", ErrOrderLives, OrderStateName(rows[0].State), rows[0].StartsAt.UTC().Format(time.RFC3339))
		}
		return l.eraseKinds(ctx, tx, erased, who, "order "+order.String(), []erasure{
			{"ticket_holders", func() (int64, error) {
				return l.q.HoldersErase(ctx, tx, db.HoldersEraseParams{OrderID: order, Now: now})
			}},
			{"payment_event_bodies", func() (int64, error) { return l.q.BodiesErase(ctx, tx, order) }},
			{"outbox", func() (int64, error) { return l.q.OutboxMessagesErase(ctx, tx, order) }},
			{"sandbox_payments", func() (int64, error) { return l.q.ReturnAddressesForget(ctx, tx, order) }},
			{"tickets", func() (int64, error) { return l.q.OwnersForget(ctx, tx, order) }},
			{"orders", func() (int64, error) { return l.q.OrderForget(ctx, tx, order) }},
		})
	})
	return erased, err
}

// EraseTicket takes the personal data of a ticket's owner out of the ledger, in one transaction: the names and documents of the ticket and of those before and
// after it that are the same owner's, and the pseudonym of the account that it was given to. What the buyer of its order has stays, as does what earlier and
// later owners have. No hashed and no append-only row is touched. What was erased goes into the audit log by count. force erases what is still needed.
// Errors: ErrNotFound, ErrTicketLives.
func (l *DB) EraseTicket(ctx context.Context, ticket uuid.UUID, who string, force bool, now time.Time) (Ended, error) {
	erased := Ended{}
	err := l.inTx(ctx, func(tx *sql.Tx) error {
		rows, err := l.q.TicketToErase(ctx, tx, ticket)
		switch {
		case err != nil:
			return err
		case len(rows) == 0:
			return ErrNotFound
		case !force && rows[0].Live && now.Before(rows[0].StartsAt):
			return fmt.Errorf("%w: its event begins %s", ErrTicketLives, rows[0].StartsAt.UTC().Format(time.RFC3339))
		}
		return l.eraseKinds(ctx, tx, erased, who, "ticket "+ticket.String(), []erasure{
			{"ticket_holders", func() (int64, error) {
				return l.q.HolderErase(ctx, tx, db.HolderEraseParams{Ticket: ticket, Now: now})
			}},
			{"tickets", func() (int64, error) { return l.q.OwnerForget(ctx, tx, ticket) }},
		})
	})
	return erased, err
}

// TicketsOfOwner are the tickets that were given to an account, by its pseudonym.
func (l *DB) TicketsOfOwner(ctx context.Context, owner string) ([]uuid.UUID, error) {
	ids, err := l.q.TicketsOfOwner(ctx, l.short, owner)
	return ids, explain(err)
}

// erasure is one kind of personal data, and what erases it.
type erasure struct {
	kind  string
	erase func() (int64, error)
}

// eraseKinds erases, counts, and writes the counts to the audit log.
func (l *DB) eraseKinds(ctx context.Context, tx *sql.Tx, erased Ended, who, subject string, kinds []erasure) (err error) {
	for _, k := range kinds {
		if erased[k.kind], err = k.erase(); err != nil {
			return fmt.Errorf("erase in %s: %w", k.kind, err)
		}
	}
	detail, err := json.Marshal(erased)
	if err != nil {
		return err
	}
	return l.q.AuditInsert(ctx, tx, db.AuditInsertParams{
		Actor: who, Action: "privacy.erase", Subject: subject, Detail: pqtype.NullRawMessage{RawMessage: detail, Valid: true},
	})
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
