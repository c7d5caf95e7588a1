package sim

import (
	"maps"
	"slices"

	"github.com/google/uuid"

	"ticketrush/stockd/order"
	"ticketrush/stockd/owner"
	"ticketrush/stockd/stock"
)

// committed checks a flush: whether it was allowed to write at all, each of its operations, and what it left behind.
func (c *checker) committed(p *process, b *owner.Batch, results FlushResult, owned []bool) {
	applied, refused := 0, 0
	for i := range b.Works {
		w := &b.Works[i]
		if results.Works[i].Fenced || results.Resent[i] {
			c.w.mix(uint64(w.Part), uint64(w.Seq), 99)
			continue
		}
		if !owned[i] || w.Seq != c.seqs[w.Part]+1 || w.Epoch != c.epochs[w.Part] {
			c.w.fail("I5: %s wrote flush %d of partition %d under epoch %d; the last was %d, the epoch is %d", p.name, w.Seq, w.Part, w.Epoch, c.seqs[w.Part], c.epochs[w.Part])
			return
		}
		c.seqs[w.Part] = w.Seq
		for j, op := range w.Ops {
			outcome := results.Works[i].Outcomes[j]
			c.w.mix(uint64(w.Part), uint64(w.Seq), uint64(op.Kind), uint64(outcome))
			if c.w.tracing() {
				c.w.say("ledger", "%s flush %d of partition %d epoch %d: %s of hold %.8v: outcome %d, seats %d", p.name, w.Seq, w.Part, w.Epoch, kindName(op.Kind), op.Hold, outcome, seatsOf(op))
			}
			if outcome == stock.OutcomeApplied {
				applied++
				c.operation(op)
			} else {
				refused++
				c.refused(op, outcome)
			}
		}
	}
	if applied > 0 && refused > 0 {
		c.w.some[SawBatchWithRefusal]++
	}
	c.after(b)
}

func (c *checker) refused(op *stock.Op, outcome stock.Outcome) {
	switch outcome {
	case stock.OutcomeReplay:
		if op.Kind == stock.KindGrantOut {
			c.w.some[SawGrantAgain]++
		}
	case stock.OutcomeOrderLocked:
		c.w.some[SawOrderLocked]++
	case stock.OutcomeOrderNo:
		c.w.some[SawOrderNo]++
	case stock.OutcomeGrantGone:
		c.w.some[SawGrantGone]++
	case stock.OutcomeNotSold:
		c.w.some[SawNotSold]++
	case stock.OutcomeNotTrying:
		c.w.some[SawLegLate]++
	case stock.OutcomeLegStays:
		c.w.some[SawLegKept]++
	default:
		if dimension, used := outcome.Limit(); dimension != 0 && used == 0 {
			c.w.some[SawOverLimitAtFirst]++
		}
	}
}

// operation checks one operation that was written, against the orders and the promises of this moment.
func (c *checker) operation(op *stock.Op) {
	if op.Request.Key != noID && op.Kind != stock.KindNote {
		if f := c.fateOf(op.Request); f.effects > 0 {
			c.w.fail("I9: a request had an effect twice: %s of hold %.8v", kindName(op.Kind), op.Hold)
		} else {
			f.effects++
		}
	}
	o := c.w.ledger.orders[op.Order]
	pr := c.promises[op.Hold]
	switch op.Kind {
	case stock.KindHold:
		for _, q := range op.Quotas {
			key := quotaKey{op.Event, q.Dimension, q.Key}
			if !slices.Contains(c.counted[key], op.Hold) { // a document may stand for several seats
				c.counted[key] = append(c.counted[key], op.Hold)
			}
		}
		c.untold(op)
	case stock.KindLeg, stock.KindUnleg:
		c.leg(op)
	case stock.KindExpire:
		c.w.some[SawExpired]++
		if c.strict && pr.valid(c.w.now+c.w.clockError()) {
			c.w.fail("I3: hold %.8v expired %v before the time that its client was told", op.Hold, pr.until-c.w.now)
		}
	case stock.KindRelease:
		c.w.some[SawReleased]++
	case stock.KindPin:
		if o == nil || o.State != order.Paying || o.Attempt != op.Attempt {
			c.w.fail("I6: seats are pinned to attempt %d of an order that is not being paid by it: %+v", op.Attempt, o)
		}
		if h := c.w.ledger.holds[op.Hold]; h.state != holdHeld {
			c.w.fail("M2: seats of hold %.8v, which has ended and is being freed, are pinned for order %.8v", op.Hold, op.Order)
		}
	case stock.KindSell:
		if h := c.w.ledger.holds[op.Hold]; h.wide() && h.state == holdEnded {
			c.w.some[SawWideSold]++
		}
		if o == nil || o.State != order.Paid && o.State != order.Issued || o.Attempt != op.Attempt {
			c.w.fail("I6: seats are sold for attempt %d of an order that is not paid by it: %+v", op.Attempt, o)
		}
	case stock.KindUnpin:
		if o == nil || o.Attempt == op.Attempt && (o.State == order.Paying || o.State == order.Paid || o.State == order.Issued || o.State == order.Stuck) {
			c.w.fail("I6: seats are taken from attempt %d of an order that counts on them: %+v", op.Attempt, o)
		}
	case stock.KindRefund:
		for _, m := range op.Moves {
			if !c.back[orderSeat{op.Order, m.Seat}] {
				c.w.fail("I2: seat %d of order %.8v comes back without a refund", m.Seat, op.Order)
			}
		}
	case stock.KindNote:
		c.soldOut(op)
	case stock.KindGrantOut:
		c.w.some[SawGrantGiven]++
	case stock.KindGrantIn:
		c.w.some[SawGrantTaken]++
	default:
	}
}

// untold checks that seats that are taken are promised to nobody else.
func (c *checker) untold(op *stock.Op) {
	for _, m := range op.Moves {
		if other := c.onSeat[seatKey{op.Event, m.Seat}]; other.valid(c.w.now+c.w.clockError()) && other.hold != op.Hold {
			c.w.fail("I3: seat %d is given to hold %.8v while it is promised under hold %.8v for %v", m.Seat, op.Hold, other.hold, other.until-c.w.now)
		}
	}
}

// soldOut checks that nobody is told so while a place may still come: in this segment, in another of its area, or on its way between them.
func (c *checker) soldOut(op *stock.Op) {
	s := c.w.ledger.segments[segmentKey{op.Event, op.Segment}]
	if op.Refused == stock.CodeSoldOut && !soldTogether(c.w.ledger.areaOf(op.Event, s.home)) {
		c.w.fail("segment %d is called sold out with %d of %d sold, and there are places in its area", op.Segment, s.sold, s.capacity)
	}
}

// after checks what a flush touched: the seats against the counters, and the counters of buyers against their holds.
func (c *checker) after(b *owner.Batch) {
	for i := range b.Works {
		for _, op := range b.Works[i].Ops {
			if len(op.Moves) > 0 || op.Kind == stock.KindGrantOut || op.Kind == stock.KindGrantIn {
				c.conserved(c.w.ledger.segments[segmentKey{op.Event, op.Segment}])
			}
			quotas := op.Quotas
			if h := c.w.ledger.holds[op.Hold]; op.Leg && h != nil {
				quotas = h.Quotas // what the owner of a leg may not know of
				if op.Kind == stock.KindRefund && slices.ContainsFunc(quotas, isDocument) {
					c.w.some[SawWideBack]++
				}
			}
			for _, q := range quotas {
				c.limited(quotaKey{op.Event, q.Dimension, q.Key}, q.Limit)
			}
		}
	}
}

// conserved checks I1 and I8 for one segment of the ledger.
func (c *checker) conserved(s *segmentRow) {
	var n [4]int32
	for _, seat := range s.seats {
		n[seat.State]++
		if (seat.sold != nil) != (seat.State == stock.Sold) {
			c.w.fail("I1: seat %d is in state %d, and its sale says otherwise", seat.Seat, seat.State)
		}
	}
	taken := n[stock.Held] + n[stock.Paying] + n[stock.Sold]
	if n[stock.Held] != s.held || n[stock.Paying] != s.paying || n[stock.Sold] != s.sold || taken > s.capacity {
		c.w.fail("I8: segment %d counts %d, %d, %d; its seats say %v", s.ref.Segment, s.held, s.paying, s.sold, n)
	}
	if refs := c.w.refs(s.ref.Event, s.ref.Segment); refs != nil {
		c.constant(s.ref.Event, s.home)
	}
}

// constant checks I1 for an area: the capacities of its segments and what is on its way between them make what it was put on sale with.
func (c *checker) constant(event stock.EventID, home stock.SegmentNo) {
	var opened, capacity, under int32
	for _, s := range c.w.ledger.areaOf(event, home) {
		opened, capacity = opened+s.opened, capacity+s.capacity
	}
	for _, g := range c.w.ledger.GrantsUntaken() {
		if g.Event == event && c.w.ledger.segments[segmentKey{event, g.To}].home == home {
			under += g.Quantity
		}
	}
	if capacity+under != opened {
		c.w.fail("I1: the area of segment %d has %d places and %d on their way, and was put on sale with %d", home, capacity, under, opened)
	}
}

// limited checks I7 for one counter.
func (c *checker) limited(key quotaKey, limit int32) {
	var n int32
	for _, id := range c.counted[key] {
		h := c.w.ledger.holds[id]
		sold := func(seat *seatRow) bool { return seat != nil && seat.State == stock.Sold && seat.Hold == id }
		back := slices.DeleteFunc(slices.Clone(c.w.ledger.soldOf[id]), func(s stock.SeatID) bool {
			return sold(c.w.ledger.segments[segmentKey{key.event, s.Segment()}].seats[s.Index()])
		})
		for _, q := range h.Quotas {
			switch {
			case quotaKey{key.event, q.Dimension, q.Key} != key || h.state == holdDropped:
			case h.counts() && isDocument(q):
				if !slices.Contains(back, q.Seat) {
					n++
				}
			case h.counts(): // what was sold of a wide hold and given back counts no more, though the hold is not over
				n += h.Quantity - int32(len(back))
			case isDocument(q):
				if q.Seat != 0 && sold(c.w.ledger.segments[segmentKey{key.event, q.Seat.Segment()}].seats[q.Seat.Index()]) {
					n++
				}
			default:
				for _, segment := range h.segments() {
					for _, seat := range c.w.ledger.segments[segment].seats {
						if sold(seat) {
							n++
						}
					}
				}
			}
		}
	}
	if got := c.w.ledger.quota[key]; got != n || n > limit {
		c.w.fail("I7: a buyer's counter is %d, they have %d seats, the limit is %d", got, n, limit)
	}
}

// pinTruth is whether an order waits for a payment's attempt with every seat pinned to it.
type pinTruth struct{ known, pinned, waits bool }

func (c *checker) pins(ref string) pinTruth {
	l := c.w.ledger
	if p := l.payments[l.byRef[ref]]; p != nil {
		return c.pinsOf(p.Order, p.Attempt)
	}
	return pinTruth{}
}

func (c *checker) pinsOf(id uuid.UUID, attempt int32) pinTruth {
	o := c.w.ledger.orders[id]
	n := 0
	for _, no := range segmentsOf(o) {
		for _, seat := range c.w.ledger.segments[segmentKey{o.Event, no}].seats {
			if seat.Order == id && seat.State == stock.Paying && seat.Attempt == attempt {
				n++
			}
		}
	}
	return pinTruth{true, n == len(o.Lines), (o.State == order.Paying || o.State == order.Stuck) && o.Attempt == attempt}
}

// decided checks the commit point of a sale.
func (c *checker) decided(f Fact, v Verdict, truth pinTruth) {
	if c.w.tracing() {
		c.w.say("ledger", "fact %.20s of order %.8v: verdict %d again %v", f.ID, v.Order, v.Code, v.Again)
	}
	c.w.mix(uint64(v.Code), uint64(v.Order[2]))
	switch {
	case v.Again:
	case v.Code == factPaid:
		c.w.some[SawPaid]++
		if !truth.pinned || !truth.waits {
			c.w.fail("I6: order %.8v is paid while its seats are not pinned to the attempt", v.Order)
		}
	case v.Code == factNotPinned:
		c.w.some[SawNotPinned]++
		if truth.pinned {
			c.w.fail("I6: the payment of order %.8v is turned away although its seats are pinned", v.Order)
		}
	}
}

// pinRefused checks that the payment of a valid hold is never refused as taken (I6).
func (c *checker) pinRefused(o *Order, t told) {
	if now := c.w.ledger.orders[o.ID]; now.State == order.Paying && now.Attempt == o.Attempt {
		c.w.fail("I6: the pin of attempt %d of order %.8v was refused with code %d while it is being paid", o.Attempt, o.ID, t.Code)
	}
}

// paid notes that somebody was told that an order is paid: from here it stays so (I2).
func (c *checker) paid(id uuid.UUID) {
	c.sales[id] = true
	c.stillPaid(id)
}

// owners notes which partitions have an owner since the faults ended.
func (c *checker) owners() {
	for _, p := range c.w.alive() {
		for part := range p.on {
			c.served[part] = true
		}
	}
}

// unserved are the partitions that have had no owner since the faults ended.
func (c *checker) unserved() []stock.PartitionID {
	var parts []stock.PartitionID
	for _, ref := range c.w.catalog {
		if !c.served[ref.Part] {
			parts = append(parts, ref.Part)
		}
	}
	return parts
}

// quiet is whether everything has reached an end: orders, holds, money, partitions.
func (c *checker) quiet() string {
	l := c.w.ledger
	for _, id := range l.sortedOrders(func(*Order) bool { return true }) {
		switch o := l.orders[id]; o.State {
		case order.Issued, order.Expired, order.Cancelled, order.Refunded:
		default:
			return "order " + id.String()[:8] + " is " + o.State.String()
		}
	}
	for _, s := range l.sortedSegments() {
		if len(s.live) > 0 {
			return "hold " + slices.SortedFunc(maps.Keys(s.live), byID)[0].String()[:8] + " lives"
		}
	}
	if why := c.untied(); why != "" {
		return why
	}
	if len(l.GrantsUntaken()) > 0 {
		return "a grant is on its way"
	}
	if why := c.moneyUnder(); why != "" {
		return why
	}
	for _, p := range c.w.alive() {
		if len(p.waiters) > 0 {
			return p.name + " owes answers"
		}
		if p.leaving {
			return p.name + " is leaving"
		}
	}
	if text := c.owned(); text != "" {
		return text
	}
	for _, p := range c.w.alive() {
		for _, lane := range p.core.Status().Lanes {
			if lane.InFlight > 0 || lane.Pending > 0 {
				return p.name + " is flushing"
			}
		}
	}
	return ""
}

// owned is whether each partition with stock has one owner, which the row names.
func (c *checker) owned() string {
	for _, ref := range c.w.catalog {
		var owners []*process
		for _, p := range c.w.alive() {
			if p.on[ref.Part] > 0 {
				owners = append(owners, p)
			}
		}
		if len(owners) != 1 {
			return "a partition has not one owner"
		}
		row := c.w.ledger.part(ref.Part)
		if row.epoch != owners[0].on[ref.Part] || c.w.ledger.sessions[row.session] == nil || c.w.ledger.sessions[row.session].node != owners[0].id {
			return "a partition is served by somebody else than its row says"
		}
		if _, ok := owners[0].core.Segment(ref.Event, ref.Segment); !ok {
			return "a segment was not loaded"
		}
	}
	return ""
}

// settled checks at the end that memory is as the ledger, and that what was told is true.
func (c *checker) settled() {
	for _, id := range slices.SortedFunc(maps.Keys(c.sales), byID) {
		c.stillPaid(id)
	}
	l := c.w.ledger
	for _, s := range l.sortedSegments() {
		c.conserved(s)
		for _, p := range c.w.alive() {
			if p.on[s.ref.Part] == 0 {
				continue
			}
			engine := p.engines[loadedKey{segmentKey{s.ref.Event, s.ref.Segment}, p.on[s.ref.Part]}]
			if err := engine.Check(); err != nil {
				c.w.fail("I8: segment %d in the memory of %s: %v", s.ref.Segment, p.name, err)
			}
			if n := engine.Counts(); n.Held != s.held || n.Paying != s.paying || n.Sold != s.sold || n.Capacity != s.capacity {
				c.w.fail("I8: segment %d has %+v in the memory of %s, the ledger says %d, %d, %d of %d", s.ref.Segment, n, p.name, s.held, s.paying, s.sold, s.capacity)
			}
			for i, state := range engine.States(nil) {
				if seat := s.seats[int32(i)]; seat.State != state {
					c.w.fail("I8: seat %d is %d in the memory of %s, %d in the ledger", seat.Seat, state, p.name, seat.State)
				}
			}
		}
	}
	c.goods()
}

func seatsOf(op *stock.Op) []int32 {
	var seats []int32
	for _, m := range op.Moves {
		seats = append(seats, m.Seat.Index())
	}
	return seats
}
