package owner

import (
	"slices"

	"ticketrush/stockd/stock"
)

// claimWanted asks for the partitions that this node wants and does not have, one Claim at a time: first for those with stock, which somebody may be
// waiting for, and for the others when those are served. Those that somebody else keeps for long, because they are hot or have only just come
// there, are not waited for.
func (c *Core) claimWanted() {
	if c.claiming || c.closing || !c.promising() || c.now.Mono < c.claimAt {
		return
	}
	var stocked, empty []stock.PartitionID
	loads, lacks := false, false // stock is being loaded, or is somebody else's
	next := c.now.Mono + c.claimGap
	for p := range c.parts {
		part, id := &c.parts[p], stock.PartitionID(p)
		loads = loads || part.state == loading && part.stocked
		if part.state != idle || !part.ours && !c.wanted(id) {
			continue
		}
		lacks = lacks || part.stocked
		switch {
		case part.retryAt > c.now.Mono:
			next = min(next, part.retryAt)
		case part.stocked:
			stocked = append(stocked, id)
		default:
			empty = append(empty, id)
		}
	}
	if !lacks {
		c.lacksAt = 0
	} else if c.lacksAt == 0 {
		c.lacksAt = c.now.Mono
	}
	parts := stocked
	switch patient := c.lacksAt + 10*c.cfg.ClaimEvery; {
	case len(empty) == 0 || loads:
	case lacks && c.now.Mono < patient:
		next = min(next, patient)
	case len(stocked) == 0:
		parts = empty
	default:
		next = c.now.Mono // as soon as this claim is answered
	}
	c.claimAt = next
	if len(parts) > 0 {
		for _, p := range parts {
			c.parts[p].state, c.parts[p].freed = claiming, false
		}
		c.claiming = true
		c.emit(ClaimParts{Session: c.session.id, Parts: parts})
	}
}

func (c *Core) claimed(in Claimed) {
	c.claiming = false
	if in.Session != c.session.id || c.closing { // the end of the session frees them
		c.unclaim(in.Asked)
		return
	}
	var load []PartEpoch
	for _, p := range in.Asked {
		c.parts[p].ours = false
	}
	for _, claim := range in.Got {
		part := &c.parts[claim.Part]
		part.ours = true
		if part.state != claiming {
			continue // dropped since; the own-node rule gives it back when it is wanted
		}
		part.state, part.tenure = loading, newTenure(claim, c.now.Mono)
		load = append(load, PartEpoch{claim.Part, claim.Epoch})
	}
	if len(load) < len(in.Asked) {
		c.claimGap = min(c.claimGap*5/4, 10*c.cfg.ClaimEvery)
	}
	for _, p := range in.Asked { // what somebody still has does not keep this node from what is free
		if part := &c.parts[p]; part.state == claiming && !part.freed {
			part.retryAt = max(part.retryAt, c.now.Mono+c.claimGap)
		}
	}
	c.unclaim(in.Asked)
	c.claimAt = min(c.claimAt, c.now.Mono+c.claimGap)
	for chunk := range slices.Chunk(load, loadChunk) {
		c.emit(Load{Parts: chunk})
	}
}

func (c *Core) claimFailed(in ClaimFailed) {
	c.claiming = false
	for _, p := range in.Asked {
		c.parts[p].ours = c.parts[p].ours || c.parts[p].state == claiming
	}
	c.unclaim(in.Asked)
	c.claimAt = c.now.Mono + c.cfg.ClaimEvery
}

// unclaim gives up waiting for a claim.
func (c *Core) unclaim(parts []stock.PartitionID) {
	for _, p := range parts {
		if c.parts[p].state == claiming {
			c.parts[p].state = idle
			if !c.wanted(p) {
				c.turnAway(p, ProblemMoving)
			}
		}
	}
}

// nudged looks at once for partitions that have just been released; everybody hears of them, one wants them.
func (c *Core) nudged(in Nudged) {
	for _, p := range in.Parts {
		if int(p) >= len(c.parts) || !c.wanted(p) {
			continue
		}
		if part := &c.parts[p]; part.state == idle || part.state == claiming {
			part.retryAt, part.freed = min(part.retryAt, c.now.Mono), part.state == claiming
			c.claimGap, c.claimAt, c.lacksAt = c.cfg.ClaimEvery, c.now.Mono, 0
		}
	}
}

// overtaken drops what somebody else has claimed since. It is claimed again after a while only, so that two processes of one node do not
// spend their time on taking everything from each other.
func (c *Core) overtaken(in Overtaken) {
	for _, pe := range in.Parts {
		if int(pe.Part) < len(c.parts) {
			if t := c.parts[pe.Part].tenure; t != nil && t.epoch < pe.Epoch {
				c.drop(pe.Part, c.now.Mono+10*c.cfg.ClaimEvery)
			}
		}
	}
}

// named takes note of what is this node's by the rows alone. It is claimed, and served or handed off in order; after a while only, because the
// rows may be older than a hand-off.
func (c *Core) named(in Named) {
	if in.Session != c.session.id {
		return
	}
	for _, p := range in.Parts {
		if int(p) < len(c.parts) && c.parts[p].state == idle && !c.parts[p].ours {
			c.parts[p].ours = true
			c.parts[p].retryAt = max(c.parts[p].retryAt, c.now.Mono+5*c.cfg.ClaimEvery)
			c.claimAt = min(c.claimAt, c.parts[p].retryAt)
		}
	}
}

func (c *Core) loaded(in Loaded) {
	var on []PartEpoch
	var lack []stock.PartitionID
	for _, l := range in.Parts {
		part := &c.parts[l.Part]
		t := part.tenure
		if t == nil || t.epoch != l.Epoch {
			continue
		}
		if l.Err != nil {
			c.strike(t, "load", l.Err.Error())
			continue
		}
		t.add(l.Segments)
		if part.state == loading {
			part.state = serving
			on = append(on, PartEpoch{l.Part, l.Epoch})
			lack = append(lack, l.Part)
		}
	}
	if len(on) > 0 {
		c.claimAt = c.now.Mono // what is empty may have waited for this
		c.emit(Serving{Parts: on, On: true, Session: c.session.id})
	}
	if !in.Added {
		c.loadMissing(lack)
	}
	for _, l := range in.Parts {
		c.pump(l.Part)
	}
}

func (c *Core) loadFailed(in LoadFailed) {
	if in.Added { // asked for again with the next catalog
		return
	}
	for _, pe := range in.Parts {
		if t := c.parts[pe.Part].tenure; t != nil && t.epoch == pe.Epoch {
			c.drop(pe.Part, c.now.Mono+c.cfg.ClaimEvery)
		}
	}
}

// segments takes the catalog over and loads what owned partitions lack.
func (c *Core) segments(in Segments) {
	clear(c.catalog)
	for p := range c.parts {
		c.parts[p].stocked = false
	}
	var parts []stock.PartitionID
	for _, ref := range in.All {
		if len(c.catalog[ref.Part]) == 0 {
			parts = append(parts, ref.Part)
		}
		c.catalog[ref.Part] = append(c.catalog[ref.Part], ref)
		c.parts[ref.Part].stocked = true
	}
	c.loadMissing(parts)
}

// loadMissing loads the segments of served partitions that came into the catalog after the partition was loaded.
func (c *Core) loadMissing(parts []stock.PartitionID) {
	slices.Sort(parts)
	var load LoadSegments
	for _, p := range parts {
		t := c.parts[p].tenure
		if t == nil || c.parts[p].state != serving {
			continue
		}
		found := false
		for _, ref := range c.catalog[p] {
			if t.segment(ref.Event, ref.Segment) == nil {
				load.Segments = append(load.Segments, ref)
				found = true
			}
		}
		if found {
			load.Parts = append(load.Parts, PartEpoch{p, t.epoch})
		}
	}
	if len(load.Parts) > 0 {
		c.emit(load)
	}
}
