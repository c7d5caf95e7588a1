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
	Amount     int64 // minor units of Currency
	Currency   string
	ReturnUrl  string
	WebhookUrl string
	PayBy      time.Time // until when the shop waits
	State      string
	Refunded   int64  // minor units, part of Amount
	Refunds    string // what becomes of the next refund: send, refuse or fail
	Dispute    string // empty, opened, won or lost
}

// SandboxInsert opens a payment in the sandbox's books, in its state; a second time does nothing.
func (l *DB) SandboxInsert(ctx context.Context, p SandboxPayment) error {
	return explain(l.q.SandboxInsert(ctx, l.short, db.SandboxInsertParams{
		Ref: p.Ref, Payment: p.Payment, OrderID: p.OrderID, Amount: p.Amount, Currency: p.Currency, ReturnUrl: p.ReturnUrl, WebhookUrl: p.WebhookUrl, PayBy: p.PayBy, State: p.State,
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

// SandboxMoveMany moves payments of the sandbox from one of some states to another, in one commit, and names those that were in one of them.
func (l *DB) SandboxMoveMany(ctx context.Context, refs []string, to string, from ...string) (moved []string, err error) {
	moved, err = l.q.SandboxMoveMany(ctx, l.short, db.SandboxMoveManyParams{Refs: refs, ToState: to, FromStates: from})
	return moved, explain(err)
}

// SandboxNote is something for the outbox that is committed with a change in the sandbox's books. Payload is written as JSON.
type SandboxNote struct {
	Dedup, Topic string
	Payload      any
	Due          time.Time
}

// SandboxDecide moves a payment of the sandbox from one state to another, with a note, in one commit; false when it was not in that state.
func (l *DB) SandboxDecide(ctx context.Context, ref, from, to string, note SandboxNote) (bool, error) {
	body, err := json.Marshal(note.Payload)
	if err != nil {
		return false, err
	}
	n, err := l.q.SandboxDecide(ctx, l.short, db.SandboxDecideParams{FromState: from, ToState: to, Ref: ref, Dedup: note.Dedup, Topic: note.Topic, Payload: body, DueAt: note.Due})
	return n > 0, explain(err)
}

// SandboxDispute moves the dispute about captured money from one state to the next, with a note, in one commit; false when there is nothing to move.
func (l *DB) SandboxDispute(ctx context.Context, ref, from, to string, note SandboxNote) (bool, error) {
	body, err := json.Marshal(note.Payload)
	if err != nil {
		return false, err
	}
	n, err := l.q.SandboxDispute(ctx, l.short, db.SandboxDisputeParams{FromDispute: from, ToDispute: to, Ref: ref, Dedup: note.Dedup, Topic: note.Topic, Payload: body, DueAt: note.Due})
	return n > 0, explain(err)
}

// SandboxRefundsAre says what becomes of the next refunds of a payment: send, refuse or fail.
func (l *DB) SandboxRefundsAre(ctx context.Context, ref, what string) error {
	return explain(l.q.SandboxRefundsAre(ctx, l.short, db.SandboxRefundsAreParams{Ref: ref, Refunds: what}))
}

// What became of a refund at the sandbox.
const (
	SandboxRefundTaken int16 = iota
	SandboxRefundBefore
	SandboxRefundRefused
	SandboxRefundNoMoney // the payment has not so much captured money left
	SandboxRefundUnknown // no such payment
)

// SandboxRefund asks the sandbox for a refund, in minor units; id makes asking twice one refund. sent and failed are the bodies of the messages about
// it, of which one goes to the outbox.
func (l *DB) SandboxRefund(ctx context.Context, ref string, id uuid.UUID, amount int64, topic string, sent, failed any, due time.Time) (int16, error) {
	sentBody, err := json.Marshal(sent)
	if err != nil {
		return 0, err
	}
	failedBody, err := json.Marshal(failed)
	if err != nil {
		return 0, err
	}
	became, err := l.q.SandboxRefund(ctx, l.short, db.SandboxRefundParams{Ref: ref, ID: id, Amount: amount, Topic: topic, Sent: sentBody, Failed: failedBody, DueAt: due})
	return became, explain(err)
}
