package order_test

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"

	"ticketrush/ledger"
	"ticketrush/stockd/order"
	"ticketrush/stockd/sandbox"
	"ticketrush/stockd/stock"
)

// expired is an order over some segments, two seats in each, that was not paid in time; its seats are free again.
func (w *world) expired(segments int) (ledger.Order, ledger.Payment) {
	w.t.Helper()
	w.set(0, false)
	o, p := w.paying(segments)
	w.later(2 * time.Minute)
	w.until("the order has expired", func() bool {
		_ = w.service.Tidy(w.t.Context())
		return w.state(o.ID) == order.Expired
	})
	w.until("its seats are free", func() bool {
		_ = w.service.Tidy(w.t.Context())
		return w.count(`SELECT count(*) FROM ledger.seats WHERE order_id = $1`, o.ID) == 0
	})
	w.card.pays(p.ProviderRef, order.PaymentAuthorized, p.Amount)
	return o, p
}

// later moves the clock.
func (w *world) later(d time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.clock += d
}

// late tells of a success after the end, and lets the workers go on until the order is not paying any more.
func (w *world) late(o ledger.Order, p ledger.Payment, kind string) {
	w.t.Helper()
	w.card.pays(p.ProviderRef, kind, p.Amount)
	if v := w.told(fact("late "+p.ProviderRef, kind, p)); v.Code != ledger.FactLate || v.Order != o.ID {
		w.t.Fatalf("a late success gives %+v", v)
	}
	if v := w.told(fact("late again "+p.ProviderRef, kind, p)); v.Code != ledger.FactNothing {
		w.t.Errorf("the same in another message gives %+v", v)
	}
	w.reconciles()
}

// The same seats are free: the order has them back, in one segment or in several, authorised or captured.
func TestPaidLate(t *testing.T) {
	t.Parallel()
	for segments, kind := range map[int]string{1: order.PaymentAuthorized, 2: order.PaymentCaptured} {
		w := newWorldOf(t, segments)
		o, p := w.expired(segments)
		w.late(o, p, kind)
		w.settled(o, order.Issued)
		after, err := w.service.Get(t.Context(), o.ID)
		if err != nil || after.Hold == o.Hold || after.Attempt != 2 || !slices.EqualFunc(after.Lines, o.Lines, func(a, b ledger.Line) bool { return a.Seat == b.Seat }) {
			t.Errorf("the order is %+v, %v", after, err)
		}
		if w.valid(o) != len(o.Lines) || w.card.is(p.ProviderRef) != order.PaymentCaptured {
			t.Errorf("%d valid tickets; the payment is %s", w.valid(o), w.card.is(p.ProviderRef))
		}
		if n := w.count(`SELECT coalesce(sum(n), 0) FROM ledger.quota`); n != len(o.Lines) {
			t.Errorf("the limits count %d, the order has %d seats", n, len(o.Lines))
		}
		w.reconciles()
		w.refund(wish(after)) // the limits are the new hold's
		w.settled(o, order.Refunded)
		w.until("all is free", func() bool {
			_ = w.service.Tidy(t.Context())
			return w.seats(stock.Available) == segments*testSeats
		})
		if n := w.count(`SELECT coalesce(sum(n), 0) FROM ledger.quota`); n != 0 {
			t.Errorf("the limits still count %d", n)
		}
		w.reconciles()
	}
}

// The payment comes between the end of the order and the freeing of its pins: they are pinned for the next attempt as they are.
func TestPaidLateWithThePinsStillThere(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	o, p := w.byCard(2)
	if moved, err := w.ledger.OrderExpire(t.Context(), o.ID, ledger.OrderPaying, 1, "not paid in time", w.now()); err != nil || !moved {
		t.Fatal(moved, err)
	}
	w.late(o, p, order.PaymentAuthorized)
	w.settled(o, order.Issued)
	if after, err := w.service.Get(t.Context(), o.ID); err != nil || after.Hold != o.Hold {
		t.Errorf("the hold is %s, %v", after.Hold, err)
	}
	w.reconciles()
}

// Found by the simulator: the payment comes when the hold over several segments has ended and its legs are not freed yet. Pins of such a hold are no pins:
// their owners take them away from an order that is paid.
func TestPaidLateWhileLegsAreFreed(t *testing.T) {
	t.Parallel()
	w := newWorldOf(t, 2)
	o, p := w.paying(2)
	if moved, err := w.ledger.OrderExpire(t.Context(), o.ID, ledger.OrderPaying, 1, "not paid in time", w.now()); err != nil || !moved {
		t.Fatal(moved, err)
	}
	if code, err := w.ledger.WideEnd(t.Context(), o.Hold, o.ID, false, ledger.Request{}, w.now()); err != nil || code != ledger.WideDone {
		t.Fatal(code, err)
	}
	w.late(o, p, order.PaymentAuthorized)
	w.until("the order has the same seats, or others", func() bool {
		_ = w.service.Tidy(t.Context())
		_, _ = w.service.AnswerOffer(t.Context(), o.ID, true)
		return w.state(o.ID) == order.Issued
	})
	if after, err := w.service.Get(t.Context(), o.ID); err != nil || after.Hold == o.Hold {
		t.Errorf("the order is paid with the hold %s, which has ended, %v", after.Hold, err)
	}
	w.reconciles()
}

// Found by the simulator: the bank refuses to capture, and tells its success once more while the sold seats come back. The order looks for no others, and
// forgets none of those.
func TestToldAgainWhileSeatsComeBack(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	o, p := w.byCard(2)
	w.pay(p)
	w.card.set(false, true)
	if err := w.newService().Follow(t.Context(), o.ID); err != nil || w.state(o.ID) != order.Cancelled || w.seats(stock.Sold) != 2 {
		t.Fatalf("the order is %s with %d seats sold, %v", w.state(o.ID), w.seats(stock.Sold), err)
	}
	if v := w.told(fact("again", order.PaymentAuthorized, p)); v.Code != ledger.FactNotPaying {
		t.Errorf("a success after a refused capture gives %+v", v)
	}
	w.tidy(w.service)
	w.until("the seats are free and the money is back", func() bool { return w.seats(stock.Sold) == 0 && w.card.is(p.ProviderRef) == order.PaymentVoided })
	if w.state(o.ID) != order.Cancelled {
		t.Errorf("the order is %s", w.state(o.ID))
	}
	w.reconciles()
}

// elsewhere takes the seats of an order for somebody else.
func (w *world) elsewhere(o ledger.Order) {
	w.t.Helper()
	for _, l := range o.Lines {
		id := stock.SeatID(l.Seat)
		req := request()
		w.do(stock.Command{
			Kind: stock.KindHold, Event: w.event.Number, Segment: id.Segment(), Hold: stock.NewCoordinatedID(stock.PartitionOf(w.event.Number, id.Segment()), req.Scope, req.Key, "hold"), Request: req,
			Ask: stock.Ask{Seats: []stock.SeatAsk{{Seat: id}}}, TTL: 3_600_000,
		})
	}
}

// offered is an order that was paid late and whose seats are gone: others are offered.
func (w *world) offered() (ledger.Order, ledger.Payment, *ledger.Late) {
	w.t.Helper()
	o, p := w.expired(1)
	w.elsewhere(o)
	w.late(o, p, order.PaymentAuthorized)
	w.tidy(w.service)
	o, err := w.service.Get(w.t.Context(), o.ID)
	if err != nil {
		w.t.Fatal(err)
	}
	offer, err := w.service.Offer(w.t.Context(), &o)
	if err != nil || offer == nil || len(offer.Seats) != len(o.Lines) {
		w.t.Fatalf("the offer is %+v, %v; the order is %s", offer, err, order.State(o.State))
	}
	w.reconciles()
	return o, p, offer
}

func TestAnOfferIsTaken(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	o, p, offer := w.offered()
	var illegal *order.IllegalTransition
	if _, _, err := w.service.StartPayment(t.Context(), o.ID, uuid.New(), sandbox.Name, "/"); !errors.As(err, &illegal) {
		t.Errorf("another payment gives %v", err)
	}
	for i := range 2 {
		if again, err := w.service.AnswerOffer(t.Context(), o.ID, true); err != nil || again != (i == 1) {
			t.Errorf("yes gives again %v, %v", again, err)
		}
	}
	if _, err := w.service.AnswerOffer(t.Context(), o.ID, false); !errors.Is(err, order.ErrNoOffer) {
		t.Errorf("no after yes gives %v", err)
	}
	w.settled(o, order.Issued)
	after, err := w.service.Get(t.Context(), o.ID)
	if err != nil || after.Total != o.Total || !slices.EqualFunc(after.Lines, offer.Seats, func(l ledger.Line, seat int64) bool { return l.Seat == seat }) {
		t.Errorf("the order is %+v, %v", after, err)
	}
	if w.valid(o) != 2 || w.card.is(p.ProviderRef) != order.PaymentCaptured {
		t.Errorf("%d valid tickets; the payment is %s", w.valid(o), w.card.is(p.ProviderRef))
	}
	w.reconciles()
}

// No, or nothing until the end of the offer: the money goes back, and the offered seats with it.
func TestAnOfferIsNotTaken(t *testing.T) {
	t.Parallel()
	for _, says := range []bool{true, false} {
		w := newWorld(t)
		o, p, _ := w.offered()
		if says {
			if _, err := w.service.AnswerOffer(t.Context(), o.ID, false); err != nil {
				t.Fatal(err)
			}
		} else {
			w.later(20 * time.Minute)
			if _, err := w.service.AnswerOffer(t.Context(), o.ID, true); !errors.Is(err, order.ErrNoOffer) {
				t.Errorf("yes when its time is over, and nobody has ended it yet, gives %v", err)
			}
		}
		w.settled(o, order.Refunded)
		if _, err := w.service.AnswerOffer(t.Context(), o.ID, true); !errors.Is(err, order.ErrNoOffer) {
			t.Errorf("yes after the end gives %v", err)
		}
		if w.card.is(p.ProviderRef) != order.PaymentVoided || w.balances() != "" {
			t.Errorf("the payment is %s; what is left is %s", w.card.is(p.ProviderRef), w.balances())
		}
		w.tidy(w.service)
		w.reconciles()
	}
}

// Nothing as good is left: the money goes back at once, also when the provider had taken it.
func TestPaidLateWithoutSeats(t *testing.T) {
	t.Parallel()
	for _, kind := range []string{order.PaymentAuthorized, order.PaymentCaptured} {
		w := newWorld(t)
		o, p := w.expired(1)
		w.elsewhere(o)
		w.exec(`UPDATE ledger.price_tiers SET face = face - 1`) // what is left costs less than what was paid
		w.late(o, p, kind)
		w.settled(o, order.Refunded)
		want := map[string]string{order.PaymentAuthorized: order.PaymentVoided, order.PaymentCaptured: order.PaymentRefunded}[kind]
		if w.card.is(p.ProviderRef) != want || w.balances() != "" {
			t.Errorf("the payment is %s; what is left is %s", w.card.is(p.ProviderRef), w.balances())
		}
		w.tidy(w.service)
		w.reconciles()
	}
}

// What was captured late and goes back is owed from the moment on at which that is decided; what was only authorised never is.
func TestPaidLateIsOwed(t *testing.T) {
	t.Parallel()
	for kind, owed := range map[string]bool{order.PaymentAuthorized: false, order.PaymentCaptured: true} {
		w := newWorld(t)
		o, p := w.expired(1)
		w.late(o, p, kind)
		if returned, err := w.ledger.LateReturn(t.Context(), o.ID, 2, "a test", w.now()); err != nil || !returned {
			t.Fatalf("%v, %v", returned, err)
		}
		want := ""
		if owed {
			want = fmt.Sprintf("1100:card EUR %d, 2500 EUR -%d", p.Amount, p.Amount)
		}
		if got := w.balances(); got != want {
			t.Errorf("%s: what is owed is %q, want %q", kind, got, want)
		}
		w.reconciles()
		w.settled(o, order.Refunded)
		if w.balances() != "" {
			t.Errorf("what is left is %s", w.balances())
		}
		w.reconciles()
	}
}

// The event is cancelled while the order looks for seats.
func TestPaidLateForACancelledEvent(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	o, p := w.expired(1)
	w.late(o, p, order.PaymentAuthorized)
	w.exec(`UPDATE ledger.events SET cancelled_at = now(), state = 'closed'`)
	w.settled(o, order.Refunded)
	w.until("the seats are free", func() bool {
		_ = w.service.Tidy(t.Context())
		return w.seats(stock.Paying) == 0
	})
	if w.card.is(p.ProviderRef) != order.PaymentVoided || w.balances() != "" {
		t.Errorf("the payment is %s; what is left is %s", w.card.is(p.ProviderRef), w.balances())
	}
	w.reconciles()
}

// What was given back meanwhile pays nothing: the order has ended again. What comes late twice, or when the event has begun, goes back.
func TestLateAndGone(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	o, p := w.expired(1)
	w.late(o, p, order.PaymentAuthorized)
	w.card.pays(p.ProviderRef, order.PaymentVoided, p.Amount)
	w.settled(o, order.Expired)
	w.card.pays(p.ProviderRef, order.PaymentAuthorized, p.Amount)
	if v := w.told(fact("once more", order.PaymentAuthorized, p)); v.Code != ledger.FactNotPaying {
		t.Errorf("a payment that comes late twice gives %+v", v)
	}
	w.until("it is voided", func() bool {
		_ = w.service.Tidy(t.Context())
		return w.card.is(p.ProviderRef) == order.PaymentVoided
	})
	w.reconciles()
	o, p = w.expired(1)
	w.exec(`UPDATE ledger.events SET starts_at = now() - interval '1 hour'`)
	if v := w.told(fact("begun", order.PaymentAuthorized, p)); v.Code != ledger.FactNotPaying {
		t.Errorf("a payment for what has begun gives %+v", v)
	}
	w.until("it is voided", func() bool {
		_ = w.service.Tidy(t.Context())
		return w.card.is(p.ProviderRef) == order.PaymentVoided
	})
	if w.state(o.ID) != order.Expired {
		t.Errorf("the order is %s", w.state(o.ID))
	}
	w.reconciles()
}

// The process ends after any of the steps: whoever comes next goes on, and nothing is taken twice.
func TestLateAfterACrash(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for step := range 4 {
		o, p := w.expired(1)
		w.late(o, p, order.PaymentAuthorized)
		ctx := t.Context()
		hold, seats := w.takenFor(o, step)
		if step > 1 {
			if adopted, err := w.ledger.LateAdopt(ctx, o.ID, 2, hold, seats, w.now()); err != nil || !adopted {
				t.Fatalf("step %d: adopted %v, %v", step, adopted, err)
			}
		}
		if step > 2 {
			w.do(stock.Command{Kind: stock.KindPin, Event: w.event.Number, Segment: 1, Hold: hold, Order: o.ID, Attempt: 2})
		}
		w.reconciles()
		w.settled(o, order.Issued)
		w.reconciles()
	}
}

// takenFor takes an order's seats as the service does at its first step; nothing at step 0.
func (w *world) takenFor(o ledger.Order, step int) (hold uuid.UUID, seats []int64) {
	w.t.Helper()
	var ask stock.Ask
	for _, l := range o.Lines {
		ask.Seats, seats = append(ask.Seats, stock.SeatAsk{Seat: stock.SeatID(l.Seat), Type: l.Type}), append(seats, l.Seat)
	}
	hold = stock.NewCoordinatedID(stock.PartitionOf(w.event.Number, 1), o.ID, uuid.NewSHA1(uuid.NameSpaceOID, fmt.Appendf(nil, "attempt %d", 2)), "late/same/1")
	if step == 0 {
		return hold, seats
	}
	w.do(stock.Command{
		Kind: stock.KindHold, Event: w.event.Number, Segment: 1, Hold: hold, Request: stock.Request{Scope: o.ID, Key: hold, Fingerprint: hold}, Ask: ask, TTL: 600_000, MaxTTL: 600_000,
	})
	return hold, seats
}
