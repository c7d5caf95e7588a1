package stripe_test

import (
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"ticketrush/stockd/order"
	"ticketrush/stockd/stripe"
	"ticketrush/stockd/stripe/fake"
)

// Names in the fixtures, which are written after Stripe's documentation of its objects and events.
const (
	session    = "cs_test_a1b2c3d4e5f6g7h8i9j0"
	paymentInt = "pi_3PabcdEFGHijklMN0opqrstu"
)

var (
	payment = uuid.MustParse("0190f0a1-1111-8222-8333-444455556666")
	refund  = uuid.MustParse("5f0c2a11-1111-4222-8333-444455556666")
)

func newProvider(t testing.TB, secrets ...string) *stripe.Provider {
	t.Helper()
	p, err := stripe.New(stripe.Config{Key: fake.Key, WebhookSecrets: append([]string{fake.Secret}, secrets...), ShopURL: "https://shop.example.org"})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func signed(body []byte, now time.Time) http.Header {
	return http.Header{"Stripe-Signature": {fake.Sign(fake.Secret, body, now)}}
}

// What each event says, in our words. An empty kind: no message.
func TestEvents(t *testing.T) {
	t.Parallel()
	ours := func(kind, ref, also string, amount int64) order.Message {
		return order.Message{Kind: kind, Ref: ref, Also: also, Payment: payment, Amount: amount, Currency: "EUR"}
	}
	back := func(id, kind string, by uuid.UUID) order.Message {
		m := ours(kind, paymentInt, "", 5320)
		m.ID, m.Refund = "re_3PabcdEFGHijklMN0refund1:"+id, by
		return m
	}
	fought := func(kind string) order.Message {
		return order.Message{ID: "dp_1PabcdEFGHijkl:" + kind, Kind: kind, Ref: paymentInt, Shared: true, Amount: 10640, Currency: "EUR"}
	}
	byHand := back("refund_sent", order.RefundSent, uuid.Nil)
	byHand.Payment, byHand.Shared = uuid.Nil, true
	foreign := order.Message{Kind: order.PaymentCaptured, Ref: paymentInt, Shared: true, Amount: 999, Currency: "EUR"}
	want := map[string]order.Message{
		"checkout.session.completed":               ours("checkout_completed", session, paymentInt, 10640),
		"checkout.session.expired":                 ours(order.PaymentFailed, session, "", 10640),
		"payment_intent.amount_capturable_updated": ours(order.PaymentAuthorized, paymentInt, "", 10640),
		"payment_intent.succeeded":                 ours(order.PaymentCaptured, paymentInt, "", 10640),
		"payment_intent.payment_failed":            ours("card_declined", paymentInt, "", 10640),
		"payment_intent.canceled":                  ours(order.PaymentFailed, paymentInt, "", 10640),
		"charge.refunded":                          ours(order.PaymentRefunded, paymentInt, "", 10640),
		"charge.refunded.part":                     ours("refunded_in_part", paymentInt, "", 5320),
		"refund.created":                           back("refund_sent", order.RefundSent, refund),
		"refund.updated":                           back("refund_sent", order.RefundSent, refund),
		"refund.failed":                            back("refund_failed", order.RefundFailed, refund),
		"refund.pending":                           back("refund_pending", "refund_pending", refund),
		"refund.dashboard":                         byHand,
		"charge.dispute.created":                   fought(order.DisputeOpened),
		"charge.dispute.funds_withdrawn":           fought(order.DisputeOpened),
		"charge.dispute.inquiry":                   fought("dispute_asked"),
		"charge.dispute.closed.won":                fought(order.DisputeWon),
		"charge.dispute.closed.lost":               fought(order.DisputeLost),
		"charge.dispute.closed.inquiry":            fought("dispute_asked"),
		"foreign":                                  foreign,
		"other.cluster":                            {},
		"customer.created":                         {},
		"charge.without.intent":                    {},
	}
	p, now := newProvider(t), time.Unix(1_800_000_100, 0)
	files, err := filepath.Glob("testdata/events/*.json")
	if err != nil || len(files) != len(want) {
		t.Fatalf("%d fixtures (%v), %d are expected", len(files), err, len(want))
	}
	for _, file := range files {
		body, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		name := strings.TrimSuffix(filepath.Base(file), ".json")
		got, err := p.Verify(body, signed(body, now), now)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		m := want[name]
		if m.Kind == "" {
			if len(got) != 0 {
				t.Errorf("%s tells %+v", name, got)
			}
			continue
		}
		if len(got) != 1 || got[0].At.IsZero() || got[0].ID == "" {
			t.Errorf("%s tells %+v", name, got)
			continue
		}
		got[0].At = time.Time{}
		if m.ID == "" {
			m.ID = got[0].ID
		}
		if got[0] != m {
			t.Errorf("%s tells\n%+v, want\n%+v", name, got[0], m)
		}
	}
}

func TestEventsThatCannotBeRead(t *testing.T) {
	t.Parallel()
	p, now := newProvider(t), time.Unix(1_800_000_100, 0)
	for _, body := range []string{``, `{`, `[]`, `{"id":"evt_1"}`, `{"type":"charge.refunded"}`, `{"id":"evt_1","type":"payment_intent.succeeded","data":{"object":7}}`} {
		if _, err := p.Verify([]byte(body), signed([]byte(body), now), now); !errors.Is(err, order.ErrMessage) {
			t.Errorf("%s gives %v, want ErrMessage", body, err)
		}
	}
}

func TestSignatures(t *testing.T) {
	t.Parallel()
	const next = "whsec_the_next_one_0000"
	body, now := []byte(`{"id":"evt_1","type":"customer.created"}`), time.Unix(1_800_000_000, 0)
	good := fake.Sign(fake.Secret, body, now)
	at, mac, _ := strings.Cut(strings.TrimSuffix(good, ",v0="+strings.Repeat("0", 64)), ",")
	for name, c := range map[string]struct {
		header string
		at     time.Time
		ok     bool
	}{
		"good":                     {good, now, true},
		"rolled secret":            {fake.Sign(next, body, now), now, true},
		"the second of two v1":     {at + ",v1=" + strings.Repeat("0", 64) + "," + mac, now, true},
		"with spaces":              {at + ", " + mac, now, true},
		"at the end of its time":   {good, now.Add(300 * time.Second), true},
		"from a clock that is off": {good, now.Add(-300 * time.Second), true},
		"too old":                  {good, now.Add(301 * time.Second), false},
		"from the future":          {good, now.Add(-301 * time.Second), false},
		"another secret":           {fake.Sign("whsec_somebody_else_000", body, now), now, false},
		"over another body":        {fake.Sign(fake.Secret, append(body, ' '), now), now, false},
		"only the test scheme":     {at + ",v0=" + strings.TrimPrefix(mac, "v1="), now, false},
		"a newer time put in":      {"t=1800000301," + mac, now.Add(301 * time.Second), false},
		"two times":                {"t=1800000301," + good, now.Add(301 * time.Second), false},
		"time written otherwise":   {"t=+1800000000," + mac, now, false},
		"no time":                  {mac, now, false},
		"no signature":             {at, now, false},
		"not hex":                  {at + ",v1=zz", now, false},
		"short":                    {at + ",v1=00", now, false},
		"empty":                    {"", now, false},
		"no number":                {"t=x," + mac, now, false},
		"too much":                 {good + strings.Repeat(","+mac, 40), now, false},
		"far too much":             {good + strings.Repeat(",x=1", 2000), now, false},
	} {
		_, err := newProvider(t, next).Verify(body, http.Header{"Stripe-Signature": {c.header}}, c.at)
		if (err == nil) != c.ok || err != nil && !errors.Is(err, order.ErrSignature) {
			t.Errorf("%s: %v, want ok %v", name, err, c.ok)
		}
	}
}

// Whatever the header is, it is read or refused for a reason; and nothing passes that nobody signed.
func FuzzSignature(f *testing.F) {
	body, now := []byte(`{}`), time.Unix(1_800_000_000, 0)
	good := fake.Sign(fake.Secret, body, now)
	f.Add(good)
	f.Add("t=1,v1=00")
	f.Add(strings.ReplaceAll(good, ",", " , "))
	p := newProvider(f)
	_, mac, _ := strings.Cut(good, "v1=")
	mac = mac[:64]
	f.Fuzz(func(t *testing.T, header string) {
		_, err := p.Verify(body, http.Header{"Stripe-Signature": {header}}, now)
		if !errors.Is(err, order.ErrSignature) && !strings.Contains(strings.ToLower(header), mac) {
			t.Errorf("%q passes: %v", header, err)
		}
	})
}

// Whatever a signed body is, it is read, left alone or refused; what is told names a payment and has an id.
func FuzzEvent(f *testing.F) {
	files, err := filepath.Glob("testdata/events/*.json")
	if err != nil || len(files) == 0 {
		f.Fatal("no fixtures")
	}
	for _, file := range files {
		body, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(body)
	}
	p, now := newProvider(f), time.Unix(1_800_000_000, 0)
	f.Fuzz(func(t *testing.T, body []byte) {
		messages, err := p.Verify(body, signed(body, now), now)
		if err != nil && !errors.Is(err, order.ErrMessage) {
			t.Errorf("%q gives %v", body, err)
		}
		for _, m := range messages {
			if err != nil || m.ID == "" || m.Ref == "" || m.Kind == "" || m.Shared != (m.Payment == uuid.Nil) {
				t.Errorf("%q tells %+v, %v", body, m, err)
			}
		}
	})
}
