package host_test

import (
	"context"
	"crypto/ed25519"
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/zap"

	"ticketrush/room"
	"ticketrush/room/host"
)

// memory is a Store that keeps a room for as long as the test runs.
type memory struct {
	snapshot room.State
	batches  []room.Batch
	found    bool
	lobby    room.Tids
	log      [][]byte
}

func (m *memory) Load(context.Context) (room.State, []room.Batch, bool, error) {
	return m.snapshot, m.batches, m.found, nil
}

func (m *memory) LoadLobby(_ context.Context, _ uint16, each func(room.Tids) error) error {
	return each(m.lobby)
}

func (m *memory) Append(_ context.Context, _ uint16, batch *room.Batch) error {
	m.batches = append(m.batches, *batch)
	m.lobby = append(m.lobby, batch.Lobby...)
	m.log = append(m.log, batch.Log...)
	return nil
}

func (m *memory) ReadLog(_ context.Context, from, to int64) ([][]byte, error) {
	size := int64(len(m.log))
	return m.log[min(from, size):min(to, size)], nil
}

func (m *memory) Compact(_ context.Context, snapshot *room.State) error {
	m.snapshot, m.batches, m.found = *snapshot, nil, true
	return nil
}

func (m *memory) Due() bool { return false }

// A panic ends the host and nothing else: who asks meanwhile is told to ask again, nobody waits for its lock for ever, nothing is stored of what it had
// in mind, and a new one goes on from the Store.
func TestAPanicEndsTheHostAlone(t *testing.T) {
	t.Parallel()
	_, key, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	store := &memory{}
	var fail atomic.Bool
	options := host.Options{
		Name: "spring", Settings: room.Settings{}.WithDefaults(), Key: key, Store: store, Log: zap.NewNop(),
		Strain: func() float64 {
			if fail.Load() {
				panic("a bug")
			}
			return 0
		},
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	run := func() (*host.Host, chan error) {
		h, ended := host.New(options), make(chan error, 1)
		go func() { ended <- h.Run(ctx) }()
		for errors.Is(h.Ban(ctx, room.Tid{9}, time.Now()), host.ErrNotReady) && ctx.Err() == nil {
		}
		return h, ended
	}
	h, ended := run()
	if err := h.Change(ctx, host.Change{Action: "pause", Reason: "test"}); err != nil {
		t.Fatal(err)
	}
	stored := len(store.batches)
	fail.Store(true)
	if err := <-ended; !errors.Is(err, host.ErrBroken) {
		t.Fatalf("the host ends with %v", err)
	}
	if err := h.Leave(ctx, room.Tid{1}); !errors.Is(err, host.ErrNotReady) {
		t.Errorf("a host that has panicked answers %v", err)
	}
	if _, err := h.Document(); err == nil {
		t.Error("a host that has panicked says that it is ready")
	}
	if len(store.batches) != stored {
		t.Error("a host that has panicked has stored something")
	}
	fail.Store(false)
	h, ended = run()
	if d, err := h.Document(); err != nil || d.Phase != room.PhasePaused {
		t.Errorf("the next one finds %s, %v", d.Phase, err)
	}
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}
