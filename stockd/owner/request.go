package owner

import (
	"cmp"
	"slices"
	"time"

	"github.com/google/uuid"

	"ticketrush/stockd/stock"
)

// request is a command somebody waits for.
type request struct {
	id       uint64
	arrival  uint64
	part     stock.PartitionID
	cmd      stock.Command
	deadline time.Duration
	answered bool
	retried  bool // its batch was rolled back once
}

// suspect is a hold whose operation was in a batch that was rolled back: its operations go alone until one is committed.
type suspect struct {
	part stock.PartitionID
	hold uuid.UUID
}

// requestKey is what the ledger remembers a request by.
type requestKey struct{ scope, key uuid.UUID }

func keyOf(r *stock.Request) requestKey { return requestKey{r.Scope, r.Key} }

func byArrival(a, b *request) int { return cmp.Compare(a.arrival, b.arrival) }

// request takes one command in.
func (c *Core) request(in Request) {
	r := &request{id: in.ID, part: in.Part, cmd: in.Command, deadline: c.now.Mono + c.cfg.QueueWait - in.Waited}
	c.arrived++
	r.arrival = c.arrived
	switch {
	case int(in.Part) >= len(c.parts), in.Command.Kind == stock.KindExpire, in.Command.Kind == stock.KindNote:
		c.emit(Reply{ID: in.ID, Answer: stock.Answer{Code: stock.CodeInvalid}})
		return
	case c.open >= c.cfg.QueueTotal, r.deadline <= c.now.Mono:
		c.emit(Reply{ID: in.ID, Problem: ProblemOverloaded, RetryAfter: retryAway})
		return
	}
	c.open++
	c.arrivals = append(c.arrivals, r)
	c.admit(r)
}

// admit applies a request, or lets it wait for its partition.
func (c *Core) admit(r *request) {
	part := &c.parts[r.part]
	switch {
	case part.state == idle && !c.wanted(r.part):
		c.refuse(r, ProblemNotOwner)
	case !c.ready(r.part) || len(part.queue) > 0:
		c.enqueue(r)
	default:
		c.apply(part.tenure, r)
	}
}

// ready is whether commands of the partition can be applied now. While a batch of its last tenure is in flight they wait: should that be fenced,
// its requests come first, because they arrived first.
func (c *Core) ready(p stock.PartitionID) bool {
	part, l := &c.parts[p], c.lane(p)
	if part.past != nil && part.past.flying == 0 {
		part.past = nil
	}
	return part.state == serving && part.past == nil && c.promising() && !l.unknown && len(l.pending) < lanePendingMax
}

// enqueue lets a request wait for its partition, in order of arrival.
func (c *Core) enqueue(r *request) {
	if r.answered {
		return
	}
	part := &c.parts[r.part]
	if len(part.queue) >= c.cfg.QueueMax {
		c.refuse(r, c.why(r.part))
		return
	}
	at, _ := slices.BinarySearchFunc(part.queue, r, byArrival)
	part.queue = slices.Insert(part.queue, at, r)
	c.waiting[r.part] = struct{}{}
}

// pump applies what waits for a partition, as far as it goes.
func (c *Core) pump(p stock.PartitionID) {
	part := &c.parts[p]
	for len(part.queue) > 0 && c.ready(p) {
		r := part.queue[0]
		part.queue = part.queue[1:]
		if !r.answered {
			c.apply(part.tenure, r)
		}
	}
	if len(part.queue) == 0 {
		part.queue = nil
		delete(c.waiting, p)
	}
}

func (c *Core) pumpAll() {
	for _, p := range c.queued() {
		c.pump(p)
	}
}

// queued are the partitions with a queue, in order: a core does the same for the same inputs.
func (c *Core) queued() []stock.PartitionID {
	parts := make([]stock.PartitionID, 0, len(c.waiting))
	for p := range c.waiting {
		parts = append(parts, p)
	}
	slices.Sort(parts)
	return parts
}

// apply decides a command. It leads to an operation, to an answer from memory, or into the line behind another operation of its hold.
func (c *Core) apply(t *tenure, r *request) {
	if _, busy := t.busy[r.cmd.Hold]; busy {
		if len(t.lines[r.cmd.Hold]) >= holdQueueMax {
			c.answer(r, stock.Answer{Code: stock.CodeBusy})
			return
		}
		t.lines[r.cmd.Hold] = append(t.lines[r.cmd.Hold], r)
		return
	}
	var s *segment
	if !c.guard(t, func() { s = c.locate(t, &r.cmd) }) {
		c.refuse(r, ProblemFailed)
		return
	}
	if s == nil {
		if r.cmd.Segment == 0 && r.cmd.Kind != stock.KindHold {
			c.answer(r, stock.Answer{Code: stock.CodeNoHold}) // Seq 0: not final, the driver asks the ledger
			return
		}
		c.refuse(r, ProblemMoving) // an event that is newer than this node's catalog
		return
	}
	if _, busy := c.keys[keyOf(&r.cmd.Request)]; busy {
		c.answer(r, stock.Answer{Code: stock.CodeKeyInFlight}) // for another hold: those of the same one wait in line
		return
	}
	var effect stock.Effect
	if !c.guard(t, func() { effect = s.engine.Apply(r.cmd, c.now.Wall) }) {
		c.refuse(r, ProblemFailed)
		return
	}
	if effect.Op == nil {
		c.answer(r, effect.Answer)
		return
	}
	c.fly(&operation{request: r, op: effect.Op, tenure: t, segment: s})
}

// locate finds the command's segment; one that names only its hold is completed.
func (c *Core) locate(t *tenure, cmd *stock.Command) *segment {
	if cmd.Segment != 0 || cmd.Kind == stock.KindHold {
		return t.segment(cmd.Event, cmd.Segment)
	}
	s, _ := t.holder(cmd.Hold)
	if s == nil {
		return nil
	}
	cmd.Event, cmd.Segment = s.event, s.no
	return s
}

// next applies the commands that waited for an operation on a hold, up to the next operation.
func (c *Core) next(t *tenure, hold uuid.UUID) {
	for !t.over {
		line := t.lines[hold]
		if len(line) == 0 {
			delete(t.lines, hold)
			return
		}
		if _, busy := t.busy[hold]; busy {
			return
		}
		t.lines[hold] = line[1:]
		if r := line[0]; !r.answered {
			c.apply(t, r)
		}
	}
}

func (c *Core) answer(r *request, a stock.Answer) {
	if !r.answered {
		r.answered = true
		c.open--
		c.emit(Reply{ID: r.id, Answer: a})
	}
}

func (c *Core) refuse(r *request, problem Problem) {
	if r.answered {
		return
	}
	r.answered = true
	c.open--
	after := retryAway
	if problem == ProblemMoving || problem == ProblemNotOwner {
		after = retryMoving
	}
	c.emit(Reply{ID: r.id, Problem: problem, RetryAfter: after})
}

// why is what keeps requests of a partition waiting.
func (c *Core) why(p stock.PartitionID) Problem {
	if c.promising() && !c.lane(p).unknown && c.parts[p].state != serving {
		return ProblemMoving
	}
	return ProblemLedgerAway
}

// turnAway answers everybody who waits for a partition that this node will not have.
func (c *Core) turnAway(p stock.PartitionID, problem Problem) {
	for _, r := range c.parts[p].queue {
		c.refuse(r, problem)
	}
	c.parts[p].queue = nil
	delete(c.waiting, p)
}

// OldestWait is for how long the request that came first has been waiting for its answer, 0 when none waits.
func (c *Core) OldestWait() time.Duration {
	for _, r := range c.arrivals {
		if !r.answered {
			return c.now.Mono - r.deadline + c.cfg.QueueWait
		}
	}
	return 0
}

// timeouts answers who has waited too long. An operation that was applied goes on; a retry with the same key finds it.
func (c *Core) timeouts() {
	refused := false
	for _, r := range c.arrivals {
		if !r.answered && r.deadline <= c.now.Mono {
			c.refuse(r, c.why(r.part))
			refused = true
		}
	}
	c.arrivals = slices.DeleteFunc(c.arrivals, func(r *request) bool { return r.answered })
	if !refused {
		return
	}
	for _, p := range c.queued() {
		part := &c.parts[p]
		part.queue = slices.DeleteFunc(part.queue, func(r *request) bool { return r.answered })
		if len(part.queue) == 0 {
			delete(c.waiting, p)
		}
	}
}
