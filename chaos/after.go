package chaos

import (
	"context"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// money is what became of payments that did not end as tickets.
type money struct {
	mu      sync.Mutex // guards what follows
	Refunds Refunds
	returns []giveBack
}

// Refunds counts what went back, and why.
type Refunds struct {
	Asked      int // by buyers, for an order or a line of it, and by ops for the event that was cancelled
	Sent       int // by the bank
	Seats      int // that were returned, and were found on sale or with somebody else
	Again      int // of those: sold again
	Late       int // payments that succeeded when their order had expired
	LateSeats  int // of those: that got their seats after all
	LateOthers int // of those: that took others; for the rest the money went back
	Disputes   int
	Lost       int
	Cancelled  int // orders that the event had which was cancelled
	CancelSent int // of those: refunds that were sent
}

// add is of all deployments.
func (r *Refunds) add(of *Refunds) {
	for _, n := range []struct{ all, of *int }{
		{&r.Asked, &of.Asked}, {&r.Sent, &of.Sent}, {&r.Seats, &of.Seats}, {&r.Again, &of.Again}, {&r.Late, &of.Late}, {&r.LateSeats, &of.LateSeats}, {&r.LateOthers, &of.LateOthers},
		{&r.Disputes, &of.Disputes}, {&r.Lost, &of.Lost}, {&r.Cancelled, &of.Cancelled}, {&r.CancelSent, &of.CancelSent},
	} {
		*n.all += *n.of
	}
}

// giveBack is a return of seats: when they are on sale again nobody is told, so that each is an operation until the end.
type giveBack struct {
	h    held
	from time.Time
}

func (m *money) count(f func(*Refunds)) {
	m.mu.Lock()
	defer m.mu.Unlock()
	f(&m.Refunds)
}

// returned notes that seats were given back.
func (c *crowd) returned(h held, from time.Time) {
	c.money.mu.Lock()
	c.money.returns = append(c.money.returns, giveBack{h, from})
	c.money.mu.Unlock()
	c.mark(h.labels, false)
}

// sells notes a sale.
func (c *crowd) sells(labels []string) {
	c.mark(labels, true)
	c.sales.Add(int64(len(labels)))
}

// allReturned writes the returns into the history, when nothing is under way any more: each has happened by now.
func (c *crowd) allReturned() {
	c.money.mu.Lock()
	defer c.money.mu.Unlock()
	now := time.Now()
	for _, r := range c.money.returns {
		c.history.add(r.h.labels, op{verb: verbReturn, hold: r.h.uuid}, r.from, now)
		c.money.Refunds.Seats += len(r.h.labels)
	}
	c.money.Refunds.Again = c.history.again()
}

// bought is an order that has its tickets.
type bought struct {
	held
	order orderDoc
	page  string // the bank's
}

// Parts in a hundred of what a buyer does with what they have bought; the others keep it.
const (
	ofReturn  = 25 // give all of it back
	ofPart    = 15 // give one seat back
	ofDispute = 10 // have the bank ask for the money; half of them get it
)

// decided follows an order until it is decided what its buyer has, also when it was paid late: then the same seats, others that they are offered and take,
// or do not want, or the money. That nothing follows any more is known when the bank has the payment back.
func (b *buyer) decided(ctx context.Context, h held, o orderDoc, page string) (orderDoc, bool) {
	o, ok := b.follow(ctx, o, "issued", "expired")
	if !ok || o.State == "issued" {
		return o, ok
	}
	seats := slices.DeleteFunc(itemsOf(h.labels), func(item map[string]any) bool { return item["seat"] == nil })
	if len(seats) > 0 && b.dice.IntN(2) == 0 { // somebody else wants them, too
		if rival, ok := b.take(ctx, h.segments, seats); ok {
			defer b.touch(ctx, rival, call{method: http.MethodDelete, path: "/v1/holds/" + rival.id}, verbDrop)
		}
	}
	takes := b.dice.IntN(3) > 0
	o, ok = b.watch(ctx, o, func(o orderDoc) bool {
		switch {
		case o.Offer != nil:
			// Refused when it has ended meanwhile.
			_, _ = b.wire.ask(ctx, call{method: http.MethodPost, path: "/v1/orders/" + o.ID + "/offer", header: o.mine(), body: map[string]bool{"accept": takes}})
			return false
		case o.State == "issued" || o.State == "refunded":
			return true
		case o.State != "expired":
			return false
		}
		state, ok := b.press(ctx, page, "send-refunds") // as it does anyway: only to hear how the payment is
		return ok && (state == "voided" || state == "failed" || state == "refunded")
	})
	b.crowd.money.count(func(r *Refunds) {
		r.Late++
		switch {
		case !ok || o.State != "issued":
		case o.Hold == h.id || slices.Equal(slices.Sorted(slices.Values(o.labels())), slices.Sorted(slices.Values(h.labels))):
			r.LateSeats++
		default:
			r.LateOthers++
		}
	})
	return o, ok
}

// itemsOf names seats and places of the area as the API does.
func itemsOf(labels []string) (items []map[string]any) {
	for _, label := range labels {
		if unit, ok := strings.CutPrefix(label, standing+" "); ok {
			n, _ := strconv.Atoi(unit) // our own label
			items = append(items, map[string]any{"area": standing, "unit": n})
		} else {
			items = append(items, map[string]any{"seat": label})
		}
	}
	return items
}

// after does something with what was bought, or leaves it.
func (b *buyer) after(ctx context.Context, x bought) {
	switch n := b.dice.IntN(100); {
	case n < ofReturn:
		b.giveBack(ctx, x, x.labels)
	case n < ofReturn+ofPart:
		i := b.dice.IntN(len(x.labels))
		b.giveBack(ctx, x, x.labels[i:i+1])
	case n < ofReturn+ofPart+ofDispute:
		b.dispute(ctx, x)
	}
}

// giveBack asks for the money of some seats and waits until it is sent.
func (b *buyer) giveBack(ctx context.Context, x bought, labels []string) {
	left := held{id: x.id, uuid: x.uuid, labels: labels}
	from := time.Now()
	path := "/v1/orders/" + x.order.ID + "/refunds"
	a, err := b.wire.ask(ctx, call{method: http.MethodPost, path: path, header: x.order.mine(), body: map[string]any{"items": itemsOf(labels)}})
	if err != nil {
		b.crowd.book.failed("POST %s was never answered: %v", path, err)
		b.crowd.history.add(labels, op{verb: verbReturn, hold: x.uuid, open: true}, from, time.Now())
		return
	}
	if !a.ok() {
		b.crowd.book.failed("%s: POST %s: %d %s %s", b.wire.name, path, a.status, a.problem, a.detail)
		return
	}
	b.crowd.ops.Add(1)
	b.crowd.money.count(func(r *Refunds) { r.Asked++ })
	b.crowd.returned(left, from)
	end := "issued"
	if len(labels) == len(x.labels) {
		end = "refunded"
	}
	o, ok := b.follow(ctx, x.order, end)
	if !ok {
		return
	}
	if len(o.Refunds) != 1 || o.Refunds[0].State != "sent" {
		b.crowd.book.failed("order %s is %s, and its refunds are %+v", o.ID, o.State, o.Refunds)
		return
	}
	b.crowd.money.count(func(r *Refunds) { r.Sent++ })
}

// dispute has the bank ask for the money of an order, and decide.
func (b *buyer) dispute(ctx context.Context, x bought) {
	if _, ok := b.press(ctx, x.page, "dispute"); !ok {
		return
	}
	b.crowd.money.count(func(r *Refunds) { r.Disputes++ })
	if _, ok := b.follow(ctx, x.order, "disputed"); !ok {
		return
	}
	button, end := "dispute-won", "issued"
	if b.dice.IntN(2) == 0 {
		button, end = "dispute-lost", "refunded"
	}
	from := time.Now()
	if _, ok := b.press(ctx, x.page, button); !ok {
		return
	}
	if end == "refunded" {
		b.crowd.money.count(func(r *Refunds) { r.Lost++ })
		b.crowd.returned(x.held, from)
	}
	b.follow(ctx, x.order, end)
}
