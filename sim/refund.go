package sim

import (
	"time"

	"github.com/google/uuid"

	"ticketrush/stockd/order"
	"ticketrush/stockd/owner"
	"ticketrush/stockd/stock"
)

// What goes back, step by step as stockd/order does it: buyers who return what they have bought, ops who cancel an event.

// massBatch is how many refunds of a cancelled event are decided in one commit.
const massBatch = 2

// giveBack asks any node for the money of some lines of an order, or of all; sometimes twice.
func (c *client) giveBack(o *Order) {
	w := c.w
	var seats []stock.SeatID
	if w.chance(2) {
		for i, line := range o.Lines {
			if !o.ended(i) && (len(seats) == 0 || w.chance(3)) {
				seats = append(seats, line.Seat)
			}
		}
	}
	refund := c.request().Key
	for range 1 + w.rng.IntN(2) {
		p := w.anybody()
		if p == nil {
			continue
		}
		w.after(w.between(0, 100*time.Millisecond), func() { p.deliver(func() { p.refundOrder(o.ID, refund, seats) }) })
	}
}

// refundOrder decides a refund.
func (p *process) refundOrder(id, refund uuid.UUID, seats []stock.SeatID) {
	p.change(id, func() error {
		code, err := p.w.ledger.RefundDecide(id, refund, noID, seats, p.wall())
		if code == refundDecided && err == nil {
			p.w.check.refunded(id, seats)
			p.w.some[SawReturned]++
			if len(seats) > 0 {
				p.w.some[SawReturnedInPart]++
			}
		}
		return err
	}, func(bool) {})
}

// cancelEvent is what ops do; whoever they ask begins the mass refund, and the others go on with it.
func (w *World) cancelEvent() {
	p := w.anybody()
	if p == nil || w.calm {
		return
	}
	p.deliver(func() {
		p.query(func() {
			if w.ledger.EventCancel(1, number(8, 1)) == 0 {
				w.some[SawCancelled]++
				w.say("ledger", "event 1 is cancelled")
			}
		}, func(bool) {})
	})
}

// massRefund decides the next refunds of a cancelled event.
func (p *process) massRefund(event stock.EventID, after uuid.UUID) {
	var last uuid.UUID
	p.query(func() {
		l := p.w.ledger
		before := map[uuid.UUID]order.State{}
		for id, o := range l.orders {
			if l.locked[id] > 0 { // the call would wait for whoever has locked it; the next round finds it
				return
			}
			before[id] = o.State
		}
		var err error
		if last, err = l.MassRefundStep(event, after, massBatch, p.wall()); err != nil {
			p.w.fail("the last line of the ledger fired at the mass refund by %s: %v", p.name, err)
		}
		for _, id := range l.sortedOrders(func(o *Order) bool { return o.Event == event && o.State == order.Refunding }) {
			p.w.check.refunded(id, nil)
			if before[id] != order.Refunding {
				p.w.some[SawMassRefund]++
			}
		}
		p.w.check.massRefunded(event)
	}, func(ok bool) {
		if ok && last != noID {
			p.massRefund(event, last)
		}
	})
}

// sendBack makes the call of a refund: a void while the money is only authorised, as far as we know.
func (p *process) sendBack(job Job, done func()) {
	var r Refund
	var pay Payment
	p.query(func() { r, pay = p.w.ledger.RefundGet(job.Refund) }, func(ok bool) {
		switch {
		case !ok:
		case r.Sent:
			done()
		case pay.Captured > 0:
			p.send(job, r.Amount, done)
		default:
			var state string
			p.w.provider.call(p, func() bool {
				voided := p.w.provider.void(job.Ref)
				state = p.w.provider.payments[job.Ref].state
				return voided
			}, func(voided, ok bool) {
				switch {
				case !ok:
				case voided:
					p.w.some[SawRefundVoided]++
					p.change(r.Order, func() error { _, err := p.w.ledger.RefundVoided(r.ID, p.wall()); return err }, ended(done))
				case state == order.PaymentCaptured || state == order.PaymentRefunded:
					p.send(job, r.Amount, done)
				}
			})
		}
	})
}

// ended calls done when something was committed.
func ended(done func()) func(bool) {
	return func(ok bool) {
		if ok {
			done()
		}
	}
}

// send sends captured money back; the same refund is sent once.
func (p *process) send(job Job, amount int64, done func()) {
	p.w.provider.call(p, func() bool { return p.w.provider.refund(job.Ref, job.Refund, amount) }, func(sent, ok bool) {
		if !ok || !sent {
			return
		}
		p.w.some[SawRefunded]++
		id := p.w.ledger.refunds[job.Refund].Order
		p.change(id, func() error {
			_, err := p.w.ledger.RefundSent(job.Refund, p.wall())
			p.w.check.sentBack(id)
			return err
		}, ended(done))
	})
}

// unsell frees the seats of an order whose lines have ended, or whose capture was refused: what is sold first, because what is left of the hold gives
// back what the sold seats do not.
func (p *process) unsell(id uuid.UUID, done func()) {
	p.getOrder(id, func(o Order, _ []Payment, ok bool) {
		if !ok {
			return
		}
		var seats []stock.SeatRow
		p.query(func() { seats = p.w.ledger.SeatsToUnsell(id) }, func(ok bool) {
			if !ok {
				return
			}
			cmds, pinned := unsellCommands(&o, seats)
			if !p.w.calm && p.w.chance(3) { // asks for more than has ended: the ledger has to say which of it comes back
				cmds = append(commandsOf(stock.KindRefund, &o), cmds...)
			}
			p.doAll(cmds, false, func(t told) {
				if t.problem != owner.ProblemNone {
					return
				}
				if pinned {
					p.unpin(LoosePin{Order: id, Hold: o.Hold, Attempt: o.Attempt, Segment: segmentKey{o.Event, p.w.segmentOf(&o)}, State: o.State})
				}
				p.query(func() { seats = p.w.ledger.SeatsToUnsell(id) }, func(ok bool) {
					if ok && len(seats) == 0 {
						p.w.some[SawUnsold]++
						done()
					}
				})
			})
		})
	})
}

// unsellCommands asks each segment for its sold seats, and says whether there are pins.
func unsellCommands(o *Order, seats []stock.SeatRow) (cmds []stock.Command, pinned bool) {
	for _, seat := range seats { // in order of segment
		if seat.State != stock.Sold {
			pinned = true
			continue
		}
		if n := len(cmds); n == 0 || cmds[n-1].Segment != seat.Seat.Segment() {
			cmds = append(cmds, commandOf(stock.KindRefund, o, seat.Seat.Segment()))
		}
		ask := &cmds[len(cmds)-1].Ask
		ask.Seats = append(ask.Seats, stock.SeatAsk{Seat: seat.Seat})
	}
	return cmds, pinned
}
