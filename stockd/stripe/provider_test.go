package stripe_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"ticketrush/stockd/order"
	"ticketrush/stockd/stripe"
	"ticketrush/stockd/stripe/fake"
)

// desk is a provider at a Stripe of its own.
type desk struct {
	*stripe.Provider
	t    *testing.T
	bank *fake.Stripe
}

func newDesk(t *testing.T) *desk {
	t.Helper()
	bank := &fake.Stripe{}
	server := httptest.NewServer(bank)
	t.Cleanup(server.Close)
	p, err := stripe.New(stripe.Config{Key: fake.Key, WebhookSecrets: []string{fake.Secret}, ShopURL: "https://shop.example.org/", URL: server.URL, Pause: time.Microsecond, Timeout: time.Second})
	if err != nil {
		t.Fatal(err)
	}
	return &desk{Provider: p, t: t, bank: bank}
}

func intent(amount int64, currency string) order.Intent {
	return order.Intent{
		ID: uuid.New(), Order: uuid.New(), Attempt: 1, Amount: amount, Currency: currency, ReturnURL: "/tickets?order=1", PayBy: time.Now().Add(15 * time.Minute),
	}
}

func (d *desk) create(in order.Intent) order.Created {
	d.t.Helper()
	c, err := d.Create(d.t.Context(), in)
	if err != nil {
		d.t.Fatal(err)
	}
	return c
}

func (d *desk) is(ref, state string, amount int64) {
	d.t.Helper()
	s, err := d.Status(d.t.Context(), ref)
	if err != nil || s.State != state || s.Amount != amount {
		d.t.Errorf("the payment is %+v (%v), want %s of %d", s, err, state, amount)
	}
}

// captured is a payment whose money was taken.
func (d *desk) captured(amount int64) (order.Created, string) {
	d.t.Helper()
	c := d.create(intent(amount, "EUR"))
	pi := d.bank.Pay(c.Ref)
	if err := d.Capture(d.t.Context(), c.Ref, amount); err != nil {
		d.t.Fatal(err)
	}
	return c, pi
}

// wants that an error is final, not known, or none.
func wants(t *testing.T, what string, err error, final, unknown bool) {
	t.Helper()
	if errors.Is(err, order.ErrDeclined) != final || (err != nil && !errors.Is(err, order.ErrDeclined)) != unknown {
		t.Errorf("%s gives %v: final %v, unknown %v were right", what, err, final, unknown)
	}
}

func TestAPaymentFromItsSessionToItsCapture(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	in := intent(10640, "EUR")
	c := d.create(in)
	if again := d.create(in); again != c || d.bank.Count("checkout.session") != 1 {
		t.Errorf("the same intent gives %+v and then %+v", c, again)
	}
	if !strings.HasPrefix(c.PayURL, "https://") {
		t.Errorf("the buyer is sent to %q", c.PayURL)
	}
	d.is(c.Ref, order.PaymentCreated, 10640)
	wants(t, "a capture before anybody paid", d.Capture(t.Context(), c.Ref, 10640), true, false)
	pi := d.bank.Pay(c.Ref)
	d.is(c.Ref, order.PaymentAuthorized, 10640)
	d.is(pi, order.PaymentAuthorized, 10640)
	if s, _ := d.Status(t.Context(), c.Ref); s.Also != pi || s.Currency != "EUR" {
		t.Errorf("the status is %+v, it must name %s", s, pi)
	}
	for range 2 {
		wants(t, "a capture", d.Capture(t.Context(), c.Ref, 10640), false, false)
	}
	d.is(c.Ref, order.PaymentCaptured, 10640)
	wants(t, "the void of captured money", d.Void(t.Context(), c.Ref), true, false)
}

func TestVoid(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	open := d.create(intent(500, "EUR"))
	paid := d.create(intent(500, "EUR"))
	stray := d.bank.Pay(d.create(intent(500, "EUR")).Ref) // of a payment that we do not know: Stripe told its PaymentIntent only
	d.bank.Pay(paid.Ref)
	for _, ref := range []string{open.Ref, paid.Ref, stray} {
		for range 2 {
			wants(t, "the void of "+ref, d.Void(t.Context(), ref), false, false)
		}
	}
	d.is(open.Ref, order.PaymentFailed, 500)
	d.is(paid.Ref, order.PaymentVoided, 500)
	d.is(stray, order.PaymentVoided, 500)
	if s := d.bank.Get(open.Ref)["status"]; s != "expired" {
		t.Errorf("the session is %s: somebody may still pay at it", s)
	}
	wants(t, "a capture of what was voided", d.Capture(t.Context(), paid.Ref, 500), true, false)
}

// A buyer who pays just while the session is being expired: what they paid is canceled.
func TestVoidMeetsABuyer(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	c := d.create(intent(500, "EUR"))
	pi := d.bank.Pay(c.Ref)
	d.bank.Set(c.Ref, fake.Object{"status": "open", "payment_intent": nil})
	d.bank.FailNext(fake.Fault{Pass: true, Then: map[string]fake.Object{c.Ref: {"status": "complete", "payment_intent": pi}}})
	wants(t, "the void", d.Void(t.Context(), c.Ref), false, false)
	d.is(c.Ref, order.PaymentVoided, 500)
}

func TestRefunds(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	c, pi := d.captured(1000)
	part, rest := uuid.New(), uuid.New()
	for range 2 {
		wants(t, "a refund of a part", d.Refund(t.Context(), c.Ref, part, 400), false, false)
	}
	d.is(c.Ref, order.PaymentCaptured, 1000)
	wants(t, "a refund of more than is left", d.Refund(t.Context(), c.Ref, uuid.New(), 601), true, false)
	wants(t, "a refund of the rest", d.Refund(t.Context(), pi, rest, 600), false, false)
	d.is(c.Ref, order.PaymentRefunded, 1000)
	if n := d.bank.Count("refund"); n != 2 {
		t.Errorf("%d refunds were made, want 2", n)
	}
	wants(t, "a refund where nobody paid", d.Refund(t.Context(), d.create(intent(500, "EUR")).Ref, rest, 1), true, false)
}

// A bank sends a refund back: asked for again it is made anew, and once.
func TestRefundThatFailed(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	c, _ := d.captured(1000)
	id := uuid.New()
	wants(t, "a refund", d.Refund(t.Context(), c.Ref, id, 1000), false, false)
	d.bank.FailRefund(d.bank.Refunds("succeeded")[0])
	for range 2 {
		wants(t, "the refund after it failed", d.Refund(t.Context(), c.Ref, id, 1000), false, false)
	}
	if good, bad := len(d.bank.Refunds("succeeded")), len(d.bank.Refunds("failed")); good != 1 || bad != 1 {
		t.Errorf("%d refunds are good and %d have failed, want one each", good, bad)
	}
}

// An error of Stripe's is kept for the key for a day; the refund is made all the same, and once.
func TestErrorThatIsKept(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	c, pi := d.captured(1000)
	id := uuid.New()
	d.bank.Set(pi, fake.Object{"status": "processing"}) // so that what fails leaves nothing behind
	d.bank.FailNext(fake.Fault{Pass: true}, fake.Fault{Pass: true}, fake.Fault{Status: 500, After: true})
	_ = d.Refund(t.Context(), c.Ref, id, 1000)
	d.bank.Set(pi, fake.Object{"status": "succeeded"})
	wants(t, "the refund later", d.Refund(t.Context(), c.Ref, id, 1000), false, false)
	if n := d.bank.Count("refund"); n != 1 {
		t.Errorf("%d refunds were made, want 1", n)
	}
	in := intent(700, "EUR")
	d.bank.FailNext(fake.Fault{Status: 500, After: true})
	if c, err := d.Create(t.Context(), in); err != nil || c.PayURL == "" {
		t.Errorf("a session after an error that is kept: %+v, %v", c, err)
	}
}

// What is final and what is not known. Nothing that may still be right ends an order.
func TestErrors(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		fault   fake.Fault
		final   bool
		tries   int
		succeed bool
	}{
		"wrong as it is":      {fake.Fault{Status: 400, Type: "invalid_request_error"}, true, 1, false},
		"card error":          {fake.Fault{Status: 402, Type: "card_error"}, true, 1, false},
		"key used otherwise":  {fake.Fault{Status: 400, Type: "idempotency_error"}, false, 1, false},
		"no such key":         {fake.Fault{Status: 401, Type: "invalid_request_error"}, false, 1, false},
		"not permitted":       {fake.Fault{Status: 403, Type: "invalid_request_error"}, false, 1, false},
		"not there":           {fake.Fault{Status: 404, Type: "invalid_request_error"}, false, 1, false},
		"under way":           {fake.Fault{Status: 409, Code: "lock_timeout"}, false, 3, true},
		"too much":            {fake.Fault{Status: 429}, false, 3, true},
		"too much, for long":  {fake.Fault{Status: 429, Header: map[string]string{"Retry-After": "30"}}, false, 1, false},
		"error of Stripe's":   {fake.Fault{Status: 500}, false, 3, true},
		"a gateway's":         {fake.Fault{Status: 502}, false, 3, true},
		"cut off":             {fake.Fault{}, false, 3, true},
		"a redirect to steal": {fake.Fault{Status: 307, Header: map[string]string{"Location": "http://127.0.0.1:1/"}}, false, 1, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := newDesk(t)
			d.bank.FailNext(c.fault, c.fault, c.fault)
			_, err := d.Create(t.Context(), intent(500, "EUR"))
			wants(t, "create", err, c.final, !c.final)
			if n := len(d.bank.Calls()); n != c.tries {
				t.Errorf("it was tried %d times, want %d: %v", n, c.tries, d.bank.Calls())
			}
			if !c.succeed {
				return
			}
			d = newDesk(t)
			d.bank.FailNext(c.fault)
			if _, err := d.Create(t.Context(), intent(500, "EUR")); err != nil {
				t.Errorf("the second try gives %v", err)
			}
			if n := d.bank.Count("checkout.session"); n != 1 {
				t.Errorf("%d sessions were made", n)
			}
		})
	}
}

// The answer is lost after Stripe has done what it was asked for: the next try finds it done.
func TestLostAnswers(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	lost := fake.Fault{After: true}
	d.bank.FailNext(lost)
	c := d.create(intent(1000, "EUR"))
	pi := d.bank.Pay(c.Ref)
	d.bank.FailNext(fake.Fault{Pass: true}, lost)
	wants(t, "the capture", d.Capture(t.Context(), c.Ref, 1000), false, false)
	d.bank.FailNext(fake.Fault{Pass: true}, fake.Fault{Pass: true}, lost)
	wants(t, "the refund", d.Refund(t.Context(), pi, uuid.New(), 1000), false, false)
	if d.bank.Count("checkout.session") != 1 || d.bank.Count("refund") != 1 {
		t.Errorf("%d sessions and %d refunds were made, want one each", d.bank.Count("checkout.session"), d.bank.Count("refund"))
	}
	d.is(pi, order.PaymentRefunded, 1000)
}

// How long Stripe wants to be left alone is told to who calls.
func TestRetryAfter(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.bank.FailNext(fake.Fault{Status: 429, Header: map[string]string{"Retry-After": "30"}})
	err := d.Void(t.Context(), "cs_1")
	var later interface{ RetryAfter() time.Duration }
	if !errors.As(err, &later) || later.RetryAfter() != 30*time.Second {
		t.Errorf("it gives %v", err)
	}
}

// Each change has a key, and no two changes share one.
func TestEveryPostHasItsKey(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	c, _ := d.captured(1000)
	_ = d.Refund(t.Context(), c.Ref, uuid.New(), 300)
	_ = d.Refund(t.Context(), c.Ref, uuid.New(), 300)
	_ = d.Void(t.Context(), d.create(intent(500, "EUR")).Ref)
	keys := map[string]bool{}
	posts := 0
	for _, call := range d.bank.Calls() {
		if rest, ok := strings.CutPrefix(call, "POST "); ok {
			_, key, _ := strings.Cut(rest, " ")
			posts++
			keys[key] = key != ""
		}
	}
	if len(keys) != posts || keys[""] {
		t.Errorf("%d changes have the keys %v", posts, keys)
	}
}

func TestASilentStripeIsNotWaitedForLong(t *testing.T) {
	t.Parallel()
	silent := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		<-r.Context().Done()
	}))
	defer silent.Close()
	p, err := stripe.New(stripe.Config{Key: fake.Key, WebhookSecrets: []string{fake.Secret}, ShopURL: "https://shop.example.org", URL: silent.URL, Timeout: 20 * time.Millisecond, Pause: time.Microsecond})
	if err != nil {
		t.Fatal(err)
	}
	_, err = p.Create(t.Context(), intent(500, "EUR"))
	wants(t, "a silent Stripe", err, false, true)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = p.Status(ctx, "cs_1")
	wants(t, "a call that nobody waits for", err, false, true)
}
