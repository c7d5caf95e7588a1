package order_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"ticketrush/ledger"
	"ticketrush/stockd/order"
	"ticketrush/stockd/paypage"
	"ticketrush/stockd/sandbox"
	"ticketrush/stockd/stripe"
	"ticketrush/stockd/stripe/fake"
)

// bench is a world with one of the providers, whose messages a test writes itself.
type bench struct {
	*world
	provider string
	n        int // messages so far
}

// said is a message as it would come in.
type said struct {
	body   []byte
	header http.Header
}

// begins is an order that is being paid at the provider.
func (b *bench) begins() (ledger.Order, ledger.Payment) {
	b.t.Helper()
	o := b.opened(1, time.Minute)
	return o, b.attempt(o)
}

func (b *bench) attempt(o ledger.Order) ledger.Payment {
	b.t.Helper()
	p, _, err := b.service.StartPayment(b.t.Context(), o.ID, uuid.New(), b.provider, "/tickets")
	if err != nil {
		b.t.Fatal(err)
	}
	return p
}

// pays lets the buyer pay, of which the bank tells nothing, and gives the name by which it would.
func (b *bench) pays(ref string) string {
	b.t.Helper()
	if b.provider == stripe.Name {
		return b.bankS.Pay(ref)
	}
	b.buyer(ledger.Payment{PayUrl: "/sandbox/pay/" + ref}, paypage.ActionLost)
	return ref
}

// says writes a message about a payment. amount and currency are what it claims.
func (b *bench) says(name, kind string, amount int64, currency string, at time.Time) said {
	b.t.Helper()
	b.n++
	if b.provider == stripe.Name {
		o := b.bankS.Get(name)
		o["amount"], o["amount_capturable"], o["currency"] = amount, amount, strings.ToLower(currency)
		event := map[string]string{order.PaymentAuthorized: "payment_intent.amount_capturable_updated", order.PaymentFailed: "payment_intent.canceled"}[kind]
		body, signature := b.bankS.Event(event, o, at)
		return said{body, http.Header{"Stripe-Signature": {signature}}}
	}
	body, err := json.Marshal(map[string]any{"id": fmt.Sprintf("msg_%d", b.n), "payment": name, "type": kind, "amount": amount, "currency": currency, "at": at.Unix()})
	if err != nil {
		b.t.Fatal(err)
	}
	return said{body, http.Header{"Sandbox-Signature": {sandbox.Signature([]byte("a secret of the sandbox"), body, at)}}}
}

// hears takes a message as the API does.
func (b *bench) hears(s said) error {
	return b.service.Webhook(b.t.Context(), b.provider, s.body, s.header)
}

// takes is hears where the fact is true: it has to be accepted, and its bytes kept.
func (b *bench) takes(s said) {
	b.t.Helper()
	if err := b.hears(s); err != nil {
		b.t.Fatalf("a true fact is refused: %v", err)
	}
	var kept []byte
	if err := b.ledger.SQL().QueryRowContext(b.t.Context(), `SELECT b.body FROM ledger.payment_event_bodies b JOIN ledger.payment_events e USING (provider, event_id)
		 WHERE b.provider = $1 AND e.payload_sha256 = sha256($2)`, b.provider, s.body).Scan(&kept); err != nil || !bytes.Equal(kept, s.body) {
		b.t.Fatalf("the bytes of a webhook were not kept: %v", err)
	}
}

func (b *bench) bankHas(ref string) string {
	b.t.Helper()
	from := map[string]order.Provider{sandbox.Name: b.bank, stripe.Name: b.stripe}[b.provider]
	s, err := from.Status(b.t.Context(), ref)
	if err != nil {
		b.t.Fatal(err)
	}
	return s.State
}

// later lets time pass until the bank has a payment in a state.
func (b *bench) later(ref, want string) {
	b.t.Helper()
	b.mu.Lock()
	b.clock += 45 * time.Second
	b.mu.Unlock()
	b.until("the payment is "+want, func() bool {
		_ = b.service.Tidy(b.t.Context())
		return b.bankHas(ref) == want
	})
}

// whole wants that an order has its seats and the bank its money, once, and the ledger agrees.
func (b *bench) whole(o ledger.Order, p ledger.Payment) {
	b.t.Helper()
	b.becomes(o.ID, order.Issued)
	if got := b.bankHas(p.ProviderRef); got != order.PaymentCaptured {
		b.t.Errorf("the payment is %s at the bank", got)
	}
	b.reconciles()
}

const authorized, failed = order.PaymentAuthorized, order.PaymentFailed

// matrix is each way in which a message can be wrong, by the name of its row in docs/payments.md.
var matrix = map[string]func(b *bench){
	"duplicated": func(b *bench) {
		o, p := b.begins()
		s := b.says(b.pays(p.ProviderRef), authorized, p.Amount, p.Currency, b.now())
		for range 3 {
			b.takes(s)
		}
		b.whole(o, p)
		b.takes(s)
		b.whole(o, p)
	},
	"reordered": func(b *bench) {
		o, p := b.begins()
		name := b.pays(p.ProviderRef)
		ok, no := b.says(name, authorized, p.Amount, p.Currency, b.now()), b.says(name, failed, p.Amount, p.Currency, b.now().Add(-time.Minute))
		b.takes(ok)
		b.takes(no) // told after the success that came after it
		b.whole(o, p)
	},
	"delayed": func(b *bench) {
		o, p := b.begins()
		name := b.pays(p.ProviderRef)
		b.set(2*time.Minute, false) // the bank is asked at the deadline, and has the money
		b.tidy(b.service)
		b.becomes(o.ID, order.Issued)
		b.takes(b.says(name, authorized, p.Amount, p.Currency, b.now()))
		b.whole(o, p)
	},
	"forged": func(b *bench) {
		_, p := b.begins()
		s := b.says(b.pays(p.ProviderRef), authorized, p.Amount, p.Currency, b.now())
		s.body = append(s.body, ' ')
		b.refused(s, p)
	},
	"too old": func(b *bench) {
		_, p := b.begins()
		name := b.pays(p.ProviderRef)
		for _, off := range []time.Duration{-302 * time.Second, 302 * time.Second} {
			b.refused(b.says(name, authorized, p.Amount, p.Currency, b.now().Add(off)), p)
		}
	},
	"unknown order": func(b *bench) {
		from := map[string]order.Provider{sandbox.Name: b.bank, stripe.Name: b.stripe}[b.provider]
		c, err := from.Create(b.t.Context(), order.Intent{ID: uuid.New(), Order: uuid.New(), Amount: 700, Currency: "EUR", ReturnURL: "/", PayBy: b.now().Add(time.Minute)})
		if err != nil {
			b.t.Fatal(err)
		}
		b.takes(b.says(b.pays(c.Ref), authorized, 700, "EUR", b.now()))
		b.later(c.Ref, order.PaymentVoided)
		b.reconciles()
	},
	"wrong amount": func(b *bench) {
		_, p := b.begins()
		b.takes(b.says(b.pays(p.ProviderRef), authorized, p.Amount-1, p.Currency, b.now()))
		b.nothingPaid(p)
	},
	"wrong currency": func(b *bench) {
		_, p := b.begins()
		b.takes(b.says(b.pays(p.ProviderRef), authorized, p.Amount, "USD", b.now()))
		b.nothingPaid(p)
	},
	"second payment": func(b *bench) {
		o, first := b.begins()
		name := b.pays(first.ProviderRef)
		b.takes(b.says(name, failed, first.Amount, first.Currency, b.now()))
		b.becomes(o.ID, order.PendingPayment)
		second := b.attempt(o)
		b.takes(b.says(b.pays(second.ProviderRef), authorized, second.Amount, second.Currency, b.now()))
		b.whole(o, second)
		b.takes(b.says(name, authorized, first.Amount, first.Currency, b.now()))
		b.later(first.ProviderRef, order.PaymentVoided)
		b.whole(o, second)
	},
}

// refused wants that a message is refused for its signature, and nothing of it stays.
func (b *bench) refused(s said, p ledger.Payment) {
	b.t.Helper()
	if err := b.hears(s); !errors.Is(err, order.ErrSignature) {
		b.t.Errorf("it gives %v, want ErrSignature", err)
	}
	var n int
	if err := b.ledger.SQL().QueryRowContext(b.t.Context(), `SELECT (SELECT count(*) FROM ledger.payment_events) + (SELECT count(*) FROM ledger.payment_event_bodies)`).Scan(&n); err != nil || n != 0 {
		b.t.Errorf("%d rows were kept of it (%v)", n, err)
	}
	if got := b.state(p.OrderID); got != order.Paying {
		b.t.Errorf("the order is %s", got)
	}
}

// nothingPaid wants that a payment has paid nothing and goes back.
func (b *bench) nothingPaid(p ledger.Payment) {
	b.t.Helper()
	b.later(p.ProviderRef, order.PaymentVoided)
	if got := b.state(p.OrderID); got == order.Paid || got == order.Issued {
		b.t.Errorf("the order is %s", got)
	}
	b.reconciles()
}

func TestWebhookMatrix(t *testing.T) {
	t.Parallel()
	docs, err := os.ReadFile("../../docs/payments.md")
	if err != nil {
		t.Fatal(err)
	}
	for name, run := range matrix {
		if !bytes.Contains(docs, []byte("\n| "+name+" |")) {
			t.Errorf("docs/payments.md has no row for %q", name)
		}
		for _, provider := range []string{sandbox.Name, stripe.Name} {
			t.Run(provider+" "+name, func(t *testing.T) {
				t.Parallel()
				run(&bench{world: newWorld(t), provider: provider})
			})
		}
	}
}

// What others do with the same account at Stripe is accepted and left alone.
func TestForeignPaymentsAtStripe(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	c, err := w.stripe.Create(t.Context(), order.Intent{ID: uuid.New(), Order: uuid.New(), Amount: 700, Currency: "EUR", ReturnURL: "/"})
	if err != nil {
		t.Fatal(err)
	}
	pi := w.bankS.Pay(c.Ref)
	for name, meta := range map[string]fake.Object{"another system's": {"shop": "t-shirts"}, "another cluster's": {"ticketrush_cluster": "staging", "ticketrush_payment": uuid.NewString()}} {
		o := w.bankS.Get(pi)
		o["metadata"] = meta
		w.tells("payment_intent.amount_capturable_updated", o)
		w.tells("charge.dispute.created", fake.Object{"id": "dp_" + name, "object": "dispute", "payment_intent": "pi_unknown", "amount": 700, "currency": "eur", "status": "needs_response"})
	}
	w.set(time.Minute, false)
	w.tidy(w.service)
	if got := w.bankS.Get(pi)["status"]; got != "requires_capture" {
		t.Errorf("the payment of somebody else is %s", got)
	}
	var n int
	if err := w.ledger.SQL().QueryRowContext(t.Context(), `SELECT count(*) FROM ledger.payment_events`).Scan(&n); err != nil || n != 0 {
		t.Errorf("%d facts were kept of it (%v)", n, err)
	}
}

// A failure that is told after the success that came after it changes nothing, also before the money was taken.
func TestAFailureToldLate(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	o, p := w.byCard(1)
	w.card.pays(p.ProviderRef, order.PaymentAuthorized, p.Amount)
	if v := w.told(fact("ok", authorized, p)); v.Code != ledger.FactPaid {
		t.Fatalf("a success gives %+v", v)
	}
	if v := w.told(fact("no", failed, p)); v.Code != ledger.FactNothing {
		t.Errorf("a failure told late gives %+v", v)
	}
	after, err := w.service.Get(t.Context(), o.ID)
	if err != nil || order.State(after.State) != order.Paid || after.Payments[0].State != authorized {
		t.Errorf("the order is %s, its payment %+v, %v", order.State(after.State), after.Payments, err)
	}
	w.follow(after)
	w.becomes(o.ID, order.Issued)
	w.reconciles()
}
