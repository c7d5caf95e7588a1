package order_test

import (
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
		for range rapid.IntRange(1, 12).Draw(rt, "steps") {
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
