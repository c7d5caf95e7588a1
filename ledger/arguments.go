package ledger

import (
	"fmt"
	"time"
)

// kinds is one more than the highest kind of an operation.
const kinds = 13

// arguments lays a Flush out as the arrays of ledger.flush. It checks what the arrays could hide: unnest pads a short array with NULLs.
func arguments(f *Flush) ([]any, error) {
	var counts [kinds]int32
	var w workArrays
	var o opArrays
	var q quotaArrays
	var s seatArrays
	var n orderArrays
	var l lineArrays
	index, lastPart := int32(0), int32(-1)
	for i := range f.Works {
		work := &f.Works[i]
		if work.Part <= lastPart {
			return nil, fmt.Errorf("flush: works are not in ascending order of partition: %d after %d", work.Part, lastPart)
		}
		lastPart = work.Part
		w.add(work, index+1, index+int32(len(work.Ops)), digest(f, work))
		for j := range work.Ops {
			op := &work.Ops[j]
			index++
			if op.Kind < 1 || op.Kind >= kinds {
				return nil, fmt.Errorf("flush: operation %d of partition %d has the unknown kind %d", j, work.Part, op.Kind)
			}
			counts[op.Kind]++
			o.add(op, int32(i)+1)
			q.add(op, index)
			s.add(op, index)
			if op.Kind == kindOrder {
				if op.NewOrder == nil {
					return nil, fmt.Errorf("flush: operation %d of partition %d opens an order without saying which", j, work.Part)
				}
				n.add(op.NewOrder, index)
				l.add(op.NewOrder, index)
			}
		}
	}
	if index > MaxOps || s.op.n > MaxSeats {
		return nil, fmt.Errorf("flush: %d operations on %d seats are more than the %d and %d that one batch may have", index, s.op.n, MaxOps, MaxSeats)
	}
	var c array
	for _, n := range counts[1:] {
		c.int(int64(n))
	}
	args := []any{f.Session, f.Batch.String(), f.Now.Truncate(time.Microsecond), c.text()}
	for _, list := range [][]*array{w.list(), o.list(), q.list(), s.list(), n.list(), l.list()} {
		for _, a := range list {
			args = append(args, a.text())
		}
	}
	return args, nil
}

// kindOrder is the kind that opens an order.
const kindOrder = 11

type workArrays struct{ part, epoch, seq, lo, hi, digest array }

func (a *workArrays) add(w *Work, lo, hi int32, digest []byte) {
	a.part.int(int64(w.Part))
	a.epoch.int(w.Epoch)
	a.seq.int(w.Seq)
	a.lo.int(int64(lo))
	a.hi.int(int64(hi))
	a.digest.bytes(digest)
}

func (a *workArrays) list() []*array {
	return []*array{&a.part, &a.epoch, &a.seq, &a.lo, &a.hi, &a.digest}
}

type opArrays struct {
	w, kind, event, segment, area, quantity, hold, generation, scope, key, fingerprint, order, attempt, free, deadline, max, refused array
}

func (a *opArrays) add(op *Op, work int32) {
	a.w.int(int64(work))
	a.kind.int(int64(op.Kind))
	a.event.int(int64(op.Event))
	a.segment.int(int64(op.Segment))
	a.area.bool(op.Area)
	a.quantity.int(int64(op.Quantity))
	a.hold.uuid(op.Hold)
	a.generation.int(int64(op.Generation))
	a.scope.uuid(op.Scope)
	a.key.uuid(op.Key)
	a.fingerprint.uuid(op.Fingerprint)
	order := op.Order
	if op.NewOrder != nil {
		order = op.NewOrder.ID
	}
	a.order.uuid(order)
	a.attempt.int(int64(op.Attempt))
	a.free.bool(op.Free)
	a.deadline.time(op.Deadline)
	a.max.time(op.MaxExpires)
	a.refused.int(int64(op.Refused))
}

func (a *opArrays) list() []*array {
	return []*array{&a.w, &a.kind, &a.event, &a.segment, &a.area, &a.quantity, &a.hold, &a.generation, &a.scope, &a.key, &a.fingerprint, &a.order,
		&a.attempt, &a.free, &a.deadline, &a.max, &a.refused}
}

type quotaArrays struct{ op, dimension, key, limit array }

func (a *quotaArrays) add(op *Op, index int32) {
	for _, q := range op.Quotas {
		a.op.int(int64(index))
		a.dimension.int(int64(q.Dimension))
		a.key.uuid(q.Key)
		a.limit.int(int64(q.Limit))
	}
}

func (a *quotaArrays) list() []*array { return []*array{&a.op, &a.dimension, &a.key, &a.limit} }

type seatArrays struct{ op, seat, ver, from, to, kind array }

func (a *seatArrays) add(op *Op, index int32) {
	for _, m := range op.Moves {
		a.op.int(int64(index))
		a.seat.int(m.Seat)
		a.ver.int(int64(m.Ver))
		a.from.int(int64(m.From))
		a.to.int(int64(m.To))
		a.kind.int(int64(m.Type))
	}
}

func (a *seatArrays) list() []*array {
	return []*array{&a.op, &a.seat, &a.ver, &a.from, &a.to, &a.kind}
}

type orderArrays struct{ op, buyer, currency, ip array }

func (a *orderArrays) add(o *NewOrder, index int32) {
	a.op.int(int64(index))
	a.buyer.string(o.Buyer)
	a.currency.string(o.Currency)
	a.ip.string(o.ClientIP)
}

func (a *orderArrays) list() []*array { return []*array{&a.op, &a.buyer, &a.currency, &a.ip} }

type lineArrays struct{ op, seat, kind, face, fee, tax array }

func (a *lineArrays) add(o *NewOrder, index int32) {
	for _, l := range o.Lines {
		a.op.int(int64(index))
		a.seat.int(l.Seat)
		a.kind.int(int64(l.Type))
		a.face.int(l.Face)
		a.fee.int(l.Fee)
		a.tax.int(l.Tax)
	}
}

func (a *lineArrays) list() []*array {
	return []*array{&a.op, &a.seat, &a.kind, &a.face, &a.fee, &a.tax}
}
