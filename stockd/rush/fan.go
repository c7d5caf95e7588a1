package rush

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"
)

// fan is one person on the way through the sale.
type fan struct {
	person
	n     int
	world *world
	dice  *rand.Rand
	v     *visitor
}

// result is how a visit ended.
type result int

const (
	served  result = iota // with tickets, or as the person wanted
	unlucky               // nothing to be had
	broken                // an error that was counted, or the end of the rush
)

// run is a fan's whole evening: a visit, and, while there is something left that nobody waits for, further ones as somebody else.
func (f *fan) run(ctx context.Context) {
	w := f.world
	if sleep(ctx, f.arrives) != nil {
		w.done(false)
		return
	}
	for visit := 1; ; visit++ {
		got := f.visit(ctx)
		again := got != broken && visit < w.config.Visits
		w.done(again)
		if !again || !w.rest(ctx) {
			return
		}
		f.again(w.config, f.dice)
	}
}

// leaveMax bounds how long giving the pass back may take: a pass that is not given back keeps its slot for minutes.
const leaveMax = 30 * time.Second

// visit is one way through the doors, with a fresh browser.
func (f *fan) visit(ctx context.Context) result {
	w := f.world
	f.v = newVisitor(w.config, w.transport, w.tally, f.dice)
	if w.room != "" {
		if err := f.v.queue(ctx, w.room, w.over); err != nil {
			return f.failed("join the line", err)
		}
		// The pass goes back whatever happens, also at the end of the rush.
		defer func() {
			ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), leaveMax)
			defer cancel()
			f.v.leave(ctx, w.room)
		}()
	} else {
		now := time.Now()
		w.tally.arrived(now)
		w.tally.admitted(now, 0)
		defer func() { w.tally.left(time.Now()) }()
	}
	f.think(ctx)
	hold, err := f.getSeats(ctx)
	if err != nil {
		return f.failed("hold seats", err)
	}
	f.think(ctx)
	switch f.manner {
	case letsGo:
		return f.letGo(ctx, hold)
	case walksOff:
		w.tally.note(time.Now(), func(c *counts, _ *Row) { c.LeftBehind++ })
		return served
	case dawdles:
		return f.comeLate(ctx, hold)
	}
	return f.checkout(ctx, hold)
}

func (f *fan) think(ctx context.Context) { _ = sleep(ctx, thinks(f.world.config, f.dice)) }

// failed sorts what ended a visit. Refusals have been counted where they came; what is left is the sale's end, the rush's end, or a fault.
func (f *fan) failed(what string, err error) result {
	t, now := f.world.tally, time.Now()
	var p *Problem
	switch {
	case errors.Is(err, errOver), errors.Is(err, errNothing), is(err, "sold-out", "room-ended"):
		t.note(now, func(c *counts, _ *Row) { c.MissedOut++ })
		return unlucky
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return broken
	case errors.As(err, &p) && p.Status < 500:
		t.failed(now, fmt.Sprintf("%s: unexpected %d %s", what, p.Status, p.kind()))
	default:
		t.note(now, func(c *counts, _ *Row) { c.GaveUp++ })
	}
	return broken
}

func (f *fan) letGo(ctx context.Context, h Hold) result {
	if err := f.v.release(ctx, h); err != nil {
		return f.failed("release", err)
	}
	f.world.tally.note(time.Now(), func(c *counts, _ *Row) { c.Released++ })
	return served
}

// comeLate waits past the end of the hold. An order after that must be refused, and the hold be gone.
func (f *fan) comeLate(ctx context.Context, h Hold) result {
	if sleep(ctx, time.Duration(h.ExpiresInS)*time.Second+1500*time.Millisecond) != nil {
		return broken
	}
	o, err := f.v.order(ctx, h, "Late")
	switch {
	case is(err, "hold-expired", "not-found"):
		f.world.tally.note(time.Now(), func(c *counts, _ *Row) { c.RanOut++ })
		return served
	case err != nil:
		return f.failed("order late", err)
	}
	// A new owner gives holds their whole life again, so being late may still be in time.
	f.world.tally.opened(time.Now(), o)
	return f.pay(ctx, o)
}

// checkout opens the order and pays.
func (f *fan) checkout(ctx context.Context, h Hold) result {
	t := f.world.tally
	o, err := f.v.order(ctx, h, fmt.Sprintf("Fan %d", f.n))
	if is(err, "hold-expired", "not-found") {
		t.lostHold(time.Now(), h.ID, err.Error())
		return broken
	}
	if err != nil {
		return f.failed("open the order", err)
	}
	t.opened(time.Now(), o)
	f.think(ctx)
	if f.manner == cancels {
		if err := f.v.cancel(ctx, o); err != nil {
			return f.failed("cancel", err)
		}
		t.note(time.Now(), func(c *counts, _ *Row) { c.Released++ })
		return served
	}
	return f.pay(ctx, o)
}

// pay pays by the sandbox; the first time it may be declined. Then it waits for the tickets.
func (f *fan) pay(ctx context.Context, o Order) result {
	t := f.world.tally
	if f.declined {
		p, err := f.v.startPayment(ctx, o)
		if err == nil {
			err = f.v.press(ctx, p, "decline")
		}
		if err == nil {
			_, err = f.await(ctx, o, "pending_payment")
		}
		if err != nil {
			return f.failed("have a payment declined", err)
		}
		t.note(time.Now(), func(c *counts, _ *Row) { c.Declined++ })
		f.think(ctx)
	}
	started := time.Now()
	p, err := f.v.startPayment(ctx, o)
	if err != nil {
		return f.failed("start the payment", err)
	}
	if err := f.v.press(ctx, p, "success"); err != nil {
		return f.failed("press the pay page's button", err)
	}
	state, err := f.await(ctx, o, "paid", "issued")
	if err != nil {
		return f.failed("wait for the payment", err)
	}
	paid := time.Now()
	t.paid(paid, o.ID, paid.Sub(started))
	if state != "issued" {
		if _, err := f.await(ctx, o, "issued"); err != nil {
			return f.failed("wait for the tickets", err)
		}
	}
	for {
		list, ready, err := f.v.tickets(ctx, o.ID, o.Token)
		if err != nil {
			return f.failed("get the tickets", err)
		}
		if ready {
			now := time.Now()
			t.issued(now, now.Sub(paid), list)
			return served
		}
		if sleep(ctx, f.v.jitter(500*time.Millisecond)) != nil {
			return broken
		}
	}
}

// awaitMax bounds how long a fan looks at the "please wait" after paying.
const awaitMax = 60 * time.Second

// await polls an order until it is in one of the states.
func (f *fan) await(ctx context.Context, o Order, states ...string) (string, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, awaitMax, errNothing)
	defer cancel()
	wait := 300 * time.Millisecond
	for {
		now, err := f.v.getOrder(ctx, o.ID, o.Token)
		if err != nil {
			return "", err
		}
		for _, s := range states {
			if now.State == s {
				return s, nil
			}
		}
		switch now.State {
		case "pending_payment", "paying", "paid", "stuck":
		default:
			return now.State, &Problem{Type: "order-" + now.State, Status: 409, Title: "the order is " + now.State}
		}
		if err := sleep(ctx, f.v.jitter(wait)); err != nil {
			return now.State, &Problem{Type: "order-still-" + now.State, Status: 409, Title: "the order is still " + now.State}
		}
		wait = min(wait*3/2, 2*time.Second)
	}
}
