package ledger

import (
	"context"
	"crypto/sha256"
	"errors"
	"time"

	"github.com/google/uuid"

	"ticketrush/ledger/db"
)

// PaymentFact is what a provider told, or answered when it was asked. It is kept whether or not it can be applied.
type PaymentFact struct {
	Provider string
	ID       string // unique at the provider
	Ref      string // the provider's name for the payment
	// Kind is of the payment (authorized, captured, failed, voided; refunded: all of it has gone back, however that came), of one refund (refund_sent,
	// refund_failed), or of a dispute (dispute_opened, dispute_won, dispute_lost).
	Kind     string
	Refund   uuid.UUID // which refund of ours it is about: its id, or the key that it was sent with; else zero
	Amount   int64     // minor units of Currency: the payment's, the refund's, or what is disputed
	Currency string
	At       time.Time
	Body     []byte // as it was received; its hash is kept for ever, itself as long as Retention.Webhooks says
}

// What became of a fact.
const (
	FactPaid          int16 = iota // the order is paid, now
	FactAlready                    // the order was paid by this payment
	FactNotPinned                  // a seat is not pinned to this attempt; the money goes back
	FactNotPaying                  // the order does not wait for this attempt; the money goes back
	FactOther                      // another payment paid the order; the money goes back
	FactFailed                     // the attempt has failed: the order waits for another, or has expired with its hold
	FactNothing                    // nothing follows
	FactOrphan                     // no payment of ours has this reference; the money goes back
	FactMismatch                   // another amount or currency than the order's; the money goes back
	FactRefundFailed               // a refund has failed: an alarm; it is sent again
	FactDisputed                   // a dispute was opened
	FactDisputeWon                 // the money is back
	FactDisputeLost                // the money is gone, the tickets are void
	FactRefundSent                 // a refund was sent
	FactRefundUnknown              // a refund that we did not decide: an alarm; its money is in suspense until people say what it was for
	FactLate                       // its order had ended: seats are looked for, else the money goes back
)

// factAgain is added to the verdict of a fact that was told and applied before.
const factAgain = 32

// FactVerdict is what became of one fact.
type FactVerdict struct {
	Code  int16 // a Fact…
	Again bool  // it was told and applied before
	Order uuid.UUID
}

// PaymentTake keeps facts and applies each once, by itself, all in one transaction: it is the commit point of sales. Of what does not pay its
// order, the call that gives the money back is committed with it.
func (l *DB) PaymentTake(ctx context.Context, facts []PaymentFact, now time.Time) ([]FactVerdict, error) {
	p := db.PaymentTakeParams{Now: now}
	for _, f := range facts {
		sum := sha256.Sum256(f.Body)
		if f.At.IsZero() {
			f.At = now
		}
		p.Providers = append(p.Providers, f.Provider)
		p.Ids = append(p.Ids, f.ID)
		p.Refs = append(p.Refs, f.Ref)
		p.Kinds = append(p.Kinds, f.Kind)
		p.Amounts = append(p.Amounts, f.Amount)
		p.Currencies = append(p.Currencies, f.Currency)
		p.Moments = append(p.Moments, f.At)
		p.Digests = append(p.Digests, sum[:])
		p.Bodies = append(p.Bodies, append([]byte{}, f.Body...)) // never nil: an array has no NULLs here
		p.Refunds = append(p.Refunds, f.Refund)
	}
	out, err := l.q.PaymentTake(ctx, l.short, p)
	if err != nil {
		return nil, explain(err)
	}
	const width = 1 + len(uuid.UUID{})
	if len(out) != width*len(facts) {
		return nil, errors.New("the ledger answered about another number of payment facts than it was told")
	}
	verdicts := make([]FactVerdict, len(facts))
	for i := range verdicts {
		entry := out[i*width : (i+1)*width]
		verdicts[i] = FactVerdict{Code: int16(entry[0] % factAgain), Again: entry[0] >= factAgain, Order: uuid.UUID(entry[1:])}
	}
	return verdicts, nil
}
