package stock

import (
	"slices"
	"time"

	"github.com/google/uuid"
)

// lifeMax bounds the life of a hold, in milliseconds, far above what anybody configures: a year.
const lifeMax = 366 * 24 * 3600 * 1000

// opBox is one allocation for an operation and its moves.
type opBox struct {
	op    Op
	moves [4]Move
}

func (s *Segment) newOp(cmd *Command, kind Kind) *Op {
	box := &opBox{op: Op{
		Kind: kind, Event: s.event, Segment: s.no, Area: s.layout == nil, Hold: cmd.Hold, Request: cmd.Request,
	}}
	box.op.Moves = box.moves[:0]
	return &box.op
}

// refuse is an answer from memory: nothing of it may be final.
func refuse(code Code) Effect { return Effect{Answer: Answer{Code: code}} }

// note is a final answer: it must be committed first, so that an owner that has been overtaken cannot give it.
func (s *Segment) note(cmd *Command, code Code) Effect {
	op := s.newOp(cmd, KindNote)
	op.Refused = code
	if slot, ok := s.byID[cmd.Hold]; ok {
		h := s.at(slot)
		op.Generation, op.Order, op.Attempt = h.generation, h.order, h.attempt
	}
	if code == CodeSoldOut {
		// Not remembered under the key: a return may make the same request possible.
		op.Request = Request{}
	}
	return Effect{Op: op}
}

// Apply decides one command. now is Unix milliseconds. What it returns stays tentative until Settle; a command for a hold that has an
// operation under way is answered CodeBusy. The command's quotas are kept: the caller must not change them afterwards.
func (s *Segment) Apply(cmd Command, now int64) Effect {
	if cmd.Event != s.event || cmd.Segment != s.no || cmd.Hold == (uuid.UUID{}) {
		return refuse(CodeInvalid)
	}
	if cmd.Kind == KindGrantOut || cmd.Kind == KindGrantIn {
		return s.applyGrant(&cmd)
	}
	slot, found := s.byID[cmd.Hold]
	if found && s.at(slot).busy != 0 {
		return refuse(CodeBusy)
	}
	switch {
	case cmd.Kind == KindLeg && found:
		return s.applyLegAgain(&cmd, s.at(slot))
	case cmd.Kind == KindHold && found:
		return s.applyAgain(&cmd, s.at(slot))
	case cmd.Kind == KindHold, cmd.Kind == KindLeg:
		return s.applyHold(&cmd, now)
	}
	if !found {
		if cmd.Kind == KindExpire || cmd.Kind == KindUnleg {
			return refuse(CodeNoHold) // the owner's own command: nobody waits for it
		}
		return s.note(&cmd, CodeNoHold)
	}
	return s.applyChange(&cmd, slot, s.at(slot), now)
}

// applyAgain answers a repeated request for a hold that is there. When the hold was loaded its fingerprint is not known;
// then the ledger, which keeps it, refuses another payload.
func (s *Segment) applyAgain(cmd *Command, h *hold) Effect {
	if h.fingerprint != (uuid.UUID{}) && h.fingerprint != cmd.Request.Fingerprint {
		return refuse(CodeKeyReused)
	}
	return s.note(cmd, CodeReplay)
}

// applyHold chooses seats for a new hold and takes them.
func (s *Segment) applyHold(cmd *Command, now int64) Effect {
	ask := &cmd.Ask
	if !validAsk(ask) || !validQuotas(cmd.Quotas, ask) || cmd.MaxTTL < 0 || cmd.MaxTTL > lifeMax {
		return refuse(CodeInvalid)
	}
	if leg := cmd.Kind == KindLeg; leg && cmd.Try < 1 || !leg && (cmd.TTL <= 0 || cmd.TTL > lifeMax) {
		return refuse(CodeInvalid)
	}
	var chosen choice
	var answer Answer
	switch {
	case s.layout == nil:
		chosen, answer = s.chooseUnits(ask, now)
	case len(ask.Seats) > 0:
		chosen, answer = s.chooseNamed(ask)
	default:
		chosen, answer = s.chooseBest(ask, now)
	}
	if answer.Code == CodeSoldOut {
		return s.note(cmd, CodeSoldOut)
	}
	if answer.Code != CodeOK {
		return Effect{Answer: answer}
	}
	slot, h := s.newHold(cmd.Hold)
	h.fingerprint, h.quotas = cmd.Request.Fingerprint, s.quotasOf(cmd.Quotas, chosen.seats)
	if h.leg = cmd.Kind == KindLeg; h.leg {
		h.generation = cmd.Try
	} else {
		s.generation++
		h.generation = s.generation
		h.deadline = now + cmd.TTL
		h.maxExpires = now + max(cmd.MaxTTL, cmd.TTL)
	}
	h.state, h.tentative, h.busy = Held, true, cmd.Kind
	h.rung, h.substituted = chosen.rung, chosen.substituted
	h.seats = append(h.seats, chosen.seats...)
	s.chosen = chosen.seats[:0]
	s.held += int32(len(h.seats))
	if s.layout != nil {
		for _, seat := range h.seats {
			s.take(slot, seat.index)
		}
		s.reindex(h.seats)
	}
	op := s.newOp(cmd, cmd.Kind)
	if h.leg {
		op.Quotas = documentsOf(h.quotas) // counted by now; the hold's row learns which seats they stand for
	} else {
		op.Quotas, op.Deadline, op.MaxExpires = h.quotas, h.deadline, h.maxExpires
	}
	s.fill(op, h, h.seats, Available, Held)
	return Effect{Op: op}
}

// fill writes which seats an operation moves.
func (s *Segment) fill(op *Op, h *hold, seats []heldSeat, from, to State) {
	op.Generation, op.Leg = h.generation, h.leg
	op.Quantity = int32(len(seats))
	for _, seat := range seats {
		op.Moves = append(op.Moves, Move{Seat: NewSeatID(s.no, seat.index), Ver: s.version(seat) + 1, From: from, To: to, Type: seat.typ})
	}
}

// version is how often a seat or unit has moved.
func (s *Segment) version(seat heldSeat) int32 {
	if s.layout == nil {
		return seat.ver
	}
	return s.ver[seat.index]
}

// applyChange decides a command for a hold that is there and idle.
func (s *Segment) applyChange(cmd *Command, slot uint32, h *hold, now int64) Effect {
	if wide := cmd.Kind == KindExtend || cmd.Kind == KindOrder || cmd.Kind == KindRelease || cmd.Kind == KindExpire; h.leg && wide || !h.leg && cmd.Kind == KindUnleg {
		return refuse(CodeInvalid) // of a hold over several segments its row decides these
	}
	switch cmd.Kind {
	case KindExtend:
		return s.applyExtend(cmd, h, now)
	case KindOrder:
		return s.applyOrder(cmd, h, now)
	case KindRelease:
		return s.applyRelease(cmd, h)
	case KindExpire:
		if h.state != Held || h.deadline > now {
			return refuse(CodeIllegal)
		}
		op := s.start(cmd, h, Available)
		op.Order = h.order
		return Effect{Op: op}
	case KindPin, KindUnpin, KindSell:
		return s.applyPayment(cmd, h, now)
	case KindRefund:
		return s.applyRefund(cmd, h)
	case KindUnleg:
		return s.applyUnleg(cmd, h)
	case KindHold, KindGrantOut, KindGrantIn, KindNote, KindLeg:
	}
	return refuse(CodeInvalid)
}

// start begins an operation that moves all seats of the hold.
func (s *Segment) start(cmd *Command, h *hold, to State) *Op {
	op := s.newOp(cmd, cmd.Kind)
	op.Order, op.Attempt = h.order, h.attempt
	if to == Available {
		op.Quotas = s.quotasFor(h, h.seats)
	}
	s.fill(op, h, h.seats, h.state, to)
	h.busy = cmd.Kind
	return op
}

func (s *Segment) applyExtend(cmd *Command, h *hold, now int64) Effect {
	switch {
	case cmd.TTL <= 0 || cmd.TTL > lifeMax:
		return refuse(CodeInvalid)
	case h.state != Held:
		return s.note(cmd, CodeIllegal)
	case h.deadline <= now:
		return s.note(cmd, CodeHoldExpired)
	}
	op := s.newOp(cmd, KindExtend)
	op.Generation, op.Quantity, op.Order = h.generation, int32(len(h.seats)), h.order
	op.Deadline = max(h.deadline, min(now+cmd.TTL, h.maxExpires))
	op.MaxExpires = h.maxExpires
	h.busy = KindExtend
	return Effect{Op: op}
}

func (s *Segment) applyOrder(cmd *Command, h *hold, now int64) Effect {
	switch {
	case cmd.NewOrder == nil || !s.sameSeats(cmd.NewOrder.Lines, h):
		return refuse(CodeInvalid)
	case h.order == cmd.NewOrder.ID:
		return s.note(cmd, CodeReplay)
	case h.order != (uuid.UUID{}) || h.state != Held:
		return s.note(cmd, CodeIllegal)
	case h.deadline <= now:
		return s.note(cmd, CodeHoldExpired)
	}
	op := s.newOp(cmd, KindOrder)
	op.Generation, op.Quantity, op.Deadline, op.MaxExpires = h.generation, int32(len(h.seats)), h.deadline, h.maxExpires
	op.Order, op.NewOrder = cmd.NewOrder.ID, cmd.NewOrder
	h.busy = KindOrder
	return Effect{Op: op}
}

// sameSeats is whether the lines of an order are the hold's seats, each once.
func (s *Segment) sameSeats(lines []OrderLine, h *hold) bool {
	if len(lines) != len(h.seats) {
		return false
	}
	indexes := make([]int32, 0, len(lines))
	for _, line := range lines {
		if line.Seat.Segment() != s.no {
			return false
		}
		indexes = append(indexes, line.Seat.Index())
	}
	slices.Sort(indexes)
	return slices.EqualFunc(indexes, h.seats, func(i int32, seat heldSeat) bool { return i == seat.index })
}

// applyRelease gives the seats back on request. An ordered hold is released only together with its order, which the command then names.
func (s *Segment) applyRelease(cmd *Command, h *hold) Effect {
	switch {
	case h.state != Held || cmd.Order == (uuid.UUID{}) && h.order != (uuid.UUID{}):
		return s.note(cmd, CodeIllegal)
	case cmd.Order != h.order:
		return s.note(cmd, CodeHoldNotYours)
	}
	return Effect{Op: s.start(cmd, h, Available)}
}

// applyPayment decides pin, unpin and sell. None of them compares the deadline: from pin on only the order ends the hold, and the order
// left pending_payment before the pin was asked for.
func (s *Segment) applyPayment(cmd *Command, h *hold, now int64) Effect {
	if cmd.Order == (uuid.UUID{}) {
		return refuse(CodeInvalid)
	}
	// A leg does not know the order of its hold before it is pinned, nor does a hold that an order took over: the ledger compares the two.
	if cmd.Order != h.order && (cmd.Kind != KindPin || h.state != Held || !h.leg && h.order != (uuid.UUID{})) {
		return s.note(cmd, CodeHoldNotYours)
	}
	from, to := Paying, Sold
	switch cmd.Kind {
	case KindPin:
		from, to = Held, Paying
		if h.state == Paying && cmd.Attempt > h.attempt {
			from = Paying // a later attempt's pin replaces an earlier one
		}
	case KindUnpin:
		to = Held
		if cmd.Free {
			to = Available
		}
	default:
	}
	switch {
	case h.state == to && h.attempt == cmd.Attempt:
		return s.note(cmd, CodeReplay)
	case h.state != from, cmd.Kind == KindPin && cmd.Attempt < h.attempt, cmd.Kind != KindPin && cmd.Attempt != h.attempt:
		return s.note(cmd, CodeIllegal)
	}
	if h.leg && cmd.Free {
		return refuse(CodeInvalid) // a leg is freed with its hold
	}
	op := s.start(cmd, h, to)
	op.Order, op.Attempt, op.Free = cmd.Order, cmd.Attempt, cmd.Free
	op.Deadline = h.deadline
	return Effect{Op: op}
}

// applyRefund frees sold seats: those that the command names, or all.
func (s *Segment) applyRefund(cmd *Command, h *hold) Effect {
	if cmd.Order != h.order {
		return s.note(cmd, CodeHoldNotYours)
	}
	if h.state != Sold {
		return s.note(cmd, CodeIllegal)
	}
	if len(cmd.Ask.Seats) == 0 {
		return Effect{Op: s.start(cmd, h, Available)}
	}
	var seats []heldSeat
	for _, ask := range cmd.Ask.Seats {
		at, ok := slices.BinarySearchFunc(h.seats, ask.Seat.Index(), func(seat heldSeat, i int32) int { return int(seat.index - i) })
		if !ok || ask.Seat.Segment() != s.no {
			return s.note(cmd, CodeHoldNotYours)
		}
		seats = append(seats, h.seats[at])
	}
	slices.SortFunc(seats, func(a, b heldSeat) int { return int(a.index - b.index) })
	if len(slices.CompactFunc(slices.Clone(seats), func(a, b heldSeat) bool { return a.index == b.index })) != len(seats) {
		return refuse(CodeInvalid)
	}
	op := s.newOp(cmd, KindRefund)
	op.Order, op.Attempt, op.Quotas = h.order, h.attempt, s.quotasFor(h, seats)
	s.fill(op, h, seats, Sold, Available)
	h.busy = KindRefund
	return Effect{Op: op}
}

// freeEstimate is how long until the first held seats may come back.
func (s *Segment) freeEstimate(now int64) time.Duration {
	deadline, ok := s.nextDeadline()
	if !ok {
		return 0
	}
	return time.Duration(max(deadline-now, 0)) * time.Millisecond
}
