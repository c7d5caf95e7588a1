package order

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/google/uuid"
)

// Why a provider's message is refused.
var (
	// ErrSignature: the message is not from the provider, or too old.
	ErrSignature = errors.New("the signature of the payment provider's message does not fit")
	// ErrMessage: the message is signed but cannot be read.
	ErrMessage = errors.New("the payment provider's message cannot be read")
	// ErrDeclined: the provider refuses for good; asking again gives the same answer. A Provider wraps it.
	ErrDeclined = errors.New("the payment provider refuses")
)

// Intent is a payment to be created at a provider. ID is the idempotency key: the same intent twice is one payment.
type Intent struct {
	ID        uuid.UUID
	Order     uuid.UUID
	Attempt   int32
	Amount    int64 // minor units of Currency
	Currency  string
	ReturnURL string    // where the buyer goes after paying
	PayBy     time.Time // until when the order waits for this attempt; the same in each repetition
}

// Created is a payment at its provider.
type Created struct {
	Ref    string // the provider's name for it
	PayURL string // where the buyer pays
}

// Kinds of a provider's events, and states of a payment there. PaymentRefunded says that all of a payment has gone back.
const (
	PaymentCreated    = "created"
	PaymentAuthorized = "authorized"
	PaymentCaptured   = "captured"
	PaymentFailed     = "failed"
	PaymentVoided     = "voided"
	PaymentRefunded   = "refunded"
)

// Kinds of a provider's events that are no states of a payment: what became of one refund, and of a dispute. The amount is the refund's, or what
// is disputed.
const (
	RefundSent    = "refund_sent"
	RefundFailed  = "refund_failed"
	DisputeOpened = "dispute_opened"
	DisputeWon    = "dispute_won"
	DisputeLost   = "dispute_lost"
)

// Status is a payment as its provider knows it.
type Status struct {
	State    string // PaymentCreated …
	Amount   int64  // minor units of Currency
	Currency string
	Also     string // another name by which the provider tells of this payment; empty: none
}

// Message is one fact that a provider tells.
type Message struct {
	ID       string    // unique at the provider
	Ref      string    // a name of the payment at the provider: Created.Ref, or another
	Also     string    // one more name, which later messages may use; empty: none
	Payment  uuid.UUID // our id of the payment, where the provider keeps it; else uuid.Nil
	Shared   bool      // what names no payment of ours is somebody else's at the same account, and is left alone
	Kind     string    // PaymentAuthorized … or RefundSent …
	Refund   uuid.UUID // of RefundSent and RefundFailed: the refund that it is about; uuid.Nil when it was not made by us
	Amount   int64     // minor units of Currency
	Currency string
	At       time.Time
}

// Provider takes payments: authorise, then capture once the seats are sold, so that money is taken for sold seats only. Every call may be
// repeated with the same effect. An error that wraps ErrDeclined is final; any other means that the outcome is not known.
type Provider interface {
	Name() string
	Create(ctx context.Context, intent Intent) (Created, error)
	// Capture takes the authorised amount.
	Capture(ctx context.Context, ref string, amount int64) error
	// Void gives an authorisation back; what was never authorised cannot be paid any more after it.
	Void(ctx context.Context, ref string) error
	// Refund sends back money that was captured; id is its idempotency key.
	Refund(ctx context.Context, ref string, id uuid.UUID, amount int64) error
	// Status is what the provider knows of a payment.
	Status(ctx context.Context, ref string) (Status, error)
	// Verify checks the signature over the raw body and reads the messages in it. Errors: ErrSignature, ErrMessage.
	Verify(body []byte, header http.Header, now time.Time) ([]Message, error)
}

// Deferring is a provider that puts calls of its own into the outbox, under topics that begin with its name and a hyphen.
type Deferring interface {
	// Deferred makes such a call. With an error it is made again.
	Deferred(ctx context.Context, topic string, payload []byte, now time.Time) error
}
