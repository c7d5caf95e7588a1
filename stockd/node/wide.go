package node

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/google/uuid"

	"ticketrush/ledger"
	"ticketrush/stockd/owner"
	"ticketrush/stockd/stock"
)

const (
	wideEvery = time.Second
	freeWait  = 300 * time.Millisecond
	wideMax   = 256 // holds whose coordinator has ended, at a time
)

// HoldWide makes a hold over several segments, all or none: legs are the commands for each of them, in order of segment. Any node may do it, and needs
// no memory: when it ends on the way, the hold is dropped within a few seconds by whoever owns one of its legs, or its partition. The answer comes after
// the commit; a repetition under the same key, anywhere, finds the hold (CodeReplay, without the hold), or tries it anew.
func (n *Node) HoldWide(ctx context.Context, hold stock.WideHold, legs []stock.Command, ttl, maxTTL time.Duration) (stock.Answer, error) {
	wide := &owner.Wide{Hold: hold, Legs: legs}
	for {
		step := wide.Next()
		switch {
		case step.Begin:
			code, err := n.db.WideBegin(ctx, wideHold(&hold), owner.WideTry, n.Now())
			n.wideFailed(hold.ID, err)
			wide.Begun(code, err == nil)
		case step.Leg != nil:
			wide.Took(n.leg(ctx, step))
		case step.Commit:
			now := n.Now()
			ends, last := now.Add(ttl), now.Add(max(ttl, maxTTL))
			step.View.Deadline, step.View.MaxExpires = ends.UnixMilli(), last.UnixMilli()
			seats := make([]int64, 0, len(step.View.Seats))
			for _, s := range step.View.Seats {
				seats = append(seats, int64(s.Seat))
			}
			code, err := n.db.WideCommit(ctx, hold.ID, step.Try, seats, time.UnixMilli(step.View.Deadline), time.UnixMilli(step.View.MaxExpires), ledger.Request(hold.Request), now)
			n.wideFailed(hold.ID, err)
			wide.Committed(code, err == nil)
		case step.Drop:
			// Also for a client that has gone: what is dropped now is free now.
			short, cancel := context.WithTimeout(n.ctx, n.cfg.QueueWait)
			_, err := n.db.WideDrop(short, hold.ID, step.Try, false, n.Now())
			cancel()
			n.wideFailed(hold.ID, err)
			wide.Dropped()
		default:
			n.free(step.Free)
			return step.Answer, problemError(step.Problem, hopPause)
		}
	}
}

func (n *Node) wideFailed(hold uuid.UUID, err error) {
	if err != nil {
		n.log.Debug("the row of a hold over several segments could not be written", "hold", hold, "error", err)
	}
}

func wideHold(h *stock.WideHold) *ledger.WideHold {
	out := &ledger.WideHold{ID: h.ID, Event: int32(h.Event), Part: int32(stock.CoordinatorOf(h.ID)), Quantity: h.Quantity, Request: ledger.Request(h.Request)}
	for _, no := range h.Segments {
		out.Legs = append(out.Legs, int32(no))
	}
	for _, q := range h.Quotas {
		out.Quotas = append(out.Quotas, ledger.Quota{Dimension: int16(q.Dimension), Key: q.Key, Limit: q.Limit})
	}
	return out
}

// leg asks the owner of a leg. In an area with several segments the leg is at the home; when that has not enough, what is free elsewhere is brought there.
func (n *Node) leg(ctx context.Context, step owner.WideStep) (stock.Answer, owner.Problem) {
	cmd := *step.Leg
	if step.Wait > 0 {
		select {
		case <-time.After(step.Wait):
		case <-ctx.Done():
			return stock.Answer{}, owner.ProblemMoving
		}
	}
	a, err := n.Do(ctx, cmd)
	if err == nil && a.Code == stock.CodeAllHeld && cmd.Kind == stock.KindLeg {
		if e, ok := n.eventByNumber(ctx, cmd.Event); ok && e.Segment(cmd.Segment) != nil && len(e.Segment(cmd.Segment).Shares) > 0 {
			a, err = n.doAtHome(ctx, e, e.Segment(cmd.Segment), cmd, a)
		}
	}
	if err != nil {
		n.log.Debug("a leg was not had", "hold", cmd.Hold, "segment", cmd.Segment, "error", err)
		return stock.Answer{}, problemOf(err)
	}
	return a, owner.ProblemNone
}

// free asks the owners of legs to free them, all at once. It does not wait for long: what is late or lost on the way they do by themselves.
func (n *Node) free(cmds []stock.Command) {
	ctx, cancel := context.WithTimeout(n.ctx, freeWait)
	defer cancel()
	var all sync.WaitGroup
	for _, cmd := range cmds {
		all.Go(func() {
			if _, err := n.Do(ctx, cmd); err != nil {
				n.log.Debug("a leg could not be freed: its owner does it", "hold", cmd.Hold, "segment", cmd.Segment, "error", err)
			}
		})
	}
	all.Wait()
}

// freeLegs frees what a hold over several segments had, once that has ended.
func (n *Node) freeLegs(event stock.EventID, hold uuid.UUID, segments []stock.SegmentNo) {
	var cmds []stock.Command
	for _, no := range segments {
		cmds = append(cmds, stock.Command{Kind: stock.KindUnleg, Event: event, Segment: no, Hold: hold})
	}
	n.free(cmds)
}

// ExtendWide gives a hold over several segments more time, up to its maximum.
func (n *Node) ExtendWide(ctx context.Context, view stock.HoldView, req stock.Request, ttl time.Duration) (stock.Answer, error) {
	now := n.Now()
	code, err := n.db.WideExtend(ctx, view.ID, now.Add(ttl), ledger.Request(req), now)
	if err != nil {
		return stock.Answer{}, fmt.Errorf("%w: %w", ErrLedgerAway, err)
	}
	a := stock.Answer{Code: WideCode(code)}
	if a.Code != stock.CodeOK && a.Code != stock.CodeReplay {
		return a, nil
	}
	after, found, err := n.findInLedger(ctx, view.ID)
	if err == nil && found {
		a.Hold = &after
	}
	return a, err
}

// EndWide releases a hold over several segments.
func (n *Node) EndWide(ctx context.Context, view stock.HoldView, req stock.Request) (stock.Answer, error) {
	code, err := n.db.WideEnd(ctx, view.ID, uuid.Nil, false, ledger.Request(req), n.Now())
	if err != nil {
		return stock.Answer{}, fmt.Errorf("%w: %w", ErrLedgerAway, err)
	}
	if code == ledger.WideDone {
		n.freeLegs(view.Event, view.ID, view.Segments())
	}
	return stock.Answer{Code: WideCode(code)}, nil
}

// WideCode is what an answer of the ledger about the row of a hold over several segments means to the client.
func WideCode(code int32) stock.Code {
	switch code {
	case ledger.WideDone:
		return stock.CodeOK
	case ledger.WideReplay:
		return stock.CodeReplay
	case ledger.WideKeyReused:
		return stock.CodeKeyReused
	case ledger.WideOver:
		return stock.CodeHoldExpired
	case ledger.WideOrderNo, ledger.WideOrdered:
		return stock.CodeIllegal
	}
	return stock.CodeBusy
}

// followLegs asks the ledger what became of the holds of this node's legs.
func (n *Node) followLegs(e owner.FollowLegs) {
	ctx, cancel := context.WithTimeout(n.ctx, n.cfg.QueueWait)
	defer cancel()
	ids := make([]uuid.UUID, 0, len(e.Legs))
	for _, leg := range e.Legs {
		ids = append(ids, leg.Hold)
	}
	rows, err := n.db.WideFollow(ctx, ids, n.Now())
	if err != nil {
		n.log.Debug("legs could not be followed: they are looked at again", "legs", len(ids), "error", err)
		return
	}
	in := owner.LegsFollowed{Legs: e.Legs}
	for _, r := range rows {
		in.Rows = append(in.Rows, stock.WideRow{Hold: r.ID, State: stock.WideState(r.State), Try: r.Try})
	}
	n.give(in)
}

// runWides drops the holds that this node's partitions coordinate and whose coordinator has ended before it took a leg.
func (n *Node) runWides() {
	tick := time.NewTicker(wideEvery)
	defer tick.Stop()
	for {
		select {
		case <-n.ctx.Done():
			return
		case <-tick.C:
		}
		n.dropLost()
	}
}

func (n *Node) dropLost() {
	ctx, cancel := context.WithTimeout(n.ctx, n.cfg.QueueWait)
	defer cancel()
	lost, err := n.db.WideLost(ctx, wideMax)
	if err != nil {
		n.log.Debug("the holds that are being tried could not be read", "error", err)
		return
	}
	var mine []uuid.UUID
	for _, id := range lost {
		if n.Local(stock.CoordinatorOf(id)) {
			mine = append(mine, id)
		}
	}
	if len(mine) == 0 {
		return
	}
	n.log.Info("holds over several segments are dropped: nobody is trying them any more", "holds", len(mine))
	if _, err := n.db.WideFollow(ctx, mine, n.Now()); err != nil {
		n.log.Debug("they could not be dropped: they are looked at again", "error", err)
	}
}
