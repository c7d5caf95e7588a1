package node

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"ticketrush/client"
	"ticketrush/ledger"
	"ticketrush/stockd/cluster"
	"ticketrush/stockd/owner"
	"ticketrush/stockd/stock"
)

// Node is one stockd node. Its methods are safe for concurrent use once Start has returned.
type Node struct {
	cfg     Config
	log     *slog.Logger
	self    client.Node
	metrics *metrics
	started time.Time
	clock   *owner.Clock
	core    *owner.Core // the loop's

	db       *ledger.DB
	gossip   *cluster.Cluster
	table    *table
	catalog  atomic.Pointer[Catalog]
	ledgerID atomic.Pointer[string] // which server the ledger is
	refresh  sync.Mutex             // one refresh of the catalog at a time
	charts   charts
	boards   boards
	shares   shares
	peers    *peers
	alarms   alarms

	inbox    chan message
	lanes    []chan owner.SendFlush
	sessions chan owner.Effect
	claims   chan struct{} // permits: claims, loads and releases at a time
	changes  changes
	announce announcements
	local    [stock.Partitions]atomic.Int64 // the epoch under which the partition is served here, else 0
	requests atomic.Uint64
	promise  atomic.Int64 // until when this node promises, ns since started; as of the loop's last step
	oldest   atomic.Int64 // age of the oldest request that waits, ns; as of the same
	tenant   Tenant       // nil: none; set before Start
	stopping atomic.Bool
	halted   atomic.Bool
	balanced atomic.Bool   // has been, since the start
	trusting atomic.Bool   // the ledger confirms this node, and has for a while: what the others say of themselves counts
	healed   chan struct{} // has something in it when trusting has changed
	ownersAt atomic.Int64  // when the owners were last read, Unix ms

	ctx     context.Context // ends with the node
	cancel  context.CancelFunc
	tasks   sync.WaitGroup
	stopped chan struct{}   // closed when the core has handed everything off
	polling context.Context // ends with HandOff, and with it the long polls: who follows this node has to follow another
	pollEnd context.CancelFunc
}

// ErrStopped is the answer of a node that has stopped.
var ErrStopped = errors.New("the node has stopped")

// stragglers is how long a node answers after it has handed everything off.
const stragglers = 150 * time.Millisecond

// claimPermits is how many claims, loads and releases run at a time.
const claimPermits = 4

// New makes a node. It listens to nothing and connects to nothing; Start does. reg may be nil.
func New(cfg Config, log *slog.Logger, reg prometheus.Registerer) (*Node, error) {
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	core, err := owner.New(cfg.owner())
	if err != nil {
		return nil, err
	}
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	n := &Node{
		cfg: cfg, log: log.With("node", cfg.NodeID), self: client.Node{ID: cfg.NodeID, API: cfg.APIAddr, Internal: cfg.InternalAddr}, core: core,
		inbox: make(chan message, 1024), sessions: make(chan owner.Effect, 16), claims: make(chan struct{}, claimPermits), stopped: make(chan struct{}), healed: make(chan struct{}, 1),
	}
	n.table = newTable(n.self)
	n.peers = newPeers(cfg.InternalKey)
	n.boards.all = map[stock.EventID]*board{}
	n.changes.wake, n.announce.wake = make(chan struct{}, 1), make(chan struct{}, 1)
	n.catalog.Store(&Catalog{})
	if n.metrics, err = newMetrics(reg, n); err != nil {
		return nil, fmt.Errorf("register metrics: %w", err)
	}
	n.ctx, n.cancel = context.WithCancel(context.Background())
	n.polling, n.pollEnd = context.WithCancel(n.ctx)
	return n, nil
}

// Open connects to the ledger and reads the catalog, the owners and the time, which takes a while and makes no promise to anybody. Who opens its
// ports after it and before Start never lets a client wait for a node that cannot answer yet. ctx bounds the opening only.
func (n *Node) Open(ctx context.Context) (err error) {
	if n.db, err = ledger.Open(ctx, n.cfg.Postgres, ledger.Options{AllowNoFsync: n.cfg.AllowNoFsync}); err != nil {
		return fmt.Errorf("open the ledger: %w", err)
	}
	for _, w := range n.db.Warnings() {
		n.log.Warn(w)
	}
	n.started = time.Now()
	n.clock = owner.NewClock(n.started.Round(0))
	var reads sync.WaitGroup // at once: each waits for a connection of its own, and fans may wait for this node
	var catalog, clock error
	reads.Go(func() { catalog = n.refreshCatalog(ctx) })
	reads.Go(func() { clock = n.readClock(ctx) })
	reads.Go(func() { n.readOwners(ctx) })
	reads.Wait()
	if catalog != nil && len(n.Catalog().Events()) > 0 { // one event that cannot be read does not keep the others from being sold
		n.log.Error("a part of the catalog cannot be read", "error", catalog)
		catalog = nil
	}
	if catalog != nil {
		catalog = fmt.Errorf("read the catalog: %w", catalog)
	}
	if clock != nil {
		clock = fmt.Errorf("read the ledger's clock: %w", clock)
	}
	if err := errors.Join(catalog, clock); err != nil {
		return errors.Join(err, n.Close())
	}
	return nil
}

// Close undoes Open, when Start is not to follow.
func (n *Node) Close() error {
	db := n.db
	n.db = nil
	return db.Close()
}

// Start joins the gossip and begins to own, after Open, which it does when that was not done. It returns when the node runs, which is before it
// has any partition; Ready tells when it has. ctx bounds the start only.
func (n *Node) Start(ctx context.Context) (err error) {
	if n.db == nil {
		if err := n.Open(ctx); err != nil {
			return err
		}
	}
	gossip := n.cfg.cluster()
	gossip.Log = n.log
	if n.gossip, err = cluster.Start(gossip); err != nil {
		return errors.Join(err, n.Close())
	}
	for i := range n.cfg.Lanes {
		jobs := make(chan owner.SendFlush, 4)
		n.lanes = append(n.lanes, jobs)
		n.tasks.Go(func() { n.runLane(i, jobs) })
	}
	n.tasks.Go(n.loop)
	n.tasks.Go(n.runSessions)
	n.tasks.Go(n.followMembers)
	n.tasks.Go(n.followHealth)
	n.tasks.Go(n.followCatalog)
	n.tasks.Go(n.followOwners)
	n.tasks.Go(n.followReleases)
	n.tasks.Go(n.pushChanges)
	n.tasks.Go(n.pushAnnouncements)
	n.tasks.Go(n.runShares)
	n.tasks.Go(n.runWides)
	return nil
}

// HandOff leaves the gossip and hands all partitions off in parallel. After it the node owns nothing, and still answers: who comes with old
// routes is sent on to the new owners, and reads what the ledger has, until Stop. It may be called more than once.
//
// When ctx ends before that is done, the rest is cut off at Stop, as in a crash: nothing is lost, its stock is away until the session ends.
func (n *Node) HandOff(ctx context.Context) error {
	if n.stopping.Swap(true) {
		return nil
	}
	defer n.pollEnd()
	n.sayGoodbye()
	n.give(owner.Drain{})
	if err := n.gossip.Leave(2 * time.Second); err != nil {
		n.log.Warn("the goodbye may not have reached the others", "error", err)
	}
	select {
	case <-n.stopped:
		select {
		case <-time.After(stragglers):
		case <-ctx.Done():
		}
	case <-ctx.Done():
		return fmt.Errorf("hand-off was cut off: %w", context.Cause(ctx))
	case <-n.ctx.Done():
	}
	return nil
}

// Stop hands off, when that was not done, ends the session and stops. From then on the node answers nothing: close what serves its clients first.
func (n *Node) Stop(ctx context.Context) error {
	err := n.HandOff(ctx)
	if n.halted.Swap(true) {
		<-n.ctx.Done()
		return nil
	}
	n.halt()
	return err
}

// Kill stops at once, without hand-off or goodbye, as a crash would.
func (n *Node) Kill() {
	n.stopping.Store(true)
	if !n.halted.Swap(true) {
		n.halt()
	}
}

func (n *Node) halt() {
	n.cancel()
	if n.tenant != nil {
		n.tenant.Close()
	}
	n.gossip.Close()
	n.tasks.Wait()
	if err := n.db.Close(); err != nil {
		n.log.Warn("the ledger did not close cleanly", "error", err)
	}
	n.peers.close()
}

// Ledger is the node's ledger, after Start.
func (n *Node) Ledger() *ledger.DB { return n.db }

// ID is the node's name.
func (n *Node) ID() string { return n.cfg.NodeID }
