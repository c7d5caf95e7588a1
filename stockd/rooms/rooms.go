package rooms

import (
	"context"
	"crypto/ed25519"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"ticketrush/client"
	"ticketrush/ledger"
	"ticketrush/pass"
	"ticketrush/room/host"
	"ticketrush/stockd/node"
	"ticketrush/stockd/owner"
	"ticketrush/stockd/stock"
)

// Config sets up the rooms of a node.
type Config struct {
	// Node is the node, opened and not yet started. Required.
	Node *node.Node
	// Keys are those of the file that edges have, too: they sign the frontier documents. Nil: there are no rooms, and who asks for one is told why.
	Keys *pass.Keyring
	// Strain is what the node sees of its own strain beside its ledger's, from 0 to 1. Nil: nothing.
	Strain func() float64
	// GiveUp is after how long without an answer the connection of an append is closed; the same batch is then sent again. Default 5 s.
	GiveUp time.Duration
	// Log and Registry may be nil.
	Log      *slog.Logger
	Registry prometheus.Registerer
}

// Rooms are the rooms of a node. It is the node's Tenant.
type Rooms struct {
	cfg     Config
	node    *node.Node
	log     *slog.Logger
	key     ed25519.PrivateKey // nil: no rooms
	logKey  ed25519.PrivateKey
	lanes   *lanes
	metrics *metrics
	forward *http.Transport // to other nodes

	mu     sync.Mutex                   // guards what follows
	parts  map[stock.PartitionID]tenure // what the node serves
	all    map[string]*tenancy          // of those, by name
	closed bool

	ctx   context.Context // ends with Close
	stop  context.CancelFunc
	tasks sync.WaitGroup
	wake  chan struct{}
}

// tenure is one ownership of a partition.
type tenure struct{ session, epoch int64 }

var _ node.Tenant = (*Rooms)(nil)

// scanEvery is how often the ledger is asked for rooms that this node should run and does not; what is known to have changed is looked at once.
const (
	scanEvery = 5 * time.Second
	scanAgain = 200 * time.Millisecond // after a failure
	scanWait  = 3 * time.Second
)

// New makes the rooms of a node and begins to run those that it owns. Attach them to the node.
func New(cfg Config) (*Rooms, error) {
	if cfg.GiveUp == 0 {
		cfg.GiveUp = 5 * time.Second
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	r := &Rooms{
		cfg: cfg, node: cfg.Node, log: cfg.Log, lanes: newLanes(cfg.Node.Ledger(), cfg.GiveUp), parts: map[stock.PartitionID]tenure{}, all: map[string]*tenancy{},
		wake: make(chan struct{}, 1),
		forward: &http.Transport{
			DialContext:         (&net.Dialer{Timeout: 200 * time.Millisecond, KeepAlive: 15 * time.Second}).DialContext,
			MaxIdleConnsPerHost: 64, IdleConnTimeout: time.Minute, ResponseHeaderTimeout: client.RoomWaitMax + 2*claimSpare,
		},
	}
	if cfg.Keys != nil {
		r.key, r.logKey = host.FrontierKey(cfg.Keys), host.LogKey(cfg.Keys)
	}
	var err error
	if r.metrics, err = newMetrics(cfg.Registry, r); err != nil {
		return nil, err
	}
	r.ctx, r.stop = context.WithCancel(context.Background())
	r.tasks.Go(r.run)
	return r, nil
}

// Begin implements node.Tenant.
func (r *Rooms) Begin(session int64, parts []owner.PartEpoch) {
	r.mu.Lock()
	for _, pe := range parts {
		r.parts[pe.Part] = tenure{session, pe.Epoch}
	}
	r.mu.Unlock()
	r.look()
}

// End implements node.Tenant: what a host still has under way is refused by the ledger, or belongs to the life that ends.
func (r *Rooms) End(parts []owner.PartEpoch) {
	for _, t := range r.leave(parts) {
		t.cancel()
	}
}

// LetGo implements node.Tenant.
func (r *Rooms) LetGo(ctx context.Context, parts []owner.PartEpoch) {
	ending := r.leave(parts)
	for _, t := range ending {
		t.cancel()
	}
	for _, t := range ending {
		select {
		case <-t.done:
		case <-ctx.Done():
			r.log.Warn("a room was handed off before everything was stored; what was not was not answered either", "room", t.name)
		}
	}
}

// leave forgets partitions under these epochs, and gives the rooms that lived there.
func (r *Rooms) leave(parts []owner.PartEpoch) (ending []*tenancy) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, pe := range parts {
		if r.parts[pe.Part].epoch == pe.Epoch {
			delete(r.parts, pe.Part)
		}
	}
	for name, t := range r.all {
		if _, owned := r.parts[t.part]; !owned {
			ending = append(ending, t)
			delete(r.all, name)
		}
	}
	return ending
}

// Close implements node.Tenant.
func (r *Rooms) Close() {
	r.mu.Lock()
	r.closed = true
	r.mu.Unlock()
	r.lanes.close()
	r.stop()
	r.forward.CloseIdleConnections()
	r.tasks.Wait()
}

// Path implements node.Tenant.
func (r *Rooms) Path() string { return client.RoomsPath }

// look asks for a scan.
func (r *Rooms) look() {
	select {
	case r.wake <- struct{}{}:
	default:
	}
}

// run begins rooms that this node owns.
func (r *Rooms) run() {
	timer := time.NewTimer(scanEvery)
	defer timer.Stop()
	for {
		select {
		case <-r.ctx.Done():
			return
		case <-r.wake:
		case <-timer.C:
		}
		next := scanEvery
		if err := r.scan(); err != nil && r.ctx.Err() == nil {
			r.log.Warn("the rooms could not be read from the ledger", "error", err)
			next = scanAgain
		}
		timer.Reset(next)
	}
}

func (r *Rooms) scan() error {
	r.mu.Lock()
	idle := len(r.parts) == 0 || r.key == nil
	r.mu.Unlock()
	if idle {
		return nil
	}
	ctx, cancel := context.WithTimeout(r.ctx, scanWait)
	defer cancel()
	rows, err := r.node.Ledger().Rooms(ctx)
	if err != nil {
		return err
	}
	for _, row := range rows {
		err = errors.Join(err, r.begin(row))
	}
	return err
}

// begin runs a room, when its partition is served here and it does not run yet.
func (r *Rooms) begin(row ledger.Room) error {
	part := stock.PartitionID(row.Part)
	r.mu.Lock()
	defer r.mu.Unlock()
	held, owned := r.parts[part]
	if !owned || r.closed || r.key == nil {
		return nil
	}
	if old := r.all[row.Name]; old != nil {
		if old.tenure == held {
			return nil
		}
		old.cancel() // the node has lost the partition and got it back
	}
	t, err := newTenancy(r, row, held)
	if err != nil {
		return err
	}
	r.all[row.Name] = t
	r.tasks.Go(t.run)
	r.tasks.Go(t.watch)
	return nil
}

// tenancyOf is the room of a name, when its partition is served here; nil when it does not run yet, or there is none. served is whether
// this node is the one to ask.
func (r *Rooms) tenancyOf(name string, part stock.PartitionID) (t *tenancy, served bool) {
	if !r.node.Promising() {
		return nil, false
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	_, served = r.parts[part]
	return r.all[name], served
}

// here are the rooms that run here, in no order.
func (r *Rooms) here() []*tenancy {
	r.mu.Lock()
	defer r.mu.Unlock()
	all := make([]*tenancy, 0, len(r.all))
	for _, t := range r.all {
		all = append(all, t)
	}
	return all
}

// strain is how hard this node works, from 0 to 1.
func (r *Rooms) strain() float64 {
	s := r.node.Strain()
	if r.cfg.Strain != nil {
		s = max(s, r.cfg.Strain())
	}
	return s
}
