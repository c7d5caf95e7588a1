package order_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"ticketrush/ledger"
	"ticketrush/stockd/order"
	"ticketrush/stockd/stripe"
	"ticketrush/stockd/stripe/fake"
)

// startStripe gives the world a Stripe.
func (w *world) startStripe() {
	w.t.Helper()
	w.bankS = &fake.Stripe{}
	server := httptest.NewServer(w.bankS)
	w.t.Cleanup(server.Close)
	w.useStripe(server.URL)
}

// useStripe makes the provider of a Stripe that runs.
func (w *world) useStripe(url string) {
	w.t.Helper()
	var err error
	w.stripe, err = stripe.New(stripe.Config{
		Key: fake.Key, WebhookSecrets: []string{fake.Secret}, ShopURL: "https://shop.example.org", URL: url, Pause: time.Millisecond, Timeout: 2 * time.Second,
	})
	if err != nil {
		w.t.Fatal(err)
	}
}

// byStripe is an order that is to be paid at Stripe.
func (w *world) byStripe(quantity int32) (ledger.Order, ledger.Payment) {
	w.t.Helper()
	o := w.opened(quantity, time.Minute)
	p, _, err := w.service.StartPayment(w.t.Context(), o.ID, uuid.New(), stripe.Name, "/tickets")
	if err != nil {
		w.t.Fatal(err)
	}
	return o, p
}

// stripeTells sends a webhook about one of Stripe's objects.
func (w *world) stripeTells(kind string, object fake.Object) error {
	body, signature := w.bankS.Event(kind, object, w.now())
	return w.service.Webhook(w.t.Context(), stripe.Name, body, http.Header{"Stripe-Signature": {signature}})
}

// tells is stripeTells where it has to be taken.
func (w *world) tells(kind string, object fake.Object) {
	w.t.Helper()
	if err := w.stripeTells(kind, object); err != nil {
		w.t.Fatalf("%s: %v", kind, err)
	}
}

// A sale by Stripe, with every event that it sends; and the books agree with its settlement, which names the PaymentIntent.
func TestSaleByStripe(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	o, p := w.byStripe(2)
	if !strings.HasPrefix(p.PayUrl, "https://") || p.ProviderRef == "" {
		t.Fatalf("the payment is %+v", p)
	}
	pi := w.bankS.Pay(p.ProviderRef)
	w.tells("checkout.session.completed", w.bankS.Get(p.ProviderRef))
	if got := w.state(o.ID); got != order.Paying {
		t.Fatalf("the order is %s before the money was authorised", got)
	}
	w.tells("payment_intent.amount_capturable_updated", w.bankS.Get(pi))
	w.becomes(o.ID, order.Issued)
	if got := w.bankS.Get(pi)["status"]; got != "succeeded" {
		t.Errorf("Stripe's payment is %s: it was not captured", got)
	}
	w.tells("payment_intent.succeeded", w.bankS.Get(pi))
	w.reconciles()
	w.exec(`INSERT INTO ledger.settlement_files(id, provider, sha256, name, lines, imported_by) OVERRIDING SYSTEM VALUE VALUES (1, 'stripe', sha256('x'), 'june.csv', 1, 'a test')`)
	w.exec(`INSERT INTO ledger.settlement_lines(provider, balance_txn, file, line_no, category, provider_ref, gross, fee, net, currency, occurred_at)
		VALUES ('stripe', 'txn_1', 1, 1, 'charge', $1, $2, 0, $2, 'EUR', now())`, pi, p.Amount)
	var verdict string
	if err := w.ledger.SQL().QueryRowContext(t.Context(), `SELECT string_agg(verdict, ' ') FROM ledger.v_settlement_breaks`).Scan(&verdict); err != nil || verdict != "matched" {
		t.Errorf("the settlement is %q (%v), want matched", verdict, err)
	}
}

// Stripe never tells: it is asked at the deadline, and its PaymentIntent is known from then on.
func TestStripeNeverTells(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	o, p := w.byStripe(1)
	pi := w.bankS.Pay(p.ProviderRef)
	w.set(2*time.Minute, false)
	w.tidy(w.service)
	w.becomes(o.ID, order.Issued)
	if ref, err := w.ledger.PaymentNamed(t.Context(), stripe.Name, pi, "", uuid.Nil); err != nil || ref != p.ProviderRef {
		t.Errorf("%s is %q, %v", pi, ref, err)
	}
	w.reconciles()
}

// Nobody pays: the page at Stripe ends with the order.
func TestNobodyPaysAtStripe(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	o, p := w.byStripe(1)
	w.set(2*time.Minute, false)
	w.tidy(w.service)
	w.becomes(o.ID, order.Expired)
	w.until("the page at Stripe has ended", func() bool { return w.bankS.Get(p.ProviderRef)["status"] == "expired" })
	w.tells("checkout.session.expired", w.bankS.Get(p.ProviderRef))
	w.reconciles()
}

// One card is declined, the buyer tries another on the same page.
func TestAnotherCardAtStripe(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	o, p := w.byStripe(1)
	pi := w.bankS.Pay(p.ProviderRef)
	declined := w.bankS.Get(pi)
	declined["status"] = "requires_payment_method"
	w.tells("payment_intent.payment_failed", declined)
	if got := w.state(o.ID); got != order.Paying {
		t.Errorf("the order is %s after one card was declined", got)
	}
	w.tells("payment_intent.amount_capturable_updated", w.bankS.Get(pi))
	w.becomes(o.ID, order.Issued)
	w.reconciles()
}
