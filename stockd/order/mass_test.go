package order_test

import (
	"errors"
	"testing"
	"time"

	"github.com/google/uuid"

	"ticketrush/ledger"
	"ticketrush/stockd/order"
	"ticketrush/stockd/sandbox"
	"ticketrush/stockd/stock"
)

func (w *world) cancel() {
	w.t.Helper()
	if _, again, err := w.node.CancelEvent(w.t.Context(), w.event.Number, "the artist is ill", "ops"); err != nil || again {
		w.t.Fatalf("cancel: again %v, %v", again, err)
	}
}

func (w *world) massRefund() ledger.MassRefund {
	w.t.Helper()
	m, err := w.node.MassRefund(w.t.Context(), w.event.Number)
	if err != nil {
		w.t.Fatal(err)
	}
	return m
}

// Whatever an order is doing when its event is cancelled, it ends without money and without a seat, and the mass refund knows when that is so.
func TestAnEventIsCancelled(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	issued, _ := w.sold(2)
	part, _ := w.sold(3)
	w.refund(wish(part, part.Lines[0].Seat))
	paid, pp := w.byCard(1)
	w.pay(pp) // and nobody follows
	paying, py := w.byCard(1)
	pending := w.opened(1, 5*time.Second)
	_, disputed := w.sold(1)
	if v := w.told(fact("dispute", order.DisputeOpened, disputed)); v.Code != ledger.FactDisputed {
		t.Fatalf("the dispute gives %+v", v)
	}
	w.cancel()
	if _, again, err := w.node.CancelEvent(t.Context(), w.event.Number, "other", "other"); err != nil || !again {
		t.Errorf("cancelled twice: again %v, %v", again, err)
	}
	other := w.newService() // another node, which takes over
	w.tidy(other)
	if n := w.valid(issued) + w.valid(part) + w.valid(paid); n != 0 {
		t.Errorf("%d tickets of a cancelled event are valid", n)
	}
	var illegal *order.IllegalTransition
	if _, _, err := w.service.StartPayment(t.Context(), pending.ID, uuid.New(), sandbox.Name, "/"); !errors.As(err, &illegal) {
		t.Errorf("to pay for a cancelled event gives %v", err)
	}
	// The bank says yes all the same.
	w.card.pays(py.ProviderRef, order.PaymentAuthorized, py.Amount)
	if v := w.told(fact("late", order.PaymentAuthorized, py)); v.Code != ledger.FactNotPaying {
		t.Errorf("a payment after the cancellation gives %+v", v)
	}
	w.settled(issued, order.Refunded)
	w.settled(part, order.Refunded)
	w.settled(paid, order.Refunded)
	if m := w.massRefund(); !m.FinishedAt.IsZero() || m.Open != 3 || m.Refunds != 3 || m.Amount != 5*5320 || m.Reason != "the artist is ill" {
		t.Errorf("with three orders open it is %+v", m)
	}
	w.reconciles()
	w.set(3*time.Minute, false)
	w.settled(paying, order.Expired)
	w.settled(pending, order.Expired)
	if v := w.told(fact("dispute won", order.DisputeWon, disputed)); v.Code != ledger.FactDisputeWon {
		t.Errorf("the end of the dispute gives %+v", v)
	}
	w.until("everything has gone back", func() bool {
		w.tidy(other)
		return !w.massRefund().FinishedAt.IsZero()
	})
	w.until("every seat is free", func() bool {
		_ = w.service.Tidy(t.Context())
		return w.seats(stock.Sold)+w.seats(stock.Paying)+w.seats(stock.Held) == 0
	})
	if m := w.massRefund(); m.Open != 0 || m.Refunds != 4 || m.Sent != 4 || m.AmountSent != m.Amount || m.Amount != 6*5320 {
		t.Errorf("at the end it is %+v", m)
	}
	if got := w.balances(); got != "" {
		t.Errorf("what is left is %s", got)
	}
	w.reconciles()
}

// A mass refund is done in steps; whoever goes on does not begin anew, and refunds nothing twice.
func TestAMassRefundGoesOnWhereItStopped(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	var sum int64
	for range 5 {
		_, p := w.sold(1)
		sum += p.Amount
	}
	w.cancel()
	mass, after := w.massRefund().ID, uuid.Nil
	for n := int64(2); n <= 4; n += 2 {
		var err error
		if after, err = w.ledger.MassRefundStep(t.Context(), mass, after, 2, w.now()); err != nil || after == uuid.Nil || w.massRefund().Refunds != n {
			t.Fatalf("step to %d: stopped at %s, %v, %+v", n, after, err, w.massRefund())
		}
	}
	w.until("everything has gone back", func() bool {
		_ = w.newService().Tidy(t.Context())
		return !w.massRefund().FinishedAt.IsZero()
	})
	if m := w.massRefund(); m.Refunds != 5 || m.AmountSent != sum || w.card.sentBack() != sum {
		t.Errorf("%d of %d went back: %+v", w.card.sentBack(), sum, m)
	}
	w.reconciles()
}

// What was earned is the organiser's once the event took place, never twice, and no more is paid out than that. A refund after it is at their cost.
func TestAnEventTookPlace(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	o, _ := w.sold(2)
	l, ctx := w.ledger, t.Context()
	if _, err := l.SQL().ExecContext(ctx, `UPDATE ledger.events SET organiser = 'jazz-club'`); err != nil {
		t.Fatal(err)
	}
	event := int32(w.event.Number)
	recognise := func(want error, posted bool) {
		t.Helper()
		if got, err := l.EventRecognise(ctx, event, w.now()); !errors.Is(err, want) || got != posted {
			t.Errorf("recognised %v, %v; want %v, %v", got, err, posted, want)
		}
	}
	recognise(ledger.ErrEventNotBegun, false)
	w.set(25*time.Hour, false)
	recognise(ledger.ErrEventOnSale, false)
	if _, err := l.SQL().ExecContext(ctx, `UPDATE ledger.events SET state = 'closed'`); err != nil {
		t.Fatal(err)
	}
	payout := func(amount int64, ref string, want error, again bool) {
		t.Helper()
		p := ledger.Payout{Organiser: "jazz-club", Currency: "EUR", Amount: amount, Reference: ref, Actor: "fin"}
		if got, err := l.PayoutRecord(ctx, p, w.now()); !errors.Is(err, want) || got != again {
			t.Errorf("a payout of %d gives %v, %v; want %v, %v", amount, got, err, again, want)
		}
	}
	payout(1, "early", ledger.ErrPayoutTooMuch, false)
	recognise(nil, true)
	recognise(nil, false)
	if got, want := w.balances(), "1100:card EUR 10640, 2200:jazz-club EUR -10000, 2300 EUR -40, 4100 EUR -600"; got != want {
		t.Errorf("the balances are %s, want %s", got, want)
	}
	payout(10001, "a", ledger.ErrPayoutTooMuch, false)
	payout(7000, "a", nil, false)
	payout(7000, "a", nil, true)
	payout(7001, "a", ledger.ErrPayoutReused, false)
	payout(3001, "b", ledger.ErrPayoutTooMuch, false)
	w.refund(wish(o, o.Lines[0].Seat))
	w.settled(o, order.Issued)
	if got, want := w.balances(), "1000 EUR -7000, 1100:card EUR 5320, 2200:jazz-club EUR 2000, 2300 EUR -20, 4100 EUR -300"; got != want {
		t.Errorf("the balances are %s, want %s", got, want)
	}
	if all, err := l.Organisers(ctx); err != nil || len(all) != 1 || all[0] != (ledger.Organiser{Organiser: "jazz-club", Currency: "EUR", Recognised: 10000, Refunded: 5000, PaidOut: 7000, Owed: -2000}) {
		t.Errorf("%+v, %v", all, err)
	}
	if _, _, err := w.node.CancelEvent(ctx, w.event.Number, "late", "ops"); !errors.Is(err, ledger.ErrEventHeld) {
		t.Errorf("to cancel what took place gives %v", err)
	}
	w.reconciles()
}
