package owner

import (
	"bytes"
	"cmp"
	"maps"
	"slices"
	"time"

	"github.com/google/uuid"

	"ticketrush/stockd/stock"
)

// balance starts to hand off what others should own. Partitions without stock move soon and all at once; the others wait for a view that
// has been stable, a few at a time, so that a node that comes and goes moves nothing.
func (c *Core) balance() {
	if c.closing || c.table == nil || !c.promising() {
		return
	}
	stable := c.now.Mono - c.viewAt
	if stable < c.cfg.EmptyAfter {
		return
	}
	spacing := time.Second * time.Duration(len(c.members)) / movesPerSecond
	for p := range c.parts {
		part := &c.parts[p]
		if part.state != serving || c.wanted(stock.PartitionID(p)) {
			continue
		}
		if len(part.tenure.segments) == 0 {
			c.startDrain(stock.PartitionID(p))
			continue
		}
		if c.frozen || stable < c.cfg.BalanceAfter || c.handing >= c.cfg.BalanceMax || c.now.Mono < c.moved+spacing ||
			c.now.Mono < part.tenure.since+c.cfg.MoveCooldown || part.tenure.heat.stays(c.now.Mono, c.cfg.HotRate, c.cfg.HotStay) {
			continue
		}
		c.moved = max(c.moved+spacing, c.now.Mono-houseEvery)
		c.startDrain(stock.PartitionID(p))
	}
}

// startDrain lets what is under way finish and takes nothing new on: that waits for the next owner.
func (c *Core) startDrain(p stock.PartitionID) {
	part := &c.parts[p]
	t := part.tenure
	part.state = draining
	c.draining++
	if len(t.segments) > 0 {
		t.counted = true
		c.handing++
	}
	for _, hold := range slices.SortedFunc(maps.Keys(t.lines), func(a, b uuid.UUID) int { return bytes.Compare(a[:], b[:]) }) {
		for _, r := range t.lines[hold] {
			c.enqueue(r)
		}
	}
	clear(t.lines)
}

// drain hands everything off, for good.
func (c *Core) drain() {
	if c.closing {
		return
	}
	c.closing = true
	c.propose(slices.DeleteFunc(slices.Clone(c.members), func(m string) bool { return m == c.cfg.Node }))
	for p := range c.parts {
		switch c.parts[p].state {
		case serving:
			c.startDrain(stock.PartitionID(p))
		case loading:
			// Nothing was promised under this claim; the end of the session frees it.
			c.drop(stock.PartitionID(p), c.now.Mono)
		case idle:
			c.turnAway(stock.PartitionID(p), ProblemMoving)
		case claiming, draining, releasing:
		}
	}
}

// releaseDrained releases the partitions that have nothing under way any more. Of a node that leaves those without stock go last: somebody may wait
// for the others, and the ledger and the next owners have their hands full.
func (c *Core) releaseDrained() {
	if c.draining == 0 {
		return
	}
	var stocked, empty []PartRelease
	for p := range c.parts {
		part := &c.parts[p]
		if part.state != draining || part.tenure.flying > 0 {
			continue
		}
		t := part.tenure
		if c.closing && c.handing > 0 && len(t.segments) == 0 {
			continue
		}
		release := PartRelease{Part: t.part, Epoch: t.epoch}
		if !c.guard(t, func() {
			for _, s := range t.segments {
				release.Lives = append(release.Lives, s.engine.Lives(c.now.Wall)...)
			}
		}) {
			continue
		}
		part.state = releasing
		c.draining--
		if len(t.segments) > 0 {
			stocked = append(stocked, release)
		} else {
			empty = append(empty, release)
		}
	}
	for _, parts := range [][]PartRelease{stocked, empty} { // first those that somebody may wait for
		for chunk := range slices.Chunk(parts, releaseChunk) {
			c.emit(Release{Session: c.session.id, Parts: chunk})
		}
	}
}

// released ends the tenures. When the answer was lost the partition is dropped all the same and claimed again: its row is free or still
// this node's.
func (c *Core) released(in Released) {
	free := map[string][]stock.PartitionID{}
	for _, pe := range in.Parts {
		part := &c.parts[pe.Part]
		if part.state != releasing || part.tenure.epoch != pe.Epoch {
			continue
		}
		part.ours = in.Failed
		c.drop(pe.Part, c.now.Mono)
		c.turnAway(pe.Part, ProblemMoving)
		if c.table != nil && c.table[pe.Part] != c.cfg.Node && !in.Failed {
			free[c.table[pe.Part]] = append(free[c.table[pe.Part]], pe.Part)
		}
	}
	for _, node := range slices.SortedFunc(maps.Keys(free), cmp.Compare[string]) {
		c.emit(Nudge{Node: node, Parts: free[node]})
	}
}

// finish ends the session once everything is handed off and every batch is resolved.
func (c *Core) finish() {
	if !c.closing || c.stopped || c.claiming {
		return
	}
	for p := range c.parts {
		if c.parts[p].state != idle {
			return
		}
	}
	for i := range c.lanes {
		if c.lanes[i].flight != nil || len(c.lanes[i].pending) > 0 {
			return
		}
	}
	c.stopped = true
	if c.session.id != 0 {
		c.emit(EndSession{Session: c.session.id})
	}
	c.emit(Stopped{})
}
