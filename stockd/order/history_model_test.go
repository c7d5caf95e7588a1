package order_test

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"pgregory.net/rapid"

	"github.com/google/uuid"

	"ticketrush/ledger"
	"ticketrush/ledger/reconcile"
	"ticketrush/stockd/order"
	"ticketrush/stockd/sandbox"
)

// course is one order of a history.
type course struct {
	ledger.Order
	model
	show     *show
	payments []ledger.Payment
}

// model is what is known of an order without asking the ledger.
type model struct {
	gone     int   // lines that were refunded
	charged  int   // lines whose money the bank took back
	lost     int64 // what the bank has taken back in disputes
	disputed bool  // a dispute is open
	issued   bool  // it has had its tickets: from there no way leads back
}

// left are the lines that the order still has.
func (c *course) left() int { return len(c.Lines) - c.gone - c.charged }

// start begins a payment, at either provider.
func (h *history) start(c *course) {
	provider := rapid.SampledFrom([]string{sandbox.Name, cardName}).Draw(h.rt, "provider")
	before := h.state(c.ID)
	p, _, err := h.service.StartPayment(h.t.Context(), c.ID, uuid.New(), provider, "/")
	if err != nil {
		return
	}
	if before != order.PendingPayment && before != order.Paying {
		h.rt.Fatalf("a payment was begun for an order that was %s", before)
	}
	if !slices.ContainsFunc(c.payments, func(q ledger.Payment) bool { return q.ID == p.ID }) {
		c.payments = append(c.payments, p)
	}
}

// bank moves a payment at its bank, as far as banks go.
func (h *history) bank(c *course) {
	p := rapid.SampledFrom(c.payments).Draw(h.rt, "payment")
	to := rapid.SampledFrom([]string{order.PaymentAuthorized, order.PaymentFailed}).Draw(h.rt, "to")
	if p.Provider == sandbox.Name {
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
func (h *history) tell(c *course) {
	p := rapid.SampledFrom(c.payments).Draw(h.rt, "payment")
	state := h.atBank(p)
	if state != order.PaymentAuthorized && state != order.PaymentFailed {
		return
	}
	for range rapid.IntRange(1, 2).Draw(h.rt, "times") {
		if v := h.told(fact(p.ProviderRef+state, state, p)); v.Order != c.ID {
			h.rt.Fatalf("a fact of a payment gives %+v", v)
		}
	}
	if rapid.Bool().Draw(h.rt, "another message") {
		h.facts++
		h.told(fact(fmt.Sprintf("%s %d", p.ProviderRef, h.facts), state, p))
	}
}

// pays lets the buyer pay, and the bank tell it.
func (h *history) pays(c *course) {
	p := c.payments[len(c.payments)-1]
	if p.Provider == sandbox.Name {
		h.buyer(p, "success")
	} else if h.card.is(p.ProviderRef) == order.PaymentCreated {
		h.card.pays(p.ProviderRef, order.PaymentAuthorized, p.Amount)
		h.told(fact("paid"+p.ProviderRef, order.PaymentAuthorized, p))
	}
}

func (h *history) atBank(p ledger.Payment) string {
	if p.Provider == cardName {
		return h.card.is(p.ProviderRef)
	}
	return h.bankState(p)
}

// giveBack asks for a refund, of some lines or of all that are left.
func (h *history) giveBack(c *course, part bool) {
	r := wish(c.Order)
	if part {
		o, err := h.service.Get(h.t.Context(), c.ID)
		if err != nil {
			h.rt.Fatal(err)
		}
		for _, l := range o.Lines {
			if l.Refund == uuid.Nil && (len(r.Seats) == 0 || rapid.Bool().Draw(h.rt, "one more")) {
				r.Seats = append(r.Seats, l.Seat)
			}
		}
		if len(r.Seats) == 0 {
			return
		}
	}
	before := h.state(c.ID)
	if _, err := h.service.Refund(h.t.Context(), r); err != nil {
		return
	}
	if before != order.Paid && before != order.Issued && before != order.Refunding {
		h.rt.Fatalf("a refund of an order that was %s was decided", before)
	}
	if part {
		c.gone += len(r.Seats)
	} else {
		c.gone = len(c.Lines) - c.charged
	}
}

// dispute is what the bank tells of a dispute about the payment that has paid the order, in any order.
func (h *history) dispute(c *course, kind string) {
	o, err := h.service.Get(h.t.Context(), c.ID)
	if err != nil {
		h.rt.Fatal(err)
	}
	i := slices.IndexFunc(o.Payments, func(p ledger.Payment) bool { return p.Placed && p.Captured > 0 })
	if i < 0 {
		return
	}
	live := 0 // in a cancelled event some lines are gone that nobody has asked to be
	for _, l := range o.Lines {
		if l.Refund == uuid.Nil {
			live++
		}
	}
	if !c.show.cancelled && live != c.left() {
		h.rt.Fatalf("an order that was paid has %d lines:%s", live, h)
	}
	h.facts++
	f := fact(fmt.Sprint("dispute ", o.Payments[i].ProviderRef, h.facts), kind, o.Payments[i])
	f.At = time.Unix(1_800_000_000+int64(h.facts), 0)
	v := h.told(f)
	c.disputed = v.Code == ledger.FactDisputed || c.disputed && v.Code == ledger.FactNothing
	if v.Code == ledger.FactDisputeLost {
		c.lost += f.Amount
		c.charged += live
	}
}

// changeTicket gives a ticket of the order a name, or to somebody else; it stays one ticket of one line.
func (h *history) changeTicket(c *course, named bool) {
	ctx := h.t.Context()
	tickets, err := h.service.Tickets(ctx, c.ID)
	if err != nil {
		h.rt.Fatal(err)
	}
	i := slices.IndexFunc(tickets, func(t ledger.Ticket) bool { return t.VoidedAt.IsZero() })
	if i < 0 {
		return
	}
	h.facts++
	if named {
		_, _, err = h.service.NameTicket(ctx, name(tickets[i].ID, fmt.Sprint("Ada ", h.facts)))
	} else {
		var offer order.Offer
		if offer, _, err = h.service.OfferTicket(ctx, tickets[i].ID, uuid.New(), h.now().Add(time.Hour)); err == nil {
			_, _, err = h.service.AcceptOffer(ctx, offer.Code, "b-2", uuid.New())
		}
	}
	var no *order.TicketRefused // too often, or the event is cancelled
	if err != nil && !errors.As(err, &no) {
		h.rt.Fatal(err)
	}
}

// kept is the money of the order that is with the banks.
func (h *history) kept(c *course) (sum int64) {
	for _, p := range c.payments {
		if p.Provider == cardName {
			sum += h.card.kept(p.ProviderRef)
			continue
		}
		sum += int64(h.count(`SELECT CASE WHEN state IN ('captured', 'refunded') THEN amount - refunded ELSE 0 END FROM ledger.sandbox_payments WHERE ref = $1`, p.ProviderRef))
	}
	return sum
}

// watch looks at each order after each step: tickets are those of its lines, who has had them does not lose them for nothing, and a mass refund that has
// finished has left nothing open.
func (h *history) watch() {
	for _, s := range h.shows {
		if s.cancelled && !s.returned {
			m, err := h.node.MassRefund(h.t.Context(), s.Number)
			if err != nil {
				h.rt.Fatal(err)
			}
			s.returned = !m.FinishedAt.IsZero()
		}
	}
	for _, c := range h.orders {
		var state order.State
		var tickets int
		if err := h.ledger.SQL().QueryRowContext(h.t.Context(), `SELECT o.state, (SELECT count(*) FROM ledger.tickets t WHERE t.order_id = o.id AND t.voided_at IS NULL) FROM ledger.orders o WHERE id = $1`, c.ID).
			Scan(&state, &tickets); err != nil {
			h.rt.Fatal(err)
		}
		c.issued = c.issued || state == order.Issued
		switch {
		case c.show.returned && state != order.Expired && state != order.Cancelled && state != order.Refunded:
			h.rt.Fatalf("everybody has their money back, it was said, and an order is %s:%s", state, h)
		case tickets > c.left(), c.issued && !c.show.cancelled && tickets != c.left():
			h.rt.Fatalf("%d tickets let somebody in by an order that is %s:%s", tickets, state, h)
		case c.issued && state != order.Issued && state != order.Refunding && state != order.Disputed && state != order.Refunded:
			h.rt.Fatalf("an order that was issued is %s:%s", state, h)
		}
	}
}

// judge compares the end with the model, and counts what was seen.
func (h *history) judge(seen map[string]int) {
	h.watch()
	want := maps.Clone(h.books)
	for _, c := range h.orders {
		state := h.state(c.ID)
		h.judgeOrder(c, state)
		live := 0
		if state == order.Issued {
			live = c.left()
		}
		sold := h.count(`SELECT count(*) FROM ledger.seats WHERE order_id = $1 AND state = 3`, c.ID)
		sales := h.count(`SELECT count(*) FROM ledger.sales WHERE order_id = $1 AND ended_seq IS NULL`, c.ID)
		if kept := h.kept(c); h.valid(c.Order) != live || sold != live || sales != live || kept != int64(testPrice*(live+c.charged)) {
			h.rt.Fatalf("%d is with the banks for an order that is %s, with %d tickets, %d sold seats and %d sales; it has %d lines:%s", kept, state, h.valid(c.Order), sold, sales, live, h)
		}
		// What the books have of it: what was earned, and where the money is. Of what the bank took back the earnings stay, for people to settle.
		earned := int64(live + c.charged)
		want[fmt.Sprintf("2400:%d", c.show.Number)] -= earned * testFace
		want[fmt.Sprintf("2410:%d", c.show.Number)] -= earned * testFee
		want["2300"] -= earned * testTax
		want["5200"] += c.lost
		want["1100"] += int64(testPrice)*earned - c.lost
		c.count(seen, state)
	}
	if got := h.accounts(); !maps.Equal(got, nonzero(want)) {
		h.rt.Fatalf("the accounts are %v, want %v:%s", got, nonzero(want), h)
	}
	r, err := reconcile.Run(h.t.Context(), h.ledger, reconcile.Options{})
	if err != nil {
		h.rt.Fatal(err)
	}
	for _, check := range r.Checks {
		for _, b := range check.Breaks {
			h.rt.Errorf("reconcile, %s: %s: %s", check.Name, b.Row, b.Text)
		}
	}
	if h.rt.Failed() {
		h.rt.Fatalf("the ledger does not reconcile:%s", h)
	}
}

// judgeOrder says whether an order may end in a state.
func (h *history) judgeOrder(c *course, state order.State) {
	right := false
	switch state {
	case order.Issued:
		right = c.left() > 0 && !c.show.cancelled
	case order.Refunded: // nothing is left, or its event was cancelled, or it was paid late and got no seats
		right = c.left() == 0 || c.show.cancelled || !c.issued && c.gone+c.charged == 0
	case order.Expired, order.Cancelled:
		right = !c.issued && c.gone+c.charged == 0
	}
	if !right {
		h.rt.Fatalf("an order has ended %s:%s", state, h)
	}
}

// count counts how an order has ended.
func (c *course) count(seen map[string]int, state order.State) {
	seen[state.String()]++
	if len(c.Segments()) > 1 {
		seen["over segments "+state.String()]++
	}
	if state == order.Issued && c.gone > 0 {
		seen["issued in part"]++
	}
	if state == order.Refunded && c.show.cancelled && c.left() > 0 {
		seen["refunded by an event that is cancelled"]++
	}
	if c.charged > 0 {
		seen["charged back"]++
	}
}

// accounts are the balances that are not even, debits positive; the providers' clearing accounts together.
func (w *world) accounts() map[string]int64 {
	w.t.Helper()
	rows, err := w.ledger.SQL().QueryContext(w.t.Context(), `SELECT CASE WHEN a LIKE '1100:%' THEN '1100' ELSE a END, sum(n) FROM (SELECT debit a, amount n FROM ledger.transfers UNION ALL SELECT credit, -amount FROM ledger.transfers) x GROUP BY 1`)
	if err != nil {
		w.t.Fatal(err)
	}
	defer rows.Close()
	all := map[string]int64{}
	for rows.Next() {
		var account string
		var n int64
		if err := rows.Scan(&account, &n); err != nil {
			w.t.Fatal(err)
		}
		all[account] = n
	}
	if err := rows.Err(); err != nil {
		w.t.Fatal(err)
	}
	return nonzero(all)
}

func nonzero(accounts map[string]int64) map[string]int64 {
	maps.DeleteFunc(accounts, func(_ string, n int64) bool { return n == 0 })
	return accounts
}
