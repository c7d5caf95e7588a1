package sim

import (
	"slices"

	"github.com/google/uuid"

	"ticketrush/stockd/order"
	"ticketrush/stockd/stock"
)

// What has to be true of holds over several segments: all or none.

func (c *checker) wideBegun(hold *stock.WideHold, code int32) {
	switch {
	case code > 1:
		c.w.some[SawWideAgain]++
	case code == 1:
		c.w.some[SawWideBegun]++
	case code == 0:
		c.w.some[SawWideBusy]++
	case code <= -int32(stock.OutcomeLimitBusy):
		c.w.some[SawWideLimit]++
		if dimension, _ := stock.Outcome(-code).Limit(); dimension == stock.DimensionDocument {
			c.w.some[SawWideDocument]++
		}
	}
	c.toldAgain(hold, stock.Outcome(-code))
	if c.w.tracing() {
		c.w.say("ledger", "wide hold %.8v is begun: %d", hold.ID, code)
	}
	for _, q := range hold.Quotas {
		key := quotaKey{hold.Event, q.Dimension, q.Key}
		if code > 0 && !slices.Contains(c.counted[key], hold.ID) {
			c.counted[key] = append(c.counted[key], hold.ID)
		}
		c.limited(key, q.Limit)
	}
}

// toldAgain checks that a repetition of a request that is over a limit finds which one, and what the buyer had.
func (c *checker) toldAgain(hold *stock.WideHold, outcome stock.Outcome) {
	f := c.fateOf(hold.Request)
	if dimension, _ := outcome.Limit(); dimension != 0 {
		f.limit = outcome
	}
	if outcome != stock.OutcomeReplay || f.limit == 0 {
		return
	}
	if _, found, _ := c.w.ledger.Replayed(hold.Request.Scope, hold.Request.Key); found != f.limit {
		c.w.fail("I9: wide hold %.8v was refused with %d, its repetition finds %d", hold.ID, f.limit, found)
	}
}

// wideRow checks the counters after any change of a row.
func (c *checker) wideRow(id uuid.UUID) {
	h := c.w.ledger.holds[id]
	if h == nil {
		return
	}
	if c.w.tracing() {
		c.w.say("ledger", "wide hold %.8v: state %d, try %d", id, h.state, h.try)
	}
	c.w.mix(uint64(id[3]), uint64(h.state), uint64(h.try))
	for _, q := range h.Quotas {
		c.limited(quotaKey{h.segment.event, q.Dimension, q.Key}, q.Limit)
	}
}

// wideCommitted checks the commit point: each seat that was asked for is held for the hold, under this try, and promised to nobody else.
func (c *checker) wideCommitted(hold *stock.WideHold, code int32) {
	c.wideRow(hold.ID)
	if code != wideDone {
		return
	}
	c.w.some[SawWideHeld]++
	if f := c.fateOf(hold.Request); f.effects > 0 {
		c.w.fail("I9: a request had an effect twice: wide hold %.8v", hold.ID)
	} else {
		f.effects++
	}
	c.whole(hold.ID)
}

// whole checks that a held hold has all of its seats.
func (c *checker) whole(id uuid.UUID) {
	h := c.w.ledger.holds[id]
	n := map[stock.SegmentNo]int32{}
	total := int32(0)
	for _, key := range h.segments() {
		for _, seat := range c.w.ledger.segments[key].seats {
			if seat.Hold != id || seat.State == stock.Available {
				continue
			}
			n[key.no]++
			total++
			if seat.Generation != h.try {
				c.w.fail("all or none: wide hold %.8v is held with try %d and has seat %d of try %d", id, h.try, seat.Seat, seat.Generation)
			}
			if other := c.onSeat[seatKey{key.event, seat.Seat}]; other.valid(c.w.now+c.w.clockError()) && other.hold != id {
				c.w.fail("I3: seat %d is given to wide hold %.8v while it is promised under hold %.8v", seat.Seat, id, other.hold)
			}
		}
	}
	if total != h.Quantity || len(n) != len(h.legs) {
		c.w.fail("all or none: wide hold %.8v is held and has %d of %d seats, in %d of %d segments", id, total, h.Quantity, len(n), len(h.legs))
	}
	c.named(h)
}

// named checks that each document of a held hold stands for a seat that the leg has for which it was sent, and no two for one.
func (c *checker) named(h *holdRow) {
	stand := map[stock.SeatID]bool{}
	for _, leg := range c.w.wides[h.ID].Legs {
		var sent, got []uuid.UUID
		for _, q := range leg.Quotas {
			if isDocument(q) {
				sent = append(sent, q.Key)
			}
		}
		for _, q := range h.Quotas {
			if isDocument(q) && q.Seat.Segment() == leg.Segment {
				got = append(got, q.Key)
				seat := c.w.ledger.segments[segmentKey{leg.Event, leg.Segment}].seats[q.Seat.Index()]
				if stand[q.Seat] || seat == nil || seat.Hold != h.ID {
					c.w.fail("I7: a document of wide hold %.8v stands for seat %d, which is not its, or another's", h.ID, q.Seat)
				}
				stand[q.Seat] = true
			}
		}
		slices.SortFunc(sent, byID)
		slices.SortFunc(got, byID)
		if !slices.Equal(sent, got) {
			c.w.fail("I7: wide hold %.8v has %d documents for segment %d, and %d of them stand for its seats", h.ID, len(sent), leg.Segment, len(got))
		}
	}
	if len(stand) > 0 {
		c.w.some[SawWideNamed]++
	}
}

// wideOrdered checks that no order stands beside a hold that has ended.
func (c *checker) wideOrdered(id uuid.UUID, code int32) {
	if code != wideDone {
		return
	}
	c.w.some[SawWideOrdered]++
	h := c.w.ledger.holds[id]
	if h.state != holdHeld || h.Deadline*1000 <= c.w.clock() {
		c.w.fail("an order is opened on wide hold %.8v, which has ended (state %d)", id, h.state)
		return
	}
	c.whole(id)
}

// wideFollowed checks what the owner of a leg has ended.
func (c *checker) wideFollowed(before, after stock.WideRow) {
	if before == after {
		return
	}
	c.wideRow(after.Hold)
	switch after.State {
	case stock.WideDropped:
		c.w.some[SawWideLeft]++
	case stock.WideEnded:
		c.w.some[SawWideExpired]++
		if pr := c.promises[after.Hold]; c.strict && pr.valid(c.w.now+c.w.clockError()) {
			c.w.fail("I3: wide hold %.8v expired %v before the time that its client was told", after.Hold, pr.until-c.w.now)
		}
	default:
	}
}

// leg checks a leg that was taken, and one that was freed.
func (c *checker) leg(op *stock.Op) {
	h := c.w.ledger.holds[op.Hold]
	if op.Kind == stock.KindLeg {
		if h.state != holdTrying || h.try != op.Generation {
			c.w.fail("all or none: a leg is taken for try %d of wide hold %.8v, which has state %d and try %d", op.Generation, op.Hold, h.state, h.try)
		}
		c.untold(op)
		return
	}
	if h.state == holdHeld && h.try == op.Generation {
		c.w.fail("all or none: wide hold %.8v is held and loses a leg", op.Hold)
	}
	if o := c.w.ledger.orders[h.Order]; o != nil && (o.State == order.Paying && !c.looks(o) || o.State == order.Paid || o.State == order.Issued || o.State == order.Stuck) {
		c.w.fail("I6: seats are taken from an order that counts on them: %+v", o)
	}
}

// untied says which seats are kept for a hold over several segments that does not keep them.
func (c *checker) untied() string {
	for _, s := range c.w.ledger.sortedSegments() {
		for _, seat := range s.seats {
			h := c.w.ledger.holds[seat.Hold]
			if h == nil || !h.wide() || seat.State != stock.Held && seat.State != stock.Paying {
				continue
			}
			return "a leg of wide hold " + seat.Hold.String()[:8] + " is kept"
		}
	}
	for _, h := range c.w.ledger.holds {
		if h.wide() && (h.state == holdTrying || h.state == holdHeld) {
			return "a wide hold lives"
		}
	}
	return ""
}
