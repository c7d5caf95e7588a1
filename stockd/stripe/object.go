package stripe

import (
	"bytes"
	"encoding/json"
	"strings"

	"github.com/google/uuid"
)

// Names of the metadata that everything of ours carries.
const (
	metaCluster = "ticketrush_cluster"
	metaOrder   = "ticketrush_order"
	metaPayment = "ticketrush_payment"
	metaRefund  = "ticketrush_refund"
)

// metadata is what we have written on an object.
type metadata map[string]string

// payment is our id of the payment; uuid.Nil when there is none.
func (m metadata) payment() uuid.UUID { return parsed(m[metaPayment]) }

// refund is our id of the refund; uuid.Nil when there is none.
func (m metadata) refund() uuid.UUID { return parsed(m[metaRefund]) }

func parsed(text string) uuid.UUID {
	id, err := uuid.Parse(text)
	if err != nil {
		return uuid.Nil
	}
	return id
}

// expandable is an object that stands in another one: as it is where it was asked for, else by its id, or null.
type expandable[T any] struct {
	ID     string
	Object *T
}

// UnmarshalJSON reads either.
func (e *expandable[T]) UnmarshalJSON(text []byte) error {
	if bytes.HasPrefix(text, []byte{'"'}) || bytes.Equal(text, []byte("null")) {
		return json.Unmarshal(text, &e.ID)
	}
	var named struct {
		ID string `json:"id"`
	}
	if err := json.Unmarshal(text, &named); err != nil {
		return err
	}
	e.ID = named.ID
	return json.Unmarshal(text, &e.Object)
}

// session is a Checkout Session. Its PaymentIntent is null until the buyer begins to pay.
type session struct {
	ID            string             `json:"id"`
	URL           string             `json:"url"`
	Status        string             `json:"status"` // open, complete, expired
	PaymentStatus string             `json:"payment_status"`
	AmountTotal   int64              `json:"amount_total"`
	Currency      string             `json:"currency"`
	Metadata      metadata           `json:"metadata"`
	Intent        expandable[intent] `json:"payment_intent"`
}

// intent is a PaymentIntent.
type intent struct {
	ID               string             `json:"id"`
	Status           string             `json:"status"` // requires_payment_method, requires_confirmation, requires_action, processing, requires_capture, canceled, succeeded
	Amount           int64              `json:"amount"`
	AmountCapturable int64              `json:"amount_capturable"`
	AmountReceived   int64              `json:"amount_received"`
	Currency         string             `json:"currency"`
	Metadata         metadata           `json:"metadata"`
	Charge           expandable[charge] `json:"latest_charge"`
}

// charge is money that was taken.
type charge struct {
	ID             string             `json:"id"`
	Intent         expandable[intent] `json:"payment_intent"`
	Amount         int64              `json:"amount"`
	AmountRefunded int64              `json:"amount_refunded"`
	Refunded       bool               `json:"refunded"` // all of it
	Currency       string             `json:"currency"`
	Metadata       metadata           `json:"metadata"`
}

// refund is money that goes back.
type refund struct {
	ID       string             `json:"id"`
	Intent   expandable[intent] `json:"payment_intent"`
	Status   string             `json:"status"` // pending, requires_action, succeeded, failed, canceled
	Amount   int64              `json:"amount"`
	Currency string             `json:"currency"`
	Metadata metadata           `json:"metadata"`
}

// dead says that nothing goes back by this refund.
func (r *refund) dead() bool { return r.Status == "failed" || r.Status == "canceled" }

// dispute is a chargeback, or, with a status warning_…, a question that has moved no money.
type dispute struct {
	ID       string             `json:"id"`
	Intent   expandable[intent] `json:"payment_intent"`
	Status   string             `json:"status"`
	Amount   int64              `json:"amount"`
	Currency string             `json:"currency"`
}

// asked says that no money was moved.
func (d *dispute) asked() bool { return strings.HasPrefix(d.Status, "warning_") }
