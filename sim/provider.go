package sim

import (
	"time"

	"github.com/google/uuid"

	"ticketrush/stockd/order"
)

// provider is a bank that is slow, late, double or silent. What it has in its books is the truth about money.
type provider struct {
	w        *World
	payments map[string]*charge
	order    []string // of creation
}

// charge is a payment in the provider's books.
type charge struct {
	Payment
	state  string
	amount int64
	back   map[uuid.UUID]int64 // what was sent back, by refund
}

// kept is what the provider has of a payment.
func (c *charge) kept() int64 {
	if c.state != order.PaymentCaptured && c.state != order.PaymentRefunded {
		return 0
	}
	n := c.amount
	for _, back := range c.back {
		n -= back
	}
	return n
}

// call reaches the provider and comes back, or not: then it may have been done.
func (b *provider) call(p *process, do func() bool, then func(done, ok bool)) {
	answered := false
	answer := func(done, ok bool) {
		p.deliver(func() {
			if !answered {
				answered = true
				then(done, ok)
			}
		})
	}
	slow := b.w.plan.slowBank && !b.w.calm && b.w.chance(4)
	p.leave(func() {
		if slow && b.w.chance(2) {
			b.w.some[SawProviderSilent]++
			if b.w.chance(2) {
				do()
			}
			return
		}
		wait := b.w.between(time.Millisecond, 10*time.Millisecond)
		if slow {
			wait = b.w.between(50*time.Millisecond, 280*time.Millisecond)
		}
		b.w.after(wait, func() {
			done := do()
			b.w.after(b.w.hop(), func() { answer(done, true) })
		})
	})
	b.w.after(callProver, func() { answer(false, false) })
}

// create opens a payment; the same one twice is one. The buyer then decides, at once, late, or never.
func (b *provider) create(p *process, pay Payment, prompt bool, then func(ok bool)) {
	b.call(p, func() bool {
		if b.payments[pay.Ref] != nil {
			return true
		}
		b.payments[pay.Ref] = &charge{Payment: pay, state: order.PaymentCreated, amount: pay.Amount}
		b.order = append(b.order, pay.Ref)
		wait := b.w.between(10*time.Millisecond, 200*time.Millisecond)
		switch n := b.w.rng.IntN(10); {
		case prompt:
			wait = b.w.between(0, 20*time.Millisecond)
		case n < 2:
			wait = b.w.between(time.Second, 2500*time.Millisecond)
		case n == 2:
			return true // never
		case n == 3:
			wait = time.Duration(payFor)*time.Millisecond + b.w.between(-50*time.Millisecond, 150*time.Millisecond) // as the time is up
		}
		b.w.after(wait, func() { b.buyer(pay.Ref) })
		return true
	}, func(_, ok bool) { then(ok) })
}

// buyer says yes or no, once.
func (b *provider) buyer(ref string) {
	c := b.payments[ref]
	if c.state != order.PaymentCreated {
		return
	}
	switch b.w.rng.IntN(10) {
	case 0, 1, 2:
		c.state = order.PaymentFailed
		b.w.some[SawDeclined]++
	case 3:
		c.state = order.PaymentCaptured // a bank that does not wait
	default:
		c.state = order.PaymentAuthorized
	}
	if b.w.tracing() {
		b.w.say("bank", "payment %.8s of order %.8v attempt %d is %s", ref, c.Order, c.Attempt, c.state)
	}
	copies := 1
	silent := b.w.plan.silentBank && b.w.chance(3)
	if b.w.plan.doubleBank && b.w.chance(3) {
		copies = 2 + b.w.rng.IntN(2)
		b.w.some[SawDoubleWebhook]++
	}
	fact := Fact{ID: ref + ":" + c.state, Ref: ref, Kind: c.state, Amount: c.amount}
	for range copies {
		wait := b.w.hop()
		if b.w.plan.lateBank && b.w.chance(3) {
			wait = b.w.between(200*time.Millisecond, 2*time.Second)
			b.w.some[SawLateWebhook]++
		}
		if silent { // says nothing until long after somebody has asked
			wait = b.w.between(3*time.Second, 5*time.Second)
			b.w.some[SawSilentWebhook]++
		}
		b.w.after(wait, func() { b.tell(fact, 8) })
	}
}

// tell sends a message to any node, again and again until one says that it is committed.
func (b *provider) tell(f Fact, tries int) {
	if tries == 0 {
		return
	}
	heard := false
	if p := b.w.anybody(); p != nil {
		p.deliver(func() { p.webhook(f, func(ok bool) { heard = heard || ok }) })
	}
	b.w.after(400*time.Millisecond, func() {
		if !heard {
			b.tell(f, tries-1)
		}
	})
}

// capture takes what was authorised; false: refused for good.
func (b *provider) capture(ref string) bool {
	c := b.payments[ref]
	switch c.state {
	case order.PaymentCaptured:
		return true
	case order.PaymentAuthorized:
		if b.w.plan.refusesCapture && b.w.chance(6) {
			c.state = order.PaymentFailed
			return false
		}
		c.state = order.PaymentCaptured
		return true
	}
	return false
}

func (b *provider) void(ref string) bool {
	c := b.payments[ref]
	if c == nil || c.state == order.PaymentCaptured || c.state == order.PaymentRefunded {
		return false
	}
	if c.state == order.PaymentAuthorized {
		b.w.some[SawLatePayment]++
	}
	c.state = order.PaymentVoided
	return true
}

// refund sends money back: under one id once.
func (b *provider) refund(ref string, id uuid.UUID, amount int64) bool {
	c := b.payments[ref]
	if c == nil || c.state != order.PaymentCaptured && c.state != order.PaymentRefunded {
		return false
	}
	if c.back == nil {
		c.back = map[uuid.UUID]int64{}
	}
	if c.back[id] = amount; c.kept() <= 0 {
		c.state = order.PaymentRefunded
	}
	return true
}
