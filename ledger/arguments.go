package ledger

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"time"
	"unicode/utf8"
)

// kinds is one more than the highest kind of an operation.
const kinds = 15

// arguments lays a Flush out as the arrays of ledger.flush. It checks what the arrays could hide: unnest pads a short array with NULLs.
func arguments(f *Flush) ([]any, error) {
	var counts [kinds]int32
	var w workArrays
	var o opArrays
	var q quotaArrays
	var s seatArrays
	var n orderArrays
	var l lineArrays
	var g grantArrays
	var legs array
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
			o.add(op, int32(i)+1, int32(q.op.n))
			q.add(op, index)
			s.add(op, index)
			g.add(op, index)
			if op.Leg {
				legs.int4(index)
			}
			if op.Kind == kindOrder {
				if err := checkOrder(op.NewOrder); err != nil {
					return nil, fmt.Errorf("flush: operation %d of partition %d: %w", j, work.Part, err)
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
		c.int4(n)
	}
	args := []any{f.Session, f.Batch.String(), f.Now.Truncate(time.Microsecond), c.argument()}
	for _, list := range [][]*array{w.list(), o.list(), q.list(), s.list(), n.list(), l.list(), g.list(), {&legs}} {
		for _, a := range list {
			args = append(args, a.argument())
		}
	}
	return args, nil
}

// Kinds that this package treats apart: of grants, and the one that opens an order.
const (
	kindGrantOut = 9
	kindGrantIn  = 10
	kindOrder    = 11
)

// checkOrder refuses what the server would refuse with the whole batch.
func checkOrder(o *NewOrder) error {
	switch {
	case o == nil:
		return errors.New("it opens an order without saying which")
	case len(o.Lines) == 0:
		return errors.New("its order has no lines")
	case strings.ContainsRune(o.Buyer, 0) || !utf8.ValidString(o.Buyer):
		return errors.New("its order's buyer is not text")
	}
	if o.ClientIP == "" {
		return nil
	}
	if _, err := netip.ParseAddr(o.ClientIP); err != nil {
		return fmt.Errorf("its order's client address: %w", err)
	}
	return nil
}

type workArrays struct{ part, epoch, seq, lo, hi, digest array }

func (a *workArrays) add(w *Work, lo, hi int32, digest []byte) {
	a.part.int4(w.Part)
	a.epoch.int8(w.Epoch)
	a.seq.int8(w.Seq)
	a.lo.int4(lo)
	a.hi.int4(hi)
	a.digest.bytes(digest)
}

func (a *workArrays) list() []*array {
	return []*array{&a.part, &a.epoch, &a.seq, &a.lo, &a.hi, &a.digest}
}

type opArrays struct {
	w, kind, event, segment, area, quantity, hold, generation, scope, key, fingerprint, order, attempt, free, deadline, max, refused, quotaLo, quotaHi array
}

func (a *opArrays) add(op *Op, work, quotas int32) {
	a.w.int4(work)
	a.kind.int2(op.Kind)
	a.event.int4(op.Event)
	a.segment.int4(op.Segment)
	a.area.bool(op.Area)
	a.quantity.int4(op.Quantity)
	a.hold.uuid(op.Hold)
	a.generation.int4(op.Generation)
	a.scope.uuid(op.Scope)
	a.key.uuid(op.Key)
	a.fingerprint.uuid(op.Fingerprint)
	order := op.Order
	if op.NewOrder != nil {
		order = op.NewOrder.ID
	}
	a.order.uuid(order)
	a.attempt.int4(op.Attempt)
	a.free.bool(op.Free)
	a.deadline.time(op.Deadline)
	a.max.time(op.MaxExpires)
	a.refused.int2(op.Refused)
	a.quotaLo.int4(quotas + 1)
	a.quotaHi.int4(quotas + int32(len(op.Quotas)))
}

func (a *opArrays) list() []*array {
	return []*array{&a.w, &a.kind, &a.event, &a.segment, &a.area, &a.quantity, &a.hold, &a.generation, &a.scope, &a.key, &a.fingerprint, &a.order,
		&a.attempt, &a.free, &a.deadline, &a.max, &a.refused, &a.quotaLo, &a.quotaHi}
}

type quotaArrays struct{ op, dimension, key, limit, seat array }

func (a *quotaArrays) add(op *Op, index int32) {
	for _, q := range op.Quotas {
		a.op.int4(index)
		a.dimension.int4(int32(q.Dimension))
		a.key.uuid(q.Key)
		a.limit.int4(q.Limit)
		a.seat.int8(q.Seat)
	}
}

func (a *quotaArrays) list() []*array {
	return []*array{&a.op, &a.dimension, &a.key, &a.limit, &a.seat}
}

type seatArrays struct{ op, seat, ver, from, to, kind array }

func (a *seatArrays) add(op *Op, index int32) {
	for _, m := range op.Moves {
		a.op.int4(index)
		a.seat.int8(m.Seat)
		a.ver.int4(m.Ver)
		a.from.int2(m.From)
		a.to.int2(m.To)
		a.kind.int2(m.Type)
	}
}

func (a *seatArrays) list() []*array {
	return []*array{&a.op, &a.seat, &a.ver, &a.from, &a.to, &a.kind}
}

type orderArrays struct{ op, buyer, currency, ip array }

func (a *orderArrays) add(o *NewOrder, index int32) {
	a.op.int4(index)
	a.buyer.text(o.Buyer)
	a.currency.text(o.Currency)
	a.ip.text(o.ClientIP)
}

func (a *orderArrays) list() []*array { return []*array{&a.op, &a.buyer, &a.currency, &a.ip} }

type lineArrays struct{ op, seat, kind, face, fee, tax array }

func (a *lineArrays) add(o *NewOrder, index int32) {
	for _, l := range o.Lines {
		a.op.int4(index)
		a.seat.int8(l.Seat)
		a.kind.int2(l.Type)
		a.face.int8(l.Face)
		a.fee.int8(l.Fee)
		a.tax.int8(l.Tax)
	}
}

func (a *lineArrays) list() []*array {
	return []*array{&a.op, &a.seat, &a.kind, &a.face, &a.fee, &a.tax}
}

type grantArrays struct{ op, other array }

func (a *grantArrays) add(op *Op, index int32) {
	if op.Kind == kindGrantOut || op.Kind == kindGrantIn {
		a.op.int4(index)
		a.other.int4(op.Other)
	}
}

func (a *grantArrays) list() []*array { return []*array{&a.op, &a.other} }
