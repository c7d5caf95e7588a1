package order

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
)

// sandboxPending is the state of a payment that the buyer has made and the bank has not authorised yet: for the shop it is as if just created.
const sandboxPending = "pending"

// SandboxName is the provider's name in URLs and in the ledger.
const SandboxName = "sandbox"

// Sandbox is the built-in provider: it takes no money, and has a pay page on which a person or a test says what happens. Its books are a
// table of the ledger, so that every node serves every payment.
type Sandbox struct {
	ledger     *ledger.DB
	secrets    [][]byte // the first signs, all are accepted
	webhookURL string
	client     *http.Client
	captured   batcher[string, bool] // says whether the payment of a reference is captured
}

// NewSandbox makes the provider. The secret signs its messages; previous ones are accepted as well, while nodes change over. webhookURL is
// where it sends its messages, as a provider outside would.
func NewSandbox(l *ledger.DB, secret []byte, webhookURL string, previous ...[]byte) (*Sandbox, error) {
	secrets := append([][]byte{secret}, previous...)
	for _, s := range secrets {
		if len(s) < 16 {
			return nil, errors.New("the sandbox provider needs webhook secrets of at least 16 bytes")
		}
	}
	s := &Sandbox{ledger: l, secrets: secrets, webhookURL: webhookURL, client: &http.Client{Timeout: 5 * time.Second}}
	s.captured.run, s.captured.max = s.captureAll, readMax
	return s, nil
}

// Name is SandboxName.
func (s *Sandbox) Name() string { return SandboxName }

// Create opens a payment.
func (s *Sandbox) Create(ctx context.Context, in Intent) (Created, error) {
	ref := "sbx_" + in.ID.String()
	err := s.ledger.SandboxInsert(ctx, ledger.SandboxPayment{
		Ref: ref, Payment: in.ID, OrderID: in.Order, Amount: in.Amount, Currency: in.Currency, ReturnUrl: in.ReturnURL, WebhookUrl: s.webhookURL, PayBy: in.PayBy, State: PaymentCreated,
	})
	return Created{Ref: ref, PayURL: "/sandbox/pay/" + ref}, err
}

// Capture takes an authorised payment.
func (s *Sandbox) Capture(ctx context.Context, ref string, _ int64) error {
	captured, err := s.captured.do(ctx, ref)
	if err == nil && !captured {
		err = notInState(ref, PaymentCaptured)
	}
	return err
}

// captureAll is what a bank does inside: many bookings in one commit.
func (s *Sandbox) captureAll(ctx context.Context, refs []string) ([]bool, error) {
	moved, err := s.ledger.SandboxMoveMany(ctx, refs, PaymentCaptured, PaymentAuthorized, PaymentCaptured)
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
	return fmt.Errorf("%w: the sandbox payment %s is not in a state to become %s", ErrDeclined, ref, to)
}

// Void gives an authorisation back. While the bank is at it, as a slow or late one is, that cannot be: the shop asks again.
func (s *Sandbox) Void(ctx context.Context, ref string) error {
	p, err := s.ledger.SandboxGet(ctx, ref)
	if err == nil && p.State == sandboxPending {
		return fmt.Errorf("the sandbox payment %s is being authorised; ask again", ref)
	}
	if err != nil && !errors.Is(err, ledger.ErrNotFound) {
		return err
	}
	return s.move(ctx, ref, PaymentVoided, PaymentCreated, PaymentAuthorized, PaymentVoided, PaymentFailed)
}

// Refund sends captured money back, all of it or a part. The page of the payment says whether it is refused, or fails some seconds after it was taken.
func (s *Sandbox) Refund(ctx context.Context, ref string, id uuid.UUID, amount int64) error {
	p, err := s.ledger.SandboxGet(ctx, ref)
	if err != nil && !errors.Is(err, ledger.ErrNotFound) {
		return err
	}
	now := time.Now()
	about := func(kind string) webhookJob {
		m := sandboxMessage{ID: fmt.Sprintf("%s:%s:%s:%s", ref, kind, id, uuid.NewString()), Ref: ref, Kind: kind, Refund: id, Amount: amount, Currency: p.Currency, AtUnix: now.Unix()}
		body, _ := json.Marshal(m) // strings and numbers only
		return webhookJob{Body: body}
	}
	became, err := s.ledger.SandboxRefund(ctx, ref, id, amount, topicSandboxWebhook, about(RefundSent), about(RefundFailed), now.Add(slowDelay))
	switch {
	case err != nil:
		return err
	case became == ledger.SandboxRefundTaken, became == ledger.SandboxRefundBefore:
		return nil
	case became == ledger.SandboxRefundRefused:
		return fmt.Errorf("%w: the sandbox payment %s refuses refunds, as its page was told", ErrDeclined, ref)
	case became == ledger.SandboxRefundNoMoney:
		return fmt.Errorf("%w: the sandbox payment %s has no %d captured that could go back", ErrDeclined, ref, amount)
	}
	return fmt.Errorf("%w: there is no sandbox payment %s", ErrDeclined, ref)
}

func (s *Sandbox) move(ctx context.Context, ref, to string, from ...string) error {
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
func (s *Sandbox) Status(ctx context.Context, ref string) (Status, error) {
	p, err := s.ledger.SandboxGet(ctx, ref)
	if p.State == sandboxPending {
		p.State = PaymentCreated
	}
	return Status{State: p.State, Amount: p.Amount, Currency: p.Currency}, err
}

// Send signs a message and delivers it.
func (s *Sandbox) Send(ctx context.Context, url string, body []byte, now time.Time) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Idempotency-Key", uuid.NewString())
	req.Header.Set(signatureHeader, SandboxSignature(s.secrets[0], body, now))
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
