package order_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/google/uuid"

	"ticketrush/ledger"
	"ticketrush/stockd/order"
	"ticketrush/stockd/stock"
)

// history is one order to which anything happens in any order: buyers, banks, clocks, crashes, messages that are lost, late or told twice.
type history struct {
	*world
	rt       *rapid.T
	order    ledger.Order
	payments []ledger.Payment
	facts    int
	clock    time.Duration
}

// start begins a payment, at either provider, with a service that knows nothing of what was before.
func (h *history) start() {
	provider := rapid.SampledFrom([]string{order.SandboxName, cardName}).Draw(h.rt, "provider")
	before := h.state(h.order.ID)
	p, _, err := h.service.StartPayment(h.t.Context(), h.order.ID, uuid.New(), provider, "/")
	if err != nil {
		return
	}
	if before != order.PendingPayment && before != order.Paying {
		h.rt.Fatalf("a payment was begun for an order that was %s", before)
	}
	if !slices.ContainsFunc(h.payments, func(q ledger.Payment) bool { return q.ID == p.ID }) {
		h.payments = append(h.payments, p)
	}
}

// bank moves a payment at its bank, as far as banks go.
func (h *history) bank() {
	p := rapid.SampledFrom(h.payments).Draw(h.rt, "payment")
	to := rapid.SampledFrom([]string{order.PaymentAuthorized, order.PaymentFailed}).Draw(h.rt, "to")
	if p.Provider == order.SandboxName {
		if _, err := h.ledger.SandboxMove(h.t.Context(), p.ProviderRef, to, order.PaymentCreated); err != nil {
			h.rt.Fatal(err)
		}
		return
	}
	if h.card.is(p.ProviderRef) == order.PaymentCreated {
		h.card.pays(p.ProviderRef, to, p.Amount)
	}
}

// tell tells what a bank did, or did long ago, perhaps again.
func (h *history) tell() {
	p := rapid.SampledFrom(h.payments).Draw(h.rt, "payment")
	state := h.atBank(p)
	if state != order.PaymentAuthorized && state != order.PaymentFailed {
		return
	}
	for range rapid.IntRange(1, 2).Draw(h.rt, "times") {
		v := h.told(fact(p.ProviderRef+state, state, p))
		if v.Order != h.order.ID {
			h.rt.Fatalf("a fact of a payment gives %+v", v)
		}
	}
	if rapid.Bool().Draw(h.rt, "another message") {
		h.facts++
		h.told(fact(fmt.Sprintf("%s %d", p.ProviderRef, h.facts), state, p))
	}
}

func (h *history) atBank(p ledger.Payment) string {
	if p.Provider == cardName {
		return h.card.is(p.ProviderRef)
	}
	return h.bankState(p)
}

func (h *history) step() {
	actions := []string{"start", "start", "tidy", "crash", "later", "cancel", "silent", "refuses"}
	if len(h.payments) > 0 {
		actions = append(actions, "bank", "bank", "tell", "tell", "tell", "pays")
	}
	switch rapid.SampledFrom(actions).Draw(h.rt, "action") {
	case "start":
		h.start()
	case "bank":
		h.bank()
	case "tell":
		h.tell()
	case "pays":
		p := h.payments[len(h.payments)-1]
		if p.Provider == order.SandboxName {
			h.buyer(p, "success")
		} else if h.card.is(p.ProviderRef) == order.PaymentCreated {
			h.card.pays(p.ProviderRef, order.PaymentAuthorized, p.Amount)
			h.told(fact("paid"+p.ProviderRef, order.PaymentAuthorized, p))
		}
	case "tidy":
		_ = h.service.Tidy(h.t.Context()) // what fails is tried again at the end
	case "crash":
		h.service.Stop()
		h.service = h.newService()
		h.service.Start()
	case "later":
		h.clock += rapid.SampledFrom([]time.Duration{time.Second, 30 * time.Second, 61 * time.Second}).Draw(h.rt, "clock")
		h.set(h.clock, false)
	case "cancel":
		_, _ = h.service.Cancel(h.t.Context(), h.order.ID, request()) // refused while it is paid
	case "silent":
		h.card.set(rapid.Bool().Draw(h.rt, "silent"), false)
	case "refuses":
		h.card.set(false, rapid.Bool().Draw(h.rt, "refuses"))
	}
}

// settle lets everything come to its end: banks answer, time passes, workers work.
func (h *history) settle() order.State {
	h.card.set(false, false)
	var state order.State
	ended := func() bool {
		h.clock += time.Minute
		h.set(h.clock, false)
		_ = h.service.Tidy(h.t.Context())
		state = h.state(h.order.ID)
		if state == order.PendingPayment {
			_, _ = h.service.Cancel(h.t.Context(), h.order.ID, request())
		}
		return state == order.Issued || state == order.Expired || state == order.Cancelled
	}
	h.until("the order has ended", ended)
	h.until("all money is where it belongs", func() bool {
		h.clock += time.Minute
		h.set(h.clock, false)
		_ = h.service.Tidy(h.t.Context())
		for _, p := range h.payments {
			if s := h.atBank(p); s == order.PaymentAuthorized {
				h.told(fact(p.ProviderRef+"last", s, p)) // a bank tells until it is heard
				return false
			}
		}
		return h.seats(stock.Paying) == 0
	})
	return state
}

// Whatever happens in whatever order: the order ends, an issued one was captured once and has its tickets, any other has neither money nor
// seats, and the whole ledger reconciles.
func TestAnyHistoryEndsRight(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ends := map[order.State]int{}
	rapid.Check(t, func(rt *rapid.T) {
		w.set(0, false)
		w.card.set(false, false)
		soldBefore := w.seats(stock.Sold)
		if soldBefore > testSeats-2 {
			rt.Skip("the event is sold out")
		}
		h := &history{world: w, rt: rt, order: w.opened(int32(rapid.IntRange(1, 2).Draw(rt, "seats")), time.Hour)}
		for range rapid.IntRange(1, 10).Draw(rt, "steps") {
			h.step()
		}
		state := h.settle()
		ends[state]++
		captured := 0
		for _, p := range h.payments {
			if h.atBank(p) == order.PaymentCaptured {
				captured++
			}
		}
		tickets, err := w.service.Tickets(t.Context(), h.order.ID)
		if err != nil {
			rt.Fatal(err)
		}
		want, seats := 0, 0
		if state == order.Issued {
			want, seats = 1, len(h.order.Lines)
		}
		if got := w.seats(stock.Sold) - soldBefore; captured != want || len(tickets) != seats || got != seats {
			rt.Fatalf("the order is %s with %d captured payments, %d tickets and %d sold seats", state, captured, len(tickets), got)
		}
		w.reconciles()
		if t.Failed() {
			rt.FailNow()
		}
	}) // A run in which some end was never reached has not tested it.
	t.Logf("ends: %v", ends)
	if ends[order.Issued] == 0 || ends[order.Expired] == 0 || ends[order.Cancelled] == 0 {
		t.Errorf("an end was never reached: %v", ends)
	}
}
