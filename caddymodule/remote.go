package caddymodule

import (
	"context"
	"crypto/ed25519"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	"ticketrush/client"
	"ticketrush/room"
	"ticketrush/room/host"
)

// remote is a room that stockd owns; client.Room finds the node that does. The room's row in stockd's ledger is the truth: the configuration creates it,
// and where it says something else afterwards that is a warning.
type remote struct {
	*client.Room
	k     *keeper
	at    *cluster
	again chan struct{} // asks for the room to be entered
	known atomic.Uint64 // the fence of an owner that is known to have the edge's keys

	mu     sync.Mutex // guards what follows
	use    keeping
	log    *zap.Logger
	failed error  // why the room is not entered
	told   string // what the log has of that
}

var (
	// errKeys says that edge and stockd do not sign with the same keys.
	errKeys = errors.New("stockd has other keys than this edge: give the same file to both, as `keys` and as room_keys_file")
	// errEntering says that stockd was not reached yet.
	errEntering = errors.New("stockd did not answer yet; the room is asked for again and again")
)

func newRemote(k *keeper, at *cluster) *remote {
	return &remote{Room: at.Room(k.name), k: k, at: at, again: make(chan struct{}, 1), failed: errEntering}
}

// serves implements roomOwner.
func (r *remote) serves(u *keeping) bool { return u.stockd != nil && u.stockd.id == r.at.id }

// here implements roomOwner.
func (*remote) here() bool { return false }

// gather implements roomOwner. All edges sync four times a second, at the same moment; what cannot wait for that must not cost the owner a commit per visitor.
func (*remote) gather() time.Duration { return 100 * time.Millisecond }

// configure implements roomOwner.
func (r *remote) configure(u keeping, log *zap.Logger) {
	r.mu.Lock()
	same := r.use.stockd != nil && r.use.settings == u.settings && r.use.given == u.given
	r.use, r.log = u, log
	r.mu.Unlock()
	if !same {
		r.enterAgain()
	}
}

// describe implements roomOwner.
func (r *remote) describe() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.failed
}

func (r *remote) enterAgain() {
	select {
	case r.again <- struct{}{}:
	default:
	}
}

// How long the next attempt to enter the room waits after one that failed.
const (
	enterFirst = 250 * time.Millisecond
	enterMax   = 5 * time.Second
)

// run implements roomOwner: it enters the room, and again whenever that is asked for.
func (r *remote) run(ctx context.Context) {
	for {
		select {
		case <-r.again:
		case <-ctx.Done():
			return
		}
		for pause := enterFirst; !r.enter(ctx); pause = min(2*pause, enterMax) {
			select {
			case <-time.After(pause):
			case <-ctx.Done():
				return
			}
		}
	}
}

// enter asks for the room with the configuration's settings, and tells ops where stockd has others.
func (r *remote) enter(ctx context.Context) (ok bool) {
	r.mu.Lock()
	u, log := r.use, r.log
	r.mu.Unlock()
	entered, err := r.Enter(ctx, u.settings)
	if ctx.Err() != nil {
		return false
	}
	text := r.note(err)
	if err == nil {
		r.k.nudge()
	} else if text != "" {
		log.Error("the room is not entered at stockd yet; nobody is let in until it is", zap.String("why", text))
	}
	if err != nil {
		return false
	}
	if entered.Created {
		log.Info("the room was created at stockd")
	}
	for _, d := range entered.Differences {
		if u.given {
			log.Warn("stockd has another value for a setting of this room, and that one holds",
				zap.String("setting", d.Setting), zap.String("here", d.Asked), zap.String("in_force", d.InForce))
		}
	}
	return true
}

// note keeps what came of entering, and gives what is new to the log.
func (r *remote) note(err error) (news string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if errors.Is(err, errNotReady) {
		err = errEntering
	}
	if r.failed = err; err != nil {
		news = err.Error()
	}
	if news == r.told {
		return ""
	}
	r.told = news
	return news
}

// Sync implements host.Owner.
func (r *remote) Sync(ctx context.Context, report *room.Report) (*room.Answer, error) {
	answer, err := r.Room.Sync(ctx, report)
	if errors.Is(err, client.ErrNoRoom) {
		r.enterAgain() // it was never entered, or the ledger is an earlier one
	}
	if err != nil {
		return nil, err
	}
	if answer.Tag != "" && r.known.Load() != answer.Fence {
		keys := r.k.keys.Load()
		if keys == nil || !room.Signed(answer.Document, host.FrontierKey(keys).Public().(ed25519.PublicKey)) {
			return nil, errKeys
		}
		r.known.Store(answer.Fence)
	}
	return answer, nil
}

// isUnfit says whether stockd cannot do what this edge wants of it, whoever it is wanted for: to visitors that is no other than a room that is not ready.
func isUnfit(err error) bool {
	for _, unfit := range []error{client.ErrNoRoom, client.ErrRoomSettings, client.ErrRoomKeys, client.ErrRoomRequest, errKeys} {
		if errors.Is(err, unfit) {
			return true
		}
	}
	return false
}

var _ roomOwner = (*remote)(nil)
