package stripe

import (
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	"github.com/google/uuid"

	"ticketrush/stockd/order"
)

// Kinds of facts from which nothing follows for an order; they are kept, because they tell its story.
const (
	kindCompleted = "checkout_completed" // the buyer is through; the PaymentIntent says what came of it
	kindDeclined  = "card_declined"      // one card was: the buyer may try another on the same page
	kindPart      = "refunded_in_part"   // the refunds tell the amounts
	kindPending   = "refund_pending"
	kindAsked     = "dispute_asked" // a question of the bank's, which has moved no money
)

// event is what a webhook tells.
type event struct {
	ID      string `json:"id"`
	Type    string `json:"type"`
	Created int64  `json:"created"`
	Data    struct {
		Object json.RawMessage `json:"object"`
	} `json:"data"`
}

// Verify checks the signature over the raw body and reads the message in it. Types that nothing here wants to know are accepted, and no message.
func (p *Provider) Verify(body []byte, header http.Header, now time.Time) ([]order.Message, error) {
	if err := checkSignature(p.secrets, header.Get(signatureHeader), body, now); err != nil {
		return nil, err
	}
	m, err := readEvent(body, p.config.Cluster)
	if err != nil || m == nil {
		return nil, err
	}
	return []order.Message{*m}, nil
}

// readEvent reads an event. Nil: it is about nothing of ours, or of no interest.
func readEvent(body []byte, cluster string) (*order.Message, error) {
	var e event
	if err := json.Unmarshal(body, &e); err != nil {
		return nil, fmt.Errorf("%w: %w", order.ErrMessage, err)
	}
	if e.ID == "" || e.Type == "" {
		return nil, fmt.Errorf("%w: it has no id or no type", order.ErrMessage)
	}
	read := readers[e.Type]
	if read == nil {
		return nil, nil //nolint:nilnil // no message and no mistake: most of what Stripe tells is of no interest here
	}
	m, meta, err := read(e.Type, e.Data.Object)
	if err != nil {
		return nil, fmt.Errorf("%w: %s of type %s: %w", order.ErrMessage, e.ID, e.Type, err)
	}
	if foreign := meta[metaCluster]; foreign != "" && foreign != cluster || m.Ref == "" {
		return nil, nil //nolint:nilnil // another system's
	}
	if m.ID == "" {
		m.ID = e.ID
	}
	m.At = time.Unix(e.Created, 0)
	if meta[metaCluster] == cluster {
		m.Payment = meta.payment()
	}
	m.Shared = m.Payment == uuid.Nil
	m.Amount, m.Currency = fromStripe(m.Amount, m.Currency)
	return &m, nil
}

// reader reads the object of an event of one type: the message, with Stripe's amount, and what we had written on the object.
type reader func(kind string, object []byte) (order.Message, metadata, error)

var readers = map[string]reader{
	"checkout.session.completed":               readSession,
	"checkout.session.async_payment_succeeded": readSession,
	"checkout.session.async_payment_failed":    readSession,
	"checkout.session.expired":                 readSession,
	"payment_intent.amount_capturable_updated": readIntent,
	"payment_intent.succeeded":                 readIntent,
	"payment_intent.payment_failed":            readIntent,
	"payment_intent.canceled":                  readIntent,
	"charge.refunded":                          readCharge,
	"refund.created":                           readRefund,
	"refund.updated":                           readRefund,
	"refund.failed":                            readRefund,
	"charge.refund.updated":                    readRefund,
	"charge.dispute.created":                   readDispute,
	"charge.dispute.funds_withdrawn":           readDispute,
	"charge.dispute.closed":                    readDispute,
}

func readSession(kind string, object []byte) (m order.Message, meta metadata, err error) {
	var s session
	if err = json.Unmarshal(object, &s); err != nil {
		return m, nil, err
	}
	m = order.Message{Ref: s.ID, Also: s.Intent.ID, Kind: kindCompleted, Amount: s.AmountTotal, Currency: s.Currency}
	if kind == "checkout.session.expired" || kind == "checkout.session.async_payment_failed" {
		m.Kind = order.PaymentFailed
	}
	return m, s.Metadata, nil
}

func readIntent(kind string, object []byte) (m order.Message, meta metadata, err error) {
	var i intent
	if err = json.Unmarshal(object, &i); err != nil {
		return m, nil, err
	}
	m = order.Message{Ref: i.ID, Kind: kindDeclined, Amount: i.Amount, Currency: i.Currency}
	switch {
	case kind == "payment_intent.succeeded":
		m.Kind, m.Amount = order.PaymentCaptured, i.AmountReceived
	case kind == "payment_intent.canceled":
		m.Kind = order.PaymentFailed
	case kind == "payment_intent.amount_capturable_updated" && i.Status == "requires_capture":
		m.Kind, m.Amount = order.PaymentAuthorized, i.AmountCapturable
	case kind == "payment_intent.amount_capturable_updated":
		m.Kind = kindCompleted // it was captured or canceled meanwhile, which has an event of its own
	}
	return m, i.Metadata, nil
}

func readCharge(_ string, object []byte) (m order.Message, meta metadata, err error) {
	var c charge
	if err = json.Unmarshal(object, &c); err != nil {
		return m, nil, err
	}
	m = order.Message{Ref: c.Intent.ID, Kind: kindPart, Amount: c.AmountRefunded, Currency: c.Currency}
	if c.Refunded {
		m.Kind = order.PaymentRefunded
	}
	return m, c.Metadata, nil
}

// readRefund names the fact by the refund: the same is told by several events.
func readRefund(_ string, object []byte) (m order.Message, meta metadata, err error) {
	var r refund
	if err = json.Unmarshal(object, &r); err != nil {
		return m, nil, err
	}
	m = order.Message{Ref: r.Intent.ID, Kind: kindPending, Refund: r.Metadata.refund(), Amount: r.Amount, Currency: r.Currency}
	switch {
	case r.Status == "succeeded":
		m.Kind = order.RefundSent
	case r.dead():
		m.Kind = order.RefundFailed
	}
	if r.ID != "" {
		m.ID = r.ID + ":" + m.Kind
	}
	return m, r.Metadata, nil
}

// readDispute names the fact by the dispute: that it was opened is told when it is, and when money was moved.
func readDispute(kind string, object []byte) (m order.Message, meta metadata, err error) {
	var d dispute
	if err = json.Unmarshal(object, &d); err != nil {
		return m, nil, err
	}
	m = order.Message{Ref: d.Intent.ID, Kind: kindAsked, Amount: d.Amount, Currency: d.Currency}
	switch {
	case kind == "charge.dispute.closed" && d.Status == "won":
		m.Kind = order.DisputeWon
	case kind == "charge.dispute.closed" && d.Status == "lost":
		m.Kind = order.DisputeLost
	case kind != "charge.dispute.closed" && !d.asked():
		m.Kind = order.DisputeOpened
	}
	if d.ID != "" {
		m.ID = d.ID + ":" + m.Kind
	}
	return m, nil, nil
}
