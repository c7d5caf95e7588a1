package sim

import (
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"
	"pgregory.net/rapid"

	"ticketrush/ledger"
	"ticketrush/stockd/order"
	"ticketrush/stockd/owner"
	"ticketrush/stockd/stock"
)

// wide takes one step of one hold over several segments in both.
func (p *pair) wide() {
	if len(p.wides) == 0 || rapid.IntRange(0, 7).Draw(p.T, "new wide") == 0 {
		p.wides = append(p.wides, stock.NewCoordinatedID(p.segments[0].Part, p.id(), p.id(), "legs"))
		p.wideBegin(p.wides[len(p.wides)-1])
		return
	}
	id := rapid.SampledFrom(p.wides).Draw(p.T, "wide")
	now := nowMs()
	switch what := rapid.IntRange(0, 39).Draw(p.T, "wide step"); {
	case what < 6 || what > 26:
		p.wideNatural(id, now)
	case what < 8:
		p.wideBegin(id)
	case what < 10:
		p.wideCommit(id, now)
	case what < 12:
		h := p.sim.holds[id]
		try := h.try - int32(rapid.IntRange(0, 3).Draw(p.T, "late"))/3
		overdue := rapid.Bool().Draw(p.T, "overdue")
		theirs, err := p.db.WideDrop(p.ctx, id, try, overdue, time.UnixMilli(now))
		p.must(err)
		p.same("wide drop", theirs, p.sim.WideDrop(id, try, overdue))
	case what < 15:
		r := p.wideRequest()
		theirs, err := p.db.WideExtend(p.ctx, id, time.UnixMilli(now+2*hour), requestOf(r), time.UnixMilli(now))
		p.must(err)
		p.wideSame("extend", theirs, p.sim.WideExtend(id, now+2*hour, r))
	case what < 20:
		p.wideEnd(id, now)
	case what < 22:
		theirs, err := p.db.WideFollow(p.ctx, p.wides, time.UnixMilli(now))
		p.must(err)
		var rows []stock.WideRow
		for _, r := range theirs {
			rows = append(rows, stock.WideRow{Hold: r.ID, State: stock.WideState(r.State), Try: r.Try})
		}
		simulated, err := p.sim.wideFollow(p.wides, now)
		p.must(err)
		p.same("wide rows", rows, simulated)
		lost, err := p.db.WideLost(p.ctx, 1000)
		p.must(err)
		lost = slices.DeleteFunc(lost, func(id uuid.UUID) bool { return p.sim.holds[id] == nil })
		slices.SortFunc(lost, byID)
		p.same("wide lost", lost, p.sim.WideLost())
	default:
		p.wideOrder(id, now)
	}
	p.wideUntie(id)
}

// wideUntie frees what a hold has lost, as the owners of its legs do.
func (p *pair) wideUntie(id uuid.UUID) {
	if h := p.sim.holds[id]; h.state == holdDropped || h.state == holdEnded {
		for _, no := range h.legs {
			p.flushOne(stock.Command{Kind: stock.KindUnleg, Event: p.event, Segment: no, Hold: id})
		}
	}
}

// wideNatural is the step that brings a hold nearer to a sale.
func (p *pair) wideNatural(id uuid.UUID, now int64) {
	h := p.sim.holds[id]
	o := p.sim.orders[h.Order]
	kind := stock.KindPin
	switch {
	case h.state == holdTrying:
		p.wideCommit(id, now)
		return
	case h.state == holdEnded && p.soldTo(id):
		p.wideBack(id, o, now)
		return
	case h.state != holdHeld:
		p.wideBegin(id)
		return
	case o == nil:
		p.wideOrder(id, now)
		return
	case o.State == order.PendingPayment:
		p.beginPayment(o, now)
		return
	case o.State == order.Paid:
		kind = stock.KindSell
	}
	for _, no := range h.legs {
		p.flushOne(stock.Command{Kind: kind, Event: p.event, Segment: no, Hold: id, Order: o.ID, Attempt: o.Attempt})
	}
	if o.State == order.Paying {
		p.paid(o)
	}
}

// wideBack is a sale that comes to nothing in the end: the bank keeps back what it had promised, and the seats come back, leg by leg or one by one.
func (p *pair) wideBack(id uuid.UUID, o *Order, now int64) {
	if o.State == order.Paid {
		p.captureFail(o, now)
		return
	}
	no := rapid.SampledFrom(p.sim.holds[id].legs).Draw(p.T, "comes back")
	cmd := stock.Command{Kind: stock.KindRefund, Event: p.event, Segment: no, Hold: id, Order: o.ID, Attempt: o.Attempt}
	_, rows, _ := p.sim.Hold(id)
	for _, r := range rows {
		if r.Seat.Segment() == no && rapid.Bool().Draw(p.T, "this one alone") {
			cmd.Ask.Seats = []stock.SeatAsk{{Seat: r.Seat}}
			break
		}
	}
	p.flushOne(cmd)
}

// paid has the bank say that an order's attempt is paid.
func (p *pair) paid(o *Order) {
	for _, pay := range p.refs {
		if pay.Order == o.ID && pay.Attempt == o.Attempt {
			p.fact(pay)
			return
		}
	}
	p.insertPayment(o)
}

func (p *pair) wideSame(what string, theirs, simulated int32) {
	p.Helper()
	p.same("wide "+what, theirs, simulated)
	p.seen[fmt.Sprint("wide ", what, " ", theirs)]++
}

func requestOf(r stock.Request) ledger.Request { return ledger.Request(r) }

func (p *pair) wideRequest() stock.Request {
	if rapid.Bool().Draw(p.T, "unkeyed") {
		return stock.Request{}
	}
	return p.request()
}

func (p *pair) wideBegin(id uuid.UUID) {
	w := stock.WideHold{ID: id, Event: p.event, Request: p.request(), Quantity: rapid.Int32Range(2, 3).Draw(p.T, "party")}
	if p.sim.holds[id] == nil || rapid.Bool().Draw(p.T, "fresh key") {
		w.Request.Key = p.id()
	}
	first := rapid.IntRange(0, 2).Draw(p.T, "first leg")
	for _, ref := range p.segments[first : first+2] {
		w.Segments = append(w.Segments, ref.Segment)
	}
	if rapid.IntRange(0, 2).Draw(p.T, "limited") == 0 {
		w.Quotas = p.limits(int(w.Quantity))
	}
	tryFor := time.Hour
	if rapid.IntRange(0, 5).Draw(p.T, "short try") == 0 {
		tryFor = -time.Hour
	}
	theirs := ledger.WideHold{ID: id, Event: int32(w.Event), Part: int32(p.segments[0].Part), Quantity: w.Quantity, Request: requestOf(w.Request)}
	for _, no := range w.Segments {
		theirs.Legs = append(theirs.Legs, int32(no))
	}
	for _, q := range w.Quotas {
		theirs.Quotas = append(theirs.Quotas, ledger.Quota{Dimension: int16(q.Dimension), Key: q.Key, Limit: q.Limit})
	}
	code, err := p.db.WideBegin(p.ctx, &theirs, tryFor, time.UnixMilli(nowMs()))
	p.must(err)
	p.same("wide begin", code, p.sim.WideBegin(&w, p.segments[0].Part, tryFor))
	p.seen[fmt.Sprint("wide begin ", min(max(code, -100), 2))]++ // -100 and less tell which limit is reached
	if dimension, _ := stock.Outcome(-code).Limit(); dimension != 0 {
		p.seen[fmt.Sprint("wide begin limit ", dimension)]++
	}
	if p.sim.holds[id] == nil {
		p.wides = p.wides[:len(p.wides)-1]
	}
}

// wideSeats are the seats that the hold has, without one perhaps.
func (p *pair) wideSeats(id uuid.UUID) []stock.SeatID {
	_, rows, _ := p.sim.Hold(id)
	var seats []stock.SeatID
	for _, r := range rows {
		seats = append(seats, r.Seat)
	}
	if len(seats) > 0 && rapid.IntRange(0, 9).Draw(p.T, "lacks a seat") == 0 {
		seats = seats[1:]
	}
	return seats
}

func (p *pair) wideCommit(id uuid.UUID, now int64) {
	// First what a coordinator does: its legs, each in a flush of its own.
	h := p.sim.holds[id]
	if h.state == holdTrying && rapid.IntRange(0, 3).Draw(p.T, "takes its legs") > 0 {
		left := h.Quantity
		_, rows, _ := p.sim.Hold(id)
		left -= int32(len(rows))
		for i, no := range h.legs {
			n := left / int32(len(h.legs)-i)
			if left -= n; n > 0 {
				p.flushOne(stock.Command{Kind: stock.KindLeg, Event: p.event, Segment: no, Hold: id, Try: h.try, Quotas: p.legQuotas(h, n), Ask: stock.Ask{Quantity: n, Together: stock.TogetherAny}})
			}
		}
	}
	try := h.try - int32(rapid.IntRange(0, 5).Draw(p.T, "late"))/5
	deadline := now + hour
	if rapid.IntRange(0, 3).Draw(p.T, "overdue") == 0 {
		deadline = now - hour
	}
	var seats []int64
	for _, seat := range p.wideSeats(id) {
		seats = append(seats, int64(seat))
	}
	var simulated []stock.SeatID
	for _, seat := range seats {
		simulated = append(simulated, stock.SeatID(seat))
	}
	r := p.request()
	r.Key = p.id()
	theirs, err := p.db.WideCommit(p.ctx, id, try, seats, time.UnixMilli(deadline), time.UnixMilli(now+2*hour), requestOf(r), time.UnixMilli(now))
	p.must(err)
	code := p.sim.WideCommit(id, try, simulated, deadline, now+2*hour, r)
	p.wideSame("commit", theirs, code)
	if code == wideDone && slices.ContainsFunc(h.Quotas, isDocument) {
		p.seen["named"]++
	}
}

func (p *pair) wideEnd(id uuid.UUID, now int64) {
	ordered, r := p.sim.holds[id].Order, p.wideRequest()
	if rapid.IntRange(0, 3).Draw(p.T, "forgets the order") == 0 {
		ordered = noID
	}
	expire := rapid.Bool().Draw(p.T, "expires")
	theirs, err := p.db.WideEnd(p.ctx, id, ordered, expire, requestOf(r), time.UnixMilli(now))
	p.must(err)
	simulated, err := p.sim.WideEnd(id, ordered, expire, r, now)
	p.must(err)
	p.wideSame("end", theirs, simulated)
}

func (p *pair) wideOrder(id uuid.UUID, now int64) {
	n := &stock.NewOrder{ID: p.id(), Buyer: "b", Currency: "EUR"}
	for _, seat := range p.wideSeats(id) {
		n.Lines = append(n.Lines, stock.OrderLine{Seat: seat, Face: 1000, Fee: 90})
	}
	if len(n.Lines) == 0 {
		return
	}
	r := p.wideRequest()
	theirs := &ledger.NewOrder{ID: n.ID, Buyer: n.Buyer, Currency: n.Currency}
	for _, l := range n.Lines {
		theirs.Lines = append(theirs.Lines, ledger.OrderLine{Seat: int64(l.Seat), Type: l.Type, Face: l.Face, Fee: l.Fee, Tax: l.Tax})
	}
	code, err := p.db.WideOrder(p.ctx, id, theirs, requestOf(r), time.UnixMilli(now))
	p.must(err)
	p.wideSame("order", code, p.sim.WideOrder(id, n, r, now))
	if code == wideDone {
		p.orders = append(p.orders, n.ID)
	}
}

// flushOne has an engine decide one command, and both commit it under the fence of its partition.
func (p *pair) flushOne(cmd stock.Command) {
	part := stock.PartitionOf(cmd.Event, cmd.Segment)
	row := p.sim.part(part)
	now := nowMs()
	effect := p.engines[cmd.Segment].Apply(cmd, now)
	if effect.Op == nil {
		return
	}
	b := &owner.Batch{ID: p.id(), Now: now, Session: row.session, Works: []owner.Work{{Part: part, Epoch: row.epoch, Seq: row.seq + 1, Ops: []*stock.Op{effect.Op}}}}
	r := p.send(b).Works[0]
	outcome := stock.OutcomeFenced
	if !r.Fenced {
		outcome = r.Outcomes[0]
		p.seen[fmt.Sprint("outcome ", outcome)]++
	}
	p.engines[cmd.Segment].Settle(effect.Op, outcome, now)
	p.givenBack(effect.Op, outcome)
}

// givenBack notes that seats of a leg came back with their documents.
func (p *pair) givenBack(op *stock.Op, outcome stock.Outcome) {
	if op.Leg && op.Kind == stock.KindRefund && outcome == stock.OutcomeApplied && slices.ContainsFunc(op.Quotas, isDocument) {
		p.seen["given back"]++
	}
}

// legCommand is what may be asked of a leg, in time or not.
func (p *pair) legCommand(cmd stock.Command) (stock.Command, bool) {
	mine := slices.DeleteFunc(slices.Clone(p.wides), func(id uuid.UUID) bool { return !slices.Contains(p.sim.holds[id].legs, cmd.Segment) })
	if len(mine) == 0 {
		return cmd, false
	}
	cmd.Hold = rapid.SampledFrom(mine).Draw(p.T, "wide")
	h := p.sim.holds[cmd.Hold]
	o := p.sim.orders[h.Order]
	cmd.Request, cmd.Order, cmd.Attempt = stock.Request{}, h.Order, h.Attempt
	kinds := []stock.Kind{stock.KindLeg, stock.KindUnleg, stock.KindUnleg}
	if o != nil {
		kinds = append(kinds, stock.KindPin, stock.KindPin, stock.KindPin, stock.KindSell, stock.KindUnpin, stock.KindRefund)
		if o.State == order.Paying {
			kinds = append(kinds, slices.Repeat([]stock.Kind{stock.KindPin}, 12)...)
		}
		if o.State == order.Paid {
			kinds = append(kinds, slices.Repeat([]stock.Kind{stock.KindSell}, 12)...)
		}
	}
	cmd.Kind = rapid.SampledFrom(kinds).Draw(p.T, "leg kind")
	cmd.Try = max(h.try-int32(rapid.IntRange(0, 3).Draw(p.T, "late"))/3, 1)
	cmd.Ask, cmd.Quotas = stock.Ask{Quantity: 1, Together: stock.TogetherAny}, p.legQuotas(h, 1)
	return cmd, true
}
