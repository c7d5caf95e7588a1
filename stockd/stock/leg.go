package stock

// A leg is what a hold over several segments has in one of them. The hold's row in the ledger decides; a leg knows its try and nothing else of it: no
// deadline, no order before it is pinned. It follows: it is taken while the row is being tried with its try, and freed when the row was dropped, is
// tried anew, or has ended. Each of that is compared in the flush that does it.

// legLookMs is how long after it was last looked at the row of a leg is looked at again.
const legLookMs = 2000

// applyLegAgain answers a repeated wish for a leg that is there. One of an earlier try has to be freed first.
func (s *Segment) applyLegAgain(cmd *Command, h *hold) Effect {
	switch {
	case !h.leg:
		return refuse(CodeInvalid)
	case h.generation != cmd.Try:
		return refuse(CodeBusy)
	}
	return s.note(cmd, CodeReplay)
}

// applyUnleg frees a leg, if its row lets it. What is sold only a refund frees.
func (s *Segment) applyUnleg(cmd *Command, h *hold) Effect {
	if h.state != Held && h.state != Paying {
		return refuse(CodeInvalid)
	}
	op := s.newOp(cmd, KindUnleg)
	s.fill(op, h, h.seats, h.state, Available)
	h.busy = KindUnleg
	return Effect{Op: op}
}

// Legs returns up to limit legs whose hold's row was not looked at for a while, and counts them as looked at. After Load all are due.
func (s *Segment) Legs(now int64, limit int) []Leg {
	var due []Leg
	for s.legs != 0 && len(due) < limit {
		h := s.at(s.legs)
		if h.since+legLookMs > now {
			break
		}
		h.since = now
		s.legs = h.next // the ring's last now
		due = append(due, Leg{Hold: h.id, Try: h.generation})
	}
	return due
}
