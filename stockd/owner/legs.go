package owner

import "ticketrush/stockd/stock"

// followLegs asks for the rows of legs that were not looked at for a while.
func (c *Core) followLegs() {
	var legs []Leg
	for p := range c.parts {
		t := c.parts[p].tenure
		if t == nil || len(t.segments) == 0 || !c.ready(stock.PartitionID(p)) {
			continue
		}
		for _, s := range t.segments {
			if t.over || len(legs) >= legsMax {
				break
			}
			c.guard(t, func() {
				for _, leg := range s.engine.Legs(c.now.Wall, legsMax-len(legs)) {
					legs = append(legs, Leg{s.event, s.no, leg})
				}
			})
		}
	}
	if len(legs) > 0 {
		c.emit(FollowLegs{Legs: legs})
	}
}

// legsFollowed frees the legs whose holds do not keep them. The ledger compares that again in the flush that frees them.
func (c *Core) legsFollowed(in LegsFollowed) {
	rows := make(map[[16]byte]stock.WideRow, len(in.Rows))
	for _, r := range in.Rows {
		rows[r.Hold] = r
	}
	for _, leg := range in.Legs {
		part := stock.PartitionOf(leg.Event, leg.Segment)
		t := c.parts[part].tenure
		r, known := rows[leg.Hold]
		if !known || r.Keeps(leg.Try) || t == nil || !c.ready(part) {
			continue
		}
		s := t.segment(leg.Event, leg.Segment)
		if _, busy := t.busy[leg.Hold]; busy || s == nil {
			continue
		}
		c.guard(t, func() {
			effect := s.engine.Apply(stock.Command{Kind: stock.KindUnleg, Event: leg.Event, Segment: leg.Segment, Hold: leg.Hold}, c.now.Wall)
			if effect.Op != nil {
				c.fly(&operation{op: effect.Op, tenure: t, segment: s})
			}
		})
	}
}
