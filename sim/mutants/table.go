package mutants

// mutant is one change of one file. Old must occur in it exactly once.
type mutant struct {
	name string
	file string // from the root
	old  string
	new  string
}

// table are the mutants of stockd/owner and stockd/stock.
var table = []mutant{
	{
		name: "unknown-is-failed", file: "stockd/owner/settle.go", // a commit whose answer is lost counts as not made
		old: "	l.unknown = true\n	l.again = c.now.Mono + min(",
		new: `	f := l.flight
	l.flight = nil
	for _, ops := range f.works {
		for _, o := range ops {
			o.segment.engine.Settle(o.op, stock.OutcomeFenced, c.now.Wall)
		}
		c.again(ops)
	}
	return
	l.unknown = true
	l.again = c.now.Mono + min(`,
	},
	{
		name: "memory-ack", file: "stockd/owner/request.go", // yes is said before the commit
		old: "	c.fly(&operation{request: r, op: effect.Op, tenure: t, segment: s})",
		new: `	c.fly(&operation{request: r, op: effect.Op, tenure: t, segment: s})
	c.answer(r, stock.Answer{Code: stock.CodeOK, Seq: t.seq + 1})`,
	},
	{
		name: "deadline-at-reply", file: "stockd/owner/session.go", // a lease counts from when its renewal was heard of
		old: "	s.deadline = max(s.deadline, c.until(in.Sent))",
		new: "	s.deadline = max(s.deadline, c.until(c.now.Mono))",
	},
	{
		name: "final-from-memory", file: "stockd/stock/apply.go", // a final no is said without a commit
		old: "	op := s.newOp(cmd, KindNote)",
		new: "	if code != CodeReplay && code != CodeSoldOut {\n		return refuse(code)\n	}\n	op := s.newOp(cmd, KindNote)",
	},
	{
		name: "sold-out-from-memory", file: "stockd/stock/apply.go",
		old: "	if answer.Code == CodeSoldOut {\n		return s.note(cmd, CodeSoldOut)\n	}",
		new: "",
	},
	{
		name: "seq-used-twice", file: "stockd/owner/tenure.go", // a new tenure begins one number too early
		old: "epoch: claim.Epoch, seq: claim.Seq, since: now,",
		new: "epoch: claim.Epoch, seq: max(claim.Seq-1, 0), since: now,",
	},
	{
		name: "fenced-keeps-serving", file: "stockd/owner/settle.go", // who is fenced goes on with the memory it has
		old: "		c.drop(t.part, c.now.Mono)\n	}\n	c.again(ops)",
		new: "		t.seq += 0\n	}\n	c.again(ops)",
	},
	{
		name: "undo-keeps-seats", file: "stockd/stock/settle.go", // a hold that the ledger refused keeps its seats
		old: "	s.held -= int32(len(h.seats))\n	s.giveAll(h.seats)\n	s.dropHold(slot)\n	return answer",
		new: "	s.dropHold(slot)\n	return answer",
	},
	{
		name: "refused-grant-is-lost", file: "stockd/stock/share.go", // what the ledger did not let go is gone all the same
		old: "	if (outcome == OutcomeApplied) == (op.Kind == KindGrantIn) {",
		new: "	if outcome == OutcomeApplied && op.Kind == KindGrantIn {",
	},
	{
		name: "given-and-kept", file: "stockd/stock/share.go", // what is given away is sold here as well
		old: "		s.capacity -= n\n",
		new: "",
	},
	{
		name: "pin-of-any-attempt", file: "stockd/stock/apply.go", // memory sells and unpins whatever attempt has pinned
		old: "cmd.Kind != KindPin && cmd.Attempt != h.attempt:",
		new: "cmd.Kind != KindPin && cmd.Attempt > h.attempt:",
	},
	{
		name: "leg-kept-without-its-hold", file: "stockd/owner/legs.go", // nobody asks what became of a leg's hold
		old: "	if len(legs) > 0 {\n		c.emit(FollowLegs{Legs: legs})\n	}",
		new: "",
	},
	{
		name: "wide-memory-ack", file: "stockd/owner/wide.go", // all legs are in, and yes is said before the row has it
		old: "	if w.at == len(w.Legs) {\n		w.state = wideCommits\n	}",
		new: "	if w.at == len(w.Legs) {\n		w.view.Deadline = 1 << 60\n		w.answer.Code, w.answer.Hold, w.state = stock.CodeOK, &w.view, wideOver\n	}",
	},
	{
		name: "wide-unknown-is-held", file: "stockd/owner/wide.go", // a commit whose answer is lost counts as made
		old: "		w.away, w.state = ProblemLedgerAway, wideDrops\n	case code == 0:",
		new: "		w.answer.Code, w.answer.Hold, w.state = stock.CodeOK, &w.view, wideOver\n	case code == 0:",
	},
	{
		name: "leg-forgets-its-documents", file: "stockd/stock/load.go", // a leg that was loaded does not know which of its seats a document stands for
		old: "	s.generation = max(s.generation, row.Generation)\n	return nil",
		new: `	if row.Leg {
		h.quotas = nil
		for _, q := range row.Quotas {
			if !isDocument(q) {
				h.quotas = append(h.quotas, q)
			}
		}
	}
	s.generation = max(s.generation, row.Generation)
	return nil`,
	},
	{
		name: "documents-of-another-leg", file: "stockd/stock/quota.go", // seats of a leg that come back give back documents of other seats as well
		old: "		if !isDocument(q) || slices.ContainsFunc(seats,",
		new: "		if !isDocument(q) || h.leg || slices.ContainsFunc(seats,",
	},
	{
		name: "part-comes-back-whole", file: "stockd/stock/apply.go", // of an order of which a part is refunded all seats are asked back
		old: "	if len(cmd.Ask.Seats) == 0 {\n		return Effect{Op: s.start(cmd, h, Available)}\n	}",
		new: "	if len(cmd.Ask.Seats) >= 0 {\n		return Effect{Op: s.start(cmd, h, Available)}\n	}",
	},
	{
		name: "part-gives-all-documents-back", file: "stockd/stock/apply.go", // seats that come back give back the documents of the others as well
		old: "op.Order, op.Attempt, op.Quotas = h.order, h.attempt, s.quotasFor(h, seats)",
		new: "op.Order, op.Attempt, op.Quotas = h.order, h.attempt, s.quotasFor(h, h.seats)",
	},
}
