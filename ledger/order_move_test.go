package ledger_test

import (
	"testing"
	"time"

	"ticketrush/ledger"
)

// Found by the simulator: a worker asked the provider about an overdue attempt; meanwhile that failed and the buyer began another; then the
// worker expired the order, which was being paid, and set its attempt back, so that the pins of the new attempt could never be undone.
func TestOrderMoveKnowsTheAttempt(t *testing.T) {
	t.Parallel()
	b := newBench(t, database(t).DSN)
	holdID, h := b.hold(seatID(0))
	b.want(b.flush(h), applied)
	id := uuidOf("order")
	b.want(b.flush(b.opened(holdID, id, seatID(0))), applied)
	begin := func(want int32) {
		t.Helper()
		if n, err := b.db.PaymentBegin(t.Context(), id, 3, b.now.Add(time.Minute), b.now); err != nil || n != want {
			t.Fatalf("attempt %d began, %v; want %d", n, err, want)
		}
	}
	move := func(to int16, event string, attempt int32) bool {
		t.Helper()
		moved, err := b.db.OrderMove(t.Context(), id, ledger.OrderPaying, to, event, attempt, "", b.now)
		if err != nil {
			t.Fatal(err)
		}
		return moved
	}
	begin(1)
	if !move(ledger.OrderPendingPayment, "pay_fail", 1) {
		t.Fatal("the first attempt could not fail")
	}
	begin(2)
	if move(ledger.OrderExpired, "deadline", 1) {
		t.Error("an order was expired for an attempt that is over, while the next is being paid")
	}
	if moved, err := b.db.OrderStuck(t.Context(), id, 1, "", b.now, b.now); err != nil || moved {
		t.Errorf("it was called stuck for an attempt that is over: %v, %v", moved, err)
	}
	o, err := b.db.OrderGet(t.Context(), id)
	if err != nil || o.State != ledger.OrderPaying || o.Attempt != 2 {
		t.Errorf("the order is in state %d, attempt %d, %v", o.State, o.Attempt, err)
	}
	if !move(ledger.OrderExpired, "deadline", 2) {
		t.Error("the second attempt could not expire")
	}
}
