package order_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"ticketrush/ledger"
	"ticketrush/stockd/order"
	"ticketrush/stockd/sandbox"
	"ticketrush/stockd/stock"
)

// Facts that are told in one call are decided as those that are told one by one, and leave the same rows: successes, a wrong amount, a wrong currency,
// one that was declined before in the same call, the same message twice, two payments of an order, an order whose seats are not pinned.
func TestFactsTogetherAreFactsAlone(t *testing.T) {
	t.Parallel()
	together, alone := newWorld(t), newWorld(t)
	var rows, words [2]string
	for i, w := range []*world{together, alone} {
		facts := w.mixture()
		var verdicts []ledger.FactVerdict
		if w == together {
			var err error
			if verdicts, err = w.ledger.PaymentTake(t.Context(), facts, w.now()); err != nil {
				t.Fatal(err)
			}
		} else {
			for _, f := range facts {
				verdicts = append(verdicts, w.told(f))
			}
		}
		for n, v := range verdicts {
			words[i] += fmt.Sprintln(facts[n].ID, v.Code, v.Again, v.Order != uuid.Nil)
		}
		rows[i] = w.rows()
	}
	if words[0] != words[1] {
		t.Errorf("together:\n%s\nalone:\n%s", words[0], words[1])
	}
	if rows[0] != rows[1] {
		t.Errorf("together:\n%s\nalone:\n%s", rows[0], rows[1])
	}
	want := fmt.Sprintln("success", ledger.FactPaid, false, true) + fmt.Sprintln("wrong amount", ledger.FactMismatch, false, true) +
		fmt.Sprintln("wrong currency", ledger.FactMismatch, false, true) + fmt.Sprintln("declined", ledger.FactFailed, false, true) +
		fmt.Sprintln("declined, then not", ledger.FactNotPaying, false, true) + fmt.Sprintln("twice", ledger.FactPaid, false, true) +
		fmt.Sprintln("twice", ledger.FactPaid, true, true) + fmt.Sprintln("first payment", ledger.FactPaid, false, true) +
		fmt.Sprintln("second payment", ledger.FactOther, false, true) + fmt.Sprintln("said once", ledger.FactPaid, false, true) +
		fmt.Sprintln("said again in other words", ledger.FactAlready, false, true) + fmt.Sprintln("not pinned", ledger.FactNotPinned, false, true) +
		fmt.Sprintln("orphan", ledger.FactOrphan, false, false) + fmt.Sprintln("another success", ledger.FactPaid, false, true)
	if words[0] != want {
		t.Errorf("the verdicts are\n%s\nwant\n%s", words[0], want)
	}
}

// mixture is what a bank may tell at one moment. Nobody follows what is decided.
func (w *world) mixture() []ledger.PaymentFact {
	w.t.Helper()
	var facts []ledger.PaymentFact
	tell := func(id, kind string, p ledger.Payment) *ledger.PaymentFact {
		facts = append(facts, fact(id, kind, p))
		return &facts[len(facts)-1]
	}
	pay := func() (ledger.Order, ledger.Payment) { return w.begun(2, time.Minute) }
	_, a := pay()
	tell("success", order.PaymentAuthorized, a)
	_, b := pay()
	tell("wrong amount", order.PaymentAuthorized, b).Amount++
	_, c := pay()
	tell("wrong currency", order.PaymentCaptured, c).Currency = "USD"
	_, d := pay()
	tell("declined", order.PaymentFailed, d)
	tell("declined, then not", order.PaymentAuthorized, d)
	_, e := pay()
	tell("twice", order.PaymentCaptured, e)
	tell("twice", order.PaymentCaptured, e)
	o, f := pay()
	g, _, err := w.service.StartPayment(w.t.Context(), o.ID, uuid.New(), cardName, "/")
	if err != nil {
		w.t.Fatal(err)
	}
	tell("first payment", order.PaymentAuthorized, f)
	tell("second payment", order.PaymentCaptured, g)
	_, h := pay()
	tell("said once", order.PaymentAuthorized, h)
	tell("said again in other words", order.PaymentAuthorized, h)
	loose, i := pay()
	if _, err := w.ledger.SQL().ExecContext(w.t.Context(), `UPDATE ledger.seats SET attempt = attempt + 1 WHERE order_id = $1`, loose.ID); err != nil {
		w.t.Fatal(err)
	}
	tell("not pinned", order.PaymentAuthorized, i)
	facts = append(facts, ledger.PaymentFact{Provider: sandbox.Name, ID: "orphan", Ref: "sbx_nobody", Kind: order.PaymentCaptured, Amount: 1, Currency: "EUR"})
	_, j := pay()
	tell("another success", order.PaymentCaptured, j)
	return facts
}

// rows is what the ledger has of orders and money, without ids and times.
func (w *world) rows() string {
	w.t.Helper()
	var all []string
	for _, query := range []string{
		`SELECT format('order %s: v%s attempt %s until %s', state, ver, attempt, paying_until IS NULL) FROM ledger.orders`,
		`SELECT format('event v%s %s→%s %s %s %s', ver, from_state, to_state, event, attempt, reason) FROM ledger.order_events`,
		`SELECT format('payment %s placed %s captured %s', state, placed, captured) FROM ledger.payments`,
		`SELECT format('fact %s %s %s: %s %s', event_id, e.kind, e.amount, outcome, detail) FROM ledger.payment_events e LEFT JOIN ledger.payment_event_results USING (provider, event_id)`,
		`SELECT format('posting %s %s %s %s %s %s', regexp_replace(source, '[0-9a-f-]{36}', '-'), leg, debit, credit, currency, amount) FROM ledger.transfers`,
		`SELECT format('account %s %s %s', account, currency, name) FROM ledger.accounts`,
		`SELECT format('call %s', topic) FROM ledger.outbox`,
	} {
		lines := w.lines(query)
		slices.Sort(lines)
		all = append(all, lines...)
	}
	return strings.Join(all, "\n")
}

// lines are the rows of a query with one column.
func (w *world) lines(query string) (lines []string) {
	w.t.Helper()
	found, err := w.ledger.SQL().QueryContext(w.t.Context(), query)
	if err != nil {
		w.t.Fatal(err)
	}
	defer found.Close()
	for found.Next() {
		var line string
		if err := found.Scan(&line); err != nil {
			w.t.Fatal(err)
		}
		lines = append(lines, line)
	}
	if err := found.Err(); err != nil {
		w.t.Fatal(err)
	}
	return lines
}

// Orders that are issued in one call are decided each by itself.
func TestIssueTogether(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ready := func(sold bool) ledger.NewIssue {
		o, p := w.begun(2, time.Minute)
		w.told(fact("ok "+p.ProviderRef, order.PaymentAuthorized, p))
		n := ledger.NewIssue{Order: o.ID, Payment: p.ID}
		for _, l := range o.Lines {
			n.Tickets = append(n.Tickets, ledger.NewTicket{ID: uuid.New(), Seat: l.Seat, Code: "c"})
		}
		if sold {
			a, err := w.node.Do(t.Context(), stock.Command{Kind: stock.KindSell, Event: stock.EventID(o.Event), Segment: stock.SegmentNo(o.Segment), Hold: o.Hold, Order: o.ID, Attempt: 1})
			if err != nil || a.Code != stock.CodeOK {
				t.Fatalf("sell: %+v %v", a, err)
			}
		}
		return n
	}
	first, second, third := ready(true), ready(true), ready(true)
	if found, err := w.ledger.Issue(t.Context(), []ledger.NewIssue{first}, w.now()); err != nil || !slices.Equal(found, []int32{ledger.IssuedNow}) {
		t.Fatalf("issue one: %v %v", found, err)
	}
	unpaid, p := w.begun(2, time.Minute)
	others := third
	others.Payment = second.Payment
	found, err := w.ledger.Issue(t.Context(), []ledger.NewIssue{
		second, ready(false), first, {Order: unpaid.ID, Payment: p.ID}, {Order: uuid.New(), Payment: uuid.New()}, second, others,
	}, w.now())
	want := []int32{ledger.IssuedNow, ledger.IssuedNotSold, ledger.IssuedAlready, ledger.IssuedNotPaid, ledger.IssuedNotPaid, ledger.IssuedAlready, ledger.IssuedNotPaid}
	if err != nil || !slices.Equal(found, want) {
		t.Fatalf("issue many: %v, want %v; %v", found, want, err)
	}
	short := third
	short.Tickets = short.Tickets[:1]
	if found, err := w.ledger.Issue(t.Context(), []ledger.NewIssue{short}, w.now()); err == nil {
		t.Errorf("an order of two seats was issued with one ticket: %v", found)
	}
	if found, err := w.ledger.Issue(t.Context(), []ledger.NewIssue{third}, w.now()); err != nil || found[0] != ledger.IssuedNow {
		t.Errorf("issue the third: %v %v", found, err)
	}
	var captured, posted, tickets int
	if err := w.ledger.SQL().QueryRowContext(t.Context(), `SELECT (SELECT count(*) FROM ledger.payments WHERE state = 'captured' AND captured = amount),
		(SELECT count(*) FROM ledger.transfers WHERE debit = '1100:sandbox' AND credit = '1200'), (SELECT count(*) FROM ledger.tickets)`).Scan(&captured, &posted, &tickets); err != nil {
		t.Fatal(err)
	}
	if captured != 3 || posted != 3 || tickets != 6 {
		t.Errorf("%d payments are captured, %d posted, %d tickets issued; of 3 orders of 2 seats", captured, posted, tickets)
	}
}
