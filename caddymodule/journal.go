package caddymodule

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"time"

	"github.com/caddyserver/certmagic"

	"ticketrush/room"
)

// journal is a room's log in Caddy's storage: a snapshot and one value per batch after it. All of it is under the storage lock of the room.
type journal struct {
	storage certmagic.Storage
	dir     string // waiting_room/‹name›
	batches int    // stored since the last snapshot
}

// snapshotEvery is how many batches are stored before they are folded into a snapshot: recovery reads so many values at most, and some more
// where a crash came between.
const snapshotEvery = 500

func newJournal(storage certmagic.Storage, name string) *journal {
	return &journal{storage: storage, dir: path.Join("waiting_room", name)}
}

func (j *journal) snapshotKey() string { return path.Join(j.dir, "snapshot.json") }
func (j *journal) logDir() string      { return path.Join(j.dir, "log") }
func (j *journal) batchKey(seq uint64) string {
	return path.Join(j.logDir(), fmt.Sprintf("%016x.json", seq))
}

// load reads what is stored; found is false for a room that was never stored.
func (j *journal) load(ctx context.Context) (snapshot room.State, batches []room.Batch, found bool, err error) {
	text, err := j.storage.Load(ctx, j.snapshotKey())
	if errors.Is(err, fs.ErrNotExist) {
		return snapshot, nil, false, nil
	}
	if err == nil {
		err = json.Unmarshal(text, &snapshot)
	}
	if err != nil {
		return snapshot, nil, false, fmt.Errorf("read %s: %w", j.snapshotKey(), err)
	}
	keys, err := j.storage.List(ctx, j.logDir(), false)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return snapshot, nil, false, fmt.Errorf("list %s: %w", j.logDir(), err)
	}
	slices.Sort(keys)
	for _, key := range keys {
		var b room.Batch
		text, err := j.storage.Load(ctx, key)
		if err == nil {
			err = json.Unmarshal(text, &b)
		}
		if err != nil {
			return snapshot, nil, false, fmt.Errorf("read %s: %w", key, err)
		}
		batches = append(batches, b)
	}
	j.batches = len(batches)
	return snapshot, batches, true, nil
}

// append stores one batch. It may be repeated with the same batch until it succeeds.
func (j *journal) append(ctx context.Context, b *room.Batch) error {
	text, err := json.Marshal(b)
	if err != nil {
		return err
	}
	if err := j.store(ctx, j.batchKey(b.Seq), text); err != nil {
		return err
	}
	j.batches++
	return nil
}

// compact stores a snapshot and deletes the batches that it holds.
func (j *journal) compact(ctx context.Context, snapshot *room.State) error {
	text, err := json.Marshal(snapshot)
	if err != nil {
		return err
	}
	if err := j.store(ctx, j.snapshotKey(), text); err != nil {
		return err
	}
	keys, err := j.storage.List(ctx, j.logDir(), false)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	last := j.batchKey(snapshot.Seq)
	for _, key := range keys {
		if key <= last {
			if err := j.storage.Delete(ctx, key); err != nil {
				return err
			}
		}
	}
	j.batches = 0
	return nil
}

// store writes a value so that it outlives a crash of the machine. Caddy's file storage syncs the file, but not the directory that names it.
func (j *journal) store(ctx context.Context, key string, value []byte) error {
	if err := j.storage.Store(ctx, key, value); err != nil {
		return err
	}
	files, ok := j.storage.(*certmagic.FileStorage)
	if !ok {
		return nil
	}
	dir, err := os.Open(filepath.Dir(files.Filename(key)))
	if err != nil {
		return err
	}
	defer dir.Close()
	return dir.Sync()
}

// lockName is the storage lock that the owner of a room holds.
func (j *journal) lockName() string { return "waiting_room_" + path.Base(j.dir) }

// lock waits for the room's lock. After a crash Caddy's file storage takes up to 10 s to see that the old one is stale.
func (j *journal) lock(ctx context.Context, slow func()) error {
	timer := time.AfterFunc(2*time.Second, slow)
	defer timer.Stop()
	return j.storage.Lock(ctx, j.lockName())
}

func (j *journal) unlock() error {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	return j.storage.Unlock(ctx, j.lockName())
}
