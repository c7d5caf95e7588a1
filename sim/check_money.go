package sim

import (
	"github.com/google/uuid"

	"ticketrush/stockd/order"
	"ticketrush/stockd/stock"
)

// refunded notes that money for seats of an order goes back, or of all that it has: from here they may be sold again.
func (c *checker) refunded(id uuid.UUID, seats []stock.SeatID) {
	c.ended[id] = true
	if len(seats) == 0 {
		for _, line := range c.w.ledger.orders[id].Lines {
			seats = append(seats, line.Seat)
		}
	}
	for _, seat := range seats {
		c.back[orderSeat{id, seat}] = true
	}
}

// unsold notes that an order that was paid has ended: its capture was refused.
func (c *checker) unsold(id uuid.UUID) { c.refunded(id, nil) }

// stillPaid checks that what was told paid stays so, until a refund.
func (c *checker) stillPaid(id uuid.UUID) {
	o := c.w.ledger.orders[id]
	if !c.ended[id] && o.State != order.Paid && o.State != order.Issued {
		c.w.fail("I2: order %.8v was told paid and is %v", id, o.State)
	}
}

// latePaid checks the commit point of a sale that was paid late.
func (c *checker) latePaid(id uuid.UUID, truth pinTruth) {
	c.w.some[SawPaid]++
	if !truth.pinned || !truth.waits {
		c.w.fail("I6: order %.8v, which was paid late, is paid while its seats are not pinned to the attempt", id)
	}
	if c.w.ledger.shows[c.w.ledger.orders[id].Event].cancelled {
		c.w.fail("M3: order %.8v is paid although its event is cancelled", id)
	}
}

// looks is whether an order was paid late and looks for seats: those of a hold that has ended are not its any more.
func (c *checker) looks(o *Order) bool {
	r := c.w.ledger.late(o.ID, o.Attempt)
	return r != nil && r.open() && c.w.ledger.holds[o.Hold].state != holdHeld
}

// adopted checks that an order that has taken a hold over has a seat of it for each line.
func (c *checker) adopted(id uuid.UUID, code int32) {
	if code > adoptedBefore {
		return
	}
	l := c.w.ledger
	o := l.orders[id]
	for _, line := range o.Lines {
		if seat := l.segments[segmentKey{o.Event, line.Seat.Segment()}].seats[line.Seat.Index()]; code == adopted && (seat == nil || seat.Hold != o.Hold) {
			c.w.fail("M2: order %.8v has taken hold %.8v over, and seat %d is not its", id, o.Hold, line.Seat)
		}
	}
	if pr := c.promises[o.Hold]; pr != nil {
		pr.over = true
	}
}

// sentBack checks, when a refund was sent, that an order is through with its refunds only when the provider has sent all of them.
func (c *checker) sentBack(id uuid.UUID) {
	l := c.w.ledger
	if l.orders[id].State == order.Refunding {
		return
	}
	for _, r := range l.refunds {
		if pay := l.payments[r.Payment]; r.Order == id && r.Lines && !r.Sent && c.w.provider.payments[pay.Ref].back[r.ID] == 0 {
			c.w.fail("M1: order %.8v is %v, and %d of it was never sent back", id, l.orders[id].State, r.Amount)
		}
	}
}

// called checks that no call gives the money of an order back that looks for seats with it.
func (c *checker) called(jobs []Job) {
	for _, job := range jobs {
		if r := c.w.ledger.lates[job.Payment]; job.Topic == topicVoid && r != nil && r.open() {
			c.w.fail("M2: order %.8v looks for seats, and its payment is to be voided", r.Order)
		}
	}
}

// massRefunded checks that a mass refund that has finished has left nothing open: an order that was opened since cannot be paid any more.
func (c *checker) massRefunded(event stock.EventID) {
	l := c.w.ledger
	if !l.shows[event].returned {
		return
	}
	for _, id := range l.sortedOrders(func(o *Order) bool { return o.Event == event }) {
		if o := l.orders[id]; o.State != order.PendingPayment && o.State != order.Expired && o.State != order.Cancelled && o.State != order.Refunded {
			c.w.fail("M3: everybody has their money back, it is said, and order %.8v is %v", id, o.State)
		}
	}
}

// moneyUnder is what of the money has not reached its end.
func (c *checker) moneyUnder() string {
	l := c.w.ledger
	for _, event := range l.MassRefundsOpen() {
		return "the mass refund of event " + string(rune('0'+event)) + " is under way"
	}
	if ids := l.LateOpen(c.w.clock() / 1000); len(ids) > 0 {
		return "order " + ids[0].String()[:8] + " was paid late"
	}
	for _, ref := range c.w.provider.order {
		if p := c.w.provider.payments[ref]; p.state == order.PaymentAuthorized && l.byRef[ref] != noID {
			return "payment " + ref[:8] + " is authorized"
		}
	}
	for id, due := range c.owed() {
		if due > 0 {
			return "the provider has more of order " + id.String()[:8] + " than its seats cost"
		}
	}
	for _, job := range l.outbox {
		if !job.Done && (job.Topic == topicUnsell || job.Topic == topicRefund) {
			return "the call " + job.Dedup[:16] + " is under way"
		}
	}
	return ""
}

// owed is what the provider has of each order beyond what the seats cost that the order still has: below none when it has less.
func (c *checker) owed() map[uuid.UUID]int64 {
	l := c.w.ledger
	due := map[uuid.UUID]int64{}
	for _, ref := range c.w.provider.order {
		if p := c.w.provider.payments[ref]; l.byRef[ref] != noID {
			due[p.Order] += p.kept()
		}
	}
	for id, o := range l.orders {
		for i, line := range o.Lines {
			if o.State == order.Issued && !o.ended(i) {
				due[id] -= line.Face + line.Fee + line.Tax
			}
		}
	}
	return due
}

// goods checks at the end that who has paid has their seats, and that whoever has seats has paid: to the last unit (M1).
func (c *checker) goods() {
	l := c.w.ledger
	due := c.owed()
	for _, id := range l.sortedOrders(func(*Order) bool { return true }) {
		o := l.orders[id]
		if due[id] != 0 {
			c.w.fail("M1: order %.8v is %v, and the provider has %d too much of it", id, o.State, due[id])
		}
		if o.State == order.Issued && l.shows[o.Event].cancelled {
			c.w.fail("M3: order %.8v is issued, and its event is cancelled", id)
		}
		for i, line := range o.Lines {
			seat := l.segments[segmentKey{o.Event, line.Seat.Segment()}].seats[line.Seat.Index()]
			its := seat != nil && seat.sold != nil && seat.sold.order == id
			if has := o.State == order.Issued && !o.ended(i); its != has {
				c.w.fail("I6: order %.8v is %v, and that seat %d is sold to it is %v", id, o.State, line.Seat, its)
			}
		}
	}
}
