package order_test

import (
	"errors"
	"net/http"
	"testing"
	"time"

	"github.com/google/uuid"

	"ticketrush/ledger"
	"ticketrush/stockd/order"
	"ticketrush/stockd/sandbox"
	"ticketrush/stockd/stock"
)

// Two payments of one attempt succeed: the first is captured, the other goes back.
func TestTwoSuccesses(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	o, p := w.begun(2, time.Minute)
	q, again, err := w.service.StartPayment(t.Context(), o.ID, uuid.New(), cardName, "/")
	if err != nil || !again || q.ID == p.ID {
		t.Fatalf("a payment at a second provider: %+v again %v, %v", q, again, err)
	}
	w.card.pays(q.ProviderRef, order.PaymentAuthorized, q.Amount)
	w.buyer(p, "success")
	if v := w.told(fact("second", order.PaymentAuthorized, q)); v.Code != ledger.FactOther {
		t.Errorf("a second success gives %+v", v)
	}
	w.becomes(o.ID, order.Issued)
	w.tidy(w.service)
	w.until("the second payment is voided", func() bool { return w.card.is(q.ProviderRef) == order.PaymentVoided })
	if got := w.bankState(p); got != order.PaymentCaptured {
		t.Errorf("the first payment is %s", got)
	}
	if got := w.outcome(cardName, "second"); got != "conflict: another payment has paid the order" {
		t.Errorf("the result is %q", got)
	}
	w.reconciles()
}

// A provider that takes the money at once: what pays nothing is posted as owed and sent back.
func TestCapturedSecondPaymentIsRefunded(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	o, p := w.begun(1, time.Minute)
	q, _, err := w.service.StartPayment(t.Context(), o.ID, uuid.New(), cardName, "/")
	if err != nil {
		t.Fatal(err)
	}
	w.buyer(p, "success")
	w.becomes(o.ID, order.Issued)
	w.card.pays(q.ProviderRef, order.PaymentCaptured, q.Amount)
	w.card.set(true, false)
	if v := w.told(fact("taken", order.PaymentCaptured, q)); v.Code != ledger.FactOther {
		t.Errorf("a second success gives %+v", v)
	}
	if err := w.service.Tidy(t.Context()); !errors.Is(err, errSilent) {
		t.Errorf("refunding at a silent bank gives %v", err)
	}
	w.reconciles() // the refund is on its way: no break
	w.card.set(false, false)
	w.set(time.Minute, false)
	w.tidy(w.service)
	w.told(fact("taken again", order.PaymentCaptured, q))
	w.tidy(w.service)
	w.until("the money is back", func() bool { return w.card.sentBack() == q.Amount })
	w.reconciles()
}

// A void that comes too late becomes a refund.
func TestVoidOfWhatWasCaptured(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	o, p := w.byCard(1)
	w.set(2*time.Minute, false)
	w.card.pays(p.ProviderRef, order.PaymentCreated, p.Amount)
	w.tidy(w.service)
	w.becomes(o.ID, order.Expired)
	w.exec(`UPDATE ledger.events SET starts_at = now() - interval '1 hour'`) // too late for seats
	w.card.pays(p.ProviderRef, order.PaymentCaptured, p.Amount)
	w.told(fact("late", order.PaymentAuthorized, p))
	_ = w.service.Tidy(t.Context()) // the void is refused, because the money was taken
	w.set(4*time.Minute, false)
	w.tidy(w.service)
	w.until("the money is back", func() bool { return w.card.sentBack() == p.Amount })
	if w.seats(stock.Sold) != 0 {
		t.Error("a seat is sold")
	}
	w.reconciles()
}

// The money of a payment that nobody knows goes back too.
func TestOrphans(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for ref, state := range map[string]string{"card_a": order.PaymentAuthorized, "card_c": order.PaymentCaptured} {
		w.card.pays(ref, state, 700)
		if v := w.told(ledger.PaymentFact{Provider: cardName, ID: ref, Ref: ref, Kind: state, Amount: 700, Currency: "EUR"}); v.Code != ledger.FactOrphan || v.Order != uuid.Nil {
			t.Errorf("%s gives %+v", ref, v)
		}
	}
	w.reconciles()
	w.set(time.Minute, false)
	w.tidy(w.service)
	w.until("both are back", func() bool {
		return w.card.is("card_a") == order.PaymentVoided && w.card.is("card_c") == order.PaymentRefunded && w.card.sentBack() == 700
	})
	w.reconciles()
}

// A payment that is told of before it was written down is no orphan any more when its time comes.
func TestAnOrphanThatIsFound(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	o, p := w.byCard(2)
	early := p
	early.ProviderRef = "card_early"
	w.card.pays(early.ProviderRef, order.PaymentAuthorized, p.Amount)
	if v := w.told(fact("early", order.PaymentAuthorized, early)); v.Code != ledger.FactOrphan {
		t.Fatalf("an unknown payment gives %+v", v)
	}
	w.exec(`UPDATE ledger.payments SET provider_ref = $2 WHERE id = $1`, p.ID, early.ProviderRef)
	w.set(45*time.Second, false)
	w.tidy(w.service)
	w.becomes(o.ID, order.Issued)
	w.reconciles()
}

// The bank refuses to capture what it had authorised: the sale is undone, in both journals.
func TestCaptureRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	o, p := w.byCard(3)
	w.card.pays(p.ProviderRef, order.PaymentAuthorized, p.Amount)
	w.card.set(false, true)
	w.told(fact("ok", order.PaymentAuthorized, p))
	if w.state(o.ID) != order.Paid {
		t.Fatalf("the order is %s", w.state(o.ID))
	}
	if err := w.newService().Follow(t.Context(), o.ID); err != nil {
		t.Fatal(err)
	}
	if w.state(o.ID) != order.Cancelled {
		t.Errorf("the order is %s", w.state(o.ID))
	}
	w.tidy(w.service)
	w.until("no seat is sold", func() bool { return w.seats(stock.Sold) == 0 })
	w.until("what was authorised is given back", func() bool { return w.card.is(p.ProviderRef) == order.PaymentVoided })
	w.reconciles()
	if tickets, err := w.service.Tickets(t.Context(), o.ID); err != nil || len(tickets) != 0 {
		t.Errorf("%d tickets, %v", len(tickets), err)
	}
	w.opened(10, time.Minute) // the limit of the buyer and the seats are free again
}

func TestCreateRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.card.set(false, true)
	o := w.opened(1, time.Minute)
	if _, _, err := w.service.StartPayment(t.Context(), o.ID, uuid.New(), cardName, "/"); !errors.Is(err, order.ErrDeclined) {
		t.Errorf("a refused payment gives %v", err)
	}
	if w.state(o.ID) != order.PendingPayment || w.seats(stock.Paying) != 0 {
		t.Errorf("the order is %s with %d seats pinned", w.state(o.ID), w.seats(stock.Paying))
	}
	// One that is not answered stays open, and the next call goes on with it.
	w.card.set(true, false)
	if _, _, err := w.service.StartPayment(t.Context(), o.ID, uuid.New(), cardName, "/"); !errors.Is(err, errSilent) {
		t.Errorf("a silent bank gives %v", err)
	}
	w.card.set(false, false)
	p, again, err := w.service.StartPayment(t.Context(), o.ID, uuid.New(), cardName, "/")
	if err != nil || !again || p.Attempt != 2 {
		t.Errorf("the next call gives %+v again %v, %v", p, again, err)
	}
	w.reconciles()
}

// A bank that does not answer cannot keep the seats for ever, and what it says too late is given back.
func TestStuck(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	answered, p1 := w.byCard(1)
	silent, p2 := w.byCard(1)
	w.card.pays(p1.ProviderRef, order.PaymentAuthorized, p1.Amount)
	w.card.set(true, false)
	w.set(2*time.Minute, false)
	w.tidy(w.service)
	w.becomes(answered.ID, order.Stuck)
	w.becomes(silent.ID, order.Stuck)
	w.tidy(w.service)
	w.becomes(silent.ID, order.Stuck)
	w.reconciles()
	w.exec(`UPDATE ledger.orders SET paying_until = now() + interval '1 hour' WHERE id = $1`, silent.ID)
	w.card.set(false, false)
	w.tidy(w.service)
	w.becomes(answered.ID, order.Issued)
	w.becomes(silent.ID, order.Expired) // the bank has answered: nobody paid
	if got := w.seats(stock.Paying); got != 0 {
		t.Errorf("%d seats are pinned", got)
	}
	w.card.pays(p2.ProviderRef, order.PaymentAuthorized, p2.Amount)
	if v := w.told(fact("late", order.PaymentAuthorized, p2)); v.Code != ledger.FactLate {
		t.Errorf("a late success gives %+v", v)
	}
	w.settled(silent, order.Issued) // its seats were free
	w.reconciles()
}

func TestStuckHasAnEnd(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	o, _ := w.byCard(2)
	w.card.set(true, false)
	w.set(2*time.Minute, false)
	w.tidy(w.service)
	w.becomes(o.ID, order.Stuck)
	w.set(13*time.Minute, false)
	_ = w.service.Tidy(t.Context()) // the void is still not answered
	w.becomes(o.ID, order.Expired)
	if got := w.seats(stock.Paying) + w.seats(stock.Held); got != 0 {
		t.Errorf("%d seats are still taken", got)
	}
	w.reconciles()
}

// The failure of a payment is told after its success, or before it.
func TestReorderedFacts(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	o, p := w.byCard(1)
	w.card.pays(p.ProviderRef, order.PaymentAuthorized, p.Amount)
	w.told(fact("ok", order.PaymentAuthorized, p))
	if v := w.told(fact("no", order.PaymentFailed, p)); v.Code != ledger.FactNothing {
		t.Errorf("a failure after the success gives %+v", v)
	}
	w.set(time.Minute, false)
	w.tidy(w.service)
	w.becomes(o.ID, order.Issued)
	w.set(0, false)
	o, p = w.byCard(1)
	w.card.pays(p.ProviderRef, order.PaymentAuthorized, p.Amount)
	if v := w.told(fact("no 2", order.PaymentFailed, p)); v.Code != ledger.FactFailed {
		t.Errorf("a failure gives %+v", v)
	}
	if v := w.told(fact("ok 2", order.PaymentAuthorized, p)); v.Code != ledger.FactNotPaying {
		t.Errorf("a success after the failure gives %+v", v)
	}
	w.set(2*time.Minute, false)
	w.tidy(w.service)
	w.until("the payment is voided", func() bool { return w.card.is(p.ProviderRef) == order.PaymentVoided })
	if s := w.state(o.ID); s != order.PendingPayment && s != order.Expired {
		t.Errorf("the order is %s", s)
	}
	w.reconciles()
}

// A fact that the ledger refuses does not take the others of its group with it, and a group has its facts decided each by itself.
func TestAGroupOfFacts(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	var facts []ledger.PaymentFact
	for range 4 {
		_, p := w.byCard(1)
		w.card.pays(p.ProviderRef, order.PaymentAuthorized, p.Amount)
		facts = append(facts, fact("ok "+p.ProviderRef, order.PaymentAuthorized, p))
	}
	facts[1].Amount++
	facts = append(facts, facts[0], ledger.PaymentFact{Provider: cardName, ID: "?", Ref: "?", Kind: "other"})
	verdicts, err := w.ledger.PaymentTake(t.Context(), facts, w.now())
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []int16{ledger.FactPaid, ledger.FactMismatch, ledger.FactPaid, ledger.FactPaid, ledger.FactPaid, ledger.FactOrphan} {
		if v := verdicts[i]; v.Code != want || v.Again != (i == 4) {
			t.Errorf("fact %d gives %+v, want %d", i, v, want)
		}
	}
	w.set(30*time.Second, false)
	w.tidy(w.service)
	w.until("three orders are issued", func() bool { return w.seats(stock.Sold) == 3 && w.seats(stock.Paying) == 1 })
}

// The bank's process ends after the buyer has paid and before it has told: the outbox tells.
func TestTheBankCrashes(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	o, p := w.begun(1, time.Minute)
	w.set(0, true)
	w.buyer(p, "success")
	w.set(20*time.Second, false)
	w.tidy(w.service)
	w.becomes(o.ID, order.Issued)
	w.reconciles()
}

func TestSecretsOfTheSandboxRotate(t *testing.T) {
	t.Parallel()
	old, next := []byte("the secret of last year"), []byte("the secret of this year")
	verifier, err := sandbox.New(nil, next, "", old)
	if err != nil {
		t.Fatal(err)
	}
	body := []byte(`{"id":"1","payment":"p","type":"authorized"}`)
	for name, c := range map[string]struct {
		secret []byte
		ok     bool
	}{"current": {next, true}, "previous": {old, true}, "foreign": {[]byte("the secret of others"), false}} {
		header := http.Header{"Sandbox-Signature": {sandbox.Signature(c.secret, body, time.Unix(1_800_000_000, 0))}}
		_, err := verifier.Verify(body, header, time.Unix(1_800_000_060, 0))
		if (err == nil) != c.ok {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := sandbox.New(nil, next, "", []byte("short")); err == nil {
		t.Error("a short secret is taken")
	}
}

// Workers of several nodes that follow the same orders at the same time do no harm, and none of them fails.
func TestSeveralFollowers(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	var orders []uuid.UUID
	for range 6 {
		o, p := w.byCard(2)
		w.card.pays(p.ProviderRef, order.PaymentAuthorized, p.Amount)
		w.told(fact("ok "+p.ProviderRef, order.PaymentAuthorized, p))
		orders = append(orders, o.ID)
	}
	services := []*order.Service{w.newService(), w.newService(), w.newService()}
	parallel(len(services), len(services), func(i int) {
		for _, id := range orders {
			if err := services[i].Follow(t.Context(), id); err != nil {
				t.Error(err)
			}
		}
	})
	for _, id := range orders {
		if w.state(id) != order.Issued {
			t.Errorf("the order is %s", w.state(id))
		}
	}
	w.reconciles()
}

// A silent provider is asked again later each time.
func TestStuckIsAskedLaterEachTime(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	o, _ := w.byCard(1)
	w.card.set(true, false)
	w.later(2 * time.Minute)
	w.tidy(w.service)
	w.becomes(o.ID, order.Stuck)
	for _, c := range []struct{ after, least, most time.Duration }{{0, 2 * time.Second, 5 * time.Second}, {time.Minute, 29 * time.Second, 63 * time.Second}, {7 * time.Minute, 59 * time.Second, 2 * time.Minute}} {
		w.later(c.after)
		w.tidy(w.service)
		now := w.now()
		for d, want := range map[time.Duration]int{c.least: 0, c.most + time.Second: 1} {
			if due, err := w.ledger.OrdersOverdue(t.Context(), now.Add(d), false, 10); err != nil || len(due) != want {
				t.Errorf("%s later, %s after the question: %d orders are due, %v; want %d", c.after, d, len(due), err, want)
			}
		}
	}
	w.reconciles()
}
