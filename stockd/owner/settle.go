package owner

import (
	"fmt"

	"ticketrush/stockd/stock"
)

// flushed settles a batch whose outcome is known.
func (c *Core) flushed(in Flushed) {
	l, ok := c.landed(in.Lane, in.Batch)
	if !ok {
		return
	}
	f, wasUnknown := l.flight, l.unknown
	if len(in.Results) != len(f.works) {
		c.alarm(f.batch.Works[0].Part, "constraint", fmt.Sprintf("batch %v of %d works came back with %d results", in.Batch, len(f.works), len(in.Results)))
		l.unknown, l.again = true, c.now.Mono+resendMax
		return
	}
	l.flight, l.unknown = nil, false
	for i, ops := range f.works {
		result := in.Results[i]
		switch {
		case result.Fenced:
			c.fenced(ops)
		case len(result.Outcomes) != len(ops):
			c.lost(ops, fmt.Sprintf("%d outcomes for %d operations", len(result.Outcomes), len(ops)))
		default:
			c.committed(ops, f.batch.Works[i].Seq, result.Outcomes)
		}
	}
	if wasUnknown {
		c.pumpAll()
	} else if len(c.waiting) > 0 {
		c.pumpLane(l)
	}
}

// pumpLane lets requests that waited for room in a lane go on.
func (c *Core) pumpLane(l *lane) {
	for _, p := range c.queued() {
		if c.lane(p) == l {
			c.pump(p)
		}
	}
}

// committed settles the operations of a work that was applied.
func (c *Core) committed(ops []*operation, seq int64, outcomes []stock.Outcome) {
	t := ops[0].tenure
	if c.parts[t.part].tenure == t {
		c.parts[t.part].strikes = 0
	}
	for i, o := range ops {
		c.land(o)
		delete(c.suspects, suspect{t.part, o.op.Hold})
		var answer stock.Answer
		settled := c.guard(t, func() { answer = o.segment.engine.Settle(o.op, outcomes[i], c.now.Wall) })
		o.segment.changed = true
		if o.request != nil {
			if settled {
				answer.Seq = seq
				c.answer(o.request, answer)
			} else {
				c.refuse(o.request, ProblemFailed) // it is written; the retry finds it
			}
		}
	}
	for _, o := range ops {
		if !t.over {
			c.next(t, o.op.Hold)
		}
	}
}

// fenced ends the tenure: somebody else has the partition, and nothing of the work was or will be written.
func (c *Core) fenced(ops []*operation) {
	t := ops[0].tenure
	if c.parts[t.part].tenure == t { // a newer tenure of this node is not meant
		c.drop(t.part, c.now.Mono)
	}
	c.again(ops)
}

// again lets the requests of a work that was not written wait for the next tenure.
func (c *Core) again(ops []*operation) {
	for _, o := range ops {
		c.land(o)
		if o.request != nil {
			c.readmit(o.request)
		}
	}
}

func (c *Core) readmit(r *request) {
	if c.parts[r.part].state == idle && !c.wanted(r.part) {
		c.refuse(r, ProblemMoving)
		return
	}
	c.enqueue(r)
	c.pump(r.part)
}

// lost contains an answer that makes no sense: whether the work was written is in the ledger, and read anew.
func (c *Core) lost(ops []*operation, text string) {
	for _, o := range ops {
		c.land(o)
		if o.request != nil {
			c.refuse(o.request, ProblemFailed)
		}
	}
	c.strike(ops[0].tenure, "constraint", text)
}

// flushUnknown sends the same batch again, until its outcome is known. Nothing of it is answered before.
func (c *Core) flushUnknown(in FlushUnknown) {
	l, ok := c.landed(in.Lane, in.Batch)
	if !ok {
		return
	}
	l.unknown = true
	l.again = c.now.Mono + min(resendFirst<<min(l.flight.sends-1, 8), resendMax)
}

// flushRefused contains a bug: the whole batch was rolled back, and which operation was to blame is not known. The partitions are loaded
// anew, and the operations tried once more, each alone.
func (c *Core) flushRefused(in FlushRefused) {
	l, ok := c.landed(in.Lane, in.Batch)
	if !ok {
		return
	}
	f := l.flight
	l.flight, l.unknown = nil, false
	for _, ops := range f.works {
		t := ops[0].tenure
		c.strike(t, "constraint", in.Cause)
		for _, o := range ops {
			c.land(o)
			if len(c.suspects) > suspectsMax {
				clear(c.suspects)
			}
			c.suspects[suspect{t.part, o.op.Hold}] = struct{}{}
			switch r := o.request; {
			case r == nil:
			case r.retried:
				delete(c.suspects, suspect{t.part, o.op.Hold})
				c.refuse(r, ProblemFailed)
			default:
				r.retried = true
				c.readmit(r)
			}
		}
	}
}
