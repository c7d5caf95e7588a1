package sim

import (
	"slices"
	"time"

	"github.com/google/uuid"

	"ticketrush/stockd/order"
	"ticketrush/stockd/owner"
	"ticketrush/stockd/stock"
)

// What stockd/node does for holds over several segments, step by step: any node may coordinate, and dies now and then on the way.

// wideTry is how long a hold may be tried here, in the proportions of stockd/owner.
const wideTry = 400 * time.Millisecond

// wishWide asks for seats in several segments at once, all or none.
func (c *client) wishWide() {
	w := c.w
	first := w.catalog[w.rng.IntN(len(w.catalog))]
	wide := owner.Wide{Hold: stock.WideHold{Event: first.Event, Request: c.request(), Quotas: c.quotas()}}
	counted := wide.Hold.Quotas
	for _, ref := range w.catalog {
		if len(wide.Legs) == 3 || ref.Event != first.Event || w.refs(ref.Event, ref.Segment) != nil || len(wide.Legs) > 0 && w.chance(3) {
			continue
		}
		n := int32(1)
		if w.chance(4) {
			n = 2
		}
		ask := stock.Ask{Quantity: n, Together: stock.TogetherAny}
		if area := w.plan.area && int(ref.Segment) >= w.plan.segments; !area && n == 1 && w.chance(2) {
			ask = stock.Ask{Seats: []stock.SeatAsk{{Seat: stock.NewSeatID(ref.Segment, w.rng.Int32N(hallOf(ref.Segment).Capacity()))}}}
		}
		documents := c.documents(int(wide.Hold.Quantity), int(n))
		wide.Legs = append(wide.Legs, stock.Command{Kind: stock.KindLeg, Event: ref.Event, Segment: ref.Segment, Ask: ask, Quotas: slices.Concat(counted, documents)})
		wide.Hold.Segments = append(wide.Hold.Segments, ref.Segment)
		wide.Hold.Quotas = slices.Concat(wide.Hold.Quotas, documents)
		wide.Hold.Quantity += n
	}
	if len(wide.Legs) < 2 {
		return
	}
	part := stock.PartitionOf(first.Event, wide.Hold.Segments[0])
	id := stock.NewCoordinatedID(part, wide.Hold.Request.Scope, wide.Hold.Request.Key, "legs")
	wide.Hold.ID = id
	for i := range wide.Legs {
		wide.Legs[i].Hold = id
	}
	w.wides[id] = wide
	cmd := stock.Command{Kind: stock.KindHold, Event: first.Event, Hold: id, Request: wide.Hold.Request}
	c.send(cmd, func(t told, _ time.Duration) {
		if t.Hold != nil && t.Code == stock.CodeOK {
			c.holding(cmd, t.Hold)
		}
	})
}

// serveWide runs a client's command about a hold over several segments.
func (p *process) serveWide(wide owner.Wide, cmd stock.Command, then func(told)) {
	switch cmd.Kind {
	case stock.KindHold:
		p.coordinating++
		p.coordinate(&wide, func(t told) {
			p.coordinating--
			then(t)
		})
	case stock.KindExtend:
		p.changeWide(&wide, func() int32 { return p.w.ledger.WideExtend(cmd.Hold, p.wall()+cmd.TTL, cmd.Request) }, then)
	case stock.KindOrder:
		p.changeWide(&wide, func() int32 {
			code := p.w.ledger.WideOrder(cmd.Hold, cmd.NewOrder, cmd.Request, p.wall())
			p.w.check.wideOrdered(cmd.Hold, code)
			return code
		}, then)
	default:
		p.changeWide(&wide, func() int32 { return p.endWide(cmd.Hold, cmd.Order, cmd.Request) }, func(t told) {
			if t.Code == stock.CodeOK {
				p.free(&wide)
			}
			then(t)
		})
	}
}

// endWide ends a hold in the database.
func (p *process) endWide(hold, ordered uuid.UUID, r stock.Request) int32 {
	code, err := p.w.ledger.WideEnd(hold, ordered, false, r, p.wall())
	if err != nil {
		p.w.fail("the last line of the ledger fired at the end of hold %.8v by %s: %v", hold, p.name, err)
	}
	if code == wideDone {
		p.w.some[SawWideReleased]++
	}
	p.w.check.wideRow(hold)
	return code
}

// changeWide makes one call about a row.
func (p *process) changeWide(wide *owner.Wide, do func() int32, then func(told)) {
	var code int32
	var view *stock.HoldView
	p.query(func() {
		code = do()
		view = p.w.wideView(wide.Hold.ID)
	}, func(ok bool) {
		t := told{}
		if !ok {
			then(told{problem: owner.ProblemLedgerAway})
			return
		}
		switch stock.Outcome(code) {
		case stock.OutcomeApplied:
			t.Code, t.Hold = stock.CodeOK, view
			t.left = view.Deadline - p.wall() - p.clock.Error(p.mono()).Milliseconds()
		case stock.OutcomeReplay:
			t.Code = stock.CodeReplay
		case stock.OutcomeHoldGone:
			t.Code = stock.CodeHoldExpired
		case stock.OutcomeOrderNo, stock.OutcomeOrderOpen:
			t.Code = stock.CodeIllegal
		default:
			t.Code = stock.CodeBusy
		}
		then(t)
	})
}

// wideView is a hold as its rows have it.
func (w *World) wideView(id uuid.UUID) *stock.HoldView {
	row, seats, _ := w.ledger.Hold(id)
	view := &stock.HoldView{ID: id, State: stock.Held, Deadline: row.Deadline, MaxExpires: row.MaxExpires, Order: row.Order}
	for _, s := range seats {
		view.Event = w.ledger.holds[id].segment.event
		view.Seats = append(view.Seats, stock.HeldSeat{Seat: s.Seat, Type: s.Type})
		view.State = max(view.State, s.State)
	}
	return view
}

// coordinate drives a Wide.
func (p *process) coordinate(wide *owner.Wide, then func(told)) {
	l := p.w.ledger
	step := wide.Next()
	on := func() { p.coordinate(wide, then) }
	switch {
	case step.Begin:
		var code int32
		p.query(func() {
			code = l.WideBegin(&wide.Hold, stock.CoordinatorOf(wide.Hold.ID), wideTry)
			p.w.check.wideBegun(&wide.Hold, code)
		}, func(ok bool) {
			wide.Begun(code, ok)
			on()
		})
	case step.Leg != nil:
		p.w.late(p, *step.Leg)
		p.w.after(step.Wait, func() {
			p.deliver(func() {
				p.do(*step.Leg, func(t told) {
					if p.w.wrong == CommitWithoutLegs && t.Code == stock.CodeSeatTaken {
						t.Code, t.Hold = stock.CodeOK, &stock.HoldView{Generation: step.Try}
					}
					wide.Took(t.Answer, t.problem)
					on()
				})
			})
		})
	case step.Commit:
		var code int32
		step.View.Deadline, step.View.MaxExpires = p.wall()+holdTTL, p.wall()+holdMaxTTL
		var seats []stock.SeatID
		for _, s := range step.View.Seats {
			seats = append(seats, s.Seat)
		}
		p.query(func() {
			code = l.WideCommit(wide.Hold.ID, step.Try, seats, step.View.Deadline, step.View.MaxExpires, wide.Hold.Request)
			p.w.check.wideCommitted(&wide.Hold, code)
		}, func(ok bool) {
			wide.Committed(code, ok)
			on()
		})
	case step.Drop:
		p.query(func() {
			if l.WideDrop(wide.Hold.ID, step.Try, false) {
				p.w.some[SawWideDropped]++
			}
			p.w.check.wideRow(wide.Hold.ID)
		}, func(bool) {
			wide.Dropped()
			on()
		})
	default:
		for _, cmd := range step.Free {
			p.do(cmd, func(told) {})
		}
		t := told{Answer: step.Answer, problem: step.Problem}
		if t.Hold != nil {
			t.left = t.Hold.Deadline - p.wall() - p.clock.Error(p.mono()).Milliseconds()
		}
		then(t)
	}
}

// free asks the owners of all legs to free them; it may be lost on the way.
func (p *process) free(wide *owner.Wide) {
	for _, leg := range wide.Legs {
		p.do(stock.Command{Kind: stock.KindUnleg, Event: leg.Event, Segment: leg.Segment, Hold: leg.Hold}, func(told) {})
	}
}

// unpinWide undoes the pins of an order's hold: to the hold while the order waits for payment; else the hold ends.
func (p *process) unpinWide(pin LoosePin) {
	p.getOrder(pin.Order, func(o Order, _ []Payment, ok bool) {
		if !ok {
			return
		}
		if pin.State == order.PendingPayment {
			cmds := commandsOf(stock.KindUnpin, &o)
			for i := range cmds {
				cmds[i].Attempt = pin.Attempt
			}
			p.doAll(cmds, false, func(told) {})
			return
		}
		wide := p.w.wides[o.Hold]
		p.query(func() { p.endWide(o.Hold, o.ID, stock.Request{}) }, func(ok bool) {
			if ok {
				p.free(&wide)
			}
		})
	})
}

// dropLost drops the holds whose coordinator has ended: those that its partitions coordinate.
func (p *process) dropLost() {
	p.query(func() {
		for _, id := range p.w.ledger.WideLost() {
			if p.on[stock.CoordinatorOf(id)] > 0 {
				p.followRows([]uuid.UUID{id})
			}
		}
	}, func(bool) {})
}

// followRows asks what the rows say, in the database.
func (p *process) followRows(ids []uuid.UUID) []stock.WideRow {
	before := p.w.ledger.WideRows(ids)
	rows, err := p.w.ledger.wideFollow(ids, p.wall())
	if err != nil {
		p.w.fail("the last line of the ledger fired when %s followed its legs: %v", p.name, err)
	}
	for i, r := range rows {
		p.w.check.wideFollowed(before[i].WideRow, r)
	}
	return rows
}

// followLegs asks the rows of legs for the core. Whose time is over is ended with it.
func (p *process) followLegs(e owner.FollowLegs) {
	var ids []uuid.UUID
	for _, leg := range e.Legs {
		ids = append(ids, leg.Hold)
	}
	in := owner.LegsFollowed{Legs: e.Legs}
	p.query(func() {
		in.Rows = p.followRows(ids)
	}, func(ok bool) {
		if ok {
			for i, r := range in.Rows {
				if p.w.wrong == LegExpires {
					in.Rows[i].State = stock.WideEnded
				}
				if r.State == stock.WideDropped || r.State == stock.WideEnded {
					p.w.some[SawLegFollowed]++
				}
			}
			p.give(in)
		}
	})
}
