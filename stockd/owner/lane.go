package owner

import (
	"encoding/binary"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/google/uuid"

	"ticketrush/stockd/stock"
)

// operation is an engine's operation on its way to the ledger.
type operation struct {
	request *request // nil for the owner's own
	op      *stock.Op
	tenure  *tenure
	segment *segment
	alone   bool
}

// lane is an ordered stream of batches, one in flight.
type lane struct {
	no      int
	pending []*operation
	waits   bool // lingerUntil is set
	linger  time.Duration
	flight  *flight
	unknown bool // the flight's outcome is unknown
	again   time.Duration
}

// flight is the batch in flight, with the operations of each of its works.
type flight struct {
	batch *Batch
	works [][]*operation
	sends int
}

// due is when the lane has something to send.
func (l *lane) due(batchMax int) (time.Duration, bool) {
	switch {
	case l.unknown:
		return l.again, true
	case l.flight != nil || len(l.pending) == 0:
		return 0, false
	case len(l.pending) >= batchMax || l.pending[0].alone:
		return 0, true
	}
	return l.linger, true
}

// fly puts an operation into its lane's next batch.
func (c *Core) fly(o *operation) {
	t, l := o.tenure, c.lane(o.tenure.part)
	if _, busy := t.busy[o.op.Hold]; busy {
		panic(fmt.Sprintf("owner: two operations of hold %v at once", o.op.Hold))
	}
	t.busy[o.op.Hold] = struct{}{}
	t.flying++
	if key := keyOf(&o.op.Request); key != (requestKey{}) {
		c.keys[key] = struct{}{}
	}
	o.segment.changed = true
	if o.request != nil {
		t.heat.note(c.now.Mono, c.cfg.HotRate)
	}
	_, o.alone = c.suspects[suspect{t.part, o.op.Hold}]
	l.pending = append(l.pending, o)
	if !l.waits {
		l.waits, l.linger = true, c.now.Mono+c.cfg.Linger
	}
}

// land takes an operation out of what is under way: it is settled, or will never be written.
func (c *Core) land(o *operation) {
	o.tenure.flying--
	delete(o.tenure.busy, o.op.Hold)
	delete(c.keys, keyOf(&o.op.Request))
}

// sendFlushes sends what is due.
func (c *Core) sendFlushes() {
	for i := range c.lanes {
		l := &c.lanes[i]
		due, ok := l.due(c.cfg.BatchMax)
		if !ok || due > c.now.Mono {
			continue
		}
		if l.unknown {
			l.again = math.MaxInt64 // until the driver answers
			c.emit(SendFlush{Lane: l.no, Batch: l.flight.batch, Resend: l.flight.sends})
			l.flight.sends++
			continue
		}
		c.board(l)
		c.emit(SendFlush{Lane: l.no, Batch: l.flight.batch})
	}
}

// board makes the next batch: works in order of partition, operations of a partition in the order in which they were applied.
func (c *Core) board(l *lane) {
	n := min(len(l.pending), c.cfg.BatchMax)
	for i, o := range l.pending[:n] {
		if o.alone {
			n = max(i, 1)
			break
		}
	}
	ops := l.pending[:n:n]
	l.pending = slices.Clone(l.pending[n:])
	l.waits = len(l.pending) > 0
	l.linger = c.now.Mono
	ordered := slices.Clone(ops)
	slices.SortStableFunc(ordered, func(a, b *operation) int { return int(a.tenure.part) - int(b.tenure.part) })
	f := &flight{batch: &Batch{ID: c.batchID(), Session: c.session.id, Now: c.now.Wall}, sends: 1}
	for i, o := range ordered {
		if t := o.tenure; i == 0 || ordered[i-1].tenure != t {
			if t.over || c.parts[t.part].tenure != t {
				panic("owner: an operation outlived its tenure")
			}
			t.seq++
			f.batch.Works = append(f.batch.Works, Work{Part: t.part, Epoch: t.epoch, Seq: t.seq})
			f.works = append(f.works, nil)
		}
		last := len(f.works) - 1
		f.batch.Works[last].Ops = append(f.batch.Works[last].Ops, o.op)
		f.works[last] = append(f.works[last], o)
	}
	l.flight = f
}

// batchID is unique without chance: sessions are numbered by the ledger, batches by their session's node. UUID version 8.
func (c *Core) batchID() uuid.UUID {
	c.batches++
	var id uuid.UUID
	binary.BigEndian.PutUint64(id[:8], uint64(c.session.id)<<16)
	binary.BigEndian.PutUint64(id[8:], c.batches)
	id[6] = 0x80
	id[8] = 0x80 | id[8]&0x3f
	return id
}

// landed takes the flight off its lane when the answer is for it.
func (c *Core) landed(lane int, batch uuid.UUID) (*lane, bool) {
	if lane < 0 || lane >= len(c.lanes) {
		return nil, false
	}
	l := &c.lanes[lane]
	if l.flight == nil || l.flight.batch.ID != batch {
		return nil, false
	}
	return l, true
}
