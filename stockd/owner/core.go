package owner

import (
	"fmt"
	"slices"
	"time"

	"ticketrush/stockd/stock"
)

// Core is the state of one node's ownership. Not safe for concurrent use.
type Core struct {
	cfg Config
	now Now // of the step under way
	out []Effect

	session session
	members []string
	table   []string // the proposed owner of each partition
	mine    []bool   // of the table
	viewAt  time.Duration
	frozen  bool
	closing bool
	stopped bool

	parts    [stock.Partitions]partition
	lanes    []lane
	catalog  map[stock.PartitionID][]SegmentRef
	claiming bool // a Claim is under way
	claimAt  time.Duration
	claimGap time.Duration
	lacksAt  time.Duration // since when stock that is wanted is somebody else's, and nothing says that it comes; 0: it is not

	arrivals []*request // unanswered requests in order of arrival
	open     int        // how many of them are unanswered
	arrived  uint64
	waiting  map[stock.PartitionID]struct{} // partitions with a queue
	suspects map[suspect]struct{}
	keys     map[requestKey]struct{} // of the operations under way
	batches  uint64
	draining int // partitions in that state
	handing  int // partitions with stock in hand-off
	moved    time.Duration

	houseAt   time.Duration
	changedAt time.Duration
}

// partition is what this node knows of one partition.
type partition struct {
	state   partState
	tenure  *tenure // loading, serving, draining, releasing
	queue   []*request
	retryAt time.Duration // not claimed before
	strikes int           // bugs in a row
	past    *tenure       // the last one that ended with a batch in flight: what that asked for came before what waits now
	// ours: the row may name this node's session. One that was dropped and is no longer wanted is claimed all the same and then handed
	// off in order; otherwise it would stay dark, because nobody else may claim it while the session lives.
	ours    bool
	stocked bool // the catalog has segments of it
	freed   bool // it was released while a claim for it was under way, perhaps too late for that
}

type partState int8

const (
	idle partState = iota
	claiming
	loading
	serving
	draining
	releasing
)

// New makes a core that owns nothing yet.
func New(cfg Config) (*Core, error) {
	cfg, err := cfg.withDefaults()
	if err != nil {
		return nil, fmt.Errorf("owner: %w", err)
	}
	c := &Core{
		cfg: cfg, lanes: make([]lane, cfg.Lanes), claimGap: cfg.ClaimEvery, catalog: map[stock.PartitionID][]SegmentRef{},
		waiting: map[stock.PartitionID]struct{}{}, suspects: map[suspect]struct{}{}, keys: map[requestKey]struct{}{},
	}
	for i := range c.lanes {
		c.lanes[i].no = i
	}
	return c, nil
}

// Step takes one input and returns what has to be done about it. Time must not go back.
func (c *Core) Step(now Now, in Input) []Effect {
	if now.Mono < c.now.Mono {
		panic(fmt.Sprintf("owner: time went back from %v to %v", c.now.Mono, now.Mono))
	}
	c.now = now
	c.take(in)
	if now.Mono >= c.houseAt {
		c.house()
	}
	c.claimWanted()
	c.releaseDrained()
	c.sendFlushes()
	c.finish()
	out := c.out // with what a question that panicked since the last step has left
	c.out = nil
	return out
}

func (c *Core) take(in Input) {
	switch in := in.(type) {
	case Tick:
	case Request:
		c.request(in)
	case Flushed:
		c.flushed(in)
	case FlushUnknown:
		c.flushUnknown(in)
	case FlushRefused:
		c.flushRefused(in)
	case View:
		c.view(in)
	case Segments:
		c.segments(in)
	case SessionOpened:
		c.sessionOpened(in)
	case SessionFailed:
		c.session.opening = false
		c.session.retryAt = c.now.Mono + retryAway/2
	case Renewed:
		c.renewed(in)
	case RenewFailed:
		c.renewFailed(in)
	case Claimed:
		c.claimed(in)
	case ClaimFailed:
		c.claimFailed(in)
	case Loaded:
		c.loaded(in)
	case LoadFailed:
		c.loadFailed(in)
	case Released:
		c.released(in)
	case Nudged:
		c.nudged(in)
	case Overtaken:
		c.overtaken(in)
	case Named:
		c.named(in)
	case LegsFollowed:
		c.legsFollowed(in)
	case Freeze:
		c.frozen = in.On
	case Drain:
		c.drain()
	case Reset:
		c.alarm(0, "reset", in.Cause)
		c.sessionOver()
	default:
		panic(fmt.Sprintf("owner: unknown input %T", in))
	}
}

// house is the work that can wait for houseEvery.
func (c *Core) house() {
	c.houseAt = c.now.Mono + houseEvery
	c.keepSession()
	c.timeouts()
	c.expire()
	c.followLegs()
	c.balance()
	c.pumpAll()
	if c.now.Mono >= c.changedAt {
		c.changedAt = c.now.Mono + c.cfg.ChangedEvery
		c.reportChanged()
	}
}

// NextWake is when the next Tick is due.
func (c *Core) NextWake() time.Duration {
	at := c.houseAt
	for i := range c.lanes {
		if due, ok := c.lanes[i].due(c.cfg.BatchMax); ok {
			at = min(at, due)
		}
	}
	return at
}

func (c *Core) emit(e Effect) { c.out = append(c.out, e) }

func (c *Core) alarm(part stock.PartitionID, kind, text string) {
	c.emit(Alarm{Part: part, Kind: kind, Text: text})
}

// view takes over who is alive. The node itself always counts, unless it is leaving.
func (c *Core) view(in View) {
	members := slices.Clone(in.Members)
	if c.closing {
		members = slices.DeleteFunc(members, func(m string) bool { return m == c.cfg.Node })
	} else if !slices.Contains(members, c.cfg.Node) {
		members = append(members, c.cfg.Node)
	}
	slices.Sort(members)
	members = slices.Compact(members)
	if slices.Equal(members, c.members) {
		return
	}
	c.propose(members)
	c.viewAt = c.now.Mono
	c.claimGap, c.claimAt, c.lacksAt = c.cfg.ClaimEvery, c.now.Mono, 0
	c.markAllChanged()
}

// propose takes over who should own what among members.
func (c *Core) propose(members []string) {
	c.members, c.table = members, Propose(members)
	c.mine = make([]bool, len(c.table))
	for p, node := range c.table {
		c.mine[p] = node == c.cfg.Node
	}
}

// wanted is whether this node should own the partition.
func (c *Core) wanted(p stock.PartitionID) bool { return !c.closing && c.table != nil && c.mine[p] }

func (c *Core) lane(p stock.PartitionID) *lane { return &c.lanes[int(p)%len(c.lanes)] }
