package finance

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"

	"ticketrush/ledger/reconcile"

	"golang.org/x/mod/sumdb/note"
)

// Published is one line of the file to which checkpoints are published. It is JSON; whoever keeps a copy can tell when the ledger was changed.
type Published struct {
	Day        string `json:"day"`
	Size       int64  `json:"size"`
	Checkpoint string `json:"checkpoint"` // the signed note
}

// ErrPublished says that what was published is not what the ledger has.
var ErrPublished = errors.New("the ledger is not what was published")

// publishedMax bounds the file: a line has some 500 bytes, so this is for longer than anybody keeps books.
const publishedMax = 64 << 20

// Publish appends to a file the checkpoints that it does not have yet, in order of days, and returns how many they were. The file belongs where those who run the
// database cannot write. ErrPublished says that the file has another checkpoint than the ledger: one of the two was changed.
func (d *Desk) Publish(ctx context.Context, path string) (int, error) {
	closings, err := d.q.Closings(ctx, d.pool)
	if err != nil {
		return 0, err
	}
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_APPEND, 0o644)
	if err != nil {
		return 0, err
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, publishedMax))
	if err != nil {
		return 0, err
	}
	there, err := ReadPublished(text)
	if err != nil {
		return 0, fmt.Errorf("%s: %w", path, err)
	}
	if len(there) > len(closings) {
		return 0, fmt.Errorf("%w: %s has %d checkpoints, the ledger %d", ErrPublished, path, len(there), len(closings))
	}
	var more bytes.Buffer
	if len(text) > 0 && text[len(text)-1] != '\n' {
		more.WriteByte('\n') // ends the line that a crash has cut
	}
	for i, c := range closings {
		if i < len(there) {
			if there[i].Checkpoint != c.Checkpoint {
				return 0, fmt.Errorf("%w: the checkpoint of %s in %s is another one", ErrPublished, there[i].Day, path)
			}
			continue
		}
		line, err := json.Marshal(Published{Day: c.Day.Format(day), Size: c.TreeSize, Checkpoint: c.Checkpoint})
		if err != nil {
			return 0, err
		}
		more.Write(append(line, '\n'))
	}
	if _, err := f.Write(more.Bytes()); err != nil {
		return 0, err
	}
	return len(closings) - len(there), errors.Join(f.Sync(), f.Close())
}

// ReadPublished reads a file of checkpoints. A line that a crash has cut counts as not there; it is the beginning of the line that follows, if any does.
func ReadPublished(text []byte) ([]Published, error) {
	var all []Published
	var torn []byte
	lines := bytes.SplitAfter(text, []byte("\n"))
	for i, line := range lines {
		whole := bytes.HasSuffix(line, []byte("\n"))
		line = bytes.TrimSpace(line)
		if len(line) == 0 {
			continue
		}
		var p Published
		if err := json.Unmarshal(line, &p); err != nil || !whole {
			torn = line
			continue
		}
		if torn != nil && !bytes.HasPrefix(line, torn) {
			return nil, fmt.Errorf("line %d is not a checkpoint as stockd close-day writes it", i)
		}
		torn = nil
		all = append(all, p)
	}
	return all, nil
}

// CheckPublished compares the ledger with what was published: each checkpoint is signed with the key, continues the one before, and the transfers
// that the ledger has now make up its tree. It returns how many it compared.
func (d *Desk) CheckPublished(ctx context.Context, text []byte, key note.Verifier) (int, error) {
	all, err := ReadPublished(text)
	if err != nil {
		return 0, err
	}
	roots, err := reconcile.ClosedRoots(ctx, d.ledger)
	if err != nil {
		return 0, err
	}
	prev := Checkpoint{Root: emptyRoot}
	for _, p := range all {
		c, err := OpenCheckpoint(p.Checkpoint, key)
		if err != nil {
			return 0, fmt.Errorf("%s: %w", p.Day, err)
		}
		if c.PrevSize != prev.Size || c.PrevRoot != prev.Root {
			return 0, fmt.Errorf("%w: the checkpoint of %s does not continue the one before", ErrPublished, c.Day)
		}
		now, ok := roots[c.Day]
		switch {
		case !ok:
			return 0, fmt.Errorf("%w: it has no closing of %s", ErrPublished, c.Day)
		case now.Size != c.Size:
			return 0, fmt.Errorf("%w: until %s there were %d transfers, now there are %d", ErrPublished, c.Day, c.Size, now.Size)
		case now.Root != c.Root:
			return 0, fmt.Errorf("%w: a transfer of %s or before has been changed; stockd reconcile may name it", ErrPublished, c.Day)
		}
		prev = *c
	}
	return len(all), nil
}
