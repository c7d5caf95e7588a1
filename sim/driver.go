package sim

import (
	"fmt"
	"time"

	"ticketrush/stockd/owner"
	"ticketrush/stockd/stock"
)

// flush sends one batch on its lane and says what became of it. When time runs out the connection is closed, never the statement cancelled: the
// batch may still be committed, and is sent again.
func (p *process) flush(e owner.SendFlush) {
	w := p.w
	w.check.sent(p, e)
	answered := false
	answer := func(in owner.Input) {
		p.deliver(func() {
			if answered {
				return
			}
			answered = true
			if _, unknown := in.(owner.FlushUnknown); unknown {
				w.some[SawUnknown]++
			}
			if f, ok := in.(owner.Flushed); ok {
				w.check.sentAway(p, e.Batch, f.Results)
			}
			p.give(in)
		})
	}
	unknown := owner.FlushUnknown{Lane: e.Lane, Batch: e.Batch.ID}
	p.leave(func() {
		switch {
		case w.database.down:
			w.after(w.hop(), func() { answer(unknown) })
		case p.lost():
		default:
			p.atDatabase(e, answer)
		}
	})
	w.after(flushGiveUp, func() { answer(unknown) })
}

// atDatabase is a flush in the database. It waits for the rows of its partitions, locks them, and commits a while later.
func (p *process) atDatabase(e owner.SendFlush, answer func(owner.Input)) {
	w, l := p.w, p.w.ledger
	crash := w.database.crash
	for i := range e.Batch.Works {
		if l.flushing[e.Batch.Works[i].Part] > 0 && l.wrong != FenceWithoutLock {
			w.some[SawFlushWaits]++
			w.after(time.Millisecond, func() {
				if w.database.crash == crash {
					p.atDatabase(e, answer)
				}
			})
			return
		}
	}
	early := l.Fits(e.Batch)
	for i := range e.Batch.Works {
		if early[i] && l.wrong != FenceWithoutLock {
			l.flushing[e.Batch.Works[i].Part]++
		}
	}
	w.after(w.commitTime(), func() {
		if w.database.crash != crash {
			w.some[SawCrashedTransaction]++
			return
		}
		fits := l.Fits(e.Batch)
		for i := range e.Batch.Works {
			if early[i] && l.wrong != FenceWithoutLock {
				l.flushing[e.Batch.Works[i].Part]--
			}
		}
		if l.wrong == FenceWithoutLock {
			fits = early
		}
		in := p.commit(e, fits)
		if p.lost() {
			w.some[SawReplyLost]++
			return
		}
		w.after(w.hop(), func() {
			if !p.cutNow() && w.database.crash == crash {
				answer(in)
			} else {
				w.some[SawReplyLost]++
			}
		})
	})
}

// commit is the moment of a flush.
func (p *process) commit(e owner.SendFlush, fits []bool) owner.Input {
	w := p.w
	owned := w.ledger.Fits(e.Batch)
	results, err := w.ledger.flushFenced(e.Batch, fits)
	if err != nil {
		w.fail("the last line of the ledger fired at a flush of %s: %v", p.name, err)
		return owner.FlushRefused{Lane: e.Lane, Batch: e.Batch.ID, Cause: err.Error()}
	}
	for i, r := range results.Works {
		switch {
		case r.Fenced:
			w.some[SawFenced]++
		case results.Resent[i]:
			w.some[SawResendFound]++
		case e.Resend > 0:
			w.some[SawResendApplied]++
		}
	}
	w.check.committed(p, e.Batch, results, owned)
	return owner.Flushed{Lane: e.Lane, Batch: e.Batch.ID, Results: results.Works}
}

// claim takes partitions. Only those with stock are in the simulated ledger, unless the plan says all: the others belong to a node elsewhere.
func (p *process) claim(e owner.ClaimParts) {
	w, l := p.w, p.w.ledger
	var got []owner.Claim
	var early []LoadedSegment
	asked := e.Parts
	if !w.plan.wholeHouse {
		asked = nil
		for _, part := range e.Parts {
			if w.check.hasStock(part) {
				asked = append(asked, part)
			}
		}
	}
	begin := func() (end func()) {
		if l.wrong == LoadBeforeBump { // one statement has one snapshot: of its beginning
			early = l.Load(asked, nil)
		}
		return func() {}
	}
	p.queryIn(callGiveUp, begin, func() {
		got = l.Claim(e.Session, p.id, asked)
		w.check.claimed(e.Session, got)
	}, func(ok bool) {
		if !ok {
			w.some[SawClaimFailed]++
			p.give(owner.ClaimFailed{Asked: e.Parts})
			return
		}
		if l.wrong == LoadBeforeBump {
			p.keepEarly(early)
		}
		p.give(owner.Claimed{Session: e.Session, Asked: e.Parts, Got: got})
	})
}

// keepEarly keeps what a claim has loaded in its own statement, for the load that follows.
func (p *process) keepEarly(loaded []LoadedSegment) {
	if p.w.check.early == nil {
		p.w.check.early = map[*process]map[segmentKey]LoadedSegment{}
	}
	kept := map[segmentKey]LoadedSegment{}
	for _, s := range loaded {
		kept[segmentKey{s.Event, s.Segment}] = s
	}
	p.w.check.early[p] = kept
}

func (p *process) load(e owner.Load) {
	var parts []stock.PartitionID
	for _, pe := range e.Parts {
		parts = append(parts, pe.Part)
	}
	var loaded []LoadedSegment
	p.query(func() { loaded = p.w.ledger.Load(parts, nil) }, func(ok bool) {
		if !ok {
			p.w.some[SawLoadFailed]++
			p.give(owner.LoadFailed{Parts: e.Parts})
			return
		}
		for i, s := range loaded {
			if early, ok := p.w.check.early[p][segmentKey{s.Event, s.Segment}]; ok {
				loaded[i] = early
			}
		}
		p.give(owner.Loaded{Parts: p.build(e.Parts, loaded)})
	})
}

func (p *process) loadSegments(e owner.LoadSegments) {
	var parts []stock.PartitionID
	for _, pe := range e.Parts {
		parts = append(parts, pe.Part)
	}
	var loaded []LoadedSegment
	p.query(func() { loaded = p.w.ledger.Load(parts, e.Segments) }, func(ok bool) {
		if !ok {
			p.give(owner.LoadFailed{Parts: e.Parts, Added: true})
			p.w.after(200*time.Millisecond, func() { p.give(owner.Segments{All: p.w.catalog}) }) // asks again
			return
		}
		p.w.some[SawSegmentsAdded]++
		p.give(owner.Loaded{Parts: p.build(e.Parts, loaded), Added: true})
	})
}

// build makes engines out of rows, partition by partition.
func (p *process) build(parts []owner.PartEpoch, loaded []LoadedSegment) []owner.LoadedPart {
	out := make([]owner.LoadedPart, len(parts))
	index := make(map[stock.PartitionID]int, len(parts))
	for i, pe := range parts {
		out[i] = owner.LoadedPart{Part: pe.Part, Epoch: pe.Epoch}
		index[pe.Part] = i
	}
	now := p.wall()
	for _, s := range loaded {
		part := &out[index[s.Part]]
		engine := stock.NewShare(s.Event, s.Segment, s.Home, s.Capacity)
		if !s.Area {
			engine = stock.NewSegment(hallOf(s.Segment), s.Event, s.Segment)
		}
		holds := make([]stock.HoldRow, 0, len(s.Holds))
		for i := range s.Holds {
			holds = append(holds, p.rearm(&s.Holds[i], now))
			if s.Holds[i].Leg {
				p.w.some[SawTakeOverWithLegs]++
				if s.Holds[i].State == holdTrying {
					p.w.some[SawTakeOverWhileTrying]++
				}
			} else if s.Holds[i].State == holdHeld {
				p.w.some[SawTakeOverWithHolds]++
				if s.Holds[i].RemainingMs >= 0 {
					p.w.some[SawHandOffWithHolds]++
				}
				if s.Holds[i].Attempt > 0 {
					p.w.some[SawTakeOverWithPins]++
				}
			}
		}
		if err := engine.Load(s.Seats, holds, s.NextUnit); err != nil {
			part.Err = fmt.Errorf("event %d segment %d: %w", s.Event, s.Segment, err)
			continue
		}
		p.engines[loadedKey{segmentKey{s.Event, s.Segment}, part.Epoch}] = engine
		part.Segments = append(part.Segments, owner.LoadedSegment{Event: s.Event, Segment: s.Segment, Engine: engine})
	}
	return out
}

// rearm decides how long a loaded hold has: what was left at a hand-off; after a crash its full life anew, never past its maximum and one
// session, and never shorter than the row says.
func (p *process) rearm(h *LoadedHold, now int64) stock.HoldRow {
	row := h.HoldRow
	if row.Leg {
		return row
	}
	deadline, latest := now+holdTTL, h.MaxExpires+sessionTTL.Milliseconds()
	if h.RemainingMs >= 0 {
		deadline, latest = now+h.RemainingMs, latest+sessionTTL.Milliseconds()
	}
	row.Deadline = max(row.Deadline, min(deadline, latest))
	return row
}

func (p *process) release(e owner.Release) {
	out := owner.Released{}
	for _, part := range e.Parts {
		out.Parts = append(out.Parts, owner.PartEpoch{Part: part.Part, Epoch: part.Epoch})
	}
	p.query(func() { p.w.ledger.Release(e.Session, e.Parts) }, func(ok bool) {
		if !ok {
			p.w.some[SawReleaseFailed]++
		}
		out.Failed = !ok
		p.give(out)
	})
}
