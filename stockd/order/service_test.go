package order_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"crypto/ed25519"

	"github.com/google/uuid"

	"ticketrush/ledger"
	"ticketrush/stockd/order"
	"ticketrush/stockd/sandbox"
	"ticketrush/stockd/stock"
)

func TestFromHoldToTickets(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	o, p := w.begun(3, time.Minute)
	if w.state(o.ID) != order.Paying {
		t.Fatal("an order with a payment is not paying")
	}
	w.buyer(p, "success")
	w.becomes(o.ID, order.Issued)
	tickets, err := w.service.Tickets(t.Context(), o.ID)
	if err != nil || len(tickets) != 3 {
		t.Fatalf("%d tickets, %v", len(tickets), err)
	}
	for _, ticket := range tickets {
		code, err := order.ParseTicketCode(ticket.Code, w.key.Public().(ed25519.PublicKey))
		if err != nil || code.Ticket != ticket.ID || code.Seat != ticket.Seat || code.Event != w.event.ID {
			t.Errorf("code %+v, %v", code, err)
		}
	}
	if got := w.bankState(p); got != order.PaymentCaptured {
		t.Errorf("the payment is %s at the bank", got)
	}
	w.reconciles()
}

func TestStartPaymentTwiceIsOnePayment(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	o, p := w.begun(1, time.Minute)
	q, again, err := w.service.StartPayment(t.Context(), o.ID, uuid.New(), sandbox.Name, "/tickets")
	if err != nil || !again || q.ID != p.ID {
		t.Fatalf("second start: %+v again %v, %v", q, again, err)
	}
}

func TestDeclineThenPay(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	o, p := w.begun(2, time.Minute)
	w.buyer(p, "decline")
	w.becomes(o.ID, order.PendingPayment)
	q, again, err := w.service.StartPayment(t.Context(), o.ID, uuid.New(), sandbox.Name, "/tickets")
	if err != nil || again || q.ID == p.ID || q.Attempt != 2 {
		t.Fatalf("second attempt: %+v again %v, %v", q, again, err)
	}
	w.buyer(q, "success")
	w.becomes(o.ID, order.Issued)
	w.reconciles()
}

func TestThreeAttemptsAreEnough(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	o, p := w.begun(1, time.Minute)
	for range 2 {
		w.buyer(p, "decline")
		w.becomes(o.ID, order.PendingPayment)
		var err error
		if p, _, err = w.service.StartPayment(t.Context(), o.ID, uuid.New(), sandbox.Name, "/"); err != nil {
			t.Fatal(err)
		}
	}
	w.buyer(p, "decline")
	w.becomes(o.ID, order.PendingPayment)
	_, _, err := w.service.StartPayment(t.Context(), o.ID, uuid.New(), sandbox.Name, "/")
	var illegal *order.IllegalTransition
	if !errors.As(err, &illegal) || illegal.From != order.PendingPayment {
		t.Fatalf("a fourth attempt gives %v", err)
	}
	w.reconciles()
}

// Found by chaos: a node that was stopped for seconds carried out a request that its client had sent again to another node long ago, whose attempt had
// failed by then. It began another attempt, and the client could not cancel.
func TestALateCopyBeginsNoOtherAttempt(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	o := w.opened(2, time.Minute)
	key := uuid.New()
	p, again, err := w.service.StartPayment(t.Context(), o.ID, key, sandbox.Name, "/")
	if err != nil || again {
		t.Fatalf("again %v, %v", again, err)
	}
	w.buyer(p, "decline")
	w.becomes(o.ID, order.PendingPayment)
	late, again, err := w.service.StartPayment(t.Context(), o.ID, key, sandbox.Name, "/")
	if err != nil || !again || late.ID != p.ID || w.state(o.ID) != order.PendingPayment {
		t.Errorf("%v, again %v, %v; the order is %v", late.ID, again, err, w.state(o.ID))
	}
	next, again, err := w.service.StartPayment(t.Context(), o.ID, uuid.New(), sandbox.Name, "/")
	if err != nil || again || next.ID == p.ID {
		t.Errorf("a new request: again %v, %v", again, err)
	}
	w.reconciles()
}

func TestCancelFreesTheSeats(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	o := w.opened(4, time.Minute)
	after, err := w.service.Cancel(t.Context(), o.ID, request())
	if err != nil || order.State(after.State) != order.Cancelled {
		t.Fatalf("cancel: %v, %v", order.State(after.State), err)
	}
	if again, err := w.service.Cancel(t.Context(), o.ID, request()); err != nil || again.Ver != after.Ver {
		t.Errorf("cancelling twice: version %d, %v", again.Ver, err)
	}
	_, _, err = w.service.StartPayment(t.Context(), o.ID, uuid.New(), sandbox.Name, "/")
	var illegal *order.IllegalTransition
	if !errors.As(err, &illegal) || illegal.From != order.Cancelled {
		t.Errorf("paying a cancelled order gives %v", err)
	}
	w.reconciles()
	p, _ := w.begun(1, time.Minute)
	if _, err := w.service.Cancel(t.Context(), p.ID, request()); !errors.As(err, &illegal) || illegal.From != order.Paying {
		t.Errorf("cancelling an order that is being paid gives %v", err)
	}
}

func TestTheHoldsEndEndsTheOrder(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	o := w.opened(2, 3*time.Second)
	w.becomes(o.ID, order.Expired)
	w.reconciles()
}

// While an order is being paid its seats stay, however long ago the hold's deadline was.
func TestPinnedSeatsOutliveTheHold(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	o, p := w.begun(2, 3*time.Second)
	other := w.opened(1, 3*time.Second) // expires in the meantime: so the deadline of the first has passed as well
	w.becomes(other.ID, order.Expired)
	w.buyer(p, "success")
	w.becomes(o.ID, order.Issued)
	w.reconciles()
}

func TestPayingAfterTheEndGivesTheMoneyBack(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	o, p := w.begun(2, time.Minute)
	w.set(0, true) // the bank's word is lost
	w.buyer(p, "decline")
	w.set(2*time.Minute, false)
	w.tidy(w.service)
	w.becomes(o.ID, order.Expired)
	// Now the bank says that it was paid after all: a message for an order that has ended.
	body, _ := json.Marshal(map[string]any{"id": "late", "payment": p.ProviderRef, "type": "authorized", "amount": p.Amount, "currency": "EUR", "at": w.now().Unix()})
	if err := w.bank.Send(t.Context(), w.shop.URL, body, w.now()); err != nil {
		t.Fatal(err)
	}
	w.tidy(w.service)
	w.bankBecomes(p, order.PaymentVoided)
	if w.state(o.ID) != order.Expired {
		t.Errorf("the order is %s", w.state(o.ID))
	}
	w.reconciles()
}

func TestOverdueAsksTheBank(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	o, p := w.begun(2, time.Minute)
	w.set(0, true)
	w.buyer(p, "success") // the bank has the money, the shop does not know
	if w.state(o.ID) != order.Paying {
		t.Fatal("a lost message changed the order")
	}
	w.set(2*time.Minute, false)
	w.tidy(w.service)
	w.becomes(o.ID, order.Issued)
	w.reconciles()
}

// The same message twice, at once and later, is one sale.
func TestDoubleWebhook(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	o, p := w.begun(1, time.Minute)
	w.buyer(p, "double")
	w.becomes(o.ID, order.Issued)
	w.reconciles()
}

func TestForgedWebhooks(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	_, p := w.begun(1, time.Minute)
	now := time.Now()
	other, err := sandbox.New(w.ledger, []byte("another secret of somebody"), w.shop.URL)
	if err != nil {
		t.Fatal(err)
	}
	body, _ := json.Marshal(map[string]any{"id": "x", "payment": p.ProviderRef, "type": "authorized", "amount": p.Amount, "currency": "EUR", "at": now.Unix()})
	if err := other.Send(t.Context(), w.shop.URL, body, now); err == nil {
		t.Error("a message with another secret is taken")
	}
	if err := w.bank.Send(t.Context(), w.shop.URL, body, now.Add(-time.Hour)); err == nil {
		t.Error("a message of an hour ago is taken")
	}
	for name, header := range map[string]string{"none": "", "no mac": "t=1", "not hex": "t=1,v1=zz", "no number": "t=x,v1=00"} {
		err := w.service.Webhook(t.Context(), sandbox.Name, body, http.Header{"Sandbox-Signature": {header}})
		if !errors.Is(err, order.ErrSignature) {
			t.Errorf("%s: %v, want ErrSignature", name, err)
		}
	}
	if err := w.service.Webhook(t.Context(), "nobody", body, nil); !errors.Is(err, order.ErrNoProvider) {
		t.Errorf("an unknown provider gives %v", err)
	}
}

func TestWrongAmountAndUnknownPayments(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(map[string]any){
		"less money":       func(m map[string]any) { m["amount"] = 1 },
		"another currency": func(m map[string]any) { m["currency"] = "USD" },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			o, p := w.begun(1, time.Minute)
			m := map[string]any{"id": "x", "payment": p.ProviderRef, "type": "authorized", "amount": p.Amount, "currency": "EUR", "at": time.Now().Unix()}
			change(m)
			body, _ := json.Marshal(m)
			if err := w.bank.Send(t.Context(), w.shop.URL, body, time.Now()); err != nil {
				t.Fatal("a signed fact is refused:", err)
			}
			w.tidy(w.service)
			w.bankBecomes(p, order.PaymentVoided)
			if w.state(o.ID) != order.Paying {
				t.Errorf("the order is %s", w.state(o.ID))
			}
			w.set(2*time.Minute, false)
			w.tidy(w.service)
			w.becomes(o.ID, order.Expired)
			w.reconciles()
		})
	}
	w := newWorld(t)
	body := fmt.Appendf(nil, `{"id":"y","payment":"sbx_unknown","type":"authorized","amount":1,"currency":"EUR","at":%d}`, time.Now().Unix())
	if err := w.bank.Send(t.Context(), w.shop.URL, body, time.Now()); err != nil {
		t.Error("a signed fact about an unknown payment is refused:", err)
	}
}

// A crash between any two steps: a service that knows nothing of what was begun finishes it.
func TestAnotherServiceFinishes(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ctx := t.Context()
	o := w.opened(2, time.Minute)
	now := time.Now()
	// After pay_start, before the pin.
	if _, err := w.ledger.PaymentBegin(ctx, o.ID, 3, now.Add(time.Minute), now); err != nil {
		t.Fatal(err)
	}
	p, again, err := w.newService().StartPayment(ctx, o.ID, uuid.New(), sandbox.Name, "/")
	if err != nil || !again {
		t.Fatalf("going on after pay_start: again %v, %v", again, err)
	}
	// After the decision, before anything follows: the first service is gone.
	w.service.Stop()
	w.set(0, true)
	w.buyer(p, "success")
	w.set(0, false)
	second := w.newService()
	if v := w.told(fact("first", order.PaymentAuthorized, p)); v.Code != ledger.FactPaid || v.Order != o.ID {
		t.Fatalf("the fact of a payment gives %+v", v)
	}
	if w.state(o.ID) != order.Paid {
		t.Fatal("a decided order is not paid")
	}
	// After the sale, before the capture.
	w.do(stock.Command{Kind: stock.KindSell, Event: w.event.Number, Segment: 1, Hold: o.Hold, Order: o.ID, Attempt: 1})
	for range 2 {
		if err := second.Follow(ctx, o.ID); err != nil {
			t.Fatal(err)
		}
	}
	if w.state(o.ID) != order.Issued {
		t.Errorf("the order is %s", w.state(o.ID))
	}
	w.reconciles()
}

// A payment has failed, and whoever should have given its pins back has crashed: a cancellation is not refused for that, it gives them back itself.
func TestCancelWithLoosePins(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	o, _ := w.begun(2, time.Minute)
	if moved, err := w.ledger.OrderMove(t.Context(), o.ID, int16(order.Paying), int16(order.PendingPayment), order.EventPayFail, 1, "", time.Now()); err != nil || !moved {
		t.Fatal(moved, err)
	}
	if after, err := w.service.Cancel(t.Context(), o.ID, request()); err != nil || order.State(after.State) != order.Cancelled {
		t.Errorf("cancel: %v, %v", order.State(after.State), err)
	}
	w.reconciles()
}

// A request to pay that was stuck for so long that its client has sent it again, and has seen that payment fail, begins no attempt of its own.
func TestALateRequestToPayBeginsNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	o := w.opened(1, time.Minute)
	w.mu.Lock()
	w.limp = 3 * time.Second
	w.mu.Unlock()
	if _, _, err := w.service.StartPayment(t.Context(), o.ID, uuid.New(), sandbox.Name, "/"); !errors.Is(err, order.ErrBusy) {
		t.Errorf("a late request gives %v", err)
	}
	w.mu.Lock()
	w.clock, w.limp = 0, 0
	w.mu.Unlock()
	if after, err := w.service.Get(t.Context(), o.ID); err != nil || after.Attempt != 0 {
		t.Errorf("attempt %d, %v", after.Attempt, err)
	}
	w.reconciles()
}

// A pin that was left behind by a crash after pay_fail is undone.
func TestLoosePinsAreUndone(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	o, _ := w.begun(2, time.Minute)
	if moved, err := w.ledger.OrderMove(t.Context(), o.ID, int16(order.Paying), int16(order.PendingPayment), order.EventPayFail, 1, "", time.Now()); err != nil || !moved {
		t.Fatal(moved, err)
	}
	w.tidy(w.service)
	if view, ok, err := w.node.Find(t.Context(), o.Hold); err != nil || !ok || view.State != stock.Held {
		t.Errorf("the hold is %+v %v %v", view, ok, err)
	}
	w.reconciles()
}

// A bank that does not wait says that it has the money before the seats are pinned: it goes back. When the bank is asked again and has it still, with the
// seats pinned by now, it pays nothing any more, or the buyer would have seats and the money too.
func TestMoneyThatGoesBackPaysNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	o, p := w.byCard(2)
	w.exec(`UPDATE ledger.seats SET attempt = 99 WHERE order_id = $1`, o.ID)
	w.card.pays(p.ProviderRef, order.PaymentCaptured, p.Amount)
	if v := w.told(fact("too early", order.PaymentCaptured, p)); v.Code != ledger.FactNotPinned {
		t.Fatalf("money before the pins gives %+v", v)
	}
	w.exec(`UPDATE ledger.seats SET attempt = 1 WHERE order_id = $1`, o.ID)
	for name, facts := range map[string][]string{"alone": {"asked"}, "together": {"asked again", "and again"}} {
		var list []ledger.PaymentFact
		for _, id := range facts {
			list = append(list, fact(id, order.PaymentCaptured, p))
		}
		verdicts, err := w.ledger.PaymentTake(t.Context(), list, w.now())
		if err != nil || verdicts[0].Code != ledger.FactNotPaying {
			t.Errorf("%s: money that goes back gives %+v, %v", name, verdicts, err)
		}
	}
	if w.state(o.ID) != order.Paying {
		t.Errorf("the order is %s", w.state(o.ID))
	}
	w.set(time.Hour, false)
	w.settled(o, order.Expired)
	w.until("the money is back", func() bool { return w.card.kept(p.ProviderRef) == 0 })
	w.reconciles()
}

func TestDecideNeedsEverySeatPinned(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ctx := t.Context()
	o := w.opened(2, time.Minute)
	now := time.Now()
	if _, err := w.ledger.PaymentBegin(ctx, o.ID, 3, now.Add(time.Minute), now); err != nil {
		t.Fatal(err)
	}
	p := ledger.Payment{ID: uuid.New(), OrderID: o.ID, Attempt: 1, Provider: sandbox.Name, ProviderRef: "sbx_1", Amount: o.Total, Currency: "EUR"}
	if err := w.ledger.PaymentInsert(ctx, p); err != nil {
		t.Fatal(err)
	}
	if v := w.told(fact("1", order.PaymentAuthorized, p)); v.Code != ledger.FactNotPinned || v.Again {
		t.Fatalf("deciding without pins gives %+v", v)
	}
	if v := w.told(fact("1", order.PaymentAuthorized, p)); v.Code != ledger.FactNotPinned || !v.Again {
		t.Fatalf("the same fact again gives %+v", v)
	}
	if w.state(o.ID) != order.Paying {
		t.Errorf("the order is %s", w.state(o.ID))
	}
}

// TestLostMessage: the bank has the money and never says so; the shop asks when the attempt's time is up.
func TestLostMessage(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	o, p := w.begun(1, time.Minute)
	w.buyer(p, "lost")
	w.set(20*time.Second, false) // longer than the bank waits before it tells again
	w.tidy(w.service)
	if got := w.state(o.ID); got != order.Paying {
		t.Fatalf("the order is %v: somebody told the shop", got)
	}
	w.set(2*time.Minute, false)
	w.tidy(w.service)
	w.becomes(o.ID, order.Issued)
	w.reconciles()
}

func TestPayPage(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	_, p := w.begun(1, time.Minute)
	get := func(method, path, contentType, body string) *httptest.ResponseRecorder {
		r := httptest.NewRequest(method, path, strings.NewReader(body))
		r.Header.Set("Content-Type", contentType)
		rec := httptest.NewRecorder()
		w.bank.Handler().ServeHTTP(rec, r)
		return rec
	}
	if rec := get("GET", p.PayUrl, "", ""); rec.Code != 200 || !bytes.Contains(rec.Body.Bytes(), []byte("53.20")) {
		t.Errorf("the page: %d\n%s", rec.Code, rec.Body)
	}
	for path, c := range map[string]struct {
		body string
		want int
	}{
		"/sandbox/pay/unknown": {`{"action":"success"}`, 404},
		p.PayUrl:               {`{"action":"steal"}`, 400},
		p.PayUrl + "#":         {`{`, 400},
	} {
		if rec := get("POST", strings.TrimSuffix(path, "#"), "application/json", c.body); rec.Code != c.want {
			t.Errorf("POST %s %s: %d, want %d", path, c.body, rec.Code, c.want)
		}
	}
	rec := get("POST", p.PayUrl, "application/x-www-form-urlencoded", "action=success")
	if rec.Code != http.StatusSeeOther || rec.Header().Get("Location") != "/tickets" {
		t.Errorf("the form: %d to %q", rec.Code, rec.Header().Get("Location"))
	}
}
