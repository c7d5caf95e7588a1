package order_test

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"ticketrush/stockd/order"
	"ticketrush/stockd/paypage"
	"ticketrush/stockd/sandbox"
)

// facts counts the facts of a kind that the ledger has of the sandbox's payments.
func (w *world) facts(kind string) (n int) {
	w.t.Helper()
	if err := w.ledger.SQL().QueryRowContext(w.t.Context(), `SELECT count(*) FROM ledger.payment_events WHERE provider = 'sandbox' AND kind = $1`, kind).Scan(&n); err != nil {
		w.t.Fatal(err)
	}
	return n
}

// A bank that takes its time: it is not done before, and says so when it is. What it is at cannot be voided meanwhile.
func TestSlowBank(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	o, p := w.begun(1, time.Minute)
	w.buyer(p, paypage.ActionSlow)
	if got := w.bankState(p); got != order.PaymentCreated {
		t.Errorf("the bank says %s at once", got)
	}
	if err := w.bank.Void(t.Context(), p.ProviderRef); err == nil || errors.Is(err, order.ErrDeclined) {
		t.Errorf("the void of a payment that is being authorised gives %v: not a no for good", err)
	}
	w.buyer(p, paypage.ActionDecline) // too late: it is decided
	w.tidy(w.service)
	if got := w.state(o.ID); got != order.Paying {
		t.Fatalf("the order is %s before the bank is done", got)
	}
	w.set(5*time.Second, false)
	w.tidy(w.service)
	w.becomes(o.ID, order.Issued)
	w.reconciles()
}

// A bank that is done after the shop's deadline: the shop expires the order, the void is not possible yet, and the money does not stay.
func TestLateBank(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	o, p := w.begun(1, time.Minute)
	w.buyer(p, paypage.ActionLate)
	w.set(time.Minute+time.Second, false) // the attempt's time is over; the bank is not done
	_ = w.service.Tidy(t.Context())       // the void is refused
	w.becomes(o.ID, order.Expired)
	w.set(2*time.Minute, false)
	_ = w.service.Tidy(t.Context())
	w.until("the bank tells that it was paid", func() bool { return w.facts(order.PaymentAuthorized) == 1 })
	w.set(10*time.Minute, false)
	w.until("the money is back or has its seats", func() bool {
		_ = w.service.Tidy(t.Context())
		return w.bankState(p) == order.PaymentVoided || w.state(o.ID) == order.Issued
	})
	w.reconciles()
}

// A bank that takes the money a second time, as a payment that the shop never made: that one goes back.
func TestBankTakesTwice(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	o, p := w.begun(1, time.Minute)
	w.buyer(p, paypage.ActionTwice)
	w.becomes(o.ID, order.Issued)
	again := p
	again.ProviderRef += "-again"
	if got := w.bankState(again); got != order.PaymentCaptured {
		t.Fatalf("the second payment is %s", got)
	}
	w.reconciles() // 2900 owes it
	w.set(time.Minute, false)
	w.tidy(w.service)
	w.bankBecomes(again, order.PaymentRefunded)
	if got := w.bankState(p); got != order.PaymentCaptured {
		t.Errorf("the first payment is %s", got)
	}
	w.reconciles()
}

// A bank that declines and changes its mind when the buyer has paid otherwise.
func TestBankChangesItsMind(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	o, p := w.begun(1, time.Minute)
	w.buyer(p, paypage.ActionDecline)
	w.becomes(o.ID, order.PendingPayment)
	q, _, err := w.service.StartPayment(t.Context(), o.ID, uuid.New(), sandbox.Name, "/tickets")
	if err != nil {
		t.Fatal(err)
	}
	w.buyer(q, paypage.ActionSuccess)
	w.becomes(o.ID, order.Issued)
	w.buyer(p, paypage.ActionAfterAll)
	w.tidy(w.service)
	w.bankBecomes(p, order.PaymentVoided)
	if got := w.bankState(q); got != order.PaymentCaptured {
		t.Errorf("the payment that pays is %s", got)
	}
	w.reconciles()
}

// The sandbox's books of refunds: parts up to the whole, each once, refused or failed as its page was told.
func TestSandboxRefunds(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	o, p := w.begun(2, time.Minute)
	w.buyer(p, paypage.ActionSuccess)
	w.becomes(o.ID, order.Issued)
	refund := func(id uuid.UUID, amount int64, want error) {
		t.Helper()
		if err := w.bank.Refund(t.Context(), p.ProviderRef, id, amount); !wraps(err, want) {
			t.Fatalf("a refund of %d gives %v, want %v", amount, err, want)
		}
	}
	refunded := func(want int64) {
		t.Helper()
		if s, err := w.ledger.SandboxGet(t.Context(), p.ProviderRef); err != nil || s.Refunded != want {
			t.Fatalf("%d went back (%v), want %d", s.Refunded, err, want)
		}
	}
	part, rest := uuid.New(), uuid.New()
	refund(part, 5320, nil)
	refund(part, 5320, nil) // the same
	refunded(5320)
	refund(uuid.New(), 5321, order.ErrDeclined) // more than is left
	refund(uuid.New(), 0, order.ErrDeclined)
	w.buyer(p, paypage.ActionRefuseRefunds)
	refund(rest, 5320, order.ErrDeclined)
	w.buyer(p, paypage.ActionFailRefunds)
	refund(rest, 5320, nil)
	refunded(5320)
	w.buyer(p, paypage.ActionSendRefunds)
	refund(rest, 5320, nil) // the one that failed is tried anew
	refunded(10640)
	if got := w.bankState(p); got != order.PaymentRefunded {
		t.Errorf("the payment is %s", got)
	}
	if err := w.bank.Refund(t.Context(), "sbx_unknown", rest, 1); !wraps(err, order.ErrDeclined) {
		t.Errorf("a refund of an unknown payment gives %v", err)
	}
	w.set(10*time.Second, false)
	w.tidy(w.service)
	w.until("the shop was told of each", func() bool { return w.facts(order.RefundSent) == 2 && w.facts(order.RefundFailed) == 1 })
}

// A dispute is opened once, and decided once.
func TestSandboxDisputes(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	o, p := w.begun(1, time.Minute)
	w.buyer(p, paypage.ActionDispute) // nothing was taken yet
	w.buyer(p, paypage.ActionSuccess)
	w.becomes(o.ID, order.Issued)
	w.buyer(p, paypage.ActionDisputeLost) // nothing is disputed yet
	for range 2 {
		w.buyer(p, paypage.ActionDispute)
	}
	w.buyer(p, paypage.ActionDisputeWon)
	w.buyer(p, paypage.ActionDisputeLost)
	for kind, want := range map[string]int{order.DisputeOpened: 1, order.DisputeWon: 1, order.DisputeLost: 0} {
		if got := w.facts(kind); got != want {
			t.Errorf("%d facts of %s, want %d", got, kind, want)
		}
	}
}

// The page shows what the bank may do with a payment, and stays when it is done.
func TestPayPageOfATakenPayment(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	o, p := w.begun(1, time.Minute)
	w.buyer(p, paypage.ActionSuccess)
	w.becomes(o.ID, order.Issued)
	if err := w.bank.Refund(t.Context(), p.ProviderRef, uuid.New(), 1234); err != nil {
		t.Fatal(err)
	}
	post := httptest.NewRequest(http.MethodPost, p.PayUrl, strings.NewReader("action="+paypage.ActionDispute))
	post.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	rec := httptest.NewRecorder()
	w.bank.Handler().ServeHTTP(rec, post)
	if rec.Code != http.StatusSeeOther || rec.Header().Get("Location") != p.PayUrl {
		t.Errorf("the form: %d to %q", rec.Code, rec.Header().Get("Location"))
	}
	rec = httptest.NewRecorder()
	w.bank.Handler().ServeHTTP(rec, httptest.NewRequest(http.MethodGet, p.PayUrl, nil))
	for _, want := range []string{"12.34 EUR of it went back", "You have disputed this payment", `value="dispute-lost"`} {
		if !strings.Contains(rec.Body.String(), want) {
			t.Errorf("the page does not say %q", want)
		}
	}
}

// wraps says whether an error is, or is none.
func wraps(err, want error) bool {
	if want == nil {
		return err == nil
	}
	return errors.Is(err, want)
}
