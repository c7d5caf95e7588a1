// Package sandbox is the payment provider of the demo and of tests. It takes no money, and has a page on which a person says what happens.
package sandbox

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/google/uuid"

	"ticketrush/ledger"
	"ticketrush/stockd/batch"
	"ticketrush/stockd/order"
)

// pending is the state of a payment that the buyer has made and the bank has not authorised yet: for the shop it is as if just created.
const pending = "pending"

// capturesAtOnce is how many payments are captured in one call.
const capturesAtOnce = 256

// Name is the provider's name in URLs and in the ledger.
const Name = "sandbox"

// Provider is the built-in provider: it takes no money, and has a pay page on which a person or a test says what happens. Its books are a
// table of the ledger, so that every node serves every payment.
type Provider struct {
	ledger     *ledger.DB
	secrets    [][]byte // the first signs, all are accepted
	webhookURL string
	client     *http.Client
	captured   *batch.Batcher[string, bool] // says whether the payment of a reference is captured
}

// New makes the provider. The secret signs its messages; previous ones are accepted as well, while nodes change over. webhookURL is
// where it sends its messages, as a provider outside would.
func New(l *ledger.DB, secret []byte, webhookURL string, previous ...[]byte) (*Provider, error) {
	secrets := append([][]byte{secret}, previous...)
	for _, s := range secrets {
		if len(s) < 16 {
			return nil, errors.New("the sandbox provider needs webhook secrets of at least 16 bytes")
		}
	}
	s := &Provider{ledger: l, secrets: secrets, webhookURL: webhookURL, client: &http.Client{Timeout: 5 * time.Second}}
	s.captured = batch.New(capturesAtOnce, s.captureAll)
	return s, nil
}

// Name is Name.
func (s *Provider) Name() string { return Name }

// Create opens a payment.
func (s *Provider) Create(ctx context.Context, in order.Intent) (order.Created, error) {
	ref := "sbx_" + in.ID.String()
	err := s.ledger.SandboxInsert(ctx, ledger.SandboxPayment{
		Ref: ref, Payment: in.ID, OrderID: in.Order, Amount: in.Amount, Currency: in.Currency, ReturnUrl: in.ReturnURL, WebhookUrl: s.webhookURL, PayBy: in.PayBy, State: order.PaymentCreated,
	})
	return order.Created{Ref: ref, PayURL: "/sandbox/pay/" + ref}, err
}

// Capture takes an authorised payment.
func (s *Provider) Capture(ctx context.Context, ref string, _ int64) error {
	captured, err := s.captured.Do(ctx, ref)
	if err == nil && !captured {
		err = notInState(ref, order.PaymentCaptured)
	}
	return err
}

// captureAll is what a bank does inside: many bookings in one commit.
func (s *Provider) captureAll(ctx context.Context, refs []string) ([]bool, error) {
	moved, err := s.ledger.SandboxMoveMany(ctx, refs, order.PaymentCaptured, order.PaymentAuthorized, order.PaymentCaptured)
	if err != nil {
		return nil, err
	}
	set := make(map[string]bool, len(moved))
	for _, ref := range moved {
		set[ref] = true
	}
	out := make([]bool, len(refs))
	for i, ref := range refs {
		out[i] = set[ref]
	}
	return out, nil
}

func notInState(ref, to string) error {
	return fmt.Errorf("%w: the sandbox payment %s is not in a state to become %s", order.ErrDeclined, ref, to)
}

// Void gives an authorisation back. While the bank is at it, as a slow or late one is, that cannot be: the shop asks again.
func (s *Provider) Void(ctx context.Context, ref string) error {
	p, err := s.ledger.SandboxGet(ctx, ref)
	if err == nil && p.State == pending {
		return fmt.Errorf("the sandbox payment %s is being authorised; ask again", ref)
	}
	if err != nil && !errors.Is(err, ledger.ErrNotFound) {
		return err
	}
	return s.move(ctx, ref, order.PaymentVoided, order.PaymentCreated, order.PaymentAuthorized, order.PaymentVoided, order.PaymentFailed)
}

// Refund sends captured money back, all of it or a part. The page of the payment says whether it is refused, or fails some seconds after it was taken.
func (s *Provider) Refund(ctx context.Context, ref string, id uuid.UUID, amount int64) error {
	p, err := s.ledger.SandboxGet(ctx, ref)
	if err != nil && !errors.Is(err, ledger.ErrNotFound) {
		return err
	}
	now := time.Now()
	about := func(kind string) webhookJob {
		m := message{ID: fmt.Sprintf("%s:%s:%s:%s", ref, kind, id, uuid.NewString()), Ref: ref, Kind: kind, Refund: id, Amount: amount, Currency: p.Currency, AtUnix: now.Unix()}
		body, _ := json.Marshal(m) // strings and numbers only
		return webhookJob{Body: body}
	}
	became, err := s.ledger.SandboxRefund(ctx, ref, id, amount, topicWebhook, about(order.RefundSent), about(order.RefundFailed), now.Add(slowDelay))
	switch {
	case err != nil:
		return err
	case became == ledger.SandboxRefundTaken, became == ledger.SandboxRefundBefore:
		return nil
	case became == ledger.SandboxRefundRefused:
		return fmt.Errorf("%w: the sandbox payment %s refuses refunds, as its page was told", order.ErrDeclined, ref)
	case became == ledger.SandboxRefundNoMoney:
		return fmt.Errorf("%w: the sandbox payment %s has no %d captured that could go back", order.ErrDeclined, ref, amount)
	}
	return fmt.Errorf("%w: there is no sandbox payment %s", order.ErrDeclined, ref)
}

func (s *Provider) move(ctx context.Context, ref, to string, from ...string) error {
	moved, err := s.ledger.SandboxMove(ctx, ref, to, from...)
	if err != nil {
		return err
	}
	if !moved {
		return notInState(ref, to)
	}
	return nil
}

// Status is what the sandbox knows of a payment.
func (s *Provider) Status(ctx context.Context, ref string) (order.Status, error) {
	p, err := s.ledger.SandboxGet(ctx, ref)
	if p.State == pending {
		p.State = order.PaymentCreated
	}
	return order.Status{State: p.State, Amount: p.Amount, Currency: p.Currency}, err
}

// Send signs a message and delivers it.
func (s *Provider) Send(ctx context.Context, url string, body []byte, now time.Time) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Idempotency-Key", uuid.NewString())
	req.Header.Set(signatureHeader, Signature(s.secrets[0], body, now))
	resp, err := s.client.Do(req)
	if err != nil {
		return fmt.Errorf("deliver the webhook to %s: %w", url, err)
	}
	defer resp.Body.Close()
	_, _ = io.Copy(io.Discard, io.LimitReader(resp.Body, 64<<10)) // so that the connection is used again
	if resp.StatusCode/100 != 2 {
		return fmt.Errorf("the webhook to %s was answered with %s", url, resp.Status)
	}
	return nil
}
