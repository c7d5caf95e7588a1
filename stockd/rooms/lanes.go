package rooms

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"ticketrush/ledger"
	"ticketrush/room/host"
)

// lanesMax is how many rooms append at the same time. One lane commits about a thousand batches a second.
const lanesMax = 4

// laneOpen bounds the opening of a lane.
const laneOpen = 3 * time.Second

// lanes are the connections that rooms append on; they are opened when they are needed.
type lanes struct {
	db     *ledger.DB
	giveUp time.Duration
	free   chan struct{} // permits

	mu     sync.Mutex // guards what follows
	idle   []*ledger.RoomLane
	busy   map[*ledger.RoomLane]struct{}
	closed bool
}

func newLanes(db *ledger.DB, giveUp time.Duration) *lanes {
	return &lanes{db: db, giveUp: giveUp, free: make(chan struct{}, lanesMax), busy: map[*ledger.RoomLane]struct{}{}}
}

// with runs one call on a lane. Time runs out by closing the connection, never by cancelling the statement.
func (l *lanes) with(ctx context.Context, call func(*ledger.RoomLane) error) error {
	select {
	case l.free <- struct{}{}:
		defer func() { <-l.free }()
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	lane, err := l.take(ctx)
	if err != nil {
		return err
	}
	watchdog := time.AfterFunc(l.giveUp, func() { _ = lane.Close() }) // the call gets the error
	err = call(lane)
	l.put(lane, watchdog.Stop() && !errors.Is(err, ledger.ErrUnknown))
	return err
}

var errClosed = fmt.Errorf("the node has stopped: %w", host.ErrLost)

func (l *lanes) take(ctx context.Context) (*ledger.RoomLane, error) {
	l.mu.Lock()
	if n := len(l.idle); n > 0 && !l.closed {
		lane := l.idle[n-1]
		l.idle = l.idle[:n-1]
		l.busy[lane] = struct{}{}
		l.mu.Unlock()
		return lane, nil
	}
	closed := l.closed
	l.mu.Unlock()
	if closed {
		return nil, errClosed
	}
	ctx, cancel := context.WithTimeout(ctx, laneOpen)
	defer cancel()
	lane, err := l.db.OpenRoomLane(ctx)
	if err != nil {
		return nil, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return nil, errors.Join(errClosed, lane.Close())
	}
	l.busy[lane] = struct{}{}
	return lane, nil
}

// put gives a lane back; one that is broken is closed.
func (l *lanes) put(lane *ledger.RoomLane, sound bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.busy, lane)
	if sound && !l.closed {
		l.idle = append(l.idle, lane)
		return
	}
	_ = lane.Close() // nothing is known of it, or it is not needed any more
}

// close ends all lanes, also under a call.
func (l *lanes) close() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.closed = true
	for _, lane := range l.idle {
		_ = lane.Close()
	}
	for lane := range l.busy {
		_ = lane.Close()
	}
	l.idle = nil
}
