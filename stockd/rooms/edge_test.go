package rooms_test

import (
	"context"
	"encoding/binary"
	"errors"
	"sync"
	"testing"
	"time"

	"ticketrush/room"
	"ticketrush/room/host"
)

var errNotReady = host.ErrNotReady

// edge is an edge as far as a room sees one: it syncs every so often, gives places and carries claims to the room's owner.
type edge struct {
	t     testing.TB
	owner host.Owner
	stop  context.CancelFunc
	done  chan struct{}

	mu       sync.Mutex // guards what follows
	edge     *room.Edge
	frontier [2]uint64 // the highest seen
	fences   int       // owners met
	fence    uint64
	edition  uint16
	missed   int // syncs that nobody answered
	answered time.Time
	gap      time.Duration // longest time between two answers
	synced   chan struct{}
}

const syncEvery = 50 * time.Millisecond

// newEdge begins an edge that syncs until the test ends.
func newEdge(t testing.TB, name string, owner host.Owner) *edge {
	t.Helper()
	now := time.Now()
	e := &edge{t: t, owner: owner, edge: room.NewEdge(name, uint64(now.UnixNano()), now), done: make(chan struct{}), synced: make(chan struct{})}
	ctx, stop := context.WithCancel(context.Background())
	e.stop = func() { stop(); <-e.done }
	go e.run(ctx)
	t.Cleanup(e.stop)
	until(t, "the first sync of "+name, func() bool { e.mu.Lock(); defer e.mu.Unlock(); return e.edge.Ready() })
	return e
}

func (e *edge) run(ctx context.Context) {
	defer close(e.done)
	tick := time.NewTicker(syncEvery)
	defer tick.Stop()
	for {
		e.sync(ctx)
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

func (e *edge) sync(ctx context.Context) {
	sent := time.Now()
	e.mu.Lock()
	report := e.edge.Report(sent)
	e.mu.Unlock()
	answer, err := e.owner.Sync(ctx, &report)
	e.mu.Lock()
	defer e.mu.Unlock()
	switch {
	case ctx.Err() != nil:
		return
	case errors.Is(err, errNotReady):
		e.missed++
		return
	case err != nil:
		e.t.Errorf("sync: %v", err)
		return
	}
	if answer.Fence < e.fence {
		return // the answer of an owner that was replaced: the edge takes no notice of it
	}
	if answer.Edition == e.edition {
		for g := range e.frontier {
			if answer.Frontier[g] < e.frontier[g] {
				e.t.Errorf("frontier %d went back from %d to %d under fence %d", g, e.frontier[g], answer.Frontier[g], answer.Fence)
			}
		}
	}
	if answer.Fence > e.fence {
		e.fences++
	}
	e.fence, e.edition, e.frontier = answer.Fence, answer.Edition, answer.Frontier
	now := time.Now()
	e.edge.Took(sent, now, &report, answer)
	if !e.answered.IsZero() {
		e.gap = max(e.gap, now.Sub(e.answered))
	}
	e.answered = now
	close(e.synced)
	e.synced = make(chan struct{})
}

// join gives a visitor a place.
func (e *edge) join(n int) (tid room.Tid, rank uint64) {
	e.t.Helper()
	tid = visitor(n)
	e.mu.Lock()
	defer e.mu.Unlock()
	rank, err := e.edge.Join(time.Now(), tid, room.ClassArrival)
	if err != nil {
		e.t.Fatal(err)
	}
	return tid, rank
}

// visitor is the tid of visitor number n.
func visitor(n int) (tid room.Tid) {
	binary.BigEndian.PutUint64(tid[8:], uint64(n))
	tid[0] = 1
	return tid
}

// called waits until a rank may claim.
func (e *edge) called(ctx context.Context, rank uint64) bool {
	for {
		e.mu.Lock()
		frontier, synced := e.frontier[0], e.synced
		e.mu.Unlock()
		if rank <= frontier {
			return true
		}
		select {
		case <-synced:
		case <-ctx.Done():
			return false
		}
	}
}

// claim asks for a pass until it is granted, as a visitor's page does.
func (e *edge) claim(ctx context.Context, tid room.Tid, rank uint64) (s room.Session, ok bool) {
	for {
		if !e.called(ctx, rank) {
			return s, false
		}
		claimed, err := e.owner.Claim(ctx, room.Claim{Tid: tid, Rank: rank, Until: time.Now().Add(2 * time.Second)})
		switch {
		case err == nil && claimed.Granted:
			return claimed.Session, true
		case ctx.Err() != nil:
			return s, false
		case err != nil && !errors.Is(err, errNotReady):
			e.t.Errorf("claim: %v", err)
			return s, false
		}
	}
}
