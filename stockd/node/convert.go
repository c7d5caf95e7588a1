package node

import (
	"context"
	"fmt"
	"time"

	"ticketrush/ledger"
	"ticketrush/stockd/owner"
	"ticketrush/stockd/stock"
)

// flushOf writes a batch in the ledger's words. The same batch gives the same flush.
func flushOf(b *owner.Batch) *ledger.Flush {
	f := &ledger.Flush{Batch: b.ID, Session: b.Session, Now: time.UnixMilli(b.Now), Works: make([]ledger.Work, 0, len(b.Works))}
	for _, w := range b.Works {
		work := ledger.Work{Part: int32(w.Part), Epoch: w.Epoch, Seq: w.Seq, Ops: make([]ledger.Op, 0, len(w.Ops))}
		for _, op := range w.Ops {
			work.Ops = append(work.Ops, opOf(op))
		}
		f.Works = append(f.Works, work)
	}
	return f
}

func opOf(op *stock.Op) ledger.Op {
	out := ledger.Op{
		Kind: int16(op.Kind), Event: int32(op.Event), Segment: int32(op.Segment), Area: op.Area, Hold: op.Hold, Other: int32(op.Other), Leg: op.Leg, Generation: op.Generation,
		Quantity: op.Quantity, Scope: op.Request.Scope, Key: op.Request.Key, Fingerprint: op.Request.Fingerprint, Order: op.Order,
		Attempt: op.Attempt, Free: op.Free, Deadline: moment(op.Deadline), MaxExpires: moment(op.MaxExpires), Refused: int16(op.Refused),
	}
	for _, q := range op.Quotas {
		out.Quotas = append(out.Quotas, ledger.Quota{Dimension: int16(q.Dimension), Key: q.Key, Limit: q.Limit, Seat: int64(q.Seat)})
	}
	for _, m := range op.Moves {
		out.Moves = append(out.Moves, ledger.Move{Seat: int64(m.Seat), Ver: m.Ver, From: int16(m.From), To: int16(m.To), Type: m.Type})
	}
	if o := op.NewOrder; o != nil {
		out.NewOrder = &ledger.NewOrder{ID: o.ID, Buyer: o.Buyer, Currency: o.Currency, ClientIP: o.ClientIP}
		for _, l := range o.Lines {
			out.NewOrder.Lines = append(out.NewOrder.Lines, ledger.OrderLine{Seat: int64(l.Seat), Type: l.Type, Face: l.Face, Fee: l.Fee, Tax: l.Tax})
		}
	}
	return out
}

func moment(ms int64) time.Time {
	if ms == 0 {
		return time.Time{}
	}
	return time.UnixMilli(ms)
}

func opsOf(b *owner.Batch) int {
	n := 0
	for _, w := range b.Works {
		n += len(w.Ops)
	}
	return n
}

func flushed(job owner.SendFlush, results []ledger.WorkResult) owner.Flushed {
	in := owner.Flushed{Lane: job.Lane, Batch: job.Batch.ID, Results: make([]owner.WorkResult, 0, len(results))}
	for _, r := range results {
		out := owner.WorkResult{Fenced: r.Fenced, Outcomes: make([]stock.Outcome, 0, len(r.Outcomes))}
		for _, o := range r.Outcomes {
			out.Outcomes = append(out.Outcomes, stock.Outcome(o))
		}
		in.Results = append(in.Results, out)
	}
	return in
}

// segmentKey names a segment.
type segmentKey struct {
	event stock.EventID
	no    stock.SegmentNo
}

// build makes engines out of the ledger's rows, partition by partition.
func (n *Node) build(ctx context.Context, parts []owner.PartEpoch, loaded *ledger.Loaded) []owner.LoadedPart {
	seats := map[segmentKey][]stock.SeatRow{}
	for _, r := range loaded.Seats {
		key := segmentKey{stock.EventID(r.Event), stock.SeatID(r.Seat).Segment()}
		seats[key] = append(seats[key], stock.SeatRow{
			Seat: stock.SeatID(r.Seat), State: stock.State(r.State), Ver: r.Ver, Hold: r.Hold, Generation: r.Generation, Order: r.Order,
			Attempt: r.Attempt, Type: r.Type,
		})
	}
	holds := map[segmentKey][]stock.HoldRow{}
	now := n.Now()
	for _, r := range loaded.Holds {
		key := segmentKey{stock.EventID(r.Event), stock.SegmentNo(r.Segment)}
		event, _ := n.eventByNumber(ctx, key.event)
		holds[key] = append(holds[key], n.holdRow(event, &r, now))
	}
	byPart := map[stock.PartitionID]*owner.LoadedPart{}
	out := make([]owner.LoadedPart, len(parts))
	for i, pe := range parts {
		out[i] = owner.LoadedPart{Part: pe.Part, Epoch: pe.Epoch}
		byPart[pe.Part] = &out[i]
	}
	for _, row := range loaded.Segments {
		part := byPart[stock.PartitionID(row.Part)]
		if part == nil {
			continue
		}
		key := segmentKey{stock.EventID(row.Event), stock.SegmentNo(row.Segment)}
		var engine *stock.Segment
		err := contained(func() (err error) {
			if engine, err = n.engine(ctx, key, row); err == nil {
				err = engine.Load(seats[key], holds[key], row.NextUnit)
			}
			return err
		})
		if err != nil {
			part.Err = fmt.Errorf("event %d segment %d: %w", row.Event, row.Segment, err)
			continue
		}
		part.Segments = append(part.Segments, owner.LoadedSegment{Event: key.event, Segment: key.no, Engine: engine})
	}
	return out
}

// contained makes an error of a panic: what cannot be loaded costs its partition, and not the node.
func contained(load func() error) (err error) {
	defer func() {
		if cause := recover(); cause != nil {
			err = fmt.Errorf("a bug: %v", cause)
		}
	}()
	return load()
}

// engine makes an empty segment with the layout of its event's chart.
func (n *Node) engine(ctx context.Context, key segmentKey, row ledger.SegmentRow) (*stock.Segment, error) {
	if row.Area {
		return stock.NewShare(key.event, key.no, stock.SegmentNo(row.Home), row.Capacity), nil
	}
	event, ok := n.eventByNumber(ctx, key.event)
	if !ok {
		return nil, fmt.Errorf("event %d is not in the catalog", key.event)
	}
	segment := event.Segment(key.no)
	if segment == nil || segment.layout == nil || segment.Capacity != row.Capacity {
		return nil, fmt.Errorf("the chart of event %d does not fit its segment %d", key.event, key.no)
	}
	return stock.NewSegment(segment.layout, key.event, key.no), nil
}

// holdRow decides how long a loaded hold has: what was left at a hand-off; after a crash its full life anew, because the row's existence is
// the truth and its time only advice. Never past its maximum and one session, two after a hand-off, and never
// shorter than the row says.
func (n *Node) holdRow(event *Event, r *ledger.HoldRow, now time.Time) stock.HoldRow {
	deadline, latest := r.Deadline, r.MaxExpires.Add(n.cfg.SessionTTL)
	switch {
	case r.Remaining >= 0:
		// The buyer was told what was left, so not less than that; but it stays in the row until the hold changes, and a later owner may find
		// it long after.
		deadline, latest = now.Add(r.Remaining), latest.Add(n.cfg.SessionTTL)
	case event != nil:
		deadline = now.Add(event.HoldTTL)
	}
	if deadline.After(latest) {
		deadline = latest
	}
	if deadline.Before(r.Deadline) {
		deadline = r.Deadline
	}
	out := stock.HoldRow{
		ID: r.ID, Generation: r.Generation, Quantity: r.Quantity, Deadline: deadline.UnixMilli(), MaxExpires: r.MaxExpires.UnixMilli(),
		Order: r.Order, Attempt: r.Attempt, Leg: len(r.Legs) > 0,
	}
	for _, q := range r.Quotas {
		out.Quotas = append(out.Quotas, stock.Quota{Dimension: stock.Dimension(q.Dimension), Key: q.Key, Limit: q.Limit, Seat: stock.SeatID(q.Seat)})
	}
	return out
}
