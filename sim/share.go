package sim

import (
	"slices"
	"time"

	"github.com/google/uuid"

	"ticketrush/stockd/owner"
	"ticketrush/stockd/stock"
)

// What stockd/node does for areas with several segments (shares.go there), step by step: keep them in balance, gather, take what was left.

const (
	sharesEvery = 50 * time.Millisecond
	sharesPause = 250 * time.Millisecond
	shareTries  = 3
	gatherTries = 3
)

// tellCounts is how counts get around: late, and by the same way to everybody.
func (p *process) tellCounts(e owner.Changed) {
	for _, s := range e.Segments {
		if p.w.refs(s.Event, s.Segment) != nil && !p.peerCut {
			p.w.after(p.w.hop(), func() { p.w.counts[segmentKey{s.Event, s.Segment}] = s.Counts })
		}
	}
}

// keepShares sees to the grants that this process's segments want, and looks for grants that were left.
func (p *process) keepShares() {
	if p.dead {
		return
	}
	p.w.after(sharesEvery, p.keepShares)
	p.deliver(func() {
		divided := false
		for _, ref := range p.w.catalog {
			refs := p.w.refs(ref.Event, ref.Segment)
			divided = divided || refs != nil
			if refs != nil && p.on[ref.Part] > 0 {
				p.balance(ref, refs)
			}
		}
		if divided && p.w.chance(4) {
			p.takeLeft()
		}
	})
}

func (p *process) balance(ref owner.SegmentRef, refs []owner.SegmentRef) {
	key := segmentKey{ref.Event, ref.Segment}
	if p.w.now < p.pause[key] {
		return
	}
	var known []stock.Share
	opened := int32(0)
	for _, r := range refs {
		c := p.w.counts[segmentKey{r.Event, r.Segment}]
		known = append(known, stock.Share{No: r.Segment, Free: c.Free})
		opened += p.w.ledger.segments[segmentKey{r.Event, r.Segment}].opened
	}
	if g, ok := stock.Balance(ref.Segment, known, opened); ok {
		p.pause[key] = p.w.now + sharesPause
		p.grant(ref.Event, g, func(bool) {})
	}
}

// grant moves capacity: given at one owner, then taken at the other. What breaks off in between is found later. It is done when the giver had nothing,
// or what it gave has arrived.
func (p *process) grant(event stock.EventID, g stock.Grant, then func(done bool)) {
	p.w.ids++
	id := number(7, p.w.ids)
	cmd := stock.Command{Kind: stock.KindGrantOut, Event: event, Segment: g.From, Hold: id, Other: g.To, Ask: stock.Ask{Quantity: g.Quantity}}
	if p.w.plan.duplicates && p.w.chance(4) { // a second copy, as of a call that broke off
		p.w.after(p.w.between(0, 300*time.Millisecond), func() { p.deliver(func() { p.do(cmd, func(told) {}) }) })
	}
	p.do(cmd, func(t told) {
		if t.problem != owner.ProblemNone || t.Code != stock.CodeOK {
			then(t.problem == owner.ProblemNone && t.Code == stock.CodeAllHeld && !t.Moving)
			return
		}
		g.Quantity = t.Granted
		p.takeGrant(Untaken{id, event, g}, then)
	})
}

func (p *process) takeGrant(g Untaken, then func(done bool)) {
	cmd := stock.Command{Kind: stock.KindGrantIn, Event: g.Event, Segment: g.To, Hold: g.ID, Other: g.From, Ask: stock.Ask{Quantity: g.Quantity}}
	p.do(cmd, func(t told) { then(t.problem == owner.ProblemNone && t.Code != stock.CodeBusy) })
}

// takeLeft takes the grants for this process's segments that were on their way at the last look already.
func (p *process) takeLeft() {
	var left []Untaken
	p.query(func() { left = p.w.ledger.GrantsUntaken() }, func(ok bool) {
		if !ok {
			return
		}
		before := p.untaken
		p.untaken = map[uuid.UUID]bool{}
		for _, g := range left {
			p.untaken[g.ID] = true
			if before[g.ID] && p.on[stock.PartitionOf(g.Event, g.To)] > 0 {
				p.w.some[SawGrantLeft]++
				p.takeGrant(g, func(bool) {})
			}
		}
	})
}

// gather brings what is free in an area to its home, and says whether nothing was left elsewhere. Who asks while one gathering is under way waits for
// the next one.
func (p *process) gather(refs []owner.SegmentRef, then func(whole bool)) {
	key := segmentKey{refs[0].Event, refs[0].Segment}
	if waiting, under := p.gathers[key]; under {
		p.gathers[key] = append(waiting, then)
		return
	}
	p.gathers[key] = nil
	p.w.some[SawGathered]++
	p.bring(refs, func(whole bool) {
		then(whole)
		waiting := p.gathers[key]
		delete(p.gathers, key)
		if len(waiting) > 0 {
			p.gather(refs, func(whole bool) {
				for _, next := range waiting {
					next(whole)
				}
			})
		}
	})
}

// bring is one gathering. It is not whole when a segment could not be asked, nor when something was on its way between two others.
func (p *process) bring(refs []owner.SegmentRef, then func(whole bool)) {
	home, missed := refs[0], false
	part := func(one func()) func(bool) {
		return func(done bool) {
			missed = missed || !done
			one()
		}
	}
	p.underWay(refs, func(_ []Untaken, still bool) {
		missed = !still
		after(len(refs)-1, func() {
			p.underWay(refs, func(ours []Untaken, still bool) {
				missed = missed || !still
				after(len(ours), func() { then(!missed) }, func(i int, one func()) { p.takeGrant(ours[i], part(one)) })
			})
		}, func(i int, one func()) {
			p.grant(home.Event, stock.Grant{From: refs[i+1].Segment, To: home.Segment, Quantity: stock.All}, part(one))
		})
	})
}

// underWay reads the grants for the home of an area that are given and not taken; still is whether there are none for its other segments.
func (p *process) underWay(refs []owner.SegmentRef, then func(ours []Untaken, still bool)) {
	var left []Untaken
	p.query(func() { left = p.w.ledger.GrantsUntaken() }, func(ok bool) {
		var ours []Untaken
		for _, g := range left {
			switch {
			case g.Event == refs[0].Event && g.To == refs[0].Segment:
				ours = append(ours, g)
			case slices.ContainsFunc(refs, func(r owner.SegmentRef) bool { return r.Event == g.Event && r.Segment == g.To }):
				ok = false
			}
		}
		then(ours, ok)
	})
}

// after does n things at once and goes on when all are done.
func after(n int, then func(), do func(i int, one func())) {
	if n == 0 {
		then()
		return
	}
	left := n
	for i := range n {
		do(i, func() {
			if left--; left == 0 {
				then()
			}
		})
	}
}

// doInArea makes a hold in an area with several segments: where there seems to be enough, and at last at the home, where all was brought to.
func (p *process) doInArea(cmd stock.Command, refs []owner.SegmentRef, then func(told)) {
	likely := slices.DeleteFunc(slices.Clone(refs), func(r owner.SegmentRef) bool {
		c, known := p.w.counts[segmentKey{r.Event, r.Segment}]
		return known && c.Free < cmd.Ask.Quantity
	})
	p.w.rng.Shuffle(len(likely), func(i, j int) { likely[i], likely[j] = likely[j], likely[i] })
	p.tryShares(cmd, refs, likely[:min(len(likely), shareTries)], then)
}

func (p *process) tryShares(cmd stock.Command, refs, likely []owner.SegmentRef, then func(told)) {
	if len(likely) == 0 {
		p.atHome(cmd, refs, gatherTries, then)
		return
	}
	p.do(at(cmd, likely[0]), func(t told) {
		if t.problem != owner.ProblemNone || t.Code != stock.CodeAllHeld {
			then(t)
			return
		}
		p.tryShares(cmd, refs, likely[1:], then)
	})
}

// atHome asks the home for what no segment has alone.
func (p *process) atHome(cmd stock.Command, refs []owner.SegmentRef, tries int, then func(told)) {
	p.gather(refs, func(whole bool) {
		p.do(at(cmd, refs[0]), func(t told) {
			if t.problem == owner.ProblemNone && t.Code == stock.CodeAllHeld && (!whole || t.Moving) {
				if tries > 1 {
					p.atHome(cmd, refs, tries-1, then)
					return
				}
				t = told{problem: owner.ProblemMoving}
			}
			then(t)
		})
	})
}

// at is the same wish for another segment.
func at(cmd stock.Command, ref owner.SegmentRef) stock.Command {
	cmd.Segment = ref.Segment
	cmd.Hold = stock.NewCoordinatedID(ref.Part, cmd.Request.Scope, cmd.Request.Key, "hold")
	return cmd
}
