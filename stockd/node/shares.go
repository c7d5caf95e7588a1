package node

import (
	"context"
	"slices"
	"sync"
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
}

const (
	sharesEvery  = 100 * time.Millisecond
	untakenEvery = time.Second
	untakenMax   = 256                    // grants taken over after a crash, at a time
	sharesPause  = 500 * time.Millisecond // after a grant, until the counts have it
	gatherEvery  = 20 * time.Millisecond  // of one area, at most
	shareTries   = 3                      // segments asked for one wish before the area is gathered
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
// left; so nothing of it has to be tried again.
func (n *Node) grant(ctx context.Context, event stock.EventID, g stock.Grant) {
	id := uuid.New()
	a, err := n.Do(ctx, stock.Command{Kind: stock.KindGrantOut, Event: event, Segment: g.From, Hold: id, Other: g.To, Ask: stock.Ask{Quantity: g.Quantity}})
	if err != nil || a.Code != stock.CodeOK {
		if err != nil {
			n.log.Debug("a segment could not be asked for capacity", "event", event, "segment", g.From, "error", err)
		}
		return
	}
	n.take(ctx, ledger.Grant{ID: id, Event: int32(event), From: int32(g.From), To: int32(g.To), N: a.Granted})
}

// take credits a grant at the segment that it is for.
func (n *Node) take(ctx context.Context, g ledger.Grant) {
	a, err := n.Do(ctx, stock.Command{
		Kind: stock.KindGrantIn, Event: stock.EventID(g.Event), Segment: stock.SegmentNo(g.To), Hold: g.ID, Other: stock.SegmentNo(g.From), Ask: stock.Ask{Quantity: g.N},
	})
	switch {
	case err != nil:
		n.log.Debug("a grant was not taken: it is found later", "grant", g.ID, "error", err)
	case a.Code == stock.CodeOK:
		n.metrics.granted.Add(float64(a.Granted))
	}
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
// under way waits for the next one, so that it began after what they have seen; and shares it with all who came since.
func (n *Node) gather(e *Event, home *Segment) {
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
		return
	}
	select {
	case <-time.After(time.Until(g.began.Add(gatherEvery))):
	case <-n.ctx.Done():
		return
	}
	g.began = time.Now()
	ctx, cancel := context.WithTimeout(n.ctx, n.cfg.QueueWait)
	defer cancel()
	var all sync.WaitGroup
	for _, no := range home.Shares[1:] {
		if !n.reachable(e.Segment(no).Part) {
			continue // what it has free is not lost: it comes home when it has an owner again
		}
		all.Go(func() { n.grant(ctx, e.Number, stock.Grant{From: no, To: home.No, Quantity: stock.All}) })
	}
	all.Wait()
	left, err := n.db.GrantsUntaken(ctx, untakenMax)
	if err != nil {
		n.log.Debug("the grants on their way could not be read", "error", err)
	}
	for _, l := range left { // another node's, still on their way: after this they have arrived
		if l.Event == int32(e.Number) && l.To == int32(home.No) {
			all.Go(func() { n.take(ctx, l) })
		}
	}
	all.Wait()
	n.metrics.gathered.Inc()
}

// DoInArea makes a hold in an area: in a segment that has enough; when none has, what is free in all of them is brought to the home, and asked
// for there. So a party is not refused while its places lie apart, and "sold out" comes from the home alone, where the ledger has looked at all of
// them. command makes the command for a segment. An area with one segment is asked there.
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
	n.gather(e, e.Segment(home))
	a, err := n.Do(ctx, command(home))
	if err == nil && a.Code == stock.CodeAllHeld {
		a = sooner(worst, a)
	}
	return a, err
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
