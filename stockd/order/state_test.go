package order_test

import (
	"fmt"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"ticketrush/ledger"
	"ticketrush/stockd/order"
)

var events = []string{order.EventOpen, order.EventPayStart, order.EventPayOK, order.EventPayFail, order.EventDeadline, order.EventCancel, order.EventIssue,
	order.EventCaptureFail, order.EventRefundOK, order.EventNoSeats, order.EventDispute, order.EventDisputeWon, order.EventDisputeLost}

// The table in code and the table in the ledger are the same.
func TestTheLedgerHasTheSameTable(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	rows, err := w.ledger.Transitions(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for from := order.None; from <= order.Stuck; from++ {
		for to := order.None; to <= order.Stuck; to++ {
			for _, event := range events {
				data := slices.Contains(rows, ledger.Transition{From: int16(from), Event: event, To: int16(to)})
				if code := order.May(from, event, to); code != data {
					t.Errorf("%s --%s--> %s: code %v, ledger %v", from, event, to, code, data)
				}
			}
		}
	}
}

// Whatever is asked in whatever order: the ledger makes exactly the moves of the table, and the history has no gap.
func TestAnyOrderOfEvents(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	rapid.Check(t, func(rt *rapid.T) {
		hold := w.opened(1, fuzzTTL)
		id, state, ver := hold.ID, order.PendingPayment, int32(1)
		for range rapid.IntRange(1, 30).Draw(rt, "steps") {
			event := rapid.SampledFrom(events).Draw(rt, "event")
			to := order.State(rapid.IntRange(1, 10).Draw(rt, "to"))
			moved, err := w.ledger.OrderMove(t.Context(), id, int16(state), int16(to), event, 1, "", w.now())
			if want := order.May(state, event, to); want != (err == nil && moved) {
				rt.Fatalf("%s --%s--> %s: moved %v, %v; the table says %v", state, event, to, moved, err, want)
			}
			if err == nil && moved {
				state = to
				ver++
			}
		}
		o, err := w.service.Get(t.Context(), id)
		if err != nil || order.State(o.State) != state || o.Ver != ver {
			rt.Fatalf("the order is %s at version %d, %v; want %s at %d", order.State(o.State), o.Ver, err, state, ver)
		}
		// The seat goes back, so that there is one for the next run.
		w.exec(`UPDATE ledger.orders SET hold = gen_random_uuid() WHERE id = $1`, id)
		w.exec(`UPDATE ledger.holds SET order_id = NULL WHERE id = $1`, hold.Hold)
		w.release(hold)
	})
}

// What the table does not have cannot be written, by whatever statement: no illegal step, no fork, no gap, no order apart from its history, and no history
// that is changed later.
func TestIllegalHistoriesCannotBeWritten(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	o, _ := w.sold(1) // open 1, paying 2, paid 3, issued 4
	const event = `INSERT INTO ledger.order_events(order_id, ver, prev_ver, from_state, to_state, event, attempt, at) VALUES ($1, %s, 1, now())`
	for name, sql := range map[string]string{
		"a step that is not in the table":       fmt.Sprintf(event, `5, 4, 4, 1, 'pay_fail'`),
		"a legal step with another event":       fmt.Sprintf(event, `5, 4, 4, 7, 'refund_ok'`),
		"a step from a state that it is not in": fmt.Sprintf(event, `5, 4, 7, 8, 'refund_ok'`),
		"a fork":                                fmt.Sprintf(event, `4, 3, 3, 7, 'cancel'`),
		"a gap":                                 fmt.Sprintf(event, `6, 5, 4, 7, 'cancel'`),
		"a step over a version":                 fmt.Sprintf(event, `6, 4, 4, 7, 'cancel'`),
		"a second beginning":                    fmt.Sprintf(event, `1, NULL, 0, 1, 'open'`),
		"a beginning in the middle":             fmt.Sprintf(event, `5, NULL, 0, 1, 'open'`),
		"an order without its event":            `UPDATE ledger.orders SET state = 7, ver = 5 WHERE id = $1`,
		"an order back at an earlier state":     `UPDATE ledger.orders SET state = 3 WHERE id = $1`,
		"a changed event":                       `UPDATE ledger.order_events SET to_state = 9 WHERE order_id = $1 AND ver = 4`,
		"an event that is taken away":           `DELETE FROM ledger.order_events WHERE order_id = $1 AND ver = 4`,
		"a changed posting":                     `UPDATE ledger.transfers SET amount = 1 WHERE order_id = $1`,
		"a posting that is taken away":          `DELETE FROM ledger.transfers WHERE order_id = $1`,
		"a second payment that pays it": `INSERT INTO ledger.payments(id, order_id, attempt, provider, provider_ref, pay_url, key, amount, currency, state, placed)
			VALUES (gen_random_uuid(), $1, 2, 'card', 'another', '', gen_random_uuid(), 1, 'EUR', 'captured', true)`,
		"more refunded than captured":    `UPDATE ledger.payments SET refunded = captured + 1 WHERE order_id = $1`,
		"a second live ticket of a seat": `INSERT INTO ledger.tickets(id, order_id, event, seat, sold_ver, type, code) SELECT gen_random_uuid(), order_id, event, seat, sold_ver, type, code FROM ledger.tickets WHERE order_id = $1`,
	} {
		if _, err := w.ledger.SQL().ExecContext(t.Context(), sql, o.ID); err == nil {
			t.Errorf("%s was written", name)
		}
	}
	w.reconciles()
}
