package caddymodule

import (
	"bytes"
	"context"
	"fmt"
	"path"
	"sort"
	"strconv"
	"strings"
	"sync"

	"ticketrush/room"
)

// openParts is the transparency log as the journal has it: parts in storage, and the entries of the batches since the last snapshot. Visitors read it while
// the room's host appends.
type openParts struct {
	mu     sync.RWMutex
	firsts []int64  // of each part in storage, the index of its first entry
	folded int64    // entries in parts
	tail   [][]byte // those after them
}

func (o *openParts) add(entries [][]byte) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.tail = append(o.tail, entries...)
}

func (j *journal) openDir() string { return path.Join(j.dir, "open") }

func (j *journal) openKey(first int64) string {
	return path.Join(j.openDir(), fmt.Sprintf("%016x.jsonl", first))
}

// loadOpen finds out what there is of the log: the snapshot was made with so many entries, and the batches have those after them. A crash may have come
// between a part and its snapshot: then the batches have the part's entries as well.
func (j *journal) loadOpen(ctx context.Context, size int64, batches []room.Batch) error {
	o := &j.open
	o.mu.Lock()
	defer o.mu.Unlock()
	o.firsts, o.tail, o.folded = nil, nil, 0
	keys, err := j.list(ctx, j.openDir())
	if err != nil {
		return err
	}
	for _, key := range keys {
		first, err := strconv.ParseInt(strings.TrimSuffix(path.Base(key), ".jsonl"), 16, 64)
		if err != nil {
			return fmt.Errorf("%s is no part of a room's log: %w", key, err)
		}
		o.firsts = append(o.firsts, first)
	}
	if n := len(o.firsts); n > 0 {
		last, err := j.openPart(ctx, o.firsts[n-1])
		if err != nil {
			return err
		}
		o.folded = o.firsts[n-1] + int64(len(last))
	}
	if o.folded < size {
		return fmt.Errorf("the room's log has %d entries in its parts, and %d when the snapshot was made", o.folded, size)
	}
	for i := range batches {
		for _, e := range batches[i].Log {
			if size++; size > o.folded {
				o.tail = append(o.tail, e)
			}
		}
	}
	return nil
}

// openPart reads a part.
func (j *journal) openPart(ctx context.Context, first int64) ([][]byte, error) {
	text, err := j.storage.Load(ctx, j.openKey(first))
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", j.openKey(first), err)
	}
	return bytes.Split(bytes.TrimSuffix(text, []byte("\n")), []byte("\n")), nil
}

// foldOpen stores the entries since the last part as a part.
func (j *journal) foldOpen(ctx context.Context) error {
	o := &j.open
	o.mu.RLock()
	first, tail := o.folded, o.tail
	o.mu.RUnlock()
	if len(tail) == 0 {
		return nil
	}
	if err := j.store(ctx, j.openKey(first), append(bytes.Join(tail, []byte("\n")), '\n')); err != nil {
		return err
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	o.firsts = append(o.firsts, first)
	o.folded += int64(len(tail))
	o.tail = nil
	return nil
}

// ReadLog implements host.Store.
func (j *journal) ReadLog(ctx context.Context, from, to int64) (entries [][]byte, err error) {
	o := &j.open
	o.mu.RLock()
	firsts, folded, tail := o.firsts, o.folded, o.tail
	o.mu.RUnlock()
	to = min(to, folded+int64(len(tail)))
	for i := max(0, sort.Search(len(firsts), func(i int) bool { return firsts[i] > from })-1); i < len(firsts) && firsts[i] < to; i++ {
		part, err := j.openPart(ctx, firsts[i])
		if err != nil {
			return nil, err
		}
		end := min(to, firsts[i]+int64(len(part)))
		if from < end {
			entries = append(entries, part[from-firsts[i]:end-firsts[i]]...)
			from = end
		}
	}
	if from < to && from >= folded {
		entries = append(entries, tail[from-folded:to-folded]...)
	}
	return entries, nil
}
