package sim

import (
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"

	"ticketrush/stockd/order"
	"ticketrush/stockd/owner"
	"ticketrush/stockd/stock"
)

// What stockd/order does for an order that was paid late, step by step: the provider is asked, the same seats are pinned or taken anew, others are held and
// offered, or the money goes back. Any node goes on with it after a crash.

// Times of it, ms, in the proportions of stockd/order.
const (
	simLateLooks = int64(1200)
	offerFor     = int64(900)
	lateHold     = int64(2500)
)

// latePaid does for an order what is to be done next.
func (p *process) latePaid(id uuid.UUID) {
	var r Late
	var found bool
	p.getOrder(id, func(o Order, _ []Payment, ok bool) {
		if !ok || o.State != order.Paying {
			return
		}
		p.query(func() { r, found = p.w.ledger.LateGet(id) }, func(ok bool) {
			over := r.Until <= p.wall()
			switch {
			case !ok || !found || !r.open():
			case r.State == lateOffered && !over: // the buyer's turn
			case over:
				p.lateReturn(&r)
			default:
				p.lateAsk(&o, &r)
			}
		})
	})
}

// lateAsk asks the provider first: the money may have been given back since it was told of.
func (p *process) lateAsk(o *Order, r *Late) {
	ref := p.w.ledger.payments[r.Payment].Ref
	var state string
	p.w.provider.call(p, func() bool { state = p.w.provider.payments[ref].state; return true }, func(_, ok bool) {
		switch {
		case !ok:
		case state == order.PaymentAuthorized || state == order.PaymentCaptured:
			p.latePin(o, r, func() {
				if r.State == lateLooking {
					p.lateSame(o, r)
				} else {
					p.lateReturn(r)
				}
			})
		default:
			kind := order.PaymentVoided
			if state == order.PaymentFailed {
				kind = order.PaymentFailed
			}
			p.take(Fact{ID: "late:" + ref + ":" + kind, Ref: ref, Kind: kind, Amount: p.w.ledger.payments[r.Payment].Amount}, func(Verdict, bool) {})
		}
	})
}

// latePin pins the seats that the order has, and decides it; else: it has them no more.
func (p *process) latePin(o *Order, r *Late, otherwise func()) {
	lives := false
	p.query(func() {
		row, _, _ := p.w.ledger.Hold(o.Hold)
		lives = row.State == holdHeld
	}, func(ok bool) {
		switch {
		case !ok:
		case !lives: // its seats are being freed, leg by leg
			otherwise()
		default:
			p.latePinned(o, r, otherwise)
		}
	})
}

func (p *process) latePinned(o *Order, r *Late, otherwise func()) {
	p.doAll(commandsOf(stock.KindPin, o), true, func(t told) {
		switch {
		case t.problem != owner.ProblemNone || t.Code == stock.CodeBusy || t.Code == stock.CodeKeyInFlight:
			return // the next round goes on
		case t.Code != stock.CodeOK && t.Code != stock.CodeReplay:
			otherwise()
			return
		}
		var code int16
		p.change(o.ID, func() (err error) {
			truth := p.w.check.pinsOf(o.ID, o.Attempt)
			code, err = p.w.ledger.LateDecide(o.ID, o.Attempt, r.Payment, p.wall())
			if err == nil && code == factPaid {
				p.w.check.latePaid(o.ID, truth)
				p.w.some[SawLatePlaced]++
			}
			return err
		}, func(ok bool) {
			switch {
			case !ok:
			case code <= factAlready:
				p.followOrder(o.ID)
			case code == factNotPaying:
				p.lateReturn(r)
			default:
				otherwise()
			}
		})
	})
}

// lateID names what is taken for an order's attempt: the same wish after a crash is the same hold.
func lateID(o *Order, no stock.SegmentNo, what string) (uuid.UUID, stock.Request) {
	key := uuid.NewSHA1(o.ID, fmt.Appendf(nil, "late %d %s %d", o.Attempt, what, no))
	id := stock.NewCoordinatedID(stock.PartitionOf(o.Event, no), o.ID, key, "hold")
	return id, stock.Request{Scope: o.ID, Key: key, Fingerprint: key}
}

// limitsOf are the limits that an order's hold counted against, with the documents of some of its seats, in their order.
func (w *World) limitsOf(o *Order, lines []stock.OrderLine) (limits []stock.Quota) {
	quotas := w.ledger.holds[o.Hold].Quotas
	for _, q := range quotas {
		if !isDocument(q) {
			limits = append(limits, q)
		}
	}
	for _, line := range lines {
		for _, q := range quotas {
			if isDocument(q) && q.Seat == line.Seat {
				q.Seat = 0
				limits = append(limits, q)
				break
			}
		}
	}
	return limits
}

// lateSame takes the order's own seats anew, for it.
func (p *process) lateSame(o *Order, r *Late) {
	segments := segmentsOf(o)
	then := func(view *stock.HoldView) {
		if view == nil {
			p.lateOther(o, r)
			return
		}
		p.lateAdopt(o, r, view)
	}
	if len(segments) > 1 {
		p.lateWide(o, segments, then)
		return
	}
	p.lateHold(o, segments[0], "same", asksOf(sortedLines(o)), then)
}

// asksOf asks for the seats of lines.
func asksOf(lines []stock.OrderLine) (ask stock.Ask) {
	for _, line := range lines {
		ask.Seats = append(ask.Seats, stock.SeatAsk{Seat: line.Seat, Type: line.Type})
	}
	return ask
}

// lateWide takes seats in several segments, all or none.
func (p *process) lateWide(o *Order, segments []stock.SegmentNo, then func(*stock.HoldView)) {
	key := uuid.NewSHA1(o.ID, fmt.Appendf(nil, "late %d legs", o.Attempt))
	id := stock.NewCoordinatedID(stock.PartitionOf(o.Event, segments[0]), o.ID, key, "legs")
	lines := sortedLines(o)
	wide := owner.Wide{Hold: stock.WideHold{
		ID: id, Event: o.Event, Quantity: int32(len(lines)), Segments: segments, Request: stock.Request{Scope: o.ID, Key: key, Fingerprint: key}, Quotas: p.w.limitsOf(o, lines),
	}}
	for _, no := range segments {
		its := slices.DeleteFunc(slices.Clone(lines), func(l stock.OrderLine) bool { return l.Seat.Segment() != no })
		wide.Legs = append(wide.Legs, stock.Command{Kind: stock.KindLeg, Event: o.Event, Segment: no, Hold: id, Ask: asksOf(its), Quotas: p.w.limitsOf(o, its)})
	}
	p.w.wides[id] = wide
	p.coordinating++
	p.coordinate(&wide, func(t told) {
		p.coordinating--
		if t.problem == owner.ProblemNone && t.Code == stock.CodeReplay && t.Hold == nil { // taken before; whether it is there still, its row says
			t.Hold = &stock.HoldView{ID: id}
		}
		lateTaken(t, then)
	})
}

// lateTaken says what was taken; none: it cannot be had, or was had before and is gone.
func lateTaken(t told, then func(*stock.HoldView)) {
	switch {
	case t.problem != owner.ProblemNone || t.Code == stock.CodeBusy || t.Code == stock.CodeLimitBusy || t.Code == stock.CodeKeyInFlight:
	case t.Hold == nil || t.Code != stock.CodeOK && t.Code != stock.CodeReplay:
		then(nil)
	default:
		then(t.Hold)
	}
}

// lateHold takes seats in one segment.
func (p *process) lateHold(o *Order, no stock.SegmentNo, what string, ask stock.Ask, then func(*stock.HoldView)) {
	id, request := lateID(o, no, what)
	cmd := stock.Command{Kind: stock.KindHold, Event: o.Event, Segment: no, Hold: id, Request: request, Ask: ask, TTL: lateHold, MaxTTL: lateHold, Quotas: p.w.limitsOf(o, sortedLines(o))}
	p.w.late(p, cmd)
	p.doBusy(cmd, func(t told) { lateTaken(t, then) })
}

// lateAdopt makes a hold the order's, pins it and decides.
func (p *process) lateAdopt(o *Order, r *Late, view *stock.HoldView) {
	var seats []stock.SeatID
	for _, line := range sortedLines(o) {
		seats = append(seats, line.Seat)
	}
	code := adoptNot
	p.change(o.ID, func() error {
		code = p.w.ledger.LateAdopt(o.ID, o.Attempt, view.ID, seats)
		p.w.check.adopted(o.ID, code)
		return nil
	}, func(ok bool) {
		switch {
		case !ok || code == adoptNot:
		case code == adoptNoHold:
			p.lateOther(o, r)
		default:
			p.w.some[SawLateSame]++
			p.getOrder(o.ID, func(now Order, _ []Payment, ok bool) {
				if ok && now.State == order.Paying && now.Attempt == o.Attempt {
					p.latePin(&now, r, func() {})
				}
			})
		}
	})
}

// lateOther holds other seats in any segment that has them, and offers them; else the money goes back.
func (p *process) lateOther(o *Order, r *Late) {
	var segments []stock.SegmentNo
	for _, ref := range p.w.catalog {
		if ref.Event == o.Event {
			segments = append(segments, ref.Segment)
		}
	}
	lines := sortedLines(o)
	ask := stock.Ask{Quantity: int32(len(lines)), Together: stock.TogetherAny}
	for _, line := range lines {
		ask.Types = append(ask.Types, line.Type)
	}
	var next func(i int)
	next = func(i int) {
		if i == len(segments) {
			p.lateReturn(r)
			return
		}
		p.lateHold(o, segments[i], "other", ask, func(view *stock.HoldView) {
			if view == nil || len(view.Seats) != len(lines) {
				next(i + 1)
				return
			}
			p.lateOffer(o, view)
		})
	}
	next(0)
}

// lateOffer offers the seats of a hold; the buyer says yes or no, or nothing.
func (p *process) lateOffer(o *Order, view *stock.HoldView) {
	var seats []stock.SeatID
	for _, s := range view.Seats {
		seats = append(seats, s.Seat)
	}
	offered := false
	p.change(o.ID, func() error {
		offered = p.w.ledger.LateOffer(o.ID, o.Attempt, view.ID, seats, p.wall()+offerFor)
		return nil
	}, func(ok bool) {
		if !ok || !offered {
			return
		}
		w := p.w
		w.some[SawLateOffered]++
		if w.chance(4) {
			return
		}
		yes := !w.chance(3)
		w.after(w.between(20*time.Millisecond, 600*time.Millisecond), func() {
			if q := w.anybody(); q != nil {
				q.deliver(func() { q.answerOffer(o.ID, yes) })
			}
		})
	})
}

// answerOffer is the buyer's yes or no.
func (p *process) answerOffer(id uuid.UUID, yes bool) {
	if !yes {
		var r Late
		var found bool
		p.query(func() { r, found = p.w.ledger.LateGet(id) }, func(ok bool) {
			if ok && found && r.State == lateOffered {
				p.lateReturn(&r)
			}
		})
		return
	}
	code := adoptNot
	p.change(id, func() error {
		code = p.w.ledger.LateAccept(id, p.wall())
		p.w.check.adopted(id, code)
		return nil
	}, func(ok bool) {
		if ok && code <= adoptedBefore {
			p.w.some[SawLateAccepted]++
			p.latePaid(id)
		}
	})
}

// lateReturn sends the money back.
func (p *process) lateReturn(r *Late) {
	p.change(r.Order, func() error {
		returned, err := p.w.ledger.LateReturn(r.Order, r.Attempt, p.wall())
		if returned {
			p.w.some[SawLateReturned]++
			p.w.check.refunded(r.Order, nil)
		}
		return err
	}, func(bool) {})
}
