package sim

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"slices"

	"github.com/google/uuid"

	"ticketrush/stockd/order"
	"ticketrush/stockd/owner"
	"ticketrush/stockd/stock"
)

var noID uuid.UUID

// flush is one call of the flush function: what is asked, and what becomes of it.
type flush struct {
	*Ledger
	batch  *owner.Batch
	status []int8 // of each work: 0 fenced, 1 applied, 2 applied before
	ops    []flushOp
	out    []stock.Outcome // of each operation
}

type flushOp struct {
	*stock.Op
	work, row int
}

// FlushResult is what became of a batch. Moved says that anything was written now.
type FlushResult struct {
	Works  []owner.WorkResult
	Resent []bool
}

// Fits is whether each work of the batch would pass the fence now.
func (l *Ledger) Fits(b *owner.Batch) []bool {
	fits := make([]bool, len(b.Works))
	for i := range b.Works {
		w := &b.Works[i]
		p := l.part(w.Part)
		fits[i] = p.epoch == w.Epoch && p.session == b.Session && p.seq == w.Seq-1
	}
	return fits
}

// Flush commits a batch, step by step as the function does: fence, requests, holds, orders, limits, rows, grants, counters, seats, sales,
// orders, chain.
func (l *Ledger) Flush(b *owner.Batch) (FlushResult, error) { return l.flushFenced(b, l.Fits(b)) }

// flushFenced is Flush with the fence's answer, which a mutant reads too early.
func (l *Ledger) flushFenced(b *owner.Batch, fits []bool) (FlushResult, error) {
	f := &flush{Ledger: l, batch: b, status: make([]int8, len(b.Works))}
	for i := range b.Works {
		for j, op := range b.Works[i].Ops {
			f.ops = append(f.ops, flushOp{Op: op, work: i, row: j})
		}
	}
	f.out = make([]stock.Outcome, len(f.ops))
	f.fence(fits)
	for _, step := range []func() error{f.requests, f.liveHolds, f.rowsAllow, f.ordersAllow, f.limits, f.writeHolds, f.moveGrants, f.writeSeats, f.endSold, f.soldOut, f.openOrders, f.chain} {
		if err := step(); err != nil {
			return FlushResult{}, err
		}
	}
	return f.result(), nil
}

// fence lets the works through whose partition is still the caller's and whose number is next. Of the others, those that were applied before
// have their recorded outcomes.
func (f *flush) fence(fits []bool) {
	for i := range f.batch.Works {
		w := &f.batch.Works[i]
		known := f.batches[batchKey{w.Part, w.Seq}]
		switch {
		case fits[i]:
			f.status[i] = 1
		case known != nil && (known.id == f.batch.ID || f.wrong == ResendBySeqOnly):
			f.status[i] = 2
		case f.wrong == NoFence && known == nil:
			f.status[i] = 1
		}
		for j := range f.ops {
			if f.ops[j].work != i || f.status[i] == 1 {
				continue
			}
			f.out[j] = stock.OutcomeFenced
			if f.status[i] == 2 && f.wrong != RefusalsLost && f.ops[j].row < len(known.outcomes) {
				f.out[j] = known.outcomes[f.ops[j].row]
			} else if f.status[i] == 2 {
				f.out[j] = stock.OutcomeApplied
			}
		}
	}
}

// open is whether an operation is still to be applied.
func (f *flush) open(i int) bool {
	return f.status[f.ops[i].work] == 1 && f.out[i] == stock.OutcomeApplied
}

// requests is the wall against a request that was applied before, by anybody.
func (f *flush) requests() error {
	for i := range f.ops {
		op := &f.ops[i]
		if !f.open(i) || op.Request.Key == noID {
			continue
		}
		key := requestKey{op.Request.Scope, op.Request.Key}
		known, found := f.keys[key]
		switch w := &f.batch.Works[op.work]; {
		case !found:
			f.keys[key] = keyRow{
				fingerprint: op.Request.Fingerprint, part: w.Part, seq: w.Seq, row: op.row, kind: op.Kind, hold: op.Hold, order: op.Order, refused: op.Refused,
			}
		case known.fingerprint == op.Request.Fingerprint:
			f.out[i] = stock.OutcomeReplay
		default:
			f.out[i] = stock.OutcomeKeyReused
		}
	}
	return nil
}

// liveHolds: extend, release, expire and order need a live hold. One with an order ends only together with it, while that is pending payment.
func (f *flush) liveHolds() error {
	for i := range f.ops {
		op := &f.ops[i]
		if !f.open(i) {
			continue
		}
		switch op.Kind {
		case stock.KindExtend, stock.KindRelease, stock.KindExpire, stock.KindOrder:
		default:
			continue
		}
		h := f.holds[op.Hold]
		if h == nil || h.state != holdHeld {
			f.out[i] = stock.OutcomeHoldGone
			continue
		}
		if op.Kind == stock.KindExpire && h.Deadline*1000 > f.Clock() {
			f.out[i] = stock.OutcomeNotExpired
			continue
		}
		if h.Order == noID || op.Kind == stock.KindExtend {
			continue
		}
		if err := f.withOrder(i, h); err != nil {
			return err
		}
	}
	return nil
}

// withOrder decides an operation on a hold that has an order.
func (f *flush) withOrder(i int, h *holdRow) error {
	op, o := &f.ops[i], f.orders[h.Order]
	switch {
	case op.Kind == stock.KindOrder:
		if o.State != order.Expired && o.State != order.Cancelled {
			f.out[i] = stock.OutcomeOrderOpen
		}
	case op.Kind == stock.KindRelease && op.Order != h.Order:
		f.out[i] = stock.OutcomeOrderNo
	case f.locked[h.Order] > 0:
		f.out[i] = stock.OutcomeOrderLocked
	case o.State == order.PendingPayment:
		to, event := order.Cancelled, order.EventCancel
		if op.Kind == stock.KindExpire {
			to, event = order.Expired, order.EventDeadline
		}
		return f.move(o, to, event, o.Attempt, o.PayingUntil, f.batch.Now)
	case o.State == order.Paying || o.State == order.Paid || o.State == order.Issued || o.State > order.Refunded:
		f.out[i] = stock.OutcomeOrderNo
	}
	return nil
}

// ordersAllow: pin, unpin, sell and refund need an order that allows them. A locked one is no answer.
func (f *flush) ordersAllow() error {
	for i := range f.ops {
		op := &f.ops[i]
		switch op.Kind {
		case stock.KindPin, stock.KindUnpin, stock.KindSell, stock.KindRefund:
		default:
			continue
		}
		switch {
		case !f.open(i):
		case !f.allows(op.Op, f.orders[op.Order]):
			f.out[i] = stock.OutcomeOrderNo
		case f.locked[op.Order] > 0:
			f.out[i] = stock.OutcomeOrderLocked
		}
	}
	return nil
}

// writeHolds writes the hold rows.
func (f *flush) writeHolds() error {
	for i := range f.ops {
		op := &f.ops[i]
		if !f.open(i) {
			continue
		}
		h := f.holds[op.Hold]
		switch op.Kind {
		case stock.KindHold:
			if h != nil {
				return broken("hold %v is inserted twice", op.Hold)
			}
			key := segmentKey{op.Event, op.Segment}
			h = &holdRow{
				HoldRow: stock.HoldRow{ID: op.Hold, Generation: op.Generation, Quantity: op.Quantity, Deadline: op.Deadline, MaxExpires: op.MaxExpires, Quotas: op.Quotas},
				segment: key, part: f.batch.Works[op.work].Part, state: holdHeld, remaining: -1, try: 1,
			}
			f.holds[op.Hold], f.segments[key].live[op.Hold] = h, h
		case stock.KindExtend:
			h.Deadline, h.remaining = op.Deadline, -1
		case stock.KindPin:
			if h != nil && !h.wide() {
				h.Attempt = op.Attempt
			}
		case stock.KindRelease, stock.KindExpire, stock.KindSell, stock.KindUnpin:
			if h != nil && h.state == holdHeld && !h.wide() && (op.Kind != stock.KindUnpin || op.Free) {
				h.state = holdEnded
				delete(f.segments[h.segment].live, h.ID)
			}
		}
	}
	return nil
}

// writeSeats moves the seats, each of which must be as the owner's memory believes, and the counters, sales and journal with them.
func (f *flush) writeSeats() error {
	for i := range f.ops {
		if !f.open(i) {
			continue
		}
		op := &f.ops[i]
		s := f.segments[segmentKey{op.Event, op.Segment}]
		for _, m := range op.Moves {
			if err := f.writeSeat(op, s, m); err != nil {
				return err
			}
		}
	}
	return nil
}

var legalMoves = map[stock.Kind][][2]stock.State{
	stock.KindHold: {{0, 1}}, stock.KindExtend: {{1, 1}}, stock.KindPin: {{1, 2}, {2, 2}}, stock.KindUnpin: {{2, 0}, {2, 1}},
	stock.KindRelease: {{1, 0}}, stock.KindExpire: {{1, 0}}, stock.KindSell: {{2, 3}}, stock.KindRefund: {{3, 0}},
	stock.KindLeg: {{0, 1}}, stock.KindUnleg: {{1, 0}, {2, 0}},
}

func (f *flush) writeSeat(op *flushOp, s *segmentRow, m stock.Move) error {
	seat := s.seats[m.Seat.Index()]
	takes := op.Kind == stock.KindHold || op.Kind == stock.KindLeg
	if takes && op.Area {
		if seat != nil {
			return broken("unit %d of segment %d is used twice", m.Seat.Index(), op.Segment)
		}
		seat = &seatRow{SeatRow: stock.SeatRow{Seat: m.Seat}}
		s.seats[m.Seat.Index()] = seat
	}
	fits := seat != nil && seat.Ver == m.Ver-1 && seat.State == m.From
	switch {
	case !fits || takes:
	case seat.Hold != op.Hold || seat.Generation != op.Generation:
		fits = false
	case op.Kind == stock.KindUnpin || op.Kind == stock.KindSell || op.Kind == stock.KindRefund:
		fits = seat.Order == op.Order && seat.Attempt == op.Attempt
	case op.Kind == stock.KindPin && m.From == stock.Paying:
		fits = seat.Order == op.Order && seat.Attempt < op.Attempt
	}
	if !fits || !slices.Contains(legalMoves[op.Kind], [2]stock.State{m.From, m.To}) {
		return broken("memory and ledger disagree: kind %d of hold %v asks %+v, the seat is %+v", op.Kind, op.Hold, m, seat)
	}
	s.count(m.From, -1)
	s.count(m.To, 1)
	seat.State, seat.Ver, seat.Type, seat.Generation = m.To, m.Ver, m.Type, op.Generation
	seat.Hold, seat.Order, seat.Attempt = op.Hold, noID, 0
	switch {
	case m.To == stock.Available:
		seat.Hold = noID
	case m.To >= stock.Paying:
		seat.Order, seat.Attempt = op.Order, op.Attempt
	}
	if s.held < 0 || s.paying < 0 || s.sold < 0 || s.held+s.paying+s.sold > s.capacity {
		return broken("segment %d is oversold: %d held, %d paying, %d sold of %d", op.Segment, s.held, s.paying, s.sold, s.capacity)
	}
	return f.writeSale(op, seat)
}

func (s *segmentRow) count(state stock.State, n int32) {
	switch state {
	case stock.Held:
		s.held += n
	case stock.Paying:
		s.paying += n
	case stock.Sold:
		s.sold += n
	case stock.Available:
	}
}

func (f *flush) writeSale(op *flushOp, seat *seatRow) error {
	switch op.Kind {
	case stock.KindSell:
		if seat.sold != nil {
			return broken("seat %d is sold twice", seat.Seat)
		}
		seat.sold = &saleRow{ver: seat.Ver, order: op.Order, seq: f.batch.Works[op.work].Seq}
		f.soldOf[op.Hold] = append(f.soldOf[op.Hold], seat.Seat)
	case stock.KindRefund:
		if seat.sold == nil {
			return broken("seat %d is refunded and was not sold", seat.Seat)
		}
		seat.sold = nil
	}
	return nil
}

// openOrders inserts the orders that were opened on live holds.
func (f *flush) openOrders() error {
	for i := range f.ops {
		op := &f.ops[i]
		if !f.open(i) || op.Kind != stock.KindOrder {
			continue
		}
		id, h := op.NewOrder.ID, f.holds[op.Hold]
		if f.orders[id] != nil {
			return broken("order %v is inserted twice", id)
		}
		f.insertOrder(op.NewOrder, h, f.batch.Now)
	}
	return nil
}

func (l *Ledger) insertOrder(n *stock.NewOrder, h *holdRow, now int64) {
	o := &Order{ID: n.ID, Event: h.segment.event, Hold: h.ID, State: order.PendingPayment, Ver: 1, UpdatedAt: now, Lines: n.Lines}
	for _, line := range o.Lines {
		o.Total += line.Face + line.Fee + line.Tax
	}
	l.orders[n.ID] = o
	h.Order = n.ID
}

// chain writes one row for each work that was applied. "Ask again" is no answer to remember.
func (f *flush) chain() error {
	for i := range f.ops {
		op := &f.ops[i]
		again := f.out[i] == stock.OutcomeOrderLocked || f.out[i] == stock.OutcomeLimitBusy
		if again && f.status[op.work] == 1 && op.Request.Key != noID {
			delete(f.keys, requestKey{op.Request.Scope, op.Request.Key})
		}
	}
	for i := range f.batch.Works {
		if f.status[i] != 1 {
			continue
		}
		w := &f.batch.Works[i]
		row := &batchRow{id: f.batch.ID, epoch: w.Epoch}
		for j := range f.ops {
			if f.ops[j].work == i {
				row.outcomes = append(row.outcomes, f.out[j])
			}
		}
		key, p := batchKey{w.Part, w.Seq}, f.part(w.Part)
		if f.batches[key] != nil {
			return broken("partition %d has two batches with number %d", w.Part, w.Seq)
		}
		row.hash = f.link(p.head, w, row.outcomes, f.digestOf(i))
		f.batches[key] = row
		p.seq, p.head = w.Seq, row.hash
	}
	return nil
}

func (f *flush) digestOf(i int) []byte {
	if f.Digest != nil {
		return f.Digest(f.batch, i)
	}
	w := &f.batch.Works[i]
	b := fmt.Appendf(nil, "%d", f.batch.Now)
	for _, op := range w.Ops {
		b = append(append(b, byte(op.Kind)), op.Hold[:]...)
		b = binary.BigEndian.AppendUint32(b, uint32(len(op.Moves)))
	}
	return b
}

// link is the hash of a row of the chain.
func (f *flush) link(prev [32]byte, w *owner.Work, outcomes []stock.Outcome, digest []byte) [32]byte {
	b := append(make([]byte, 0, 256), "ticketrush/batch/v1"...)
	b = binary.BigEndian.AppendUint32(b, uint32(w.Part))
	b = binary.BigEndian.AppendUint64(b, uint64(w.Seq))
	b = binary.BigEndian.AppendUint64(b, uint64(w.Epoch))
	b = append(append(append(b, f.batch.ID[:]...), prev[:]...), digest...)
	for _, o := range outcomes {
		b = binary.BigEndian.AppendUint16(b, uint16(o))
	}
	return sha256.Sum256(b)
}

func (f *flush) result() FlushResult {
	r := FlushResult{Works: make([]owner.WorkResult, len(f.batch.Works)), Resent: make([]bool, len(f.batch.Works))}
	for i := range r.Works {
		r.Works[i].Fenced, r.Resent[i] = f.status[i] == 0, f.status[i] == 2
	}
	for i := range f.ops {
		if w := &r.Works[f.ops[i].work]; !w.Fenced {
			w.Outcomes = append(w.Outcomes, f.out[i])
		}
	}
	return r
}
