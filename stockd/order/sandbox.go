package order

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"

	"ticketrush/ledger"
)

// SandboxName is the provider's name in URLs and in the ledger.
const SandboxName = "sandbox"

// signatureHeader carries `t=<unix seconds>,v1=<hex HMAC-SHA-256 over "t.body">`.
const signatureHeader = "Sandbox-Signature"

// signatureTolerance is how old a message may be.
const signatureTolerance = 5 * time.Minute

// Sandbox is the built-in provider: it takes no money, and has a pay page on which a person or a test says what happens. Its books are a
// table of the ledger, so that every node serves every payment.
type Sandbox struct {
	ledger     *ledger.DB
	secrets    [][]byte // the first signs, all are accepted
	webhookURL string
	client     *http.Client
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
	return &Sandbox{ledger: l, secrets: secrets, webhookURL: webhookURL, client: &http.Client{Timeout: 5 * time.Second}}, nil
}

// Name is SandboxName.
func (s *Sandbox) Name() string { return SandboxName }

// Create opens a payment.
func (s *Sandbox) Create(ctx context.Context, in Intent) (Created, error) {
	ref := "sbx_" + in.ID.String()
	err := s.ledger.SandboxInsert(ctx, ledger.SandboxPayment{
		Ref: ref, Payment: in.ID, OrderID: in.Order, Amount: in.Amount, Currency: in.Currency, ReturnUrl: in.ReturnURL, WebhookUrl: s.webhookURL,
	})
	return Created{Ref: ref, PayURL: "/sandbox/pay/" + ref}, err
}

// Capture takes an authorised payment.
func (s *Sandbox) Capture(ctx context.Context, ref string, _ int64) error {
	return s.move(ctx, ref, PaymentCaptured, PaymentAuthorized, PaymentCaptured)
}

// Void gives an authorisation back.
func (s *Sandbox) Void(ctx context.Context, ref string) error {
	return s.move(ctx, ref, PaymentVoided, PaymentCreated, PaymentAuthorized, PaymentVoided, PaymentFailed)
}

// Refund sends captured money back.
func (s *Sandbox) Refund(ctx context.Context, ref string, _ uuid.UUID, _ int64) error {
	return s.move(ctx, ref, PaymentRefunded, PaymentCaptured, PaymentRefunded)
}

func (s *Sandbox) move(ctx context.Context, ref, to string, from ...string) error {
	moved, err := s.ledger.SandboxMove(ctx, ref, to, from...)
	if err != nil {
		return err
	}
	if !moved {
		return fmt.Errorf("%w: the sandbox payment %s is not in a state to become %s", ErrDeclined, ref, to)
	}
	return nil
}

// Status is what the sandbox knows of a payment.
func (s *Sandbox) Status(ctx context.Context, ref string) (Status, error) {
	p, err := s.ledger.SandboxGet(ctx, ref)
	return Status{State: p.State, Amount: p.Amount, Currency: p.Currency}, err
}

// sandboxMessage is the body of a webhook.
type sandboxMessage struct {
	ID       string `json:"id"`
	Ref      string `json:"payment"`
	Kind     string `json:"type"`
	Amount   int64  `json:"amount"`
	Currency string `json:"currency"`
	AtUnix   int64  `json:"at"`
}

// Verify checks the signature and reads the message.
func (s *Sandbox) Verify(body []byte, header http.Header, now time.Time) ([]Message, error) {
	at, macs, err := parseSignature(header.Get(signatureHeader))
	if err != nil {
		return nil, err
	}
	if !s.signed(at, macs, body) {
		return nil, fmt.Errorf("%w: it was made with another secret or over another body", ErrSignature)
	}
	if age := now.Sub(time.Unix(at, 0)); age > signatureTolerance || age < -signatureTolerance {
		return nil, fmt.Errorf("%w: it is %s old", ErrSignature, age.Round(time.Second))
	}
	var m sandboxMessage
	if err := json.Unmarshal(body, &m); err != nil || m.ID == "" || m.Ref == "" {
		return nil, ErrMessage
	}
	return []Message{{ID: m.ID, Ref: m.Ref, Kind: m.Kind, Amount: m.Amount, Currency: m.Currency, At: time.Unix(m.AtUnix, 0)}}, nil
}

// signatureMacsMax bounds the work that a header can ask for.
const signatureMacsMax = 4

func parseSignature(text string) (at int64, macs [][]byte, err error) {
	for part := range strings.SplitSeq(text, ",") {
		name, value, _ := strings.Cut(strings.TrimSpace(part), "=")
		switch name {
		case "t":
			at, err = strconv.ParseInt(value, 10, 64)
		case "v1":
			var mac []byte
			mac, err = hex.DecodeString(value)
			macs = append(macs, mac)
		}
		if err != nil || len(macs) > signatureMacsMax {
			return 0, nil, fmt.Errorf("%w: %s is not readable", ErrSignature, signatureHeader)
		}
	}
	if at == 0 || len(macs) == 0 {
		return 0, nil, fmt.Errorf("%w: %s is missing or has no t and v1", ErrSignature, signatureHeader)
	}
	return at, macs, nil
}

func (s *Sandbox) signed(at int64, macs [][]byte, body []byte) bool {
	for _, secret := range s.secrets {
		want := sign(secret, at, body)
		for _, mac := range macs {
			if hmac.Equal(mac, want) {
				return true
			}
		}
	}
	return false
}

// SandboxSignature is the header of a message: `t=<unix seconds>,v1=<hex>`.
func SandboxSignature(secret, body []byte, now time.Time) string {
	return fmt.Sprintf("t=%d,v1=%x", now.Unix(), sign(secret, now.Unix(), body))
}

func sign(secret []byte, at int64, body []byte) []byte {
	h := hmac.New(sha256.New, secret)
	fmt.Fprintf(h, "%d.", at)
	h.Write(body)
	return h.Sum(nil)
}

// message is the webhook for a payment's state. The id names the payment and the state: a repetition is the same message.
func message(p ledger.SandboxPayment, kind string, now time.Time) ([]byte, error) {
	return json.Marshal(sandboxMessage{ID: p.Ref + ":" + kind, Ref: p.Ref, Kind: kind, Amount: p.Amount, Currency: p.Currency, AtUnix: now.Unix()})
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
