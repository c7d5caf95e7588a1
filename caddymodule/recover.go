package caddymodule

import (
	"context"
	"fmt"
	"time"

	"go.uber.org/zap"

	"ticketrush/room"
)

// open takes the room's lock and reads its log, trying until it succeeds; nil when it was stopped before.
func (k *keeper) open(ctx context.Context) *journal {
	for {
		k.mu.Lock()
		j := newJournal(k.storage, k.name)
		k.mu.Unlock()
		err := k.recover(ctx, j)
		if err == nil {
			return j
		}
		if ctx.Err() != nil {
			return nil
		}
		k.mu.Lock()
		k.failed = err
		k.mu.Unlock()
		k.logger().Error("the room cannot be kept here; nobody is let in", zap.Error(err))
		select {
		case <-time.After(5 * time.Second):
		case <-ctx.Done():
			return nil
		}
	}
}

func (k *keeper) recover(ctx context.Context, j *journal) (err error) {
	err = j.lock(ctx, func() {
		k.logger().Warn("waiting for the room's storage lock: another process holds it, or one crashed less than 10 seconds ago")
	})
	if err != nil {
		return fmt.Errorf("take the room's lock: %w", err)
	}
	defer func() {
		if err != nil {
			_ = j.unlock()
		}
	}()
	snapshot, batches, found, err := j.load(ctx)
	if err != nil {
		return err
	}
	k.mu.Lock()
	set := k.set
	k.mu.Unlock()
	now := time.Now()
	var r *room.Room
	if found {
		r, err = room.Restore(set, snapshot, batches, now)
	} else {
		r, err = room.New(set, now)
	}
	if err != nil {
		return err
	}
	first, stored := r.Take(now)
	if stored {
		// The first batch, of the settings, is part of the snapshot below.
		r.Stored()
	}
	state, err := r.Snapshot()
	if err != nil {
		return err
	}
	if err := j.compact(ctx, &state); err != nil {
		return fmt.Errorf("store the room's snapshot: %w", err)
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.room, k.stored, k.failed = r, state.Seq, nil
	if k.set != set {
		r.Configure(k.set)
	}
	k.log.Info("the room is kept here", zap.Bool("recovered", found), zap.Int("batches", len(batches)), zap.Uint64("seq", max(first.Seq, state.Seq)),
		zap.Int("inside", len(state.Inside)))
	return nil
}

// follow moves the log when a new configuration brought another storage: lock and snapshot there, then batches.
func (k *keeper) follow(j *journal) *journal {
	k.mu.Lock()
	defer k.mu.Unlock()
	if !k.renewed || k.room.Dirty() {
		return j
	}
	k.renewed = false
	next := newJournal(k.storage, k.name)
	next.batches = j.batches
	if fmt.Sprint(k.storage) == fmt.Sprint(j.storage) {
		return next
	}
	// The mutex is held: a move of the storage is rare, and nothing may change between the snapshot and the first batch after it.
	ctx, cancel := context.WithTimeout(context.Background(), 15*time.Second)
	defer cancel()
	snapshot, err := k.room.Snapshot()
	if err == nil {
		err = next.lock(ctx, func() {})
	}
	if err == nil {
		err = next.compact(ctx, &snapshot)
	}
	if err != nil {
		k.log.Error("the room's log stays where it was: the new storage does not take it", zap.Error(err))
		return j
	}
	if err := j.unlock(); err != nil {
		k.log.Warn("the room's lock at the old storage was not given back", zap.Error(err))
	}
	return next
}

// close stores what there is, and gives the lock back.
func (k *keeper) close(j *journal) {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	if b := k.unstored; b == nil || k.persist(ctx, j, b) {
		now := time.Now()
		k.mu.Lock()
		k.room.Mark(now)
		batch, ok := k.room.Take(now)
		k.mu.Unlock()
		if !ok || k.persist(ctx, j, &batch) {
			k.compact(ctx, j)
		}
	}
	k.mu.Lock()
	k.failed = errNotReady
	k.mu.Unlock()
	if err := j.unlock(); err != nil {
		k.logger().Warn("the room's storage lock was not given back", zap.Error(err))
	}
}
