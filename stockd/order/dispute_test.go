package order_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"ticketrush/ledger"
	"ticketrush/stockd/order"
	"ticketrush/stockd/stock"
)

// disputed is what the provider tells of a dispute, some seconds after the world began.
func (w *world) disputed(p ledger.Payment, kind string, seconds int) ledger.FactVerdict {
	w.t.Helper()
	f := fact(fmt.Sprint(p.ProviderRef, kind, seconds), kind, p)
	f.At = time.Unix(1_800_000_000+int64(seconds), 0)
	return w.told(f)
}

func TestDisputeWon(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	o, p := w.sold(2)
	if v := w.disputed(p, order.DisputeOpened, 1); v.Code != ledger.FactDisputed || v.Order != o.ID {
		t.Errorf("a dispute gives %+v", v)
	}
	if v := w.disputed(p, order.DisputeOpened, 2); v.Code != ledger.FactNothing {
		t.Errorf("the same dispute in another message gives %+v", v)
	}
	if w.state(o.ID) != order.Disputed || w.valid(o) != 2 {
		t.Errorf("the order is %s with %d valid tickets", w.state(o.ID), w.valid(o))
	}
	var illegal *order.IllegalTransition
	if _, err := w.service.Refund(t.Context(), wish(o)); !errors.As(err, &illegal) || illegal.From != order.Disputed {
		t.Errorf("a refund of what is disputed gives %v", err)
	}
	w.reconciles()
	if v := w.disputed(p, order.DisputeWon, 3); v.Code != ledger.FactDisputeWon {
		t.Errorf("the end of the dispute gives %+v", v)
	}
	if w.state(o.ID) != order.Issued || w.valid(o) != 2 {
		t.Errorf("the order is %s with %d valid tickets", w.state(o.ID), w.valid(o))
	}
	w.reconciles()
	w.refund(wish(o))
	w.settled(o, order.Refunded)
	if got := w.balances(); got != "" {
		t.Errorf("what is left is %s", got)
	}
	w.reconciles()
}

// The money is gone: the tickets are void, the seats are sold again.
func TestDisputeLost(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	o, p := w.sold(2)
	w.disputed(p, order.DisputeOpened, 1)
	if v := w.disputed(p, order.DisputeLost, 2); v.Code != ledger.FactDisputeLost {
		t.Errorf("the end of the dispute gives %+v", v)
	}
	if w.state(o.ID) != order.Refunded || w.valid(o) != 0 {
		t.Errorf("the order is %s with %d valid tickets", w.state(o.ID), w.valid(o))
	}
	w.reconciles()
	w.tidy(w.service)
	w.until("the seats are free", func() bool { return w.seats(stock.Sold) == 0 })
	if want := fmt.Sprintf("2300 EUR -40, 2400:1 EUR -10000, 2410:1 EUR -600, 5200 EUR %d", p.Amount); w.balances() != want {
		t.Errorf("what is left is %s, want %s", w.balances(), want)
	}
	w.reconciles()
}

// What ends is told before what begins it, or alone.
func TestDisputesOutOfOrder(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	o, p := w.sold(1)
	if v := w.disputed(p, order.DisputeWon, 5); v.Code != ledger.FactDisputeWon {
		t.Errorf("an end without a beginning gives %+v", v)
	}
	if v := w.disputed(p, order.DisputeOpened, 4); v.Code != ledger.FactNothing {
		t.Errorf("a beginning after its end gives %+v", v)
	}
	if w.state(o.ID) != order.Issued {
		t.Errorf("the order is %s", w.state(o.ID))
	}
	w.reconciles()
	if v := w.disputed(p, order.DisputeLost, 9); v.Code != ledger.FactDisputeLost { // another one
		t.Errorf("a lost dispute gives %+v", v)
	}
	w.tidy(w.service)
	w.until("the seats are free", func() bool { return w.seats(stock.Sold) == 0 })
	w.reconciles()
}

// A dispute comes before the seats are sold, and while a part of the order goes back.
func TestDisputesInTheMiddle(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	early, p := w.byCard(2)
	w.pay(p)
	w.disputed(p, order.DisputeOpened, 1)
	w.tidy(w.service) // sells the pins
	if w.state(early.ID) != order.Disputed || w.seats(stock.Sold) != 2 {
		t.Errorf("the order is %s with %d seats sold", w.state(early.ID), w.seats(stock.Sold))
	}
	w.reconciles()
	w.disputed(p, order.DisputeWon, 2)
	w.follow(early)
	w.reconciles()
	part, q := w.sold(2)
	w.card.set(true, false)
	w.refund(wish(part, part.Lines[0].Seat))
	w.disputed(q, order.DisputeOpened, 3)
	if w.state(part.ID) != order.Refunding {
		t.Errorf("the order is %s", w.state(part.ID))
	}
	w.disputed(q, order.DisputeLost, 4)
	w.reconciles()
	w.card.set(false, false)
	w.set(time.Minute, false)
	w.settled(part, order.Refunded)
	w.until("the seats are free", func() bool {
		_ = w.service.Tidy(t.Context())
		return w.seats(stock.Sold) == 2
	})
	w.reconciles()
}

// A dispute that is lost before anything was sold frees the pins.
func TestDisputeLostEarly(t *testing.T) {
	t.Parallel()
	w := newWorldOf(t, 2)
	o, p := w.paying(2)
	w.pay(p)
	w.disputed(p, order.DisputeLost, 1)
	w.until("the seats are free", func() bool {
		_ = w.service.Tidy(t.Context())
		return w.seats(stock.Available) == 2*testSeats
	})
	if w.state(o.ID) != order.Refunded {
		t.Errorf("the order is %s", w.state(o.ID))
	}
	w.reconciles()
}
