package stock

import "slices"

// retryAfter is when an expiry that the ledger refused is tried again, in milliseconds.
const retryAfter = 1000

// Settle makes an operation final, or undoes it exactly, by what the ledger said, and returns what the client may be told.
// Operations are settled in the order in which they were applied.
//
// CodeReplay without a hold means that the ledger knows the request and this segment does not (its hold has ended, or the request was of
// another kind): the ledger's record of the request says what to answer.
func (s *Segment) Settle(op *Op, outcome Outcome, now int64) Answer {
	if op.Kind == KindGrantOut || op.Kind == KindGrantIn {
		return s.settleGrant(op, outcome)
	}
	slot, found := s.byID[op.Hold]
	if op.Kind == KindNote {
		return s.settleNote(op, outcome, slot, found, now)
	}
	if !found || s.at(slot).busy != op.Kind || s.at(slot).generation != op.Generation {
		// The segment was loaded anew since: what it has now is the truth.
		return Answer{Code: CodeBusy}
	}
	h := s.at(slot)
	h.busy = 0
	if outcome != OutcomeApplied {
		return s.undo(op, outcome, slot, h, now)
	}
	s.commitVersions(op, h)
	answer := Answer{Code: CodeOK}
	switch op.Kind {
	case KindLeg:
		h.tentative, h.since = false, now
		h.list = listLegs
		s.link(slot, h)
		answer.Rung, answer.Substituted = h.rung, h.substituted
	case KindHold:
		h.tentative = false
		s.arm(slot, h, h.deadline)
		answer.Rung, answer.Substituted = h.rung, h.substituted
	case KindExtend:
		h.deadline = op.Deadline
		s.arm(slot, h, h.deadline)
	case KindOrder:
		h.order = op.Order
	case KindPin:
		s.move(h, Paying)
		h.order, h.attempt = op.Order, op.Attempt
		if !h.leg {
			h.since = now
			s.unlink(slot, h)
			h.list = listPins
			s.link(slot, h)
		}
	case KindUnpin:
		if op.Free {
			return s.freeSeats(slot, h, op)
		}
		s.move(h, Held)
		if !h.leg {
			s.arm(slot, h, h.deadline)
		}
	case KindSell:
		s.move(h, Sold)
		s.unlink(slot, h)
	case KindRelease, KindExpire, KindRefund, KindUnleg:
		return s.freeSeats(slot, h, op)
	case KindGrantOut, KindGrantIn, KindNote:
	}
	answer.Hold = s.view(h)
	return answer
}

// commitVersions takes over the versions of the seats that an operation moved.
func (s *Segment) commitVersions(op *Op, h *hold) {
	if s.layout != nil {
		for _, m := range op.Moves {
			s.ver[m.Seat.Index()] = m.Ver
		}
		return
	}
	at := 0
	for _, m := range op.Moves { // both are in order of index
		for h.seats[at].index != m.Seat.Index() {
			at++
		}
		h.seats[at].ver = m.Ver
	}
}

// move turns all seats of a hold to another state.
func (s *Segment) move(h *hold, to State) {
	n := int32(len(h.seats))
	s.count(h.state, -n)
	s.count(to, n)
	h.state = to
}

// freeSeats gives the moved seats back to the pool and ends the hold when none is left.
// The answer shows the hold with what it keeps, none when it has ended.
func (s *Segment) freeSeats(slot uint32, h *hold, op *Op) Answer {
	s.count(h.state, -int32(len(op.Moves)))
	if len(op.Moves) == len(h.seats) {
		s.giveAll(h.seats)
		s.dropHold(slot)
		return Answer{Code: CodeOK}
	}
	var freed, kept []heldSeat
	for _, seat := range h.seats {
		if slices.ContainsFunc(op.Moves, func(m Move) bool { return m.Seat.Index() == seat.index }) {
			freed = append(freed, seat)
		} else {
			kept = append(kept, seat)
		}
	}
	s.giveAll(freed)
	h.seats = kept
	return Answer{Code: CodeOK, Hold: s.view(h)}
}

// giveAll makes seats available.
func (s *Segment) giveAll(seats []heldSeat) {
	if s.layout == nil {
		return
	}
	for _, seat := range seats {
		s.give(seat.index)
	}
	s.reindex(seats)
}

// undo restores what Apply changed and says why.
func (s *Segment) undo(op *Op, outcome Outcome, slot uint32, h *hold, now int64) Answer {
	answer := refusal(op, outcome)
	if op.Kind != KindHold && op.Kind != KindLeg {
		if op.Kind == KindExpire {
			s.arm(slot, h, now+retryAfter)
		}
		if outcome == OutcomeReplay {
			answer.Hold = s.view(h)
		}
		return answer
	}
	s.held -= int32(len(h.seats))
	s.giveAll(h.seats)
	s.dropHold(slot)
	return answer
}

// settleNote answers what was decided without moving a seat.
func (s *Segment) settleNote(op *Op, outcome Outcome, slot uint32, found bool, now int64) Answer {
	var answer Answer
	switch outcome {
	case OutcomeNotSold:
		return Answer{Code: CodeAllHeld, FreeEstimate: s.freeEstimate(now)}
	case OutcomeApplied:
		answer.Code = op.Refused
	case OutcomeReplay:
		answer.Code = CodeReplay
	default:
		return refusal(op, outcome)
	}
	if found && !s.at(slot).tentative {
		h := s.at(slot)
		answer.Hold = s.view(h)
		if answer.Code == CodeReplay {
			answer.Rung, answer.Substituted = h.rung, h.substituted
		}
	}
	return answer
}

// refusal is what the ledger's outcome means to the client.
func refusal(op *Op, outcome Outcome) Answer {
	if dimension, _ := outcome.Limit(); dimension != 0 {
		return outcome.LimitAnswer(op.Quotas)
	}
	switch outcome {
	case OutcomeReplay:
		return Answer{Code: CodeReplay}
	case OutcomeKeyReused:
		return Answer{Code: CodeKeyReused}
	case OutcomeHoldGone:
		return Answer{Code: CodeNoHold}
	case OutcomeOrderNo, OutcomeOrderOpen, OutcomeGrantGone, OutcomeNotTrying, OutcomeLegStays:
		return Answer{Code: CodeIllegal}
	case OutcomeLimitBusy:
		return Answer{Code: CodeLimitBusy}
	default: // not expired, order locked, fenced, or a value from a newer ledger: ask again
		return Answer{Code: CodeBusy}
	}
}
