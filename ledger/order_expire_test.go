package ledger_test

import (
	"testing"

	"github.com/google/uuid"

	"ticketrush/ledger"
)

// Found by the simulator: an order expired in one commit and its payment was noted to be voided in the next. A crash between the two left a
// payment that nobody would give back.
func TestOrderExpiresWithTheVoidOfItsPayment(t *testing.T) {
	t.Parallel()
	b := newBench(t, database(t).DSN)
	_, id := b.pinnedHold(seatID(0))
	b.orderTo(id, "pay_fail", 1, 1)
	b.orderTo(id, "pay_start", 2, 2)
	payments := map[int32]uuid.UUID{}
	for attempt := int32(1); attempt <= 2; attempt++ {
		p := ledger.Payment{ID: uuid.New(), OrderID: id, Attempt: attempt, Provider: "sandbox", ProviderRef: uuid.NewString(), PayUrl: "/", Amount: 5300, Currency: "EUR"}
		if err := b.db.PaymentInsert(t.Context(), p); err != nil {
			t.Fatal(err)
		}
		payments[attempt] = p.ID
	}
	expire := func(attempt int32, want bool) {
		t.Helper()
		if moved, err := b.db.OrderExpire(t.Context(), id, ledger.OrderPaying, attempt, "not paid in time", b.now); err != nil || moved != want {
			t.Errorf("OrderExpire of attempt %d: %v, %v; want %v", attempt, moved, err, want)
		}
	}
	expire(1, false) // a later attempt is under way
	expire(2, true)
	expire(2, false)
	for attempt, want := range map[int32]int{1: 0, 2: 1} {
		if got := b.number("SELECT count(*) FROM ledger.outbox WHERE topic = 'void' AND dedup = 'void:' || $1", payments[attempt].String()); got != want {
			t.Errorf("%d calls void the payment of attempt %d, want %d", got, attempt, want)
		}
	}
}
