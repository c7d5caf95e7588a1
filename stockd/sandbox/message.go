package sandbox

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"

	"ticketrush/ledger"
	"ticketrush/stockd/order"
)

// signatureHeader carries `t=<unix seconds>,v1=<hex HMAC-SHA-256 over "t.body">`.
const signatureHeader = "Sandbox-Signature"

// signatureTolerance is how old a message may be.
const signatureTolerance = 5 * time.Minute

// message is the body of a webhook.
type message struct {
	ID       string    `json:"id"`
	Ref      string    `json:"payment"`
	Kind     string    `json:"type"`
	Refund   uuid.UUID `json:"refund,omitzero"`
	Amount   int64     `json:"amount"`
	Currency string    `json:"currency"`
	AtUnix   int64     `json:"at"`
}

// Verify checks the signature and reads the message.
func (s *Provider) Verify(body []byte, header http.Header, now time.Time) ([]order.Message, error) {
	at, macs, err := parseSignature(header.Get(signatureHeader))
	if err != nil {
		return nil, err
	}
	if !s.signed(at, macs, body) {
		return nil, fmt.Errorf("%w: it was made with another secret or over another body", order.ErrSignature)
	}
	if age := now.Sub(time.Unix(at, 0)); age > signatureTolerance || age < -signatureTolerance {
		return nil, fmt.Errorf("%w: it is %s old", order.ErrSignature, age.Round(time.Second))
	}
	var m message
	if err := json.Unmarshal(body, &m); err != nil || m.ID == "" || m.Ref == "" {
		return nil, order.ErrMessage
	}
	return []order.Message{{ID: m.ID, Ref: m.Ref, Kind: m.Kind, Refund: m.Refund, Amount: m.Amount, Currency: m.Currency, At: time.Unix(m.AtUnix, 0)}}, nil
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
			return 0, nil, fmt.Errorf("%w: %s is not readable", order.ErrSignature, signatureHeader)
		}
	}
	if at == 0 || len(macs) == 0 {
		return 0, nil, fmt.Errorf("%w: %s is missing or has no t and v1", order.ErrSignature, signatureHeader)
	}
	return at, macs, nil
}

func (s *Provider) signed(at int64, macs [][]byte, body []byte) bool {
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

// Signature is the header of a message: `t=<unix seconds>,v1=<hex>`.
func Signature(secret, body []byte, now time.Time) string {
	return fmt.Sprintf("t=%d,v1=%x", now.Unix(), sign(secret, now.Unix(), body))
}

func sign(secret []byte, at int64, body []byte) []byte {
	h := hmac.New(sha256.New, secret)
	fmt.Fprintf(h, "%d.", at)
	h.Write(body)
	return h.Sum(nil)
}

// newMessage is the webhook for a payment's state. The id names the payment and the state: a repetition is the same message.
func newMessage(p ledger.SandboxPayment, kind string, now time.Time) ([]byte, error) {
	return json.Marshal(message{ID: p.Ref + ":" + kind, Ref: p.Ref, Kind: kind, Amount: p.Amount, Currency: p.Currency, AtUnix: now.Unix()})
}
