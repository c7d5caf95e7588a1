package ledger

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/json"
	"errors"
	"time"

	"github.com/google/uuid"
	"github.com/sqlc-dev/pqtype"

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
)

// PaymentBegin turns a pending order into a paying one and returns the number of the attempt. From here the order's lines and its hold are
// frozen. Errors: ErrNotFound, ErrOrderState, ErrTooManyAttempts.
func (l *DB) PaymentBegin(ctx context.Context, order uuid.UUID, maxAttempts int32, until, now time.Time) (int32, error) {
	n, err := l.q.PaymentBegin(ctx, l.pool, db.PaymentBeginParams{ID: order, MaxAttempts: maxAttempts, Until: until, Now: now})
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
	}
	return n, nil
}

// PaymentInsert keeps a payment that was created at its provider.
func (l *DB) PaymentInsert(ctx context.Context, p Payment) error {
	return explain(l.q.PaymentInsert(ctx, l.pool, db.PaymentInsertParams{
		ID: p.ID, OrderID: p.OrderID, Attempt: p.Attempt, Provider: p.Provider, ProviderRef: p.ProviderRef, PayUrl: p.PayUrl, Amount: p.Amount, Currency: p.Currency,
	}))
}

// PaymentByRef finds a payment by the provider's name for it; ErrNotFound when it is not ours.
func (l *DB) PaymentByRef(ctx context.Context, provider, ref string) (Payment, error) {
	r, err := l.q.PaymentByRef(ctx, l.pool, db.PaymentByRefParams{Provider: provider, ProviderRef: ref})
	if errors.Is(err, sql.ErrNoRows) {
		return Payment{}, ErrNotFound
	}
	return Payment(r), explain(err)
}

// PaymentState sets the state of a payment that is not final yet.
func (l *DB) PaymentState(ctx context.Context, id uuid.UUID, state string, now time.Time) error {
	return explain(l.q.PaymentState(ctx, l.pool, db.PaymentStateParams{ID: id, State: state, Now: now}))
}

// PaymentEvent is what a provider told. It is kept whether or not it can be applied.
type PaymentEvent struct {
	Provider    string
	EventID     string
	ProviderRef string
	Kind        string // authorized, captured, failed, voided, refunded
	Amount      int64
	Currency    string
	At          time.Time
	Body        []byte // as it was received; only its hash is kept here
}

// PaymentEventInsert keeps a provider's event. It says false when the event was kept before.
func (l *DB) PaymentEventInsert(ctx context.Context, e PaymentEvent) (bool, error) {
	sum := sha256.Sum256(e.Body)
	_, err := l.q.PaymentEventInsert(ctx, l.pool, db.PaymentEventInsertParams{
		Provider: e.Provider, EventID: e.EventID, ProviderRef: e.ProviderRef, Kind: e.Kind, Amount: sql.NullInt64{Int64: e.Amount, Valid: true},
		Currency: sql.NullString{String: e.Currency, Valid: e.Currency != ""}, ProviderAt: nullTime(e.At), Payload: pqtype.NullRawMessage{}, PayloadSha256: sum[:],
	})
	if errors.Is(err, sql.ErrNoRows) {
		return false, nil
	}
	return err == nil, explain(err)
}

// PaymentEventResult writes down what became of an event: applied, ignored, orphan or conflict. The first result stands.
func (l *DB) PaymentEventResult(ctx context.Context, provider, eventID, outcome, detail string) error {
	return explain(l.q.PaymentEventResult(ctx, l.pool, db.PaymentEventResultParams{Provider: provider, EventID: eventID, Outcome: outcome, Detail: detail}))
}

// PaymentEventOutcome is what became of an event; ErrNotFound when nothing has yet.
func (l *DB) PaymentEventOutcome(ctx context.Context, provider, eventID string) (string, error) {
	r, err := l.q.PaymentEventResultGet(ctx, l.pool, db.PaymentEventResultGetParams{Provider: provider, EventID: eventID})
	if errors.Is(err, sql.ErrNoRows) {
		return "", ErrNotFound
	}
	return r.Outcome, explain(err)
}

// OutboxJob is a call to be made.
type OutboxJob struct {
	ID       int64
	Topic    string
	Payload  json.RawMessage
	Attempts int32
}

// OutboxAdd notes a call to be made, once for each dedup key.
func (l *DB) OutboxAdd(ctx context.Context, dedup, topic string, payload any, due time.Time) error {
	body, err := json.Marshal(payload)
	if err != nil {
		return err
	}
	return explain(l.q.OutboxInsert(ctx, l.pool, db.OutboxInsertParams{Dedup: dedup, Topic: topic, Payload: body, DueAt: due}))
}

// OutboxTake takes calls that are due. Each is put off by a growing time, so that a crash or a failure only delays it.
func (l *DB) OutboxTake(ctx context.Context, limit int32, now time.Time) ([]OutboxJob, error) {
	rows, err := l.q.OutboxTake(ctx, l.pool, db.OutboxTakeParams{Count: limit, Now: now})
	if err != nil {
		return nil, explain(err)
	}
	jobs := make([]OutboxJob, 0, len(rows))
	for _, r := range rows {
		jobs = append(jobs, OutboxJob{ID: r.ID, Topic: r.Topic, Payload: r.Payload, Attempts: r.Attempts})
	}
	return jobs, nil
}

// OutboxDone ends a job.
func (l *DB) OutboxDone(ctx context.Context, id int64, now time.Time) error {
	return explain(l.q.OutboxDone(ctx, l.pool, db.OutboxDoneParams{ID: id, Now: now}))
}

// OutboxFailed writes down why a job failed; after maxAttempts it is dead and waits for people.
func (l *DB) OutboxFailed(ctx context.Context, id int64, cause error, maxAttempts int32, now time.Time) error {
	return explain(l.q.OutboxFailed(ctx, l.pool, db.OutboxFailedParams{ID: id, Error: cause.Error(), MaxAttempts: maxAttempts, Now: now}))
}

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
	return explain(l.q.SandboxInsert(ctx, l.pool, db.SandboxInsertParams{
		Ref: p.Ref, Payment: p.Payment, OrderID: p.OrderID, Amount: p.Amount, Currency: p.Currency, ReturnUrl: p.ReturnUrl, WebhookUrl: p.WebhookUrl,
	}))
}

// SandboxGet reads a payment of the sandbox; ErrNotFound when there is none.
func (l *DB) SandboxGet(ctx context.Context, ref string) (SandboxPayment, error) {
	r, err := l.q.SandboxGet(ctx, l.pool, ref)
	if errors.Is(err, sql.ErrNoRows) {
		return SandboxPayment{}, ErrNotFound
	}
	return SandboxPayment(r), explain(err)
}

// SandboxMove moves a payment of the sandbox from one of some states to another; false when it is in none of them.
func (l *DB) SandboxMove(ctx context.Context, ref, to string, from ...string) (bool, error) {
	_, err := l.q.SandboxMove(ctx, l.pool, db.SandboxMoveParams{Ref: ref, ToState: to, FromStates: from})
	if errors.Is(err, sql.ErrNoRows) {
		return false, nil
	}
	return err == nil, explain(err)
}
