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
	"strings"
	"time"

	"github.com/caddyserver/certmagic"

	"ticketrush/room"
	"ticketrush/room/host"
)

// journal is a room's log in Caddy's storage: a snapshot, one value per batch after it, the lobby's list, and the transparency log. All of it is under the storage lock of
// the room.
//
//	waiting_room/‹room›/snapshot.json
//	waiting_room/‹room›/log/‹batch›.json
//	waiting_room/‹room›/lobby/‹edition›/‹batch›.txt   the tids of the batches up to this one
//	waiting_room/‹room›/open/‹first›.jsonl            the transparency log from this entry on, up to the next part, an entry a line
type journal struct {
	storage certmagic.Storage
	dir     string
	batches int          // stored since the last snapshot
	lobby   []loggedTids // of these batches
	open    openParts
}

// entry is one value of the log.
type entry struct {
	room.Batch
	Edition uint16 `json:"edition"`
}

type loggedTids struct {
	edition uint16
	tids    room.Tids
}

// snapshotEvery is how many batches are stored before they are folded into a snapshot: recovery reads so many values at most, and some more
// where a crash came between.
const snapshotEvery = 500

func newJournal(storage certmagic.Storage, name string) *journal {
	return &journal{storage: storage, dir: path.Join("waiting_room", name)}
}

func (j *journal) snapshotKey() string { return path.Join(j.dir, "snapshot.json") }
func (j *journal) logDir() string      { return path.Join(j.dir, "log") }
func (j *journal) lobbyDir() string    { return path.Join(j.dir, "lobby") }
func (j *journal) batchKey(seq uint64) string {
	return path.Join(j.logDir(), fmt.Sprintf("%016x.json", seq))
}

func (j *journal) lobbyKey(edition uint16, seq uint64) string {
	return path.Join(j.lobbyDir(), fmt.Sprintf("%05d", edition), fmt.Sprintf("%016x.txt", seq))
}

// list gives all keys below a folder, sorted; none for one that is not there.
func (j *journal) list(ctx context.Context, dir string) ([]string, error) {
	keys, err := j.storage.List(ctx, dir, true)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("list %s: %w", dir, err)
	}
	// Some storages list folders too.
	keys = slices.DeleteFunc(keys, func(key string) bool { return path.Ext(key) == "" })
	slices.Sort(keys)
	return keys, nil
}

// Load implements host.Store.
func (j *journal) Load(ctx context.Context) (snapshot room.State, batches []room.Batch, found bool, err error) {
	return j.load(ctx)
}

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
	entries, err := j.entries(ctx)
	if err != nil {
		return snapshot, nil, false, err
	}
	j.lobby = nil
	for _, e := range entries {
		batches = append(batches, e.Batch)
		if len(e.Lobby) > 0 {
			j.lobby = append(j.lobby, loggedTids{e.Edition, e.Lobby})
		}
	}
	j.batches = len(batches)
	return snapshot, batches, true, j.loadOpen(ctx, snapshot.Log.Size, batches)
}

func (j *journal) entries(ctx context.Context) (entries []entry, err error) {
	keys, err := j.list(ctx, j.logDir())
	if err != nil {
		return nil, err
	}
	for _, key := range keys {
		var e entry
		text, err := j.storage.Load(ctx, key)
		if err == nil {
			err = json.Unmarshal(text, &e)
		}
		if err != nil {
			return nil, fmt.Errorf("read %s: %w", key, err)
		}
		entries = append(entries, e)
	}
	return entries, nil
}

// LoadLobby implements host.Store.
func (j *journal) LoadLobby(ctx context.Context, edition uint16, each func(room.Tids) error) error {
	keys, err := j.list(ctx, path.Dir(j.lobbyKey(edition, 0)))
	if err != nil {
		return err
	}
	folded := j.batchKey(0) // the last batch whose tids are in the list
	for _, key := range keys {
		var tids room.Tids
		text, err := j.storage.Load(ctx, key)
		if err == nil {
			err = tids.UnmarshalText(text)
		}
		if err != nil {
			return fmt.Errorf("read %s: %w", key, err)
		}
		if err := each(tids); err != nil {
			return err
		}
		folded = path.Join(j.logDir(), strings.TrimSuffix(path.Base(key), ".txt")+".json")
	}
	entries, err := j.entries(ctx)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if e.Edition == edition && len(e.Lobby) > 0 && j.batchKey(e.Seq) > folded {
			if err := each(e.Lobby); err != nil {
				return err
			}
		}
	}
	return nil
}

// Append implements host.Store.
func (j *journal) Append(ctx context.Context, edition uint16, b *room.Batch) error {
	text, err := json.Marshal(entry{*b, edition})
	if err != nil {
		return err
	}
	if err := j.store(ctx, j.batchKey(b.Seq), text); err != nil {
		return err
	}
	j.batches++
	if len(b.Lobby) > 0 {
		j.lobby = append(j.lobby, loggedTids{edition, b.Lobby})
	}
	j.open.add(b.Log)
	return nil
}

// Due implements host.Store.
func (j *journal) Due() bool { return j.batches >= snapshotEvery }

// Compact implements host.Store: it stores the lobby's new part and a snapshot, and deletes the batches that they hold.
func (j *journal) Compact(ctx context.Context, snapshot *room.State) error {
	for _, edition := range []uint16{snapshot.Edition - 1, snapshot.Edition} {
		var part room.Tids
		for _, l := range j.lobby {
			if l.edition == edition {
				part = append(part, l.tids...)
			}
		}
		if len(part) == 0 {
			continue
		}
		text, err := part.MarshalText()
		if err == nil {
			err = j.store(ctx, j.lobbyKey(edition, snapshot.Seq), text)
		}
		if err != nil {
			return err
		}
	}
	if err := j.foldOpen(ctx); err != nil {
		return err
	}
	text, err := json.Marshal(snapshot)
	if err != nil {
		return err
	}
	if err := j.store(ctx, j.snapshotKey(), text); err != nil {
		return err
	}
	keys, err := j.list(ctx, j.logDir())
	if err != nil {
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
	j.batches, j.lobby = 0, nil
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

var _ host.Store = (*journal)(nil)
