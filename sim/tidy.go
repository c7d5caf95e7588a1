package sim

import (
	"github.com/google/uuid"

	"ticketrush/stockd/order"
	"ticketrush/stockd/owner"
	"ticketrush/stockd/stock"
)

// tidy looks, at a steady pace, for whatever a crash, a lost message or a silent provider has left undone.
func (p *process) tidy() {
	if p.dead {
		return
	}
	p.w.after(tidyEvery, p.tidy)
	p.deliver(func() {
		var overdue, paid, late []uuid.UUID
		var mass []stock.EventID
		var loose []LoosePin
		var jobs []Job
		now := p.wall()
		p.query(func() {
			l := p.w.ledger
			overdue, paid, loose, jobs = l.OrdersOverdue(now), l.OrdersToFollow(now-followIn), l.LoosePins(), l.OutboxTake(now+callLease, now)
			late, mass = l.LateOpen(now), l.MassRefundsOpen()
			p.w.check.called(jobs)
		}, func(ok bool) {
			if !ok {
				return
			}
			for _, id := range overdue {
				p.overdue(id)
			}
			for _, pin := range loose {
				p.w.some[SawLoosePin]++
				p.unpin(pin)
			}
			for _, id := range paid {
				p.followOrder(id)
			}
			for _, id := range late {
				p.latePaid(id)
			}
			for _, event := range mass {
				p.massRefund(event, noID)
			}
			for _, job := range jobs {
				p.work(job)
			}
		})
		p.readOwners()
		if p.w.plan.wide {
			p.dropLost()
		}
		p.pull()
	})
}

// readOwners looks which partitions with stock the ledger's rows give to this process.
func (p *process) readOwners() {
	in := owner.Named{Session: p.session}
	p.query(func() {
		for _, ref := range p.w.catalog {
			if p.w.ledger.part(ref.Part).session == in.Session && in.Session != 0 {
				in.Parts = append(in.Parts, ref.Part)
			}
		}
	}, func(ok bool) {
		if ok && len(in.Parts) > 0 {
			p.give(in)
		}
	})
}

// pull asks for pins that have waited too long to be followed, without a look at their orders: the ledger has to say which of it may be done.
func (p *process) pull() {
	if p.w.calm || !p.w.plan.impatient {
		return
	}
	for _, pin := range p.core.StalePins(p.wall()-100, 4) {
		cmd := stock.Command{Event: pin.Event, Segment: pin.Segment, Hold: pin.Hold, Order: pin.Order, Attempt: pin.Attempt}
		switch p.w.rng.IntN(4) {
		case 0:
			cmd.Kind = stock.KindSell
		case 1:
			cmd.Kind = stock.KindUnpin
		case 2:
			cmd.Kind, cmd.Free = stock.KindUnpin, true
		default:
			continue
		}
		p.w.some[SawImpatient]++
		p.do(cmd, func(told) {})
	}
}

// overdue ends an attempt whose time is up, after asking the provider. One that does not answer makes the order stuck; at last it expires
// whatever the provider says.
func (p *process) overdue(id uuid.UUID) {
	p.getOrder(id, func(o Order, payments []Payment, ok bool) {
		late := o.PayingUntil <= p.wall()
		if !ok || o.State != order.Stuck && (o.State != order.Paying || !late) {
			return
		}
		if r, found := p.w.ledger.LateGet(id); found && r.State != latePlaced {
			p.latePaid(id) // it ends by itself
			return
		}
		for _, pay := range payments {
			if pay.Attempt == o.Attempt && pay.State != order.PaymentFailed && pay.State != order.PaymentVoided {
				p.askAbout(&o, pay, late)
				return
			}
		}
		p.expireOrder(&o)
	})
}

func (p *process) askAbout(o *Order, pay Payment, late bool) {
	var state string
	p.w.provider.call(p, func() bool { state = p.w.provider.payments[pay.Ref].state; return true }, func(_, ok bool) {
		switch {
		case ok && (state == order.PaymentAuthorized || state == order.PaymentCaptured):
			p.take(Fact{ID: "asked:" + pay.Ref + ":" + state, Ref: pay.Ref, Kind: state, Amount: pay.Amount}, func(v Verdict, ok bool) {
				if ok && v.Code != factPaid && v.Code != factAlready {
					p.expireOrder(o)
				}
			})
		case ok:
			p.expireOrder(o)
		case o.State == order.Paying:
			p.change(o.ID, func() error {
				moved, err := p.w.ledger.OrderMove(o.ID, order.Paying, order.Stuck, order.EventDeadline, o.Attempt, p.wall()+stuckFor, p.wall())
				if moved {
					p.w.some[SawStuck]++
				}
				return err
			}, func(bool) {})
		case late:
			p.expireOrder(o)
		}
	})
}

// expireOrder ends an order whose payment took too long, has what may still come given back, and frees its seats.
func (p *process) expireOrder(o *Order) {
	moved := false
	p.change(o.ID, func() (err error) {
		moved, err = p.w.ledger.OrderExpire(o.ID, o.State, o.Attempt, p.wall())
		return err
	}, func(ok bool) {
		if !ok || !moved {
			return
		}
		p.w.some[SawOrderExpired]++
		p.unpin(LoosePin{Order: o.ID, Hold: o.Hold, Attempt: o.Attempt, Segment: segmentKey{o.Event, p.w.segmentOf(o)}, State: order.Expired})
	})
}

// work makes one call of the outbox. One that fails is left to whoever takes it when its lease is over.
func (p *process) work(job Job) {
	done := func() { p.query(func() { p.w.ledger.OutboxDone(job.Dedup) }, func(bool) {}) }
	switch job.Topic {
	case topicOrphan:
		p.orphan(job, done)
	case topicVoid:
		p.w.provider.call(p, func() bool { return p.w.provider.void(job.Ref) }, func(voided, ok bool) {
			switch {
			case !ok:
			case voided:
				p.w.some[SawVoided]++
				p.query(func() { p.w.ledger.PaymentState(job.Payment, order.PaymentVoided) }, func(ok bool) {
					if ok {
						done()
					}
				})
			case p.w.provider.payments[job.Ref].state == order.PaymentCaptured: // that fact makes it a refund
				amount := p.w.provider.payments[job.Ref].amount
				p.take(Fact{ID: "asked:" + job.Ref + ":captured", Ref: job.Ref, Kind: order.PaymentCaptured, Amount: amount}, func(Verdict, bool) {})
			default:
				done()
			}
		})
	case topicRefund:
		p.sendBack(job, done)
	case topicUnsell:
		p.unsell(job.Order, done)
	}
}

// orphan gives back the money of a payment that we do not know, unless we know it by now.
func (p *process) orphan(job Job, done func()) {
	known := false
	p.query(func() { known = p.w.ledger.byRef[job.Ref] != noID }, func(ok bool) {
		if !ok {
			return
		}
		p.w.some[SawOrphan]++
		p.w.provider.call(p, func() bool { return !known && p.w.provider.void(job.Ref) }, func(voided, ok bool) {
			c := p.w.provider.payments[job.Ref]
			switch {
			case !ok:
			case known && (c.state == order.PaymentAuthorized || c.state == order.PaymentCaptured):
				p.take(Fact{ID: "asked:" + job.Ref + ":" + c.state, Ref: job.Ref, Kind: c.state, Amount: c.amount}, func(_ Verdict, ok bool) {
					if ok {
						done()
					}
				})
			case voided, known:
				done()
			default:
				p.w.provider.call(p, func() bool { return p.w.provider.refund(job.Ref, noID, c.amount) }, func(sent, ok bool) {
					if ok && sent {
						done()
					}
				})
			}
		})
	})
}
