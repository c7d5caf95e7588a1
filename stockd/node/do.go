package node

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/google/uuid"

	"ticketrush/ledger"
	"ticketrush/stockd/owner"
	"ticketrush/stockd/stock"
)

// Why a command got no answer. None is final: the same command may be sent again.
var (
	// ErrLedgerAway: the ledger did not answer in time. Whether the command was written is not known.
	ErrLedgerAway = errors.New("the ledger cannot be reached")
	// ErrOverloaded: too many requests wait already.
	ErrOverloaded = errors.New("too many requests are waiting")
	// ErrFailed: a bug was contained, its partition is being loaded anew.
	ErrFailed = errors.New("the partition is being loaded anew after a fault")
)

// ErrMoving means that the partition is on its way from one node to another.
type ErrMoving struct{ RetryAfter time.Duration }

func (e *ErrMoving) Error() string { return "the partition is moving between nodes" }

// wrongNode is the internal answer of a node that neither has the partition nor expects it.
var errNotOwner = errors.New("this node does not own the partition")

// errOvertaken ends a wait for an owner that has been followed by another.
var errOvertaken = errors.New("the partition has another owner by now")

// hopPause is after how long an owner that did not answer is asked again at first, hopPauseMax later on. Who waits for a node that is gone must not
// keep those busy that are to replace it; the word of a new owner wakes all of them at once.
const (
	hopPause    = 20 * time.Millisecond
	hopPauseMax = 8 * hopPause
)

// Do runs a command at its owner, here or with one hop, and answers when that is safe: what is positive or final after its commit. A
// command may name only its hold; the owner finds the segment. While the partition moves Do waits for up to QueueWait, then *ErrMoving.
func (n *Node) Do(ctx context.Context, cmd stock.Command) (stock.Answer, error) {
	part := partOf(&cmd)
	if cmd.Kind == stock.KindHold && stock.CoordinatorOf(cmd.Hold) != part {
		return stock.Answer{}, fmt.Errorf("hold id %v does not carry partition %d of its segment", cmd.Hold, part)
	}
	begin := time.Now()
	since := begin
	if cmd.Kind == stock.KindHold { // the other kinds carry on what was begun: that is not given up because it has taken long
		since = arrived(ctx, begin)
	}
	if begin.Sub(since) >= n.cfg.QueueWait {
		return stock.Answer{}, ErrOverloaded
	}
	answer, err := n.route(ctx, part, since.Add(n.cfg.QueueWait), func(ctx context.Context, target Owner, here bool) (stock.Answer, error) {
		if here {
			return n.here(ctx, part, cmd, time.Since(since))
		}
		return n.there(ctx, target, part, cmd, time.Since(since))
	})
	n.metrics.do.WithLabelValues(resultOf(answer, err)).Observe(time.Since(begin).Seconds())
	if err == nil && answer.Code == stock.CodeNoHold && answer.Seq == 0 && cmd.Kind != stock.KindUnleg {
		return n.confirmNoHold(ctx, cmd.Hold, answer)
	}
	return answer, err
}

func partOf(cmd *stock.Command) stock.PartitionID {
	if cmd.Segment != 0 {
		return stock.PartitionOf(cmd.Event, cmd.Segment)
	}
	return stock.CoordinatorOf(cmd.Hold)
}

// route tries the owner until there is an answer, or the time is up. A try ends when the partition has another owner by now: this node may be cut
// from the ledger and not know that it owns nothing any more, or the other may be frozen.
func (n *Node) route(ctx context.Context, part stock.PartitionID, until time.Time, try func(context.Context, Owner, bool) (stock.Answer, error)) (stock.Answer, error) {
	for pause := hopPause; ; pause = min(2*pause, hopPauseMax) {
		target, known := n.table.owner(part)
		here := !known || target.NodeID == n.cfg.NodeID || n.Local(part) && n.local[part].Load() >= target.Epoch
		if here {
			target.NodeID = n.cfg.NodeID
		}
		once, end := context.WithCancelCause(ctx)
		go n.table.watch(once, part, target.NodeID, func() { end(errOvertaken) })
		answer, err := try(once, target, here)
		end(nil)
		if errors.Is(err, errOvertaken) {
			err = &ErrMoving{RetryAfter: hopPause}
		}
		var moving *ErrMoving
		if !errors.Is(err, errNotOwner) && !errors.As(err, &moving) {
			return answer, err
		}
		if time.Until(until) < hopPause {
			return stock.Answer{}, &ErrMoving{RetryAfter: hopPause}
		}
		n.lookForOwner(ctx)
		n.table.await(ctx, part, target.Epoch, min(pause, time.Until(until)))
		switch {
		case ctx.Err() != nil:
			return stock.Answer{}, context.Cause(ctx)
		case n.ctx.Err() != nil:
			return stock.Answer{}, ErrStopped
		}
	}
}

// arrivedKey is where a context has the time at which its request came to the cluster.
type arrivedKey struct{}

// Arrived notes when a request came. A hold whose request has waited for longer than QueueWait, wherever it was, is refused with ErrOverloaded
// without work on it.
func Arrived(ctx context.Context, at time.Time) context.Context {
	return context.WithValue(ctx, arrivedKey{}, at)
}

func arrived(ctx context.Context, otherwise time.Time) time.Time {
	if at, ok := ctx.Value(arrivedKey{}).(time.Time); ok {
		return at
	}
	return otherwise
}

// here asks this node's core, for a client that has waited already.
func (n *Node) here(ctx context.Context, part stock.PartitionID, cmd stock.Command, waited time.Duration) (stock.Answer, error) {
	reply := make(chan owner.Reply, 1)
	m := message{in: owner.Request{ID: n.requests.Add(1), Part: part, Command: cmd, Waited: waited}, reply: reply}
	select {
	case n.inbox <- m:
	case <-ctx.Done():
		return stock.Answer{}, context.Cause(ctx)
	case <-n.ctx.Done():
		return stock.Answer{}, ErrStopped
	}
	select {
	case r := <-reply:
		return r.Answer, problemError(r.Problem, r.RetryAfter)
	case <-ctx.Done(): // the command goes on; a retry with its key finds what it did
		return stock.Answer{}, context.Cause(ctx)
	case <-n.ctx.Done():
		return stock.Answer{}, ErrStopped
	}
}

func problemError(p owner.Problem, after time.Duration) error {
	switch p {
	case owner.ProblemNone:
		return nil
	case owner.ProblemNotOwner:
		return errNotOwner
	case owner.ProblemMoving:
		return &ErrMoving{RetryAfter: after}
	case owner.ProblemLedgerAway:
		return ErrLedgerAway
	case owner.ProblemOverloaded:
		return ErrOverloaded
	default:
		return ErrFailed
	}
}

// there asks another node: one hop, the other never passes it on. A call that broke off may be repeated: commands are found again by their
// key, or by the state that they ask for.
func (n *Node) there(ctx context.Context, target Owner, part stock.PartitionID, cmd stock.Command, waited time.Duration) (stock.Answer, error) {
	var out commandAnswer
	err := n.peers.post(ctx, target.node(), "/internal/v1/commands", commandDoc{Part: part, Command: cmd, WaitedMs: waited.Milliseconds()}, &out, n.cfg.QueueWait+time.Second)
	if err != nil {
		if ctx.Err() != nil {
			return stock.Answer{}, context.Cause(ctx)
		}
		n.log.Debug("the owner could not be reached", "owner", target.NodeID, "error", err)
		return stock.Answer{}, &ErrMoving{RetryAfter: hopPause}
	}
	if out.Problem == owner.ProblemNotOwner {
		n.metrics.misdirected.Inc()
	}
	return out.Answer, problemError(out.Problem, time.Duration(out.RetryMs)*time.Millisecond)
}

// problemOf is the owner's word for an error of Do.
func problemOf(err error) owner.Problem {
	switch {
	case errors.Is(err, ErrLedgerAway):
		return owner.ProblemLedgerAway
	case errors.Is(err, ErrOverloaded):
		return owner.ProblemOverloaded
	case errors.Is(err, ErrFailed):
		return owner.ProblemFailed
	}
	return owner.ProblemMoving
}

// confirmNoHold makes a "no such hold" final by asking the ledger: memory alone may not say it.
func (n *Node) confirmNoHold(ctx context.Context, hold uuid.UUID, answer stock.Answer) (stock.Answer, error) {
	row, _, err := n.db.HoldByID(ctx, hold)
	switch {
	case errors.Is(err, ledger.ErrNotFound):
		return answer, nil
	case err != nil:
		return stock.Answer{}, fmt.Errorf("%w: %w", ErrLedgerAway, err)
	case row.State == holdHeld:
		return stock.Answer{}, &ErrMoving{RetryAfter: hopPause}
	}
	answer.Code = stock.CodeHoldExpired
	return answer, nil
}

// The ledger's states of a hold.
const (
	holdHeld  = 1
	holdEnded = 3
)

// Find reads a hold at its owner. What the owner does not know is looked up in the ledger, so that "not found" is its committed word. A
// hold that has ended is not found, unless its seats are sold.
func (n *Node) Find(ctx context.Context, hold uuid.UUID) (stock.HoldView, bool, error) {
	part := stock.CoordinatorOf(hold)
	if view, ok := n.findHere(hold); ok {
		return view, true, nil
	}
	if target, known := n.table.owner(part); known && target.NodeID != n.cfg.NodeID {
		var out holdDoc
		err := n.peers.call(ctx, target.node(), http.MethodGet, "/internal/v1/holds/"+hold.String(), nil, &out, 500*time.Millisecond)
		if err == nil && out.Found {
			return out.Hold, true, nil
		}
	}
	return n.findInLedger(ctx, hold)
}

func (n *Node) findHere(hold uuid.UUID) (view stock.HoldView, ok bool) {
	if n.Local(stock.CoordinatorOf(hold)) {
		n.ask(func(c *owner.Core) { view, _, ok = c.Hold(hold) })
	}
	return view, ok
}

func (n *Node) findInLedger(ctx context.Context, hold uuid.UUID) (stock.HoldView, bool, error) {
	row, seats, err := n.db.HoldByID(ctx, hold)
	if errors.Is(err, ledger.ErrNotFound) {
		return stock.HoldView{}, false, nil
	}
	if err != nil {
		return stock.HoldView{}, false, fmt.Errorf("%w: %w", ErrLedgerAway, err)
	}
	if len(row.Legs) > 0 && row.State == holdEnded { // what has not followed yet is not its any more
		seats = slices.DeleteFunc(seats, func(s ledger.HoldSeat) bool { return s.State != int16(stock.Sold) })
	}
	if len(seats) == 0 || row.State != holdHeld && row.State != holdEnded {
		return stock.HoldView{}, false, nil
	}
	view := stock.HoldView{
		ID: row.ID, Event: stock.EventID(row.Event), Segment: stock.SegmentNo(row.Segment), Generation: row.Generation,
		State: stock.State(seats[0].State), Deadline: row.Deadline.UnixMilli(), MaxExpires: row.MaxExpires.UnixMilli(), Order: row.Order, Attempt: row.Attempt,
	}
	for _, s := range seats {
		view.State = max(view.State, stock.State(s.State)) // of several segments some may have followed already
		view.Seats = append(view.Seats, stock.HeldSeat{Seat: stock.SeatID(s.Seat), Category: s.Category, Type: s.Type})
	}
	return view, true, nil
}

// Replayed asks the ledger what became of a request; ledger.ErrNotFound when it was never applied.
func (n *Node) Replayed(ctx context.Context, scope, key uuid.UUID) (ledger.Replay, error) {
	return n.db.Replayed(ctx, scope, key)
}

// StalePins are the pins of this node's partitions that have waited for longer than age, up to limit of them.
func (n *Node) StalePins(age time.Duration, limit int) (pins []owner.StalePin) {
	n.ask(func(c *owner.Core) { pins = c.StalePins(n.Now().Add(-age).UnixMilli(), limit) })
	return pins
}
