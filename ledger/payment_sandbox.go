package ledger

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"time"

	"github.com/google/uuid"

	"ticketrush/ledger/db"
)

// SandboxPayment is a payment in the books of the built-in provider.
type SandboxPayment struct {
	Ref        string
	Payment    uuid.UUID
	OrderID    uuid.UUID
	Amount     int64
	Currency   string
	ReturnUrl  string
	WebhookUrl string
	State      string
}

// SandboxInsert opens a payment in the sandbox's books; a second time does nothing.
func (l *DB) SandboxInsert(ctx context.Context, p SandboxPayment) error {
	return explain(l.q.SandboxInsert(ctx, l.short, db.SandboxInsertParams{
		Ref: p.Ref, Payment: p.Payment, OrderID: p.OrderID, Amount: p.Amount, Currency: p.Currency, ReturnUrl: p.ReturnUrl, WebhookUrl: p.WebhookUrl,
	}))
}

// SandboxGet reads a payment of the sandbox; ErrNotFound when there is none.
func (l *DB) SandboxGet(ctx context.Context, ref string) (SandboxPayment, error) {
	r, err := l.q.SandboxGet(ctx, l.short, ref)
	if errors.Is(err, sql.ErrNoRows) {
		return SandboxPayment{}, ErrNotFound
	}
	return SandboxPayment(r), explain(err)
}

// SandboxMove moves a payment of the sandbox from one of some states to another; false when it is in none of them.
func (l *DB) SandboxMove(ctx context.Context, ref, to string, from ...string) (bool, error) {
	_, err := l.q.SandboxMove(ctx, l.short, db.SandboxMoveParams{Ref: ref, ToState: to, FromStates: from})
	if errors.Is(err, sql.ErrNoRows) {
		return false, nil
	}
	return err == nil, explain(err)
}

// SandboxDecide moves an open payment of the sandbox and notes the message about it for the outbox, in one commit; false when the payment was
// decided before.
func (l *DB) SandboxDecide(ctx context.Context, ref, to, dedup, topic string, payload any, due time.Time) (bool, error) {
	body, err := json.Marshal(payload)
	if err != nil {
		return false, err
	}
	n, err := l.q.SandboxDecide(ctx, l.short, db.SandboxDecideParams{ToState: to, Ref: ref, Dedup: dedup, Topic: topic, Payload: body, DueAt: due})
	return n > 0, explain(err)
}
