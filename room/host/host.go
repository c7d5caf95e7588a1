package host

import (
	"cmp"
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"runtime/debug"
	"sync"
	"time"

	"go.uber.org/zap"

	"ticketrush/room"
	"ticketrush/room/draw"
	"ticketrush/room/openlog"
)

// Options of a host.
type Options struct {
	Name     string             // of the room
	Settings room.Settings      // with defaults, validated
	Key      ed25519.PrivateKey // signs the frontier document
	LogKey   ed25519.PrivateKey // signs the log's checkpoints
	Store    Store
	Log      *zap.Logger
	// Now gives the time that counts for the room, where that is another one than this machine's: all who may own the room should go by one clock. It
	// is never asked for the time that something took. Nil: time.Now.
	Now func() time.Time
	// Supply gives what is left of the room's event, nil where that is not known; nil when no event is named.
	Supply func() *room.Supply
	// Strain gives the site's strain as far as the owner itself sees it, from 0 to 1; nil when it sees nothing.
	Strain func() float64
	// Seconds is told how long each batch took to store, and with what outcome; nil when nobody counts.
	Seconds func(took time.Duration, err error)
}

// Host owns one room. Make it with New, run it with Run in a goroutine of its own.
type Host struct {
	opt Options
	log *zap.Logger

	mu      sync.Mutex
	room    *room.Room // nil until recovered
	stored  uint64     // the last batch that is durable
	changed chan struct{}
	waiters map[room.Tid][]chan room.Decision
	failed  error // why it is not ready
	broken  error // a panic: the room's state may be anything
	body    []byte
	tag     string
	shown   room.Document
	shownAt time.Time

	draw    drawing
	book    logbook
	tiles   *openlog.Tiles
	work    sync.WaitGroup // of the draw
	entered chan draw.Beacon
	wake    chan struct{}
	done    chan struct{}
}

// New makes a host that is not ready before Run has read the room.
func New(opt Options) *Host {
	if opt.Now == nil {
		opt.Now = time.Now
	}
	return &Host{
		tiles: openlog.NewTiles(storedLog{opt.Store}),
		opt:   opt, log: opt.Log.With(zap.String("room", opt.Name)), changed: make(chan struct{}), waiters: map[room.Tid][]chan room.Decision{},
		failed: ErrNotReady, wake: make(chan struct{}, 1), entered: make(chan draw.Beacon, 1), done: make(chan struct{}),
	}
}

func (h *Host) now() time.Time { return h.opt.Now() }

// Configure takes new settings, as a reload brings them.
func (h *Host) Configure(set room.Settings) {
	_ = h.under(func() { // one that is broken gets them in its next life
		h.opt.Settings = set
		if h.room != nil {
			h.room.Configure(set)
		}
	})
	h.nudge()
}

// Done is closed when the host has ended.
func (h *Host) Done() <-chan struct{} { return h.done }

// nudge asks for a batch to be stored at once.
func (h *Host) nudge() {
	select {
	case h.wake <- struct{}{}:
	default:
	}
}

// Run reads the room and keeps it until ctx ends or the Store says that somebody else owns it. Before it returns it stores what was decided.
func (h *Host) Run(ctx context.Context) error {
	defer close(h.done)
	if err := h.recover(ctx); err != nil {
		return err
	}
	ctx, stop := context.WithCancel(ctx)
	defer h.work.Wait()
	defer stop()
	ticker := time.NewTicker(room.TickEvery)
	defer ticker.Stop()
	if err := h.publish(h.now()); err != nil {
		return err
	}
	for {
		tick := false
		select {
		case <-ticker.C:
			tick = true
		case <-h.wake:
		case <-ctx.Done():
			return h.end(nil)
		}
		if err := h.turn(ctx, tick); err != nil {
			return h.end(err)
		}
	}
}

// under runs f with the lock. A panic of f gives the lock back and ends the host: whoever runs it begins anew, from what the Store has.
func (h *Host) under(f func()) (err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	defer h.contain(&err)
	if h.broken != nil {
		return h.broken
	}
	f()
	return nil
}

// contain is deferred by who has the lock.
func (h *Host) contain(err *error) {
	if cause := recover(); cause != nil {
		h.broken = fmt.Errorf("%w: %v\n%s", ErrBroken, cause, debug.Stack())
		h.failed = ErrNotReady
		*err = h.broken
		h.nudge()
	}
}

// worker runs f beside the host, which ends when f panics.
func (h *Host) worker(f func()) {
	h.work.Go(func() {
		defer func() {
			if cause := recover(); cause != nil {
				_ = h.under(func() { panic(cause) })
			}
		}()
		f()
	})
}

// recover reads the room, and stores what its new owner begins with.
func (h *Host) recover(ctx context.Context) error {
	snapshot, batches, found, err := h.opt.Store.Load(ctx)
	if err != nil {
		return err
	}
	h.mu.Lock()
	set := h.opt.Settings
	h.mu.Unlock()
	now := h.now()
	var r *room.Room
	if found {
		r, err = room.Restore(set, snapshot, batches, now)
	} else {
		r, err = room.New(set, now)
	}
	if err != nil {
		return err
	}
	if err := h.loadDraw(ctx, r); err != nil {
		return err
	}
	if err := h.loadLog(ctx, r); err != nil {
		return err
	}
	if !found {
		// A new room begins with a snapshot, so that what is read later has a start. Its log begins with what follows.
		r.Take(now)
		r.Stored()
		state, err := r.Snapshot()
		if err == nil {
			err = h.opt.Store.Compact(ctx, &state)
		}
		if err != nil {
			return err
		}
	}
	if !r.Committed() {
		secret, err := newSecret()
		if err != nil {
			return err
		}
		r.Commit(secret)
	}
	if h.book.log.Size() == 0 {
		r.Restate("the room begins")
	}
	first, _ := r.Take(now)
	if err := h.note(r, &first, set); err != nil {
		return err
	}
	if err := h.opt.Store.Append(ctx, r.Edition(), &first); err != nil {
		return err
	}
	r.Stored()
	h.mu.Lock()
	defer h.mu.Unlock()
	h.room, h.stored, h.failed = r, first.Seq, nil
	h.stamp()
	if h.opt.Settings != set {
		r.Configure(h.opt.Settings)
	}
	d := r.Document(now)
	h.log.Info("the room is owned here", zap.Bool("recovered", found), zap.Int("batches", len(batches)), zap.Uint64("seq", first.Seq), zap.Int("inside", d.Inside))
	return nil
}

// turn decides, stores, and gives out. An error ends the host.
func (h *Host) turn(ctx context.Context, tick bool) error {
	now := h.now()
	var decided []room.Decision
	var edition uint16
	var batch room.Batch
	var ok bool
	var unwritten error
	err := h.under(func() {
		if h.opt.Strain != nil {
			h.room.Pressure(h.opt.Strain())
		}
		if h.opt.Supply != nil {
			h.room.Supply(h.opt.Supply())
		}
		if tick {
			decided = h.room.Tick(now)
			h.stepDraw(ctx, now)
		}
		edition = h.room.Edition()
		if batch, ok = h.room.Take(now); ok {
			unwritten = h.note(h.room, &batch, h.opt.Settings)
		}
	})
	if err = cmp.Or(err, unwritten); err != nil {
		return err
	}
	if ok {
		if err := h.persist(ctx, edition, &batch); err != nil {
			return err
		}
	}
	if ok || now.Sub(h.shownAt) >= time.Second { // only this goroutine sets it
		if err := h.publish(now); err != nil {
			return err
		}
	}
	h.answer(batch.Seq, decided)
	if h.opt.Store.Due() {
		h.compact(ctx)
	}
	return nil
}

// answer tells those who wait: what was taken up to batch seq is stored, and the document shows it.
func (h *Host) answer(seq uint64, decided []room.Decision) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if seq > h.stored {
		h.stored = seq
		close(h.changed)
		h.changed = make(chan struct{})
	}
	for _, d := range decided {
		for _, w := range h.waiters[d.Tid] {
			w <- d // has room for it
		}
		delete(h.waiters, d.Tid)
	}
}

// persist stores a batch, again and again until the Store takes it. Meanwhile nothing is granted, and nothing is shown.
func (h *Host) persist(ctx context.Context, edition uint16, batch *room.Batch) error {
	for pause := 50 * time.Millisecond; ; pause = min(2*pause, 2*time.Second) {
		began := time.Now()
		err := h.opt.Store.Append(ctx, edition, batch)
		if h.opt.Seconds != nil {
			h.opt.Seconds(time.Since(began), err)
		}
		if broken := h.under(func() {
			h.failed = err
			if err == nil {
				h.room.Stored()
				h.stamp()
				h.took(edition, batch)
			}
		}); broken != nil {
			return broken
		}
		if err == nil || errors.Is(err, ErrLost) {
			return err
		}
		h.log.Error("the room's log was not stored; nobody is let in until it is", zap.Uint64("batch", batch.Seq), zap.Error(err))
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return &unstored{edition, batch}
		}
	}
}

// unstored is a batch that was taken and not stored before the host was stopped.
type unstored struct {
	edition uint16
	batch   *room.Batch
}

func (*unstored) Error() string { return "stopped before the last changes were stored" }

// stopPatience bounds how long a stopping host waits for its Store.
const stopPatience = 5 * time.Second

// end stores what there is, unless the room is lost, and refuses everything from here on.
func (h *Host) end(cause error) error {
	h.mu.Lock()
	h.failed = ErrNotReady
	h.mu.Unlock()
	if errors.Is(cause, ErrLost) || errors.Is(cause, ErrBroken) {
		return cause
	}
	ctx, cancel := context.WithTimeout(context.Background(), stopPatience)
	defer cancel()
	var rest *unstored
	if errors.As(cause, &rest) {
		if cause = h.persist(ctx, rest.edition, rest.batch); cause != nil {
			return cause
		}
	}
	now := h.now()
	var edition uint16
	var batch room.Batch
	var ok bool
	var unwritten error
	if err := h.under(func() {
		h.room.Mark(now)
		edition = h.room.Edition()
		if batch, ok = h.room.Take(now); ok {
			unwritten = h.note(h.room, &batch, h.opt.Settings)
		}
	}); err != nil {
		return err
	}
	if unwritten != nil {
		return unwritten
	}
	if ok {
		cause = h.persist(ctx, edition, &batch)
	}
	if cause == nil {
		h.compact(ctx)
	}
	h.mu.Lock()
	h.failed = ErrNotReady
	h.mu.Unlock()
	return cause
}

// compact folds the log into a snapshot. A failure costs nothing but a longer log.
func (h *Host) compact(ctx context.Context) {
	var snapshot room.State
	var err error
	if broken := h.under(func() { snapshot, err = h.room.Snapshot() }); broken != nil || err != nil {
		return // there are changes under way: the next turn
	}
	if err := h.opt.Store.Compact(ctx, &snapshot); err != nil {
		h.log.Warn("the room's snapshot was not stored; its log grows", zap.Error(err))
	}
}

// publish makes the document of now. Only Run's goroutine calls it, so that documents follow each other.
func (h *Host) publish(now time.Time) error {
	var d room.Document
	if err := h.under(func() { d = h.room.Document(now) }); err != nil {
		return err
	}
	d.Room = h.opt.Name
	body, tag, err := d.Encode(h.opt.Key)
	if err != nil {
		h.log.Error("encode the frontier document", zap.Error(err))
		return nil
	}
	return h.under(func() { h.body, h.tag, h.shown, h.shownAt = body, tag, d, now })
}

// Document gives the last document, and why the host is not ready, if it is not.
func (h *Host) Document() (d room.Document, ready error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.shown, h.failed
}
