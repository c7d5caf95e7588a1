package caddymodule

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/certmagic"
	"go.uber.org/zap"

	"ticketrush/pass"
	"ticketrush/room"
)

// keepers holds the rooms of this process by name; they survive a reload of the configuration.
var keepers = caddy.NewUsagePool()

// errNotReady says that the room's log is not read yet, that its lock is somewhere else, or that its storage does not take changes.
var errNotReady = errors.New("the waiting room is not ready")

// keeper drives one room: it is what makes a decision durable, and gives it out.
type keeper struct {
	name   string
	number uint32
	keys   atomic.Pointer[pass.Keyring] // nil until the first start
	doc    atomic.Pointer[frontierDoc]  // nil until recovered

	mu      sync.Mutex
	room    *room.Room // nil until recovered
	set     room.Settings
	log     *zap.Logger
	left    func() *int64 // what is left of the room's event; nil when no event is named
	storage certmagic.Storage
	stored  uint64        // the last batch that is durable
	changed chan struct{} // closed and replaced at each stored batch
	waiters map[room.Tid][]chan room.Decision
	failed  error // why it is not ready, for the admin API
	stop    context.CancelFunc
	done    chan struct{} // nil until started
	renewed bool          // a reload: the storage may be another one

	unstored *room.Batch // taken, and not stored before the stop; of run's goroutine only

	wake    chan struct{}
	streams atomic.Int64
}

func newKeeper(name string) *keeper {
	return &keeper{
		name: name, number: pass.RoomNumber(name), changed: make(chan struct{}), waiters: map[room.Tid][]chan room.Decision{},
		wake: make(chan struct{}, 1), log: zap.NewNop(),
	}
}

// start begins to keep the room, or takes over the settings of a new configuration.
func (k *keeper) start(set room.Settings, keys *pass.Keyring, storage certmagic.Storage, left func() *int64, log *zap.Logger) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.set, k.storage, k.left, k.log = set, storage, left, log.With(zap.String("room", k.name))
	k.keys.Store(keys)
	if k.room != nil {
		k.room.Configure(set)
	}
	if k.done == nil {
		var ctx context.Context
		ctx, k.stop = context.WithCancel(context.Background())
		k.done = make(chan struct{})
		go k.run(ctx)
		return
	}
	k.renewed = true
	k.nudge()
}

// Destruct ends the keeper when no configuration uses it any more: what is decided is stored, the lock is given back. Requests that are still
// under way find a room that answers "not ready".
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
		return errors.New("waiting room " + k.name + ": storage did not take the last changes in time")
	}
}

// logger gives the present configuration's logger.
func (k *keeper) logger() *zap.Logger {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.log
}

// nudge asks for a batch to be stored at once.
func (k *keeper) nudge() {
	select {
	case k.wake <- struct{}{}:
	default:
	}
}

func (k *keeper) run(ctx context.Context) {
	defer close(k.done)
	j := k.open(ctx)
	if j == nil {
		return
	}
	ticker := time.NewTicker(room.TickEvery)
	defer ticker.Stop()
	k.publish(time.Now())
	for {
		tick := false
		select {
		case <-ticker.C:
			tick = true
		case <-k.wake:
		case <-ctx.Done():
			k.close(j)
			return
		}
		if !k.turn(ctx, j, tick) {
			k.close(j)
			return
		}
		j = k.follow(j)
	}
}

// turn decides, stores, and gives out. It is false when it was stopped before the changes were stored.
func (k *keeper) turn(ctx context.Context, j *journal, tick bool) bool {
	now := time.Now()
	var decided []room.Decision
	k.mu.Lock()
	if tick {
		decided = k.room.Tick(now)
	}
	batch, ok := k.room.Take(now)
	k.mu.Unlock()
	if ok && !k.persist(ctx, j, &batch) {
		return false
	}
	k.mu.Lock()
	for _, d := range decided {
		for _, w := range k.waiters[d.Tid] {
			w <- d // has room for it
		}
		delete(k.waiters, d.Tid)
	}
	k.mu.Unlock()
	if doc := k.doc.Load(); ok || doc == nil || now.Sub(doc.at) >= time.Second {
		k.publish(now)
	}
	if j.batches >= snapshotEvery {
		k.compact(ctx, j)
	}
	return true
}

// persist stores a batch, again and again with the same bytes until storage takes it. Meanwhile nothing is granted and pages are served.
func (k *keeper) persist(ctx context.Context, j *journal, batch *room.Batch) bool {
	for pause := 50 * time.Millisecond; ; pause = min(2*pause, 2*time.Second) {
		began := time.Now()
		err := j.append(ctx, batch)
		metrics.storeSeconds.WithLabelValues(k.name).Observe(time.Since(began).Seconds())
		k.mu.Lock()
		k.failed = err
		if err == nil {
			k.room.Stored()
			k.stored = batch.Seq
			close(k.changed)
			k.changed = make(chan struct{})
			k.mu.Unlock()
			return true
		}
		k.mu.Unlock()
		metrics.storeErrors.WithLabelValues(k.name).Inc()
		k.logger().Error("the room's log was not stored; nobody is let in until it is", zap.Uint64("batch", batch.Seq), zap.Error(err))
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			k.unstored = batch
			return false
		}
	}
}

// whenStored waits until everything that was done to the room so far is durable. The caller holds the mutex, and does not any more after it.
func (k *keeper) whenStored(ctx context.Context) error {
	seq := k.room.Seq()
	for k.stored < seq {
		changed := k.changed
		k.mu.Unlock()
		k.nudge()
		select {
		case <-changed:
		case <-ctx.Done():
			return errNotReady
		case <-k.done:
			return errNotReady
		}
		k.mu.Lock()
	}
	k.mu.Unlock()
	return nil
}

// compact folds the log into a snapshot. A failure costs nothing but a longer log.
func (k *keeper) compact(ctx context.Context, j *journal) {
	k.mu.Lock()
	snapshot, err := k.room.Snapshot()
	k.mu.Unlock()
	if err != nil {
		return // there are changes under way: the next turn
	}
	if err := j.compact(ctx, &snapshot); err != nil {
		k.logger().Warn("the room's snapshot was not stored; the log grows", zap.Error(err))
	}
}
