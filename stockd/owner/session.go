package owner

import (
	"time"

	"ticketrush/stockd/stock"
)

// session is the node's lease. It bounds what the node promises; it proves nothing.
type session struct {
	id       int64 // 0: none
	deadline time.Duration
	opening  bool
	renewing bool
	renewAt  time.Duration
	retryAt  time.Duration
}

// promising is whether new operations may be taken on.
func (c *Core) promising() bool { return c.session.id != 0 && c.now.Mono < c.session.deadline }

// Promising is whether the ledger has confirmed this node lately.
func (c *Core) Promising() bool { return c.promising() }

// PromiseUntil is the moment, on the clock of Now.Mono, from which on the node promises nothing unless the ledger confirms it again; 0: it promises nothing.
func (c *Core) PromiseUntil() time.Duration {
	if c.session.id == 0 {
		return 0
	}
	return c.session.deadline
}

// until is how long a session promises that was asked for at sent: 0.5 % for drift between the clocks, and the guard.
func (c *Core) until(sent time.Duration) time.Duration {
	return sent + c.cfg.SessionTTL*995/1000 - c.cfg.Guard
}

// keepSession opens or renews.
func (c *Core) keepSession() {
	s := &c.session
	switch {
	case c.stopped, c.table == nil && !c.closing:
	case s.id == 0 && !s.opening && !c.closing && c.now.Mono >= s.retryAt:
		s.opening = true
		c.emit(OpenSession{Sent: c.now.Mono})
	case s.id != 0 && !s.renewing && c.now.Mono >= s.renewAt:
		s.renewing = true
		c.emit(Renew{Session: s.id, Sent: c.now.Mono})
	}
}

func (c *Core) sessionOpened(in SessionOpened) {
	if !c.session.opening || c.stopped || c.closing {
		c.session.opening = false
		c.emit(EndSession{Session: in.ID})
		return
	}
	c.session = session{id: in.ID, deadline: c.until(in.Sent), renewAt: in.Sent + c.cfg.RenewEvery}
	c.claimAt = c.now.Mono
}

func (c *Core) renewed(in Renewed) {
	s := &c.session
	if in.Session != s.id {
		return
	}
	s.renewing = false
	if !in.Alive {
		c.sessionOver()
		return
	}
	late := !c.promising()
	s.deadline = max(s.deadline, c.until(in.Sent))
	s.renewAt = in.Sent + c.cfg.RenewEvery
	if late {
		c.pumpAll()
	}
}

func (c *Core) renewFailed(in RenewFailed) {
	if in.Session == c.session.id {
		c.session.renewing = false
		c.session.renewAt = c.now.Mono + c.cfg.RenewEvery/4
	}
}

// sessionOver drops everything: the partitions are claimed anew under a new session, the own ones at once.
func (c *Core) sessionOver() {
	old := c.session.id
	c.session = session{}
	for p := range c.parts {
		c.parts[p].ours = false
		if c.parts[p].tenure != nil || c.parts[p].state == claiming {
			c.drop(stock.PartitionID(p), c.now.Mono)
		}
	}
	if old != 0 {
		c.emit(EndSession{Session: old})
	}
	c.keepSession()
}
