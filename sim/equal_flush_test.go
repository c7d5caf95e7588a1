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

// buyers, and the limit of each: small, so that it is met.
const (
	buyers   = 3
	limitMax = 4
)

// flush has the engines decide some commands and sends what they ask for to both; sometimes under an epoch, a number or a session that is not
// the partition's.
func (p *pair) flush() {
	now := nowMs()
	b := &owner.Batch{ID: p.id(), Now: now}
	raw := map[*stock.Op]bool{}
	ahead := false
	first := rapid.SampledFrom(p.segments).Draw(p.T, "segment")
	b.Session = p.sim.part(first.Part).session
	for _, ref := range p.segments {
		if ref.Segment != first.Segment && rapid.IntRange(0, 2).Draw(p.T, "alone") > 0 {
			continue
		}
		row := p.sim.part(ref.Part)
		w := owner.Work{Part: ref.Part, Epoch: row.epoch, Seq: row.seq + 1}
		switch rapid.IntRange(0, 40).Draw(p.T, "stale") {
		case 40:
			w.Epoch--
		case 39:
			w.Seq++
			ahead = true
		}
		for range rapid.IntRange(1, 4).Draw(p.T, "batch") {
			if effect := p.engines[ref.Segment].Apply(p.command(ref), now); effect.Op != nil {
				w.Ops = append(w.Ops, effect.Op)
			}
		}
		if op := p.wrong(ref, now, w.Ops); op != nil {
			w.Ops = append(w.Ops, op)
			raw[op] = true
		}
		if len(w.Ops) > 0 {
			b.Works = append(b.Works, w)
		}
	}
	if len(b.Works) == 0 {
		return
	}
	slices.SortFunc(b.Works, func(a, b owner.Work) int { return int(a.Part) - int(b.Part) })
	if !ahead { // sent again when its number has come, it would ask for what the engines have undone
		p.sent = append(p.sent, b)
	}
	for i, r := range p.send(b).Works {
		for j, op := range b.Works[i].Ops {
			outcome := stock.OutcomeFenced
			if !r.Fenced {
				outcome = r.Outcomes[j]
				seen := fmt.Sprint("outcome ", outcome)
				if dimension, _ := outcome.Limit(); dimension != 0 {
					seen = fmt.Sprint("limit ", dimension)
				}
				p.seen[seen]++
			}
			if raw[op] {
				continue
			}
			p.engines[op.Segment].Settle(op, outcome, now)
			p.givenBack(op, outcome)
			if op.Kind == stock.KindHold && outcome == stock.OutcomeApplied {
				p.holds = append(p.holds, heldBy{op.Hold, op.Segment})
			}
			if op.Kind == stock.KindGrantOut && outcome == stock.OutcomeApplied {
				p.grants = append(p.grants, Untaken{op.Hold, op.Event, stock.Grant{From: op.Segment, To: op.Other, Quantity: op.Quantity}})
				p.seen["granted"]++
			}
			if op.Kind == stock.KindGrantIn && outcome == stock.OutcomeApplied {
				p.seen["taken"]++
			}
			if op.Kind == stock.KindOrder && outcome == stock.OutcomeApplied {
				p.orders = append(p.orders, op.NewOrder.ID)
			}
		}
	}
}

// wrong is what a memory that is behind would ask for: something with a hold that has ended, or the end of one that has time.
func (p *pair) wrong(ref owner.SegmentRef, now int64, ops []*stock.Op) *stock.Op {
	if len(p.holds) == 0 || rapid.IntRange(0, 3).Draw(p.T, "behind") > 0 {
		return nil
	}
	h := rapid.SampledFrom(p.holds).Draw(p.T, "hold")
	row := p.sim.holds[h.id]
	if h.segment != ref.Segment || slices.ContainsFunc(ops, func(op *stock.Op) bool { return op.Hold == h.id }) {
		return nil
	}
	if rapid.IntRange(0, 2).Draw(p.T, "believes to be sold out") == 0 {
		return &stock.Op{Kind: stock.KindNote, Event: ref.Event, Segment: ref.Segment, Area: ref.Segment >= 3, Hold: p.id(), Refused: stock.CodeSoldOut, Deadline: now, MaxExpires: now}
	}
	op := &stock.Op{Kind: stock.KindExpire, Event: ref.Event, Segment: ref.Segment, Hold: h.id, Generation: row.Generation, Quantity: row.Quantity, Deadline: now, MaxExpires: now}
	if row.state == holdEnded {
		op.Kind = rapid.SampledFrom([]stock.Kind{stock.KindRelease, stock.KindExtend, stock.KindExpire}).Draw(p.T, "kind")
		return op
	}
	if row.Deadline > now+hour/2 {
		return op
	}
	return nil
}

// resend sends an old batch again: in both it has its recorded outcomes, or is fenced. One that was fenced, because its session had run out, may be
// applied now that the session was renewed. A node never sends it again, for it drops what was fenced and loads it anew; so do we.
func (p *pair) resend() {
	if len(p.sent) == 0 {
		return
	}
	b := rapid.SampledFrom(p.sent).Draw(p.T, "old batch")
	r := p.send(b)
	for i, w := range r.Works {
		if w.Fenced || r.Resent[i] {
			continue
		}
		for _, ref := range p.segments {
			if ref.Part == b.Works[i].Part {
				p.loadPart(ref)
			}
		}
	}
}

// send commits a batch in both and compares results and chains.
func (p *pair) send(b *owner.Batch) FlushResult {
	results, err := p.lane.Flush(flushOf(b))
	p.must(err)
	simulated, err := p.sim.Flush(b)
	p.must(err)
	theirs := FlushResult{}
	for _, r := range results {
		out := owner.WorkResult{Fenced: r.Fenced}
		for _, o := range r.Outcomes {
			out.Outcomes = append(out.Outcomes, stock.Outcome(o))
		}
		theirs.Works, theirs.Resent = append(theirs.Works, out), append(theirs.Resent, r.Resent)
		if r.Fenced {
			p.seen["fenced"]++
		}
		if r.Resent {
			p.seen["resent"]++
		}
	}
	p.same("flush", theirs, simulated)
	return simulated
}

// request is one of a few, with one of two payloads.
func (p *pair) request() stock.Request {
	key := uuid.NewSHA1(uuid.NameSpaceURL, fmt.Appendf(nil, "%d/%d", p.run, rapid.IntRange(0, 60).Draw(p.T, "key")))
	payload := uuid.NewSHA1(uuid.NameSpaceURL, fmt.Append(nil, rapid.IntRange(0, 3).Draw(p.T, "payload")/3))
	return stock.Request{Scope: number(1, 1), Key: key, Fingerprint: payload}
}

// command draws what a client or the order service may ask of a segment.
func (p *pair) command(ref owner.SegmentRef) stock.Command {
	cmd := stock.Command{Event: ref.Event, Segment: ref.Segment, TTL: hour, MaxTTL: 2 * hour}
	if rapid.Bool().Draw(p.T, "keyed") {
		cmd.Request = p.request()
	}
	if rapid.IntRange(0, 2).Draw(p.T, "leg") == 0 {
		if leg, ok := p.legCommand(cmd); ok {
			return leg
		}
	}
	if ref.Segment >= 3 && rapid.IntRange(0, 3).Draw(p.T, "grants") == 0 {
		return p.grant(cmd, ref)
	}
	mine := slices.DeleteFunc(slices.Clone(p.holds), func(h heldBy) bool { return h.segment != ref.Segment })
	if len(mine) == 0 || rapid.IntRange(0, 3).Draw(p.T, "new") == 0 {
		return p.newHold(cmd, ref)
	}
	cmd.Hold = rapid.SampledFrom(mine).Draw(p.T, "hold").id
	row := p.sim.holds[cmd.Hold]
	cmd.Order, cmd.Attempt = row.Order, row.Attempt
	o := p.sim.orders[row.Order]
	kinds := []stock.Kind{stock.KindExtend, stock.KindRelease, stock.KindExpire, stock.KindOrder, stock.KindOrder}
	if o != nil {
		kinds = append(kinds, stock.KindPin, stock.KindPin, stock.KindPin, stock.KindUnpin, stock.KindUnpin, stock.KindSell, stock.KindSell, stock.KindRefund)
	}
	cmd.Kind = rapid.SampledFrom(kinds).Draw(p.T, "kind")
	if rapid.IntRange(0, 2).Draw(p.T, "natural") < 2 {
		p.natural(&cmd, o)
	}
	switch cmd.Kind {
	case stock.KindPin:
		cmd.Attempt = max(o.Attempt-rapid.Int32Range(0, 3).Draw(p.T, "late")/3, 0)
	case stock.KindUnpin:
		cmd.Free = rapid.Bool().Draw(p.T, "free")
	case stock.KindRelease:
		if rapid.IntRange(0, 3).Draw(p.T, "forgets the order") == 0 {
			cmd.Order = noID
		}
	case stock.KindOrder:
		cmd.NewOrder = &stock.NewOrder{ID: p.id(), Buyer: "b", Currency: "EUR"}
		if view, ok := p.engines[ref.Segment].Hold(cmd.Hold); ok {
			for _, s := range view.Seats {
				cmd.NewOrder.Lines = append(cmd.NewOrder.Lines, stock.OrderLine{Seat: s.Seat, Type: s.Type, Face: 1000, Fee: 90})
			}
		}
	}
	return cmd
}

// grant gives capacity to the other segment of the area, under a new id or one that was used, or takes what was given to either, again perhaps.
func (p *pair) grant(cmd stock.Command, ref owner.SegmentRef) stock.Command {
	cmd.Request = stock.Request{}
	cmd.Kind, cmd.Hold, cmd.Other = stock.KindGrantOut, p.id(), 7-ref.Segment
	cmd.Ask.Quantity = rapid.Int32Range(0, 3).Draw(p.T, "places")
	if len(p.grants) == 0 || rapid.IntRange(0, 2).Draw(p.T, "gives") == 0 {
		return cmd
	}
	g := rapid.SampledFrom(p.grants).Draw(p.T, "grant")
	cmd.Hold = g.ID
	if rapid.IntRange(0, 5).Draw(p.T, "gives again") > 0 || g.From != ref.Segment {
		cmd.Kind, cmd.Ask.Quantity = stock.KindGrantIn, g.Quantity
	}
	return cmd
}

// natural is the step that brings a hold nearer to a sale, or beyond it.
func (p *pair) natural(cmd *stock.Command, o *Order) {
	view, ok := p.engines[cmd.Segment].Hold(cmd.Hold)
	switch {
	case !ok:
	case o == nil:
		cmd.Kind = stock.KindOrder
	case o.State == order.Paying:
		cmd.Kind = stock.KindPin
	case view.State == stock.Paying && (o.State == order.Paid || o.State == order.Issued):
		cmd.Kind = stock.KindSell
	case view.State == stock.Paying:
		cmd.Kind = stock.KindUnpin
	case view.State == stock.Sold && o.State == order.Cancelled:
		cmd.Kind = stock.KindRefund
	}
}

func (p *pair) newHold(cmd stock.Command, ref owner.SegmentRef) stock.Command {
	id := p.id()
	cmd.Kind, cmd.Hold = stock.KindHold, stock.NewCoordinatedID(ref.Part, id, id, "hold")
	cmd.Ask = stock.Ask{Quantity: rapid.Int32Range(1, 3).Draw(p.T, "party"), Together: stock.TogetherAny}
	if rapid.IntRange(0, 2).Draw(p.T, "overdue") == 0 {
		cmd.TTL = 1 // over by the time that anybody looks
	}
	cmd.Quotas = p.limits(int(cmd.Ask.Quantity))
	return cmd
}

// flushOf writes a batch in the ledger's words, as stockd/node does.
func flushOf(b *owner.Batch) *ledger.Flush {
	f := &ledger.Flush{Batch: b.ID, Session: b.Session, Now: time.UnixMilli(b.Now)}
	for _, w := range b.Works {
		work := ledger.Work{Part: int32(w.Part), Epoch: w.Epoch, Seq: w.Seq}
		for _, op := range w.Ops {
			out := ledger.Op{
				Kind: int16(op.Kind), Event: int32(op.Event), Segment: int32(op.Segment), Area: op.Area, Hold: op.Hold, Other: int32(op.Other), Leg: op.Leg, Generation: op.Generation,
				Quantity: op.Quantity, Scope: op.Request.Scope, Key: op.Request.Key, Fingerprint: op.Request.Fingerprint, Order: op.Order,
				Attempt: op.Attempt, Free: op.Free, Deadline: time.UnixMilli(op.Deadline), MaxExpires: time.UnixMilli(op.MaxExpires), Refused: int16(op.Refused),
			}
			for _, q := range op.Quotas {
				out.Quotas = append(out.Quotas, ledger.Quota{Dimension: int16(q.Dimension), Key: q.Key, Limit: q.Limit, Seat: int64(q.Seat)})
			}
			for _, m := range op.Moves {
				out.Moves = append(out.Moves, ledger.Move{Seat: int64(m.Seat), Ver: m.Ver, From: int16(m.From), To: int16(m.To), Type: m.Type})
			}
			if o := op.NewOrder; o != nil {
				out.NewOrder = &ledger.NewOrder{ID: o.ID, Buyer: o.Buyer, Currency: o.Currency}
				for _, l := range o.Lines {
					out.NewOrder.Lines = append(out.NewOrder.Lines, ledger.OrderLine{Seat: int64(l.Seat), Type: l.Type, Face: l.Face, Fee: l.Fee, Tax: l.Tax})
				}
			}
			work.Ops = append(work.Ops, out)
		}
		f.Works = append(f.Works, work)
	}
	return f
}
