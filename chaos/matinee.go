package chaos

import (
	"context"
	"fmt"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

// ofMatinee is one in how many visits that are to the event which is cancelled.
const ofMatinee = 12

// matinee is an event that is cancelled while a fault is made: whoever has paid has their money back in the end, and nobody a seat.
type matinee struct {
	next      atomic.Int64 // the seat that is asked for: each once, so that nobody waits for another
	cancelled atomic.Bool  // ops have said so; from then on buyers are refused
	called    sync.WaitGroup

	mu     sync.Mutex // guards what follows
	orders []orderDoc
}

func newMatinee() *matinee { return &matinee{} }

// visitMatinee buys a seat of it; false: it is not on sale any more.
func (b *buyer) visitMatinee(ctx context.Context) bool {
	m := b.crowd.matinee
	n := int(m.next.Add(1)) - 1
	if m.cancelled.Load() || n >= matineeSections*rows*rowSeats {
		return false
	}
	label := fmt.Sprintf("S%d-%d-%d", n%matineeSections+1, n/matineeSections/rowSeats+1, n/matineeSections%rowSeats+1)
	var h struct{ ID, Token string }
	if !b.tries(ctx, call{method: http.MethodPost, path: "/v1/events/" + matineeSlug + "/holds", body: map[string]any{"items": []map[string]any{{"seat": label}}}, into: &h}) {
		return true
	}
	var o orderDoc
	if !b.tries(ctx, call{method: http.MethodPost, path: "/v1/holds/" + h.ID + "/order", header: map[string]string{"X-Hold-Token": h.Token}, body: struct{}{}, into: &o}) {
		return true
	}
	m.mu.Lock()
	m.orders = append(m.orders, o)
	m.mu.Unlock()
	var p struct {
		PayURL string `json:"pay_url"`
	}
	if !b.tries(ctx, call{method: http.MethodPost, path: "/v1/orders/" + o.ID + "/payments", header: o.mine(), body: map[string]string{"provider": "sandbox"}, into: &p}) {
		b.tries(ctx, call{method: http.MethodPost, path: "/v1/orders/" + o.ID + "/cancel", header: o.mine(), body: struct{}{}})
		return true
	}
	if _, ok := b.press(ctx, p.PayURL, "success"); ok {
		b.follow(ctx, o, "issued", "refunding", "refunded", "expired", "cancelled")
	}
	return true
}

// tries asks for something that is refused only when the event is cancelled.
func (b *buyer) tries(ctx context.Context, c call) bool {
	a, err := b.wire.ask(ctx, c)
	if err == nil && a.ok() {
		b.crowd.ops.Add(1)
		return true
	}
	if err != nil || a.status != http.StatusConflict || !b.crowd.matinee.cancelled.Load() {
		b.crowd.book.failed("%s: %s %s: %d %s %s %v", b.wire.name, c.method, c.path, a.status, a.problem, a.detail, err)
	}
	return false
}

// cancellation is a cancelled event as the API tells it.
type cancellation struct {
	FinishedAt string `json:"finished_at"`
	Open       int    `json:"open"`
	Refunds    int    `json:"refunds"`
	Sent       int    `json:"sent"`
	Amount     int64  `json:"amount"`
	AmountSent int64  `json:"amount_sent"`
}

// withCancellation is a fault in the middle of which ops cancel the matinee.
func (d *deployment) withCancellation(f Fault) Fault {
	run := f.run
	f.run = func(ctx context.Context, d *deployment) (time.Duration, error) {
		d.cancelMatinee(ctx)
		return run(ctx, d)
	}
	return f
}

// cancelMatinee is what ops do.
func (d *deployment) cancelMatinee(ctx context.Context) {
	m := d.crowd.matinee
	m.called.Go(func() {
		if wait(ctx, cancelAfter) != nil {
			return
		}
		m.cancelled.Store(true)
		a, err := d.ops().ask(ctx, call{method: http.MethodPost, path: "/v1/events/" + matineeSlug + "/cancellation", header: d.opsKey(), body: map[string]string{"reason": "chaos"}})
		if err != nil || !a.ok() {
			d.book.failed("the matinee could not be cancelled: %d %s %s %v", a.status, a.problem, a.detail, err)
		}
	})
}

// cancelAfter is how long a fault has been there when the event is cancelled.
const cancelAfter = 300 * time.Millisecond

// ops is how ops reach the nodes.
func (d *deployment) ops() *wire { return d.crowd.wires[1] }

func (d *deployment) opsKey() map[string]string {
	return map[string]string{"Authorization": "Bearer " + d.demo.Ready().APIKey}
}

// judgeMatinee looks whether everybody has their money back, and nobody a seat.
func (d *deployment) judgeMatinee(ctx context.Context, r *Report) {
	m := d.crowd.matinee
	m.called.Wait()
	wrong := func(format string, args ...any) { r.Wrong = append(r.Wrong, fmt.Sprintf(format, args...)) }
	var c cancellation
	if a, err := d.ops().ask(ctx, call{method: http.MethodGet, path: "/v1/events/" + matineeSlug + "/cancellation", header: d.opsKey(), into: &c}); err != nil || !a.ok() {
		wrong("the cancelled event: %d %s %s %v", a.status, a.problem, a.detail, err)
		return
	}
	if c.FinishedAt == "" || c.Open != 0 || c.Refunds != c.Sent || c.Amount != c.AmountSent {
		wrong("the event was cancelled, and it ends with %+v", c)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	b := &buyer{crowd: d.crowd, wire: d.ops()}
	sent := 0
	for _, o := range m.orders {
		o, ok := b.look(ctx, o)
		back := int64(0)
		for _, refund := range o.Refunds {
			back += refund.Amount
		}
		switch {
		case ok && o.State == "refunded" && back == o.Total:
			sent++
		case !ok || o.State != "expired" && o.State != "cancelled":
			wrong("the event was cancelled, and order %s ends %s, with %d of %d sent back", o.ID, o.State, back, o.Total)
		}
	}
	if sent != c.Refunds {
		wrong("%d orders of the cancelled event were refunded, and %d refunds decided", sent, c.Refunds)
	}
	d.crowd.money.count(func(r *Refunds) {
		r.Cancelled, r.CancelSent = len(m.orders), c.Sent
		r.Asked += c.Refunds
		r.Sent += c.Sent
	})
}
