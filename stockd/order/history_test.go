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
	gone     int // lines that were refunded: the model
	charged  int // lines whose money the bank took back
	disputed bool
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
	actions := []string{"start", "start", "tidy", "crash", "later", "cancel", "silent", "refuses", "refund", "part", "elsewhere", "yes", "no"}
	if len(h.payments) > 0 {
		actions = append(actions, "bank", "bank", "tell", "tell", "tell", "pays", "pays", "dispute", "dispute")
	}
	switch action := rapid.SampledFrom(actions).Draw(h.rt, "action"); action {
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
	case "refund", "part":
		h.giveBack(action == "part")
	case "dispute":
		h.dispute(rapid.SampledFrom([]string{order.DisputeOpened, order.DisputeWon, order.DisputeLost}).Draw(h.rt, "dispute"))
	case "elsewhere":
		h.takeAway()
	case "yes", "no":
		_, _ = h.service.AnswerOffer(h.t.Context(), h.order.ID, action == "yes") // refused while nothing is offered
	case "silent":
		h.card.set(rapid.Bool().Draw(h.rt, "silent"), false)
	case "refuses":
		h.card.set(false, rapid.Bool().Draw(h.rt, "refuses"))
	}
}

// lines are the lines that the order still has, by the model.
func (h *history) lines() int { return len(h.order.Lines) - h.gone - h.charged }

// giveBack asks for a refund, of one line or of all that is left.
func (h *history) giveBack(part bool) {
	r := wish(h.order)
	if part {
		o, err := h.service.Get(h.t.Context(), h.order.ID)
		if err != nil {
			h.rt.Fatal(err)
		}
		i := slices.IndexFunc(o.Lines, func(l ledger.Line) bool { return l.Refund == uuid.Nil })
		if i < 0 {
			return
		}
		r.Seats = []int64{o.Lines[i].Seat}
	}
	before := h.state(h.order.ID)
	if _, err := h.service.Refund(h.t.Context(), r); err != nil {
		return
	}
	if before != order.Paid && before != order.Issued && before != order.Refunding {
		h.rt.Fatalf("a refund of an order that was %s was decided", before)
	}
	if part {
		h.gone++
	} else {
		h.gone += h.lines()
	}
}

// dispute is what the bank tells of a dispute about the payment that has paid the order, in any order.
func (h *history) dispute(kind string) {
	o, err := h.service.Get(h.t.Context(), h.order.ID)
	if err != nil {
		h.rt.Fatal(err)
	}
	i := slices.IndexFunc(o.Payments, func(p ledger.Payment) bool { return p.Placed && p.Captured > 0 })
	if i < 0 {
		return
	}
	h.facts++
	f := fact(fmt.Sprint("dispute ", o.Payments[i].ProviderRef, h.facts), kind, o.Payments[i])
	f.At = time.Unix(1_800_000_000+int64(h.facts), 0)
	v := h.told(f)
	h.disputed = v.Code == ledger.FactDisputed || h.disputed && v.Code == ledger.FactNothing
	if v.Code == ledger.FactDisputeLost {
		h.charged += h.lines()
	}
}

// takeAway holds a seat that the order had, for a few seconds, if it is free.
func (h *history) takeAway() {
	id, req := stock.SeatID(h.order.Lines[0].Seat), request()
	_, _ = h.node.Do(h.t.Context(), stock.Command{
		Kind: stock.KindHold, Event: h.event.Number, Segment: id.Segment(), Hold: stock.NewCoordinatedID(stock.PartitionOf(h.event.Number, id.Segment()), req.Scope, req.Key, "hold"),
		Request: req, Ask: stock.Ask{Seats: []stock.SeatAsk{{Seat: id}}}, TTL: 3000,
	})
}

// kept is the money of the order that is with the banks.
func (h *history) kept() (sum int64) {
	for _, p := range h.payments {
		if p.Provider == cardName {
			sum += h.card.kept(p.ProviderRef)
			continue
		}
		sum += int64(h.count(`SELECT CASE WHEN state IN ('captured', 'refunded') THEN amount - refunded ELSE 0 END FROM ledger.sandbox_payments WHERE ref = $1`, p.ProviderRef))
	}
	return sum
}

// begins brings the order where it gets interesting: issued, or ended with a payment that has succeeded since.
func (h *history) begins(at string) {
	if at == "new" {
		return
	}
	p, _, err := h.service.StartPayment(h.t.Context(), h.order.ID, uuid.New(), cardName, "/")
	if err != nil {
		h.rt.Fatal(err)
	}
	h.payments = append(h.payments, p)
	if at == "late" {
		h.clock += 61 * time.Second
		h.set(h.clock, false)
		_ = h.service.Tidy(h.t.Context())
	}
	h.card.pays(p.ProviderRef, order.PaymentAuthorized, p.Amount)
	if at == "late" {
		return // the bank has not told yet
	}
	h.told(fact("paid"+p.ProviderRef, order.PaymentAuthorized, p))
	_ = h.service.Follow(h.t.Context(), h.order.ID)
}

// ends says whether an order may stay in a state.
func ends(s order.State) bool {
	return s == order.Issued || s == order.Expired || s == order.Cancelled || s == order.Refunded
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
		if h.disputed {
			h.dispute(order.DisputeWon)
		}
		return ends(state)
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
		return ends(h.state(h.order.ID)) && h.seats(stock.Paying) == 0 && h.count(`SELECT count(*) FROM ledger.outbox WHERE done_at IS NULL AND dead_at IS NULL`) == 0
	})
	return h.state(h.order.ID) // a payment may have come late
}

// Whatever happens in whatever order, payments that come late, refunds of parts and disputes among it: the order ends as a small model says, and the whole
// ledger reconciles.
func TestAnyHistoryEndsRight(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	seen := map[order.State]int{}
	rapid.Check(t, func(rt *rapid.T) {
		w.set(0, false)
		w.card.set(false, false)
		soldBefore := w.seats(stock.Sold)
		if soldBefore > testSeats*3/4 {
			rt.Skip("the event is sold out")
		}
		h := &history{world: w, rt: rt, order: w.opened(int32(rapid.IntRange(1, 2).Draw(rt, "seats")), time.Hour)}
		h.begins(rapid.SampledFrom([]string{"new", "issued", "late"}).Draw(rt, "begins"))
		for range rapid.IntRange(1, 12).Draw(rt, "steps") {
			h.step()
		}
		state := h.settle()
		seen[state]++
		// The model: what is left of an issued order is what nobody has taken back, and its money is there; of any other nothing is left, but for the money
		// that the bank has taken back itself.
		seats := 0
		if state == order.Issued {
			seats = h.lines()
		}
		const price = 5320
		if got := w.seats(stock.Sold) - soldBefore; w.valid(h.order) != seats || got != seats || h.kept() != int64(price*(seats+h.charged)) {
			rt.Fatalf("the order is %s with %d of %d lines gone and %d charged back: %d is with the banks, %d tickets, %d sold seats", state, h.gone, len(h.order.Lines), h.charged, h.kept(), w.valid(h.order), got)
		}
		if state == order.Issued && seats == 0 {
			rt.Fatalf("the order is %s, and nothing of it is left", state)
		}
		w.reconciles()
		if t.Failed() {
			rt.FailNow()
		}
	}) // A run in which some end was never reached has not tested it.
	t.Logf("ends: %v", seen)
	if seen[order.Issued] == 0 || seen[order.Expired] == 0 || seen[order.Cancelled] == 0 || seen[order.Refunded] == 0 {
		t.Errorf("an end was never reached: %v", seen)
	}
}
