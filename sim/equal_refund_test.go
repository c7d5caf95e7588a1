package sim

import (
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"
	"pgregory.net/rapid"

	"ticketrush/ledger"
	"ticketrush/stockd/order"
	"ticketrush/stockd/stock"
)

// after takes one step of what may follow a sale, or the end of an order, in both: a refund, a payment that comes late, an event that is cancelled.
func (p *pair) after(o *Order, now int64) {
	r := p.sim.late(o.ID, o.Attempt)
	switch what := rapid.IntRange(0, 9).Draw(p.T, "after"); {
	case what == 9:
		p.cancelEvent(now)
	case what == 8:
		p.afterLists(o, now)
	case what == 7 && len(p.sim.refunds) > 0:
		p.sendBack(rapid.SampledFrom(p.sortedRefunds()).Draw(p.T, "refund"), now)
	case r != nil && r.open() && what < 5:
		p.lateNatural(o, r, now)
	case what == 5 || what == 6:
		p.lateStep(o, now)
	case o.State == order.Refunding && what > 2:
		for _, refund := range p.sortedRefunds() {
			if refund.Order == o.ID && !refund.Sent {
				p.sendBack(refund, now)
				return
			}
		}
	default:
		p.refundDecide(o, now)
	}
}

// afterAny is that of any order.
func (p *pair) afterAny() {
	if len(p.orders) > 0 {
		p.after(p.sim.orders[rapid.SampledFrom(p.orders).Draw(p.T, "order")], nowMs())
	}
}

// bought is an order that is issued, or that has expired and is paid late.
func (p *pair) bought(late bool) {
	no, id := stock.SegmentNo(rapid.IntRange(1, 2).Draw(p.T, "segment")), p.id()
	hold := stock.NewCoordinatedID(stock.PartitionOf(p.event, no), id, id, "hold")
	cmd := stock.Command{Event: p.event, Segment: no, Hold: hold, TTL: hour, MaxTTL: 2 * hour}
	do := func(kind stock.Kind) {
		cmd.Kind = kind
		p.flushOne(cmd)
	}
	cmd.Ask.Quantity = rapid.Int32Range(1, 3).Draw(p.T, "party")
	do(stock.KindHold)
	_, rows, _ := p.sim.Hold(hold)
	if len(rows) == 0 {
		return // nobody has the partition, or the seats are gone
	}
	cmd.NewOrder = &stock.NewOrder{ID: p.id(), Buyer: "b", Currency: "EUR"}
	for _, row := range rows {
		cmd.NewOrder.Lines = append(cmd.NewOrder.Lines, stock.OrderLine{Seat: row.Seat, Face: 1000, Fee: 90})
	}
	do(stock.KindOrder)
	o := p.sim.orders[cmd.NewOrder.ID]
	p.holds, p.orders = append(p.holds, heldBy{hold, no}), append(p.orders, o.ID)
	now := nowMs()
	p.beginPayment(o, now)
	p.insertPayment(o)
	pay := p.refs[len(p.refs)-1]
	cmd.Order, cmd.Attempt = o.ID, o.Attempt
	do(stock.KindPin)
	if late {
		theirs, err := p.db.OrderExpire(p.ctx, o.ID, int16(order.Paying), o.Attempt, "", time.UnixMilli(now))
		p.must(err)
		simulated, err := p.sim.OrderExpire(o.ID, order.Paying, o.Attempt, now)
		p.must(err)
		p.same("order expiry", theirs, simulated)
		if cmd.Free = true; rapid.Bool().Draw(p.T, "unpinned") {
			do(stock.KindUnpin)
		}
	}
	p.tell(Fact{ID: pay.Ref + ":pays", Ref: pay.Ref, Kind: rapid.SampledFrom([]string{order.PaymentAuthorized, order.PaymentCaptured}).Draw(p.T, "pays"), Amount: pay.Amount}, now)
	if !late {
		do(stock.KindSell)
		if rapid.IntRange(0, 4).Draw(p.T, "not issued") < 4 {
			p.issue(o, now)
		}
	}
}

func (p *pair) sortedRefunds() []Refund {
	var all []Refund
	for _, r := range p.sim.refunds {
		all = append(all, *r)
	}
	slices.SortFunc(all, func(a, b Refund) int { return byID(a.ID, b.ID) })
	return all
}

// refundDecide asks for some lines, or all, sometimes for one that is not the order's, sometimes again.
func (p *pair) refundDecide(o *Order, now int64) {
	id := p.id()
	if all := p.sortedRefunds(); len(all) > 0 && rapid.IntRange(0, 5).Draw(p.T, "again") == 0 {
		id = p.theirs(rapid.SampledFrom(all).Draw(p.T, "the same"))
		if p.sim.refunds[id] == nil {
			return // nobody has asked for it
		}
	}
	var seats []stock.SeatID
	var theirs []int64
	for _, line := range o.Lines {
		if rapid.IntRange(0, 2).Draw(p.T, "this line") == 0 {
			seats, theirs = append(seats, line.Seat), append(theirs, int64(line.Seat))
		}
	}
	if rapid.IntRange(0, 9).Draw(p.T, "foreign") == 0 {
		seats, theirs = append(seats, stock.NewSeatID(1, 999)), append(theirs, int64(stock.NewSeatID(1, 999)))
	}
	code, err := p.db.RefundDecide(p.ctx, &ledger.RefundWish{ID: id, Order: o.ID, Seats: theirs, Reason: "r", Void: order.VoidRefunded, Actor: "a"}, time.UnixMilli(now))
	p.must(err)
	simulated, err := p.sim.RefundDecide(o.ID, id, noID, seats, now)
	p.must(err)
	p.same("refund", code, simulated)
	p.seen[fmt.Sprint("refund ", code)]++
}

// theirs is the id under which Postgres has a refund: its own, if nobody has asked for it.
func (p *pair) theirs(r Refund) (id uuid.UUID) {
	p.rows(`SELECT id FROM ledger.refunds WHERE payment = $1`, func(rows *sql.Rows) error {
		var one uuid.UUID
		err := rows.Scan(&one)
		if one == r.ID || id == noID && p.sim.refunds[one] == nil {
			id = one
		}
		return err
	}, r.Payment)
	return id
}

// sendBack says that a refund was sent, or that it had only to be voided.
func (p *pair) sendBack(r Refund, now int64) {
	id, at := p.theirs(r), time.UnixMilli(now)
	if rapid.IntRange(0, 3).Draw(p.T, "void") == 0 {
		theirs, err := p.db.RefundVoided(p.ctx, id, at)
		p.must(err)
		simulated, err := p.sim.RefundVoided(r.ID, now)
		p.must(err)
		p.same("refund voided", theirs, simulated)
		p.seen[fmt.Sprint("voided ", theirs)]++
		return
	}
	theirs, err := p.db.RefundSent(p.ctx, id, at)
	p.must(err)
	simulated, err := p.sim.RefundSent(r.ID, now)
	p.must(err)
	p.same("refund sent", theirs, simulated)
	p.seen[fmt.Sprint("sent ", theirs)]++
}

// lateNatural is the step that brings an order that was paid late nearer to its seats.
func (p *pair) lateNatural(o *Order, r *Late, now int64) {
	segments := segmentsOf(o)
	row := p.sim.holds[o.Hold]
	switch {
	case r.State == lateOffered:
		p.lateAnswer(o, now)
	case row.state == holdHeld && row.Order == o.ID:
		for _, no := range segments {
			p.flushOne(stock.Command{Kind: stock.KindPin, Event: p.event, Segment: no, Hold: o.Hold, Order: o.ID, Attempt: o.Attempt})
		}
		p.lateDecide(o, r.Payment, now)
	case len(segments) == 1:
		if hold, seats := p.lateHold(o, segments[0], rapid.IntRange(0, 2).Draw(p.T, "others") == 0); seats != nil {
			if rapid.IntRange(0, 2).Draw(p.T, "offers") == 0 {
				p.lateOffer(o, hold, seats, now)
			} else {
				p.lateAdopt(o, hold, seats, now)
			}
		}
	default:
		p.lateReturn(o, now)
	}
}

// lateHold takes the seats of an order anew, or others.
func (p *pair) lateHold(o *Order, no stock.SegmentNo, others bool) (uuid.UUID, []stock.SeatID) {
	id := p.id()
	cmd := stock.Command{Kind: stock.KindHold, Event: p.event, Segment: no, TTL: hour, MaxTTL: 2 * hour, Hold: stock.NewCoordinatedID(stock.PartitionOf(p.event, no), id, id, "hold")}
	if others || no >= 3 {
		cmd.Ask = stock.Ask{Quantity: int32(len(o.Lines)), Together: stock.TogetherAny}
	} else {
		for _, line := range sortedLines(o) {
			cmd.Ask.Seats = append(cmd.Ask.Seats, stock.SeatAsk{Seat: line.Seat, Type: line.Type})
		}
	}
	p.flushOne(cmd)
	if p.sim.holds[cmd.Hold] == nil {
		return noID, nil
	}
	p.holds = append(p.holds, heldBy{cmd.Hold, no})
	var seats []stock.SeatID
	_, rows, _ := p.sim.Hold(cmd.Hold)
	for _, row := range rows {
		seats = append(seats, row.Seat)
	}
	return cmd.Hold, seats
}

// lateStep is a step at any time: with any hold, of any payment.
func (p *pair) lateStep(o *Order, now int64) {
	switch rapid.IntRange(0, 4).Draw(p.T, "late step") {
	case 0:
		p.lateReturn(o, now)
	case 1:
		p.lateAnswer(o, now)
	case 2:
		if len(p.refs) > 0 {
			if pay := rapid.SampledFrom(p.refs).Draw(p.T, "payment"); pay.Order == o.ID && p.sim.payments[pay.ID] != nil {
				p.lateDecide(o, pay.ID, now)
			}
		}
	default:
		if len(p.holds) == 0 {
			return
		}
		id := rapid.SampledFrom(p.holds).Draw(p.T, "hold").id
		var seats []stock.SeatID
		_, rows, _ := p.sim.Hold(id)
		for _, row := range rows {
			seats = append(seats, row.Seat)
		}
		if len(seats) > 0 && rapid.IntRange(0, 3).Draw(p.T, "offer") == 0 {
			p.lateOffer(o, id, seats, now)
		} else if len(seats) > 0 {
			p.lateAdopt(o, id, seats, now)
		}
	}
}

func numbers(seats []stock.SeatID) []int64 {
	out := []int64{}
	for _, s := range seats {
		out = append(out, int64(s))
	}
	return out
}

func (p *pair) lateAdopt(o *Order, hold uuid.UUID, seats []stock.SeatID, now int64) {
	theirs, err := p.db.LateAdopt(p.ctx, o.ID, o.Attempt, hold, numbers(seats), time.UnixMilli(now))
	p.must(err)
	simulated := p.sim.LateAdopt(o.ID, o.Attempt, hold, seats)
	p.same("late adopt", theirs, simulated <= adoptedBefore)
	p.seen[fmt.Sprint("adopted ", simulated)]++
}

func (p *pair) lateOffer(o *Order, hold uuid.UUID, seats []stock.SeatID, now int64) {
	until := now + hour
	if rapid.IntRange(0, 3).Draw(p.T, "short offer") == 0 {
		until = now
	}
	theirs, err := p.db.LateOffer(p.ctx, o.ID, o.Attempt, hold, numbers(seats), time.UnixMilli(until))
	p.must(err)
	p.same("late offer", theirs, p.sim.LateOffer(o.ID, o.Attempt, hold, seats, until))
	p.seen[fmt.Sprint("offered ", theirs)]++
}

// lateAnswer says yes or no to an offer, if there is one.
func (p *pair) lateAnswer(o *Order, now int64) {
	if rapid.IntRange(0, 2).Draw(p.T, "no") == 0 {
		p.lateReturn(o, now)
		return
	}
	theirs, err := p.db.LateAccept(p.ctx, o.ID, time.UnixMilli(now))
	p.must(err)
	simulated := p.sim.LateAccept(o.ID, now)
	p.same("late accept", theirs, simulated)
	p.seen[fmt.Sprint("accepted ", simulated)]++
}

func (p *pair) lateDecide(o *Order, payment uuid.UUID, now int64) {
	theirs, err := p.db.LateDecide(p.ctx, o.ID, o.Attempt, payment, time.UnixMilli(now))
	p.must(err)
	simulated, err := p.sim.LateDecide(o.ID, o.Attempt, payment, now)
	p.must(err)
	p.same("late decide", theirs, simulated)
	p.seen[fmt.Sprint("late decided ", simulated)]++
}

func (p *pair) lateReturn(o *Order, now int64) {
	theirs, err := p.db.LateReturn(p.ctx, o.ID, o.Attempt, "r", time.UnixMilli(now))
	p.must(err)
	simulated, err := p.sim.LateReturn(o.ID, o.Attempt, now)
	p.must(err)
	p.same("late return", theirs, simulated)
	p.seen[fmt.Sprint("late returned ", simulated)]++
}

// cancelEvent cancels the event, rarely, or goes on with its mass refund.
func (p *pair) cancelEvent(now int64) {
	s, event, at := p.sim.shows[p.event], int32(p.event), time.UnixMilli(now)
	if !s.cancelled && rapid.IntRange(0, 4).Draw(p.T, "not yet") > 0 {
		return
	}
	mass := p.id()
	again, err := p.db.EventCancel(p.ctx, event, mass, "r", "a", at)
	p.must(err)
	p.same("event cancelled before", again, p.sim.EventCancel(p.event, mass) == 1)
	p.seen["cancelled"]++
	after := noID
	for range rapid.IntRange(0, 3).Draw(p.T, "steps of the mass refund") {
		theirs, err := p.db.MassRefundStep(p.ctx, s.mass, after, 2, at)
		p.must(err)
		simulated, err := p.sim.MassRefundStep(p.event, after, 2, now)
		p.must(err)
		p.same("mass refund", theirs, simulated)
		if after = simulated; after == noID {
			break
		}
		p.seen["mass refunded"]++
	}
	theirs, err := p.db.MassRefundGet(p.ctx, event)
	p.must(err)
	p.same("mass refund finished", !theirs.FinishedAt.IsZero(), s.returned)
	if s.returned {
		p.seen["mass refund finished"]++
	}
}

// afterLists compares what the workers look for.
func (p *pair) afterLists(o *Order, now int64) {
	rows, err := p.db.SeatsToUnsell(p.ctx, o.ID)
	p.must(err)
	var theirs, simulated []string
	for _, row := range rows {
		theirs = append(theirs, fmt.Sprint(row.Seat, " ", row.State))
	}
	for _, row := range p.sim.SeatsToUnsell(o.ID) {
		simulated = append(simulated, fmt.Sprint(int64(row.Seat), " ", int(row.State)))
	}
	p.same("seats to unsell", theirs, simulated)
	p.seen["to unsell"] += len(theirs)
	open, err := p.db.LateOpen(p.ctx, time.UnixMilli(now+hour/2), 10_000)
	p.must(err)
	slices.SortFunc(open, byID)
	p.same("late payments", slices.DeleteFunc(open, func(id uuid.UUID) bool { return p.sim.orders[id] == nil }), p.sim.LateOpen(now+hour/2))
	p.lateRow(o)
}

// lateRow compares the row of a late payment.
func (p *pair) lateRow(o *Order) {
	theirs, err := p.db.LateGet(p.ctx, o.ID)
	if errors.Is(err, ledger.ErrNotFound) {
		err = nil
	}
	p.must(err)
	text := fmt.Sprint(theirs.Attempt, theirs.Payment, theirs.Captured, theirs.State, theirs.Hold, theirs.Seats, theirs.Until.UnixMilli())
	r, found := p.sim.LateGet(o.ID)
	if !found {
		p.same("late payment", theirs.State, "")
		return
	}
	p.same("late payment", text, fmt.Sprint(r.Attempt, r.Payment, r.Captured, r.State, r.Hold, numbersOrNone(r.Seats), r.Until))
}

func numbersOrNone(seats []stock.SeatID) []int64 {
	if seats == nil {
		return nil
	}
	return numbers(seats)
}

// compareRefunds compares the refunds of all payments; those that nobody has asked for have ids of their own in each.
func (p *pair) compareRefunds() {
	var theirs, simulated []string
	p.rows(`SELECT r.payment, r.lines, r.amount, r.state FROM ledger.refunds r JOIN ledger.orders o ON o.id = r.order_id WHERE o.event = $1`, func(rows *sql.Rows) error {
		var payment uuid.UUID
		var lines bool
		var amount int64
		var state string
		err := rows.Scan(&payment, &lines, &amount, &state)
		theirs = append(theirs, fmt.Sprint(payment, lines, amount, state == "sent"))
		return err
	}, int32(p.event))
	for _, r := range p.sim.refunds {
		simulated = append(simulated, fmt.Sprint(r.Payment, r.Lines, r.Amount, r.Sent))
	}
	slices.Sort(theirs)
	slices.Sort(simulated)
	p.same("refunds", theirs, simulated)
	for _, id := range p.sim.sortedOrders(func(*Order) bool { return true }) {
		p.lateRow(p.sim.orders[id])
	}
}
