package order_test

import (
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"

	"ticketrush/ledger"
	"ticketrush/stockd/order"
	"ticketrush/stockd/stock"
)

// BenchmarkPaid takes orders of two seats from the bank's message to their tickets: decide, sell, capture, issue. Holding and pinning are not
// in the time. It stops at the size of its hall: use -benchtime 500x.
func BenchmarkPaid(b *testing.B) {
	const segments, buyers = 4, 64
	if b.N > segments*testSeats/2-buyers {
		b.Skip("more orders than the hall has seats for")
	}
	w := newWorldOf(b, segments)
	payments := make([]ledger.Payment, b.N)
	orders := make([]ledger.Order, b.N)
	w.parallel(buyers, b.N, func(i int) {
		orders[i] = w.openedIn(stock.SegmentNo(i%segments+1), 2, time.Hour)
		p, _, err := w.service.StartPayment(b.Context(), orders[i].ID, uuid.New(), order.SandboxName, "/")
		if err != nil {
			b.Error(err)
		}
		payments[i] = p
	})
	b.ResetTimer()
	w.parallel(buyers, b.N, func(i int) { w.buyer(payments[i], "success") })
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "paid/s")
	w.until("all are issued", func() bool {
		var left int
		if err := w.ledger.SQL().QueryRowContext(b.Context(), `SELECT count(*) FROM ledger.orders WHERE state <> 4`).Scan(&left); err != nil {
			b.Fatal(err)
		}
		return left == 0
	})
	b.StopTimer()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "issued/s")
	w.reconciles()
}

// parallel does n things, some at once.
func (w *world) parallel(workers, n int, do func(i int)) {
	var next atomic.Int64
	var wg sync.WaitGroup
	for range workers {
		wg.Go(func() {
			for i := int(next.Add(1)) - 1; i < n; i = int(next.Add(1)) - 1 {
				do(i)
			}
		})
	}
	wg.Wait()
}
