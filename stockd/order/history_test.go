package order_test

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/google/uuid"
	"github.com/lib/pq"

	"ticketrush/ledger"
	"ticketrush/stockd/node"
	"ticketrush/stockd/order"
	"ticketrush/stockd/stock"
)

// The small halls of histories: so few seats that late orders find others in theirs, or none.
const (
	showSegments = 2
	showRows     = 2
	showRowSeats = 4
)

// historiesOfAWorld is how many histories one ledger has at most.
const historiesOfAWorld = 50

// history is some orders of two events to which anything happens in any order: buyers, banks, clocks, crashes, ops who postpone and cancel, messages that
// are lost, late or told twice.
type history struct {
	*world
	rt     *rapid.T
	shows  []*show
	orders []*course
	books  map[string]int64 // the accounts before it
	facts  int
	clock  time.Duration
}

// show is an event of a history.
type show struct {
	*node.Event
	cancelled bool
	returned  bool // all of its money is back, the ledger says
}

// newHistory puts two events on sale and opens some orders of them, of one or more seats, in one segment or over both.
func newHistory(w *world, rt *rapid.T, house uuid.UUID) *history {
	w.set(0, false)
	w.card.set(false, false)
	h := &history{world: w, rt: rt, books: w.accounts()}
	for range 2 {
		s := &show{Event: w.sells("e-"+uuid.NewString(), house)}
		if err := w.service.SetTicketRules(w.t.Context(), int32(s.Number), ledger.TicketRules{Names: "optional", NameChanges: 3, Transfers: 3}); err != nil {
			rt.Fatal(err)
		}
		h.shows = append(h.shows, s)
	}
	h.until("the events are served", func() bool { return len(w.node.Ready()) == 0 })
	for range rapid.IntRange(2, 4).Draw(rt, "orders") {
		c := &course{show: rapid.SampledFrom(h.shows).Draw(rt, "event")}
		segments, each := rapid.IntRange(1, showSegments).Draw(rt, "segments"), int32(rapid.IntRange(1, 2).Draw(rt, "seats of each"))
		w.event = c.show.Event
		if segments == 1 {
			c.Order = w.openedIn(stock.SegmentNo(rapid.IntRange(1, showSegments).Draw(rt, "segment")), each, time.Hour)
		} else {
			c.Order = w.orderOf(w.wide(segments, each, time.Hour))
		}
		h.orders = append(h.orders, c)
	}
	for _, c := range h.orders {
		h.begins(c, rapid.SampledFrom([]string{"new", "issued", "issued", "late"}).Draw(rt, "begins"))
	}
	return h
}

// begins brings an order where it gets interesting: issued, or ended with a payment that has succeeded since.
func (h *history) begins(c *course, at string) {
	if at == "new" {
		return
	}
	p, _, err := h.service.StartPayment(h.t.Context(), c.ID, uuid.New(), cardName, "/")
	if err != nil {
		h.rt.Fatal(err)
	}
	c.payments = append(c.payments, p)
	if at == "late" {
		h.passes(61 * time.Second)
		_ = h.service.Tidy(h.t.Context())
	}
	h.card.pays(p.ProviderRef, order.PaymentAuthorized, p.Amount)
	if at == "late" {
		return // the bank has not told yet
	}
	h.told(fact("paid"+p.ProviderRef, order.PaymentAuthorized, p))
	_ = h.service.Follow(h.t.Context(), c.ID)
}

// passes lets time pass.
func (h *history) passes(d time.Duration) {
	h.clock += d
	h.set(h.clock, false)
}

// until waits for something that other goroutines bring about.
func (h *history) until(what string, ok func() bool) {
	deadline := time.After(20 * time.Second)
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-tick.C:
		case <-deadline:
			h.rt.Fatalf("waited in vain until %s:%s", what, h)
		}
	}
}

// step lets something happen, to an order or to all.
func (h *history) step() {
	c := h.orders[rapid.IntRange(0, len(h.orders)-1).Draw(h.rt, "order")]
	actions := []string{"start", "start", "tidy", "crash", "later", "cancel", "silent", "refuses", "refund", "part", "part", "part", "elsewhere", "yes", "no", "name", "transfer", "postpone", "call off"}
	if len(c.payments) > 0 {
		actions = append(actions, "bank", "bank", "tell", "tell", "tell", "pays", "pays", "pays", "dispute", "dispute")
	}
	ctx := h.t.Context()
	switch action := rapid.SampledFrom(actions).Draw(h.rt, "action"); action {
	case "start":
		h.start(c)
	case "bank":
		h.bank(c)
	case "tell":
		h.tell(c)
	case "pays":
		h.pays(c)
	case "tidy":
		_ = h.service.Tidy(ctx) // what fails is tried again at the end
	case "crash":
		h.crash()
	case "later":
		h.passes(rapid.SampledFrom([]time.Duration{time.Second, 30 * time.Second, 61 * time.Second}).Draw(h.rt, "clock"))
	case "cancel":
		_, _ = h.service.Cancel(ctx, c.ID, request()) // refused while it is paid
	case "refund", "part":
		h.giveBack(c, action == "part")
	case "dispute":
		h.dispute(c, rapid.SampledFrom([]string{order.DisputeOpened, order.DisputeWon, order.DisputeLost}).Draw(h.rt, "dispute"))
	case "elsewhere":
		h.takeAway(c)
	case "yes", "no":
		_, _ = h.service.AnswerOffer(ctx, c.ID, action == "yes") // refused while nothing is offered
	case "name", "transfer":
		h.changeTicket(c, action == "name")
	case "postpone":
		h.postpone(c.show)
	case "call off":
		h.callOff(c.show)
	case "silent":
		h.card.set(rapid.Bool().Draw(h.rt, "silent"), false)
	case "refuses":
		h.card.set(false, rapid.Bool().Draw(h.rt, "refuses"))
	}
	h.watch()
}

// crash goes on with a service that knows nothing of what was before.
func (h *history) crash() {
	h.service.Stop()
	h.service = h.newService()
	h.service.Start()
}

// postpone moves an event to a later day; nothing of what was sold changes.
func (h *history) postpone(s *show) {
	if _, _, err := h.node.PostponeEvent(h.t.Context(), s.Number, s.StartsAt.Add(time.Duration(h.facts+1)*time.Hour), time.Time{}); err != nil && !errors.Is(err, ledger.ErrEventCancelled) {
		h.rt.Fatal(err)
	}
}

// callOff cancels an event, and begins its mass refund: a few orders of it, before whoever does so is gone.
func (h *history) callOff(s *show) {
	ctx := h.t.Context()
	if rapid.IntRange(0, 2).Draw(h.rt, "not yet") > 0 { // else hardly an order would keep its seats
		return
	}
	if _, _, err := h.node.CancelEvent(ctx, s.Number, "the artist is ill", "ops"); err != nil {
		h.rt.Fatal(err)
	}
	s.cancelled = true
	m, err := h.node.MassRefund(ctx, s.Number)
	if err != nil {
		h.rt.Fatal(err)
	}
	after := uuid.Nil
	for range rapid.IntRange(0, 2).Draw(h.rt, "refunded before the crash") {
		if after, err = h.ledger.MassRefundStep(ctx, m.ID, after, 1, h.now()); err != nil {
			h.rt.Fatal(err)
		}
		if after == uuid.Nil {
			break
		}
	}
	h.crash()
}

// takeAway holds a seat that the order had, for a few seconds, if it is free.
func (h *history) takeAway(c *course) {
	id, req := stock.SeatID(c.Lines[0].Seat), request()
	_, _ = h.node.Do(h.t.Context(), stock.Command{
		Kind: stock.KindHold, Event: c.show.Number, Segment: id.Segment(), Hold: stock.NewCoordinatedID(stock.PartitionOf(c.show.Number, id.Segment()), req.Scope, req.Key, "hold"),
		Request: req, Ask: stock.Ask{Seats: []stock.SeatAsk{{Seat: id}}}, TTL: 3000,
	})
}

// settle lets everything come to its end: banks answer, time passes, workers work.
func (h *history) settle() {
	h.card.set(false, false)
	h.until("each order has ended and all money is where it belongs", func() bool {
		h.passes(time.Minute)
		_ = h.service.Tidy(h.t.Context())
		all := true
		for _, c := range h.orders {
			all = h.end(c) && all
		}
		return all && h.count(`SELECT count(*) FROM ledger.outbox WHERE done_at IS NULL AND dead_at IS NULL`) == 0 &&
			h.count(`SELECT count(*) FROM ledger.seats WHERE state = 2 AND event = ANY ($1)`, h.numbers()) == 0 &&
			h.count(`SELECT count(*) FROM ledger.mass_refunds WHERE finished_at IS NULL`) == 0
	})
}

// end brings an order nearer to its end, and says whether it is there.
func (h *history) end(c *course) bool {
	state := h.state(c.ID)
	if state == order.PendingPayment {
		_, _ = h.service.Cancel(h.t.Context(), c.ID, request())
	}
	if c.disputed {
		h.dispute(c, order.DisputeWon)
	}
	for _, p := range c.payments {
		if s := h.atBank(p); s == order.PaymentAuthorized {
			h.told(fact(p.ProviderRef+"last", s, p)) // a bank tells until it is heard
			return false
		}
	}
	return !c.disputed && (state == order.Issued || state == order.Expired || state == order.Cancelled || state == order.Refunded)
}

// Whatever happens to some orders of two events in whatever order, payments that come late, refunds of parts, disputes and events that are cancelled among
// it: each order ends as a small model says, the accounts are to the last unit what follows from that, and the whole ledger reconciles.
func TestAnyHistoryEndsRight(t *testing.T) {
	t.Parallel()
	var w *world
	var house uuid.UUID
	seen, clean := map[string]int{}, 0
	check := func(rt *rapid.T) {
		// What a history that went wrong has left would make the next one wrong, and reconciling those of before takes longer each time.
		if clean%historiesOfAWorld == 0 {
			w = newWorld(t)
			house = w.house(showSegments, showRows, showRowSeats)
		}
		lived := clean
		clean = 0
		h := newHistory(w, rt, house)
		for range rapid.IntRange(10, 50).Draw(rt, "steps") {
			h.step()
		}
		h.settle()
		h.judge(seen)
		clean = lived + 1
	}
	unseen := func(must string) bool { return seen[must] == 0 }
	for rounds := 0; rounds == 0 || rounds < 4 && slices.ContainsFunc(mustBeSeen, unseen); rounds++ {
		rapid.Check(t, check)
	}
	t.Logf("seen: %v", seen)
	if i := slices.IndexFunc(mustBeSeen, unseen); i >= 0 {
		t.Errorf("%q was never seen", mustBeSeen[i])
	}
}

// mustBeSeen are the ends that histories have to come to: those without one of them have not tested it.
var mustBeSeen = []string{
	"issued", "expired", "cancelled", "refunded", "over segments issued", "over segments refunded", "issued in part", "refunded by an event that is cancelled", "charged back",
}

// numbers are those of the history's events, for queries.
func (h *history) numbers() any {
	var all []int64
	for _, s := range h.shows {
		all = append(all, int64(s.Number))
	}
	return pq.Array(all)
}

// String is where each order is.
func (h *history) String() (text string) {
	for i, c := range h.orders {
		text += fmt.Sprintf("\n  order %d is %s, by the model: %+v, payments", i, h.state(c.ID), c.model)
		for _, p := range c.payments {
			text += fmt.Sprintf(" %s %s", p.Provider, h.atBank(p))
		}
	}
	return text
}
