package caddymodule

import (
	"context"
	"crypto/ed25519"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/certmagic"
	"go.uber.org/zap"

	"ticketrush/pass"
	"ticketrush/room"
	"ticketrush/room/draw"
	"ticketrush/room/host"
)

// keepers holds the rooms of this process by name; they survive a reload of the configuration.
var keepers = caddy.NewUsagePool()

// errNotReady says that the room's owner was not met yet, does not answer, or cannot make its changes durable.
var errNotReady = host.ErrNotReady

// keeper is this edge of one room. It stamps arrivals and checks passes by itself, tells the owner four times a second what it did, and asks it
// for everything else. The owner is in this process, or a stockd node.
type keeper struct {
	name      string
	named     string // this edge, among those of the room
	number    uint32
	keys      atomic.Pointer[pass.Keyring] // nil until the first start
	doc       atomic.Pointer[frontierDoc]  // nil until the owner was met
	through   atomic.Bool                  // ops hold nobody back
	latency   latency                      // of the site's answers here
	rehearsed atomic.Int64                 // claims of a room in shadow mode that are under way
	lots      atomic.Pointer[lots]         // ranks the places of the lobby; nil before the draw

	mu     sync.RWMutex
	edge   *room.Edge
	log    *zap.Logger
	synced chan struct{}      // closed and replaced at each answer of the owner
	begun  uint64             // syncs
	ended  uint64             // the last of them that was answered
	failed error              // why the last sync brought nothing; for the admin API
	told   bool               // the log has that the owner is away
	owner  roomOwner          // nil until started
	retire context.CancelFunc // ends the present owner
	stop   context.CancelFunc
	done   chan struct{} // nil until started

	crier    crier
	wake     chan struct{}
	openLog  *openLog
	drawFile *drawFile
	streams  atomic.Int64
	owners   sync.WaitGroup // the present one, and those before it that still store what they decided; and the crier
}

// keeping is how a configuration has a room kept.
type keeping struct {
	settings room.Settings
	given    bool     // the settings are the configuration's own, not defaults
	stockd   *cluster // that owns the room; nil: this edge does
	storage  certmagic.Storage
	supply   func() *room.Supply // what is left of the room's event; nil when no event is named
}

// owner makes the owner that a configuration wants.
func (u *keeping) owner(k *keeper) roomOwner {
	if u.stockd != nil {
		return newRemote(k, u.stockd)
	}
	return &local{k: k}
}

// lots gives the ranks that were drawn.
type lots struct {
	seed draw.Hash
	*draw.Ranker
}

// roomOwner is an owner that lives as long as its keeper.
type roomOwner interface {
	host.Owner
	// serves says whether a configuration is content with this owner.
	serves(u *keeping) bool
	// here says whether the room is decided in this process.
	here() bool
	// gather is how long nudges gather until the owner is asked again.
	gather() time.Duration
	// configure takes what a reload brings.
	configure(u keeping, log *zap.Logger)
	// describe gives why the owner does not work, as far as this process sees it.
	describe() error
	// run works until ctx ends.
	run(ctx context.Context)
}

// newKeeper makes the keeper of a room at an edge of that name. The present time is the edge's incarnation.
func newKeeper(name, edge string) *keeper {
	now := time.Now()
	return &keeper{
		name: name, named: edge, number: pass.RoomNumber(name), edge: room.NewEdge(edge, uint64(now.UnixNano()), now), synced: make(chan struct{}),
		wake: make(chan struct{}, 1), log: zap.NewNop(), openLog: newOpenLog(), drawFile: newDrawFile(),
		crier: crier{queue: make(chan news, newsMax)},
	}
}

// start begins to keep the room, or takes over the settings of a new configuration.
func (k *keeper) start(u keeping, keys *pass.Keyring, log *zap.Logger) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.log = log.With(zap.String("room", k.name))
	k.keys.Store(keys) // the owner needs them; who asks it waits for the lock
	if k.owner == nil || !k.owner.serves(&u) {
		next := u.owner(k)
		next.configure(u, k.log)
		k.appoint(next)
	} else {
		k.owner.configure(u, k.log)
	}
	if k.done != nil {
		k.nudge()
		return
	}
	var ctx context.Context
	ctx, k.stop = context.WithCancel(context.Background())
	k.done = make(chan struct{})
	go k.run(ctx)
}

// appoint makes an owner that is configured the room's. The caller holds the lock.
func (k *keeper) appoint(next roomOwner) {
	if last := k.owner; last != nil {
		k.retire()
		if last.here() != next.here() {
			// It is another room from now on, with fences and counts of its own.
			now := time.Now()
			k.edge = room.NewEdge(k.named, uint64(now.UnixNano()), now)
			k.doc.Store(nil)
			k.lots.Store(nil)
			k.through.Store(false)
			k.crier.last = aspect{}
			k.openLog.tiles.Purge()
			k.hideGauges()
			k.log.Warn("the room begins anew at another owner, which knows neither who waits nor who is inside; begin a new edition to void what was given before")
		}
	}
	var ctx context.Context
	ctx, k.retire = context.WithCancel(context.Background())
	k.owner = next
	k.owners.Go(func() { next.run(ctx) })
}

// ask gives the owner to ask. Who has the keeper's keys may use it.
func (k *keeper) ask() host.Owner {
	k.mu.RLock()
	defer k.mu.RUnlock()
	return k.owner
}

// Destruct ends the keeper when no configuration uses it any more: what is decided is stored. Requests that are still under way find a room that
// answers "not ready".
func (k *keeper) Destruct() error {
	k.mu.Lock()
	stop, done := k.stop, k.done
	k.mu.Unlock()
	if done == nil {
		return nil
	}
	stop()
	select {
	case <-done:
		return nil
	case <-time.After(10 * time.Second):
		return errors.New("waiting room " + k.name + ": the last changes were not stored in time")
	}
}

// logger gives the present configuration's logger.
func (k *keeper) logger() *zap.Logger {
	k.mu.RLock()
	defer k.mu.RUnlock()
	return k.log
}

// nudge asks for a sync at once.
func (k *keeper) nudge() {
	select {
	case k.wake <- struct{}{}:
	default:
	}
}

// syncPatience bounds one sync.
const syncPatience = 3 * time.Second

func (k *keeper) run(ctx context.Context) {
	defer close(k.done)
	defer k.owners.Wait()
	defer k.leaveOwner() // after the last sync
	k.owners.Go(func() { k.crier.run(ctx) })
	timer := time.NewTimer(0)
	defer timer.Stop()
	pause := time.NewTimer(0)
	defer pause.Stop()
	for {
		select {
		case <-timer.C:
		case <-k.wake:
		case <-ctx.Done():
			last, cancel := context.WithTimeout(context.Background(), time.Second)
			k.sync(last)
			cancel()
			return
		}
		k.sync(ctx)
		next, gather := k.pace()
		timer.Reset(next)
		pause.Reset(gather)
		select {
		case <-pause.C:
		case <-ctx.Done():
		}
	}
}

// pace gives when to sync again, and for how long nudges gather.
func (k *keeper) pace() (next, gather time.Duration) {
	k.mu.RLock()
	defer k.mu.RUnlock()
	return k.edge.NextSync(time.Now()), k.owner.gather()
}

// leaveOwner ends the present owner.
func (k *keeper) leaveOwner() {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.retire()
}

// sync tells the owner what happened here, and learns what is new.
func (k *keeper) sync(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, syncPatience)
	defer cancel()
	k.mu.Lock()
	k.begun++
	round, sent := k.begun, time.Now()
	p99 := k.latency.p99(sent)
	k.edge.Answered(p99)
	metrics.siteP99.WithLabelValues(k.name).Set(p99.Seconds())
	report, owner := k.edge.Report(sent), k.owner
	k.mu.Unlock()
	answer, err := owner.Sync(ctx, &report)
	received := time.Now()
	k.mu.Lock()
	defer k.mu.Unlock()
	if owner != k.owner {
		return // what another one says counts from now on
	}
	k.note(err, received)
	if err != nil {
		k.look(received, true)
		return
	}
	if answer.Fence != report.Fence {
		k.openLog.tiles.Purge() // after a restore of the ledger to an earlier time the log goes on differently
	}
	k.edge.Took(sent, received, &report, answer)
	k.through.Store(k.edge.Through())
	k.rankLobby()
	k.ended = round
	close(k.synced)
	k.synced = make(chan struct{})
	body, tag := k.edge.Body()
	if doc := k.doc.Load(); tag != "" && (doc == nil || doc.tag != tag) {
		k.publish(body, tag)
	}
	k.look(received, false)
}

// rankLobby learns the seed of the draw. The caller holds the lock.
func (k *keeper) rankLobby() {
	d, known := k.edge.Draw(), k.lots.Load()
	switch {
	case d == nil || d.Drawn == nil:
		k.lots.Store(nil)
	case known == nil || known.seed != d.Drawn.Seed:
		k.lots.Store(&lots{d.Drawn.Seed, draw.NewRanker(d.Drawn.Seed)})
	}
}

// note logs when the owner goes away and when it is back.
func (k *keeper) note(err error, now time.Time) {
	metrics.clockBound.WithLabelValues(k.name).Set(k.edge.Bound(now) / 1000)
	if err != nil {
		metrics.syncErrors.WithLabelValues(k.name).Inc()
		// One that was never met is about to come, unless it says something else.
		if !k.told && (k.edge.Ready() || !errors.Is(err, errNotReady)) {
			k.log.Error("the room's owner does not answer; nobody is let in until it does", zap.String("edge", k.named), zap.Error(err))
			k.told = true
		}
	} else if k.told {
		k.log.Info("the room's owner answers")
		k.told = false
	}
	k.failed = err
}

// whenSynced waits until ok holds after an answer of the owner.
func (k *keeper) whenSynced(ctx context.Context, ok func(*room.Edge) bool) bool {
	for {
		k.mu.RLock()
		done, synced, ended := ok(k.edge), k.synced, k.done
		k.mu.RUnlock()
		if ended == nil {
			return false // nothing syncs yet
		}
		if done {
			return true
		}
		k.nudge()
		select {
		case <-synced:
		case <-ctx.Done():
			return false
		case <-ended:
			return false
		}
	}
}

// refresh waits for the answer to a report that is made from now on.
func (k *keeper) refresh(ctx context.Context) {
	k.mu.RLock()
	begun := k.begun
	k.mu.RUnlock()
	k.whenSynced(ctx, func(*room.Edge) bool { return k.ended > begun })
}

// publish makes a new document ready to be sent. The caller holds the lock.
func (k *keeper) publish(body []byte, tag string) {
	doc, err := newFrontierDoc(body, tag, host.FrontierKey(k.keys.Load()).Public().(ed25519.PublicKey), k.edge.Document())
	if err != nil {
		k.log.Error("compress the frontier document", zap.Error(err))
		return
	}
	k.doc.Store(doc)
	k.showGauges(doc.state)
}

// phase gives what the room is doing.
func (k *keeper) phase() room.Phase {
	k.mu.RLock()
	defer k.mu.RUnlock()
	return k.edge.Phase(time.Now())
}
