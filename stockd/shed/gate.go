package shed

import (
	"fmt"
	"sync"
	"time"
)

// Reason is why a request was refused.
type Reason int8

// The reasons. None is final: the same request may come again.
const (
	Admitted Reason = iota // it was not
	Share                  // the share of its class is used up
	Full                   // the queue of its class is full
	Age                    // it has waited for longer than its client will
	Gone                   // it was given up while it waited
	reasons
)

var reasonNames = [reasons]string{"admitted", "share", "full", "age", "gone"}

// String is the reason as metrics call it.
func (r Reason) String() string { return reasonNames[r] }

// Reasons are those of refusals.
func Reasons() []Reason { return []Reason{Share, Full, Age, Gone} }

// Ticket is one request inside the gate.
type Ticket struct {
	class   Class
	arrived time.Duration
	ready   chan struct{} // closed when it is decided; nil: it never waited
	// What follows is guarded by the gate's mutex; decided is final once ready is closed.
	waiting bool
	decided Reason
	left    bool
}

// Gate lets requests in. It is safe for concurrent use. All times are those of one clock that does not go back, from any beginning.
type Gate struct {
	config Config

	mu     sync.Mutex
	now    time.Duration
	pools  [pools]pool
	queues [classes]queue
	share  [classes]share
	begun  time.Duration // of the interval
	shed   [classes][reasons]int64
}

// The pools of places.
const (
	reads = iota
	work
	pools
)

func poolOf(c Class) int {
	if c == Browse {
		return reads
	}
	return work
}

// pool is a number of places.
type pool struct {
	places, busy int
	lowest, top  Class // the classes that share it
	// least is the age of the oldest waiting request when it was smallest in this interval; seen says that there was a look at it.
	least time.Duration
	seen  bool
	// before is what least was in the interval before; calm says that it was not too long in the last one.
	before time.Duration
	calm   bool
}

// New makes a gate through which nobody has come yet. Its error lists all that is wrong with the configuration.
func New(config Config) (*Gate, error) {
	config, err := config.withDefaults()
	if err != nil {
		return nil, fmt.Errorf("shed: %w", err)
	}
	g := &Gate{config: config}
	g.pools[reads] = pool{places: config.Reads, lowest: Browse, top: Browse}
	g.pools[work] = pool{places: config.Work, lowest: Hold, top: Operate}
	for c := range g.share {
		g.share[c].of = 1
	}
	return g, nil
}

// Enter asks for a place. With Admitted the request is at work, or waits (Ticket.Ready) and is decided later; Leave has to follow in both cases.
// Any other reason is a refusal; then there is no ticket.
func (g *Gate) Enter(c Class, now time.Duration) (*Ticket, Reason) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.pass(now)
	p, q := &g.pools[poolOf(c)], &g.queues[c]
	g.look(p)
	switch {
	case !g.share[c].take():
		g.shed[c][Share]++
		return nil, Share
	case p.busy < p.places: // then nobody waits
		p.busy++
		return &Ticket{class: c, arrived: g.now}, Admitted
	case q.len() >= g.config.Queue:
		g.shed[c][Full]++
		return nil, Full
	}
	t := &Ticket{class: c, arrived: g.now, ready: make(chan struct{}), waiting: true}
	q.push(t)
	return t, Admitted
}

// Ready is closed when a waiting request has been decided: Decided tells how. It is nil for one that never had to wait.
func (t *Ticket) Ready() <-chan struct{} { return t.ready }

// Decided is Admitted for a request that is at work, else why it was refused. Ask after Ready, or after GiveUp.
func (t *Ticket) Decided() Reason { return t.decided }

// GiveUp ends a wait, because of Age or because the request is Gone. It says how the request was decided, which may be Admitted when a place came
// at the same moment.
func (g *Gate) GiveUp(t *Ticket, why Reason, now time.Duration) Reason {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.pass(now)
	if t.waiting {
		g.look(&g.pools[poolOf(t.class)])
		g.decide(t, why)
		g.queues[t.class].clean()
	}
	return t.decided
}

// Leave ends a request, wherever it is. More than once is as once.
func (g *Gate) Leave(t *Ticket, now time.Duration) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if t.left {
		return
	}
	t.left = true
	g.pass(now)
	p := &g.pools[poolOf(t.class)]
	g.look(p)
	switch {
	case t.waiting:
		g.decide(t, Gone)
		g.queues[t.class].clean()
	case t.decided == Admitted:
		p.busy--
		g.fill(p)
	}
}

// fill gives free places to those who wait, the highest class first, in order of arrival. Who is too old is refused on the way.
func (g *Gate) fill(p *pool) {
	for c := p.top; c >= p.lowest; c-- {
		q := &g.queues[c]
		for p.busy < p.places && q.len() > 0 {
			t := q.pop()
			if g.now-t.arrived > patience[c] {
				g.decide(t, Age)
				continue
			}
			p.busy++
			g.decide(t, Admitted)
		}
	}
}

// decide ends a wait.
func (g *Gate) decide(t *Ticket, how Reason) {
	t.waiting, t.decided = false, how
	g.queues[t.class].waiting--
	if how != Admitted {
		g.shed[t.class][how]++
	}
	close(t.ready)
}

// look notes the age of the oldest one that waits in a pool.
func (g *Gate) look(p *pool) {
	age := g.oldest(p)
	if !p.seen || age < p.least {
		p.least, p.seen = age, true
	}
}

// oldest is the age of the oldest one that waits in a pool, 0 when nobody does.
func (g *Gate) oldest(p *pool) (age time.Duration) {
	for c := p.lowest; c <= p.top; c++ {
		if t := g.queues[c].first(); t != nil {
			age = max(age, g.now-t.arrived)
		}
	}
	return age
}
