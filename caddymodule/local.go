package caddymodule

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	"ticketrush/room"
	"ticketrush/room/draw"
	"ticketrush/room/host"
)

// ownersNow is the clock of the rooms that are kept here. The test of a draw with a recorded round of drand sets it back to that round.
var ownersNow = time.Now

// local owns a room in this process, with its log in Caddy's storage, under the storage's lock.
type local struct {
	k       *keeper
	host    atomic.Pointer[host.Host]           // nil while the lock or the log is waited for
	left    atomic.Pointer[func() *room.Supply] // not under mu: the host asks with its own lock held, which is taken inside of mu elsewhere
	mu      sync.Mutex
	use     keeping
	log     *zap.Logger
	failed  error
	renewed context.CancelFunc // ends the present host: the storage is another one
}

// serves implements roomOwner.
func (*local) serves(u *keeping) bool { return u.stockd == nil }

// here implements roomOwner.
func (*local) here() bool { return true }

// gather implements roomOwner: the owner is near, and whoever is first in an empty line need not wait.
func (*local) gather() time.Duration { return 10 * time.Millisecond }

// configure implements roomOwner.
func (l *local) configure(u keeping, log *zap.Logger) {
	l.mu.Lock()
	defer l.mu.Unlock()
	moved := l.use.storage != nil && fmt.Sprint(l.use.storage) != fmt.Sprint(u.storage)
	l.use, l.log = u, log
	l.left.Store(&u.supply)
	if h := l.host.Load(); h != nil {
		h.Configure(u.settings)
	}
	if moved && l.renewed != nil {
		l.renewed()
	}
}

func (l *local) describe() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if h := l.host.Load(); h != nil {
		_, err := h.Document()
		return err
	}
	return l.failed
}

// drawWaits says for what the draw of a room that is kept here waits; "" when it waits for nothing.
func (k *keeper) drawWaits() string {
	if l, here := k.owner.(*local); here {
		if h := l.host.Load(); h != nil {
			return h.Waits()
		}
	}
	return ""
}

// lockPause is how long the next attempt at lock and log waits after one that failed.
const lockPause = 5 * time.Second

func (l *local) run(ctx context.Context) {
	var last *journal
	for {
		j, err := l.serve(ctx, last)
		if j != nil {
			last = j
		}
		if ctx.Err() != nil {
			return
		}
		if err == nil {
			continue // the storage moved
		}
		l.mu.Lock()
		l.failed = err
		log := l.log
		l.mu.Unlock()
		log.Error("the room cannot be kept here; nobody is let in", zap.Error(err))
		select {
		case <-time.After(lockPause):
		case <-ctx.Done():
			return
		}
	}
}

// serve keeps the room in the present storage until that is replaced, or fails. It gives the log that it used.
func (l *local) serve(ctx context.Context, last *journal) (*journal, error) {
	l.mu.Lock()
	u, log := l.use, l.log
	here, cancel := context.WithCancel(ctx)
	l.renewed = cancel
	l.mu.Unlock()
	defer cancel()
	j := newJournal(u.storage, l.k.name)
	err := j.lock(here, func() {
		log.Warn("waiting for the room's storage lock: another process holds it, or one crashed less than 10 seconds ago")
	})
	if err != nil {
		return nil, fmt.Errorf("take the room's lock: %w", err)
	}
	defer func() {
		if err := j.unlock(); err != nil {
			log.Warn("the room's storage lock was not given back", zap.Error(err))
		}
	}()
	if last != nil && fmt.Sprint(last.storage) != fmt.Sprint(j.storage) {
		if err := j.copyFrom(here, last); err != nil {
			log.Error("the room's log stays where it was: the new storage does not take it", zap.Error(err))
			l.mu.Lock()
			l.use.storage = last.storage
			l.mu.Unlock()
			return nil, nil
		}
	}
	h := host.New(host.Options{
		Name: l.k.name, Settings: u.settings, Key: host.FrontierKey(l.k.keys.Load()), LogKey: host.LogKey(l.k.keys.Load()), Store: j, Log: log, Supply: l.supply,
		Now: ownersNow,
		Seconds: func(took time.Duration, err error) {
			metrics.storeSeconds.WithLabelValues(l.k.name).Observe(took.Seconds())
			if err != nil {
				metrics.storeErrors.WithLabelValues(l.k.name).Inc()
			}
		},
	})
	l.mu.Lock()
	h.Configure(l.use.settings) // a reload may have come in between
	l.host.Store(h)
	l.failed = nil
	l.mu.Unlock()
	defer l.host.Store(nil)
	return j, h.Run(here)
}

// supply gives what is left of the room's event, as the edge learns it from stockd's answers.
func (l *local) supply() *room.Supply {
	supply := l.left.Load()
	if supply == nil || *supply == nil {
		return nil
	}
	return (*supply)()
}

func (l *local) present() (*host.Host, error) {
	if h := l.host.Load(); h != nil {
		return h, nil
	}
	return nil, errNotReady
}

// Sync implements host.Owner.
func (l *local) Sync(ctx context.Context, report *room.Report) (*room.Answer, error) {
	h, err := l.present()
	if err != nil {
		return nil, err
	}
	return h.Sync(ctx, report)
}

// Claim implements host.Owner.
func (l *local) Claim(ctx context.Context, claim room.Claim) (host.Claimed, error) {
	h, err := l.present()
	if err != nil {
		return host.Claimed{}, err
	}
	return h.Claim(ctx, claim)
}

// Renew implements host.Owner.
func (l *local) Renew(ctx context.Context, tid room.Tid, renewal uint16, life time.Duration) (room.Session, error) {
	h, err := l.present()
	if err != nil {
		return room.Session{}, err
	}
	return h.Renew(ctx, tid, renewal, life)
}

// Leave implements host.Owner.
func (l *local) Leave(ctx context.Context, tid room.Tid) error {
	h, err := l.present()
	if err != nil {
		return err
	}
	return h.Leave(ctx, tid)
}

// Ban implements host.Owner.
func (l *local) Ban(ctx context.Context, tid room.Tid, until time.Time) error {
	h, err := l.present()
	if err != nil {
		return err
	}
	return h.Ban(ctx, tid, until)
}

// Change implements host.Owner.
func (l *local) Change(ctx context.Context, change host.Change) error {
	h, err := l.present()
	if err != nil {
		return err
	}
	return h.Change(ctx, change)
}

// Redeem implements host.Owner.
func (l *local) Redeem(ctx context.Context, tid room.Tid, serial uint32, uses int) (uint64, error) {
	h, err := l.present()
	if err != nil {
		return 0, err
	}
	return h.Redeem(ctx, tid, serial, uses)
}

// Offer implements host.Owner.
func (l *local) Offer(ctx context.Context, place room.Place, code room.Digest, look bool) (time.Duration, error) {
	h, err := l.present()
	if err != nil {
		return 0, err
	}
	return h.Offer(ctx, place, code, look)
}

// Handover implements host.Owner.
func (l *local) Handover(ctx context.Context, code, taker room.Digest) (room.Place, error) {
	h, err := l.present()
	if err != nil {
		return room.Place{}, err
	}
	return h.Handover(ctx, code, taker)
}

// IssueCodes implements host.Owner.
func (l *local) IssueCodes(ctx context.Context, n uint32, reason string) (uint32, error) {
	h, err := l.present()
	if err != nil {
		return 0, err
	}
	return h.IssueCodes(ctx, n, reason)
}

// Receipt implements host.Owner.
func (l *local) Receipt(ctx context.Context, tid room.Tid) (*draw.Receipt, error) {
	h, err := l.present()
	if err != nil {
		return nil, err
	}
	return h.Receipt(ctx, tid)
}

// Log implements host.Owner.
func (l *local) Log(ctx context.Context, path string) ([]byte, error) {
	h, err := l.present()
	if err != nil {
		return nil, err
	}
	return h.Log(ctx, path)
}

// Drawn implements host.Owner.
func (l *local) Drawn(ctx context.Context, w io.Writer) error {
	h, err := l.present()
	if err != nil {
		return err
	}
	return h.Drawn(ctx, w)
}

var _ roomOwner = (*local)(nil)

// copyFrom brings a room's log to another storage.
func (j *journal) copyFrom(ctx context.Context, old *journal) error {
	snapshot, batches, found, err := old.load(ctx)
	if err != nil || !found {
		return err
	}
	if len(batches) > 0 {
		return errors.New("its last changes are not in the snapshot yet")
	}
	keys, err := old.list(ctx, old.lobbyDir())
	if err != nil {
		return err
	}
	open, err := old.list(ctx, old.openDir())
	if err != nil {
		return err
	}
	keys = append(keys, open...)
	for _, key := range keys {
		text, err := old.storage.Load(ctx, key)
		if err == nil {
			err = j.store(ctx, key, text)
		}
		if err != nil {
			return err
		}
	}
	return j.Compact(ctx, &snapshot)
}
