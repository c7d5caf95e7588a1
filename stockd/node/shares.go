package node

import (
	"context"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"

	"ticketrush/ledger"
	"ticketrush/stockd/stock"
)

// shares is what this node remembers of the segments of areas that have several.
type shares struct {
	mu        sync.Mutex
	gathering map[segmentKey]*gathering // by home; no more than there are areas
	// Only runShares uses these.
	pause map[segmentKey]time.Time   // a segment is left alone until then
	seen  map[uuid.UUID]ledger.Grant // untaken at the last look
}

// gathering is the gathering of one area at its home. mu is held while one is under way.
type gathering struct {
	mu    sync.Mutex
	began time.Time
	whole bool // of the last one: nothing that is free was left elsewhere
}

const (
	sharesEvery  = 100 * time.Millisecond
	untakenEvery = time.Second
	untakenMax   = 256                    // grants taken over after a crash, at a time
	sharesPause  = 500 * time.Millisecond // after a grant, until the counts have it
	gatherEvery  = 20 * time.Millisecond  // of one area, at most
	shareTries   = 3                      // segments asked for one wish before the area is gathered
	gatherTries  = 3                      // for one wish, while something was not brought
)

// runShares keeps the segments of areas that this node owns in balance, and takes the grants that somebody's end has left on their way.
func (n *Node) runShares() {
	n.shares.pause, n.shares.seen = map[segmentKey]time.Time{}, map[uuid.UUID]ledger.Grant{}
	tick := time.NewTicker(sharesEvery)
	defer tick.Stop()
	looked := time.Now()
	for {
		select {
		case <-n.ctx.Done():
			return
		case <-tick.C:
		}
		divided := false
		for _, e := range n.Catalog().Events() {
			for i := range e.Segments {
				if len(e.Segments[i].Shares) > 0 {
					divided = true
					n.balanceArea(e, &e.Segments[i])
				}
			}
		}
		if divided && time.Since(looked) >= untakenEvery {
			looked = time.Now()
			n.takeLeft()
		}
	}
}

// balanceArea sees to the grants that this node's segments of an area want.
func (n *Node) balanceArea(e *Event, home *Segment) {
	mine := slices.DeleteFunc(slices.Clone(home.Shares), func(no stock.SegmentNo) bool { return !n.Local(e.Segment(no).Part) })
	if len(mine) == 0 {
		return
	}
	counts, _, stale := n.Counts(e.Number)
	if stale {
		return
	}
	known, opened := make([]stock.Share, 0, len(home.Shares)), int32(0)
	for _, no := range home.Shares {
		known = append(known, stock.Share{No: no, Free: counts[no].Free})
		opened += e.Segment(no).Capacity
	}
	now := time.Now()
	for _, no := range mine {
		key := segmentKey{e.Number, no}
		if now.Before(n.shares.pause[key]) {
			continue
		}
		if g, ok := stock.Balance(no, known, opened); ok {
			n.shares.pause[key] = now.Add(sharesPause)
			n.tasks.Go(func() {
				ctx, cancel := context.WithTimeout(n.ctx, n.cfg.QueueWait)
				defer cancel()
				n.grant(ctx, e.Number, g)
			})
		}
	}
}

// grant moves capacity: it is given at one owner and taken at another. When that breaks off in between, it is taken by whoever looks for what was
// left; so nothing of it has to be tried again. done is whether the giver had nothing, or what it gave has arrived.
func (n *Node) grant(ctx context.Context, event stock.EventID, g stock.Grant) (done bool) {
	id := uuid.New()
	a, err := n.Do(ctx, stock.Command{Kind: stock.KindGrantOut, Event: event, Segment: g.From, Hold: id, Other: g.To, Ask: stock.Ask{Quantity: g.Quantity}})
	if err != nil || a.Code != stock.CodeOK {
		if err != nil {
			n.log.Debug("a segment could not be asked for capacity", "event", event, "segment", g.From, "error", err)
		}
		return err == nil && a.Code == stock.CodeAllHeld && !a.Moving
	}
	return n.take(ctx, ledger.Grant{ID: id, Event: int32(event), From: int32(g.From), To: int32(g.To), N: a.Granted})
}

// take credits a grant at the segment that it is for, and says whether it is there.
func (n *Node) take(ctx context.Context, g ledger.Grant) bool {
	a, err := n.Do(ctx, stock.Command{
		Kind: stock.KindGrantIn, Event: stock.EventID(g.Event), Segment: stock.SegmentNo(g.To), Hold: g.ID, Other: stock.SegmentNo(g.From), Ask: stock.Ask{Quantity: g.N},
	})
	switch {
	case err != nil:
		n.log.Debug("a grant was not taken: it is found later", "grant", g.ID, "error", err)
	case a.Code == stock.CodeOK:
		n.metrics.granted.Add(float64(a.Granted))
	}
	return err == nil && a.Code != stock.CodeBusy
}

// takeLeft takes the grants for this node's segments that were untaken at the last look already: whoever gave them did not come to it.
func (n *Node) takeLeft() {
	ctx, cancel := context.WithTimeout(n.ctx, n.cfg.QueueWait)
	defer cancel()
	left, err := n.db.GrantsUntaken(ctx, untakenMax)
	if err != nil {
		n.log.Debug("the grants on their way could not be read", "error", err)
		return
	}
	before := n.shares.seen
	n.shares.seen = make(map[uuid.UUID]ledger.Grant, len(left))
	for _, g := range left {
		n.shares.seen[g.ID] = g
		if _, old := before[g.ID]; old && n.Local(stock.PartitionOf(stock.EventID(g.Event), stock.SegmentNo(g.To))) {
			n.log.Info("a grant that was left on its way is taken", "grant", g.ID, "event", g.Event, "segment", g.To, "places", g.N)
			n.take(ctx, g)
		}
	}
}

// gather brings what is free in the other segments of an area, or on its way from them, to its home, and returns when that is done. Whoever asks while one gathering is
// under way waits for the next one, so that it began after what they have seen; and shares it with all who came since. whole is whether all of it was brought: a
// segment may have no owner now, or one that does not answer.
func (n *Node) gather(e *Event, home *Segment) (whole bool) {
	n.shares.mu.Lock()
	if n.shares.gathering == nil {
		n.shares.gathering = map[segmentKey]*gathering{}
	}
	key := segmentKey{e.Number, home.No}
	g := n.shares.gathering[key]
	if g == nil {
		g = &gathering{}
		n.shares.gathering[key] = g
	}
	n.shares.mu.Unlock()
	asked := time.Now()
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.began.After(asked) {
		return g.whole
	}
	select {
	case <-time.After(time.Until(g.began.Add(gatherEvery))):
	case <-n.ctx.Done():
		return false
	}
	g.began, g.whole = time.Now(), n.bring(e, home)
	return g.whole
}

// bring is one gathering. It is not whole when a segment could not be asked, nor when something was on its way between two others: that may have
// arrived behind our question.
func (n *Node) bring(e *Event, home *Segment) bool {
	ctx, cancel := context.WithTimeout(n.ctx, n.cfg.QueueWait)
	defer cancel()
	var all sync.WaitGroup
	var missed atomic.Bool
	part := func(done bool) {
		if !done {
			missed.Store(true)
		}
	}
	_, others, err := n.underWay(ctx, e, home)
	part(err == nil && others == 0)
	for _, no := range home.Shares[1:] {
		if !n.reachable(e.Segment(no).Part) {
			part(false) // what it has free is not lost: it comes home when it has an owner again
			continue
		}
		all.Go(func() { part(n.grant(ctx, e.Number, stock.Grant{From: no, To: home.No, Quantity: stock.All})) })
	}
	all.Wait()
	ours, others, err := n.underWay(ctx, e, home)
	part(err == nil && others == 0)
	for _, g := range ours { // another node's, still on their way: after this they have arrived
		all.Go(func() { part(n.take(ctx, g)) })
	}
	all.Wait()
	n.metrics.gathered.Inc()
	return !missed.Load()
}

// underWay reads the grants of an area that are given and not taken: those for its home, and how many there are for other segments.
func (n *Node) underWay(ctx context.Context, e *Event, home *Segment) (ours []ledger.Grant, others int, err error) {
	left, err := n.db.GrantsUntaken(ctx, untakenMax)
	if err != nil {
		n.log.Debug("the grants on their way could not be read", "error", err)
		return nil, 0, err
	}
	for _, g := range left {
		switch to := stock.SegmentNo(g.To); {
		case g.Event != int32(e.Number):
		case to == home.No:
			ours = append(ours, g)
		case slices.Contains(home.Shares, to):
			others++
		}
	}
	return ours, others, nil
}

// DoInArea makes a hold in an area: in a segment that has enough; when none has, what is free in all of them is brought to the home, and asked
// for there. So a party is not refused while its places lie apart, and "sold out" comes from the home alone, where the ledger has looked at all of
// them. While a part of the area cannot be asked, nobody is told that nothing is free: that is ErrMoving then. command makes the command for a segment. An area
// with one segment is asked there.
func (n *Node) DoInArea(ctx context.Context, event stock.EventID, home stock.SegmentNo, command func(stock.SegmentNo) stock.Command) (stock.Answer, error) {
	e, ok := n.eventByNumber(ctx, event)
	if !ok || e.Segment(home) == nil || len(e.Segment(home).Shares) == 0 {
		return n.Do(ctx, command(home))
	}
	worst := stock.Answer{Code: stock.CodeAllHeld}
	for _, no := range n.likely(e, e.Segment(home), command(home).Ask.Quantity) {
		a, err := n.Do(ctx, command(no))
		if err != nil || a.Code != stock.CodeAllHeld {
			return a, err
		}
		worst = sooner(worst, a)
	}
	return n.doAtHome(ctx, e, e.Segment(home), command(home), worst)
}

// doAtHome asks the home of an area for what no segment has alone.
func (n *Node) doAtHome(ctx context.Context, e *Event, home *Segment, cmd stock.Command, worst stock.Answer) (stock.Answer, error) {
	for range gatherTries {
		whole := n.gather(e, home)
		a, err := n.Do(ctx, cmd)
		if err != nil || a.Code != stock.CodeAllHeld {
			return a, err
		}
		if worst = sooner(worst, a); whole && !a.Moving {
			return worst, nil
		}
	}
	return stock.Answer{}, &ErrMoving{RetryAfter: hopPauseMax}
}

// sooner is the refusal whose end is nearer.
func sooner(a, b stock.Answer) stock.Answer {
	if a.FreeEstimate == 0 || b.FreeEstimate > 0 && b.FreeEstimate < a.FreeEstimate {
		return b
	}
	return a
}

// reachable is whether a partition has an owner that is alive, as far as this node has heard. While one has none, its session running out, the
// other segments of an area are sold.
func (n *Node) reachable(part stock.PartitionID) bool {
	if n.Local(part) {
		return true
	}
	o, known := n.table.owner(part)
	return known && slices.Contains(n.table.ids(), o.NodeID)
}

// likely are the segments of an area that have enough by the last counts, a few at most: those of this node first, then those with most.
func (n *Node) likely(e *Event, home *Segment, quantity int32) []stock.SegmentNo {
	counts, _, _ := n.Counts(e.Number)
	list := slices.DeleteFunc(slices.Clone(home.Shares), func(no stock.SegmentNo) bool {
		c, known := counts[no]
		return known && c.Free < quantity || !n.reachable(e.Segment(no).Part)
	})
	slices.SortStableFunc(list, func(a, b stock.SegmentNo) int {
		hereA, hereB := n.Local(e.Segment(a).Part), n.Local(e.Segment(b).Part)
		switch {
		case hereA && !hereB:
			return -1
		case hereB && !hereA:
			return 1
		}
		return int(counts[b].Free - counts[a].Free)
	})
	return list[:min(len(list), shareTries)]
}
