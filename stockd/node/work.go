package node

import (
	"context"
	"errors"
	"time"

	"ticketrush/ledger"
	"ticketrush/stockd/owner"
	"ticketrush/stockd/stock"
)

// runSessions talks about the session on connections of its own, so that a renewal never waits behind the rush.
func (n *Node) runSessions() {
	for {
		select {
		case <-n.ctx.Done():
			return
		case effect := <-n.sessions:
			n.session(effect)
		}
	}
}

func (n *Node) session(effect owner.Effect) {
	ctx, cancel := context.WithTimeout(n.ctx, max(n.cfg.SessionTTL/2, time.Second))
	defer cancel()
	switch e := effect.(type) {
	case owner.OpenSession:
		if err := n.readClock(ctx); err != nil {
			n.log.Warn("the ledger's clock could not be read", "error", err)
			n.give(owner.SessionFailed{})
			return
		}
		id, err := n.db.SessionOpen(ctx, n.cfg.NodeID, n.cfg.APIAddr, n.cfg.InternalAddr, n.cfg.SessionTTL)
		if err != nil {
			n.log.Warn("no session could be opened", "error", err)
			n.give(owner.SessionFailed{})
			return
		}
		n.log.Info("a session was opened", "session", id)
		n.give(owner.SessionOpened{ID: id, Sent: e.Sent})
	case owner.Renew:
		alive, err := n.db.SessionRenew(ctx, e.Session, n.cfg.SessionTTL)
		if err != nil {
			n.log.Warn("the session could not be renewed", "error", err)
			n.give(owner.RenewFailed{Session: e.Session})
			return
		}
		n.metrics.renewal.Observe(n.since(e.Sent).Seconds())
		n.give(owner.Renewed{Session: e.Session, Sent: e.Sent, Alive: alive})
		if err := n.readClock(ctx); err != nil {
			n.log.Warn("the ledger's clock could not be read; this machine's counts on", "error", err)
		}
	case owner.EndSession:
		if err := n.db.SessionEnd(ctx, e.Session); err != nil {
			n.log.Warn("the session could not be ended: it will run out", "session", e.Session, "error", err)
		}
	}
}

// since is the time from a moment of the core's clock.
func (n *Node) since(mono time.Duration) time.Duration { return time.Since(n.started) - mono }

func (n *Node) claim(e owner.ClaimParts) {
	ctx, cancel := context.WithTimeout(n.ctx, 10*time.Second)
	defer cancel()
	begin := time.Now()
	claimed, err := n.db.Claim(ctx, e.Session, n.cfg.NodeID, numbers(e.Parts))
	if err != nil {
		n.log.Warn("claim failed", "partitions", len(e.Parts), "error", err)
		n.give(owner.ClaimFailed{Asked: e.Parts})
		return
	}
	in := owner.Claimed{Session: e.Session, Asked: e.Parts}
	for _, c := range claimed {
		in.Got = append(in.Got, owner.Claim{Part: stock.PartitionID(c.Part), Epoch: c.Epoch, Seq: c.AppliedSeq})
	}
	if len(in.Got) > 0 {
		n.log.Info("partitions claimed", "claimed", len(in.Got), "asked", len(e.Parts), "took", time.Since(begin).Round(time.Millisecond))
	}
	n.give(in)
}

func (n *Node) load(e owner.Load) {
	ctx, cancel := context.WithTimeout(n.ctx, 30*time.Second)
	defer cancel()
	parts := make([]int32, 0, len(e.Parts))
	for _, pe := range e.Parts {
		parts = append(parts, int32(pe.Part))
	}
	begin := time.Now()
	loaded, err := n.db.Load(ctx, parts)
	if err != nil {
		n.log.Warn("load failed", "partitions", len(parts), "error", err)
		n.give(owner.LoadFailed{Parts: e.Parts})
		return
	}
	read := time.Since(begin)
	built := n.build(ctx, e.Parts, loaded)
	if len(loaded.Segments) > 0 {
		n.log.Info("stock loaded", "partitions", len(parts), "segments", len(loaded.Segments), "seats", len(loaded.Seats), "holds", len(loaded.Holds),
			"read", read.Round(time.Millisecond), "took", time.Since(begin).Round(time.Millisecond))
	}
	n.give(owner.Loaded{Parts: built})
}

// loadSegments loads segments that came after their partitions, event by event.
func (n *Node) loadSegments(e owner.LoadSegments) {
	ctx, cancel := context.WithTimeout(n.ctx, 30*time.Second)
	defer cancel()
	wanted := map[stock.EventID][]int32{}
	for _, ref := range e.Segments {
		wanted[ref.Event] = append(wanted[ref.Event], int32(ref.Segment))
	}
	all := &ledger.Loaded{}
	for event, segments := range wanted {
		loaded, err := n.db.LoadSegments(ctx, int32(event), segments)
		if err != nil {
			n.log.Warn("load of new segments failed", "event", event, "error", err)
			n.give(owner.LoadFailed{Parts: e.Parts, Added: true})
			time.AfterFunc(time.Second, func() { n.give(owner.Segments{All: n.Catalog().segments()}) }) // asks again
			return
		}
		all.Segments = append(all.Segments, loaded.Segments...)
		all.Seats = append(all.Seats, loaded.Seats...)
		all.Holds = append(all.Holds, loaded.Holds...)
	}
	n.give(owner.Loaded{Parts: n.build(ctx, e.Parts, all), Added: true})
}

func (n *Node) release(e owner.Release) {
	ctx, cancel := context.WithTimeout(n.ctx, 10*time.Second)
	defer cancel()
	out := owner.Released{}
	parts := make([]ledger.PartRelease, 0, len(e.Parts))
	for _, p := range e.Parts {
		r := ledger.PartRelease{Part: int32(p.Part), Epoch: p.Epoch}
		for _, l := range p.Lives {
			r.Lives = append(r.Lives, ledger.HoldLife{Hold: l.Hold, Remaining: time.Duration(l.RemainingMs) * time.Millisecond})
		}
		parts = append(parts, r)
		out.Parts = append(out.Parts, owner.PartEpoch{Part: p.Part, Epoch: p.Epoch})
	}
	if n.tenant != nil {
		n.tenant.LetGo(ctx, out.Parts)
	}
	if err := n.db.ReleaseParts(ctx, e.Session, parts); err != nil {
		n.log.Warn("hand-off failed", "partitions", len(parts), "error", err)
		out.Failed = true
	}
	n.give(out)
}

// runLane flushes, one batch at a time, on a connection of its own.
func (n *Node) runLane(no int, jobs <-chan owner.SendFlush) {
	var lane *ledger.Lane
	defer func() {
		if lane != nil {
			lane.Close()
		}
	}()
	for {
		select {
		case <-n.ctx.Done():
			return
		case job := <-jobs:
			if lane == nil {
				lane = n.openLane(no)
			}
			if lane == nil {
				n.give(owner.FlushUnknown{Lane: no, Batch: job.Batch.ID})
				continue
			}
			if in, broken := n.flush(lane, job); broken {
				lane.Close()
				lane = nil
				n.give(in)
			} else {
				n.give(in)
			}
		}
	}
}

func (n *Node) openLane(no int) *ledger.Lane {
	ctx, cancel := context.WithTimeout(n.ctx, 3*time.Second)
	defer cancel()
	lane, err := n.db.OpenLane(ctx)
	if err != nil {
		n.log.Warn("a flush lane could not be opened", "lane", no, "error", err)
		return nil
	}
	return lane
}

// flush sends one batch and says what became of it. Time runs out by closing the connection, never by cancelling the statement: a cancelled
// commit may report success.
func (n *Node) flush(lane *ledger.Lane, job owner.SendFlush) (in owner.Input, broken bool) {
	begin := time.Now()
	watchdog := time.AfterFunc(n.cfg.FlushGiveUp, func() { lane.Close() })
	results, err := lane.Flush(flushOf(job.Batch))
	watchdog.Stop()
	n.metrics.flush.Observe(time.Since(begin).Seconds())
	var refused *ledger.ConstraintError
	switch {
	case err == nil:
		n.metrics.batch.Observe(float64(opsOf(job.Batch)))
		return flushed(job, results), false
	case errors.Is(err, ledger.ErrUnknown):
		n.metrics.unknown.Inc()
		n.log.Warn("the outcome of a flush is unknown: it is sent again", "lane", job.Lane, "batch", job.Batch.ID, "error", err)
		return owner.FlushUnknown{Lane: job.Lane, Batch: job.Batch.ID}, true
	case errors.As(err, &refused):
		return owner.FlushRefused{Lane: job.Lane, Batch: job.Batch.ID, Cause: err.Error()}, false
	default: // the batch itself is malformed: it was not sent
		return owner.FlushRefused{Lane: job.Lane, Batch: job.Batch.ID, Cause: err.Error()}, false
	}
}

func (n *Node) nudge(e owner.Nudge) {
	if err := n.peers.post(n.ctx, n.table.member(e.Node), "/internal/v1/nudge", nudgeDoc{Parts: e.Parts}, nil, 300*time.Millisecond); err != nil {
		n.log.Debug("nudge failed: the next claim finds the partitions", "to", e.Node, "error", err)
	}
}

// followReleases looks at once for what an owner has given up that could not tell this node, or did not know of it.
func (n *Node) followReleases() {
	err := n.db.Releases(n.ctx, func(released []int32) {
		parts := make([]stock.PartitionID, 0, len(released))
		for _, p := range released {
			if p < stock.Partitions {
				parts = append(parts, stock.PartitionID(p))
			}
		}
		n.give(owner.Nudged{Parts: parts})
	})
	if err != nil {
		n.log.Warn("releases of partitions are not heard of at once: the claims find them", "error", err)
	}
}

func numbers(parts []stock.PartitionID) []int32 {
	out := make([]int32, len(parts))
	for i, p := range parts {
		out[i] = int32(p)
	}
	return out
}
