package openlog

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"slices"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"ticketrush/room/draw"
	"ticketrush/room/merkle"
)

// Source reads the files of a log: "checkpoint", "tile/entries/000". An error that is fs.ErrNotExist means that the log has no such file; any other, that it
// could not be read. BundleMax bounds what has to be read.
type Source interface {
	Read(path string) ([]byte, error)
}

// BundleMax is the most bytes of one file of a log.
const BundleMax = tileWidth * (2 + EntryMax)

// The steps of Verify.
const (
	StepCheckpoint draw.Step = "checkpoint" // there is one, signed by the key
	StepLog        draw.Step = "log"        // the entries have the checkpoint's root
	StepSeen       draw.Step = "seen"       // the log begins with that of an earlier checkpoint
	StepEntries    draw.Step = "entries"    // each is well formed and in its place
	StepOnce       draw.Step = "once"       // one commitment, one seal and one draw in each edition, in this order
	StepFrontier   draw.Step = "frontier"   // it never goes back within an edition
)

// Options say what to compare a log with.
type Options struct {
	Key  note.Verifier // the room's; nil: the signature is not checked
	Seen []Checkpoint  // kept from earlier: whoever has one can tell if the log was written anew
	Draw *draw.Header  // a published draw, which has to be the log's; nil: none
}

// Report is what Verify found.
type Report struct {
	Checkpoint Checkpoint
	Kinds      map[Kind]int64 // entries by kind
	Checks     []draw.Check
}

// OK says whether every step holds that could be checked.
func (r *Report) OK() bool {
	return !slices.ContainsFunc(r.Checks, func(c draw.Check) bool { return c.Err != nil })
}

func (r *Report) add(step draw.Step, err error, format string, args ...any) {
	r.Checks = append(r.Checks, draw.Check{Step: step, Text: fmt.Sprintf(format, args...), Err: err})
}

// Verify reads a whole log, one bundle at a time, and computes everything in it again. An error means that the log could not be read, not that it
// is wrong: that is in the report.
func Verify(src Source, o Options) (*Report, error) {
	r := &Report{Kinds: map[Kind]int64{}}
	if ok, err := r.readCheckpoint(src, o); !ok || err != nil {
		return r, err
	}
	w := newWalk(r, o)
	for w.edge.Size < r.Checkpoint.Size {
		from := w.edge.Size
		entries, err := readBundle(src, from/tileWidth, int(min(r.Checkpoint.Size-from, tileWidth)))
		if errors.Is(err, fs.ErrNotExist) || errors.Is(err, errBundle) {
			r.add(StepLog, err, "%d entries with the root %v", r.Checkpoint.Size, r.Checkpoint.Root)
			return r, nil
		}
		if err != nil {
			return nil, fmt.Errorf("read the log from entry %d on: %w", from, err)
		}
		for _, e := range entries {
			w.entry(e)
		}
	}
	w.conclude(o)
	return r, nil
}

// readCheckpoint says whether there is a checkpoint to go on with.
func (r *Report) readCheckpoint(src Source, o Options) (ok bool, err error) {
	text, err := src.Read("checkpoint")
	if errors.Is(err, fs.ErrNotExist) {
		r.add(StepCheckpoint, err, "the log's checkpoint")
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("read the log's checkpoint: %w", err)
	}
	if r.Checkpoint, err = OpenCheckpoint(text); err != nil {
		r.add(StepCheckpoint, err, "the log's checkpoint")
		return false, nil
	}
	c := r.Checkpoint
	if o.Key == nil {
		r.add(StepCheckpoint, nil, "%s, %d entries; its signature is not checked without the room's key", c.Origin, c.Size)
		r.Checks[len(r.Checks)-1].Skipped = true
		return true, nil
	}
	_, err = OpenCheckpoint(text, o.Key)
	r.add(StepCheckpoint, err, "%s, %d entries, signed by %s", c.Origin, c.Size, o.Key.Name())
	return true, nil
}

var errBundle = errors.New("a bundle of entries is damaged")

// readBundle reads a bundle that should have so many entries. A partial one that is gone is in the full one.
func readBundle(src Source, n int64, width int) ([][]byte, error) {
	path := EntriesPath(n, width)
	raw, err := src.Read(path)
	want := width
	if errors.Is(err, fs.ErrNotExist) && width < tileWidth {
		path, want = EntriesPath(n, tileWidth), tileWidth
		raw, err = src.Read(path)
	}
	if err != nil {
		return nil, err
	}
	entries, err := parseBundle(raw, want)
	if err != nil {
		return nil, fmt.Errorf("%w: %s: %w", errBundle, path, err)
	}
	return entries[:width], nil
}

// walk goes through a log, entry by entry.
type walk struct {
	report   *Report
	edge     merkle.Edge
	roots    map[int64]*tlog.Hash // sizes at which the root is asked for
	editions map[uint16]*story
	bad      map[draw.Step]*faults
}

// faults are what is wrong with a step: the first, and how many.
type faults struct {
	first error
	n     int
}

func newWalk(r *Report, o Options) *walk {
	w := &walk{report: r, roots: map[int64]*tlog.Hash{}, editions: map[uint16]*story{}, bad: map[draw.Step]*faults{}}
	for _, c := range o.Seen {
		w.roots[c.Size] = nil
	}
	if o.Draw != nil && o.Draw.Log != nil {
		w.roots[o.Draw.Log.Size] = nil
	}
	w.mark()
	return w
}

// mark keeps the root when it is asked for at this size.
func (w *walk) mark() {
	if _, ok := w.roots[w.edge.Size]; ok {
		root := w.edge.Root()
		w.roots[w.edge.Size] = &root
	}
}

func (w *walk) entry(e []byte) {
	n := w.edge.Size
	w.edge.Append(tlog.RecordHash(e))
	w.mark()
	head, err := checkEntry(e, n)
	if err != nil {
		w.fault(StepEntries, fmt.Errorf("entry %d: %w", n, err))
		return
	}
	w.count(head.Kind)
	s := w.editions[head.Edition]
	if s == nil {
		s = newStory()
		w.editions[head.Edition] = s
	}
	if step, err := s.entry(head, e); err != nil {
		w.fault(step, fmt.Errorf("entry %d: %w", n, err))
	}
}

// kindsMax bounds the table of kinds of a log that somebody else made; what is beyond counts as "other".
const kindsMax = 64

func (w *walk) count(kind Kind) {
	kinds := w.report.Kinds
	if _, ok := kinds[kind]; !ok && len(kinds) >= kindsMax {
		kind = "other"
	}
	kinds[kind]++
}

func (w *walk) fault(step draw.Step, err error) {
	if f := w.bad[step]; f != nil {
		f.n++
		return
	}
	w.bad[step] = &faults{first: err, n: 1}
}

// found gives what is wrong with a step, as one error.
func (w *walk) found(step draw.Step) error {
	f := w.bad[step]
	if f == nil {
		return nil
	}
	if f.n == 1 {
		return f.first
	}
	return fmt.Errorf("%w (and %d more)", f.first, f.n-1)
}

// conclude adds the checks that need the whole log.
func (w *walk) conclude(o Options) {
	r, c := w.report, w.report.Checkpoint
	var wrong error
	if root := w.edge.Root(); root != c.Root {
		wrong = fmt.Errorf("the entries have the root %v", root)
	}
	r.add(StepLog, wrong, "%d entries with the root %v", c.Size, c.Root)
	for _, seen := range o.Seen {
		r.add(StepSeen, w.compare(seen.Origin, seen.Size, seen.Root), "the log begins with the %d entries of an earlier checkpoint", seen.Size)
	}
	r.add(StepEntries, w.found(StepEntries), "each entry is a line of JSON with its own number")
	r.add(StepOnce, w.found(StepOnce), "each edition has at most one commitment, one seal and one draw, in this order")
	r.add(StepFrontier, w.found(StepFrontier), "the frontier never goes back: %d moves", r.Kinds[KindFrontier])
	if o.Draw != nil {
		w.checkDraw(o.Draw)
	}
}

// compare says whether the log began with this root.
func (w *walk) compare(origin string, size int64, root tlog.Hash) error {
	if origin != w.report.Checkpoint.Origin {
		return fmt.Errorf("the other one is of the log %q", origin)
	}
	got := w.roots[size]
	if got == nil {
		return fmt.Errorf("the log has only %d entries now", w.edge.Size)
	}
	if *got != root {
		return fmt.Errorf("the first %d entries had the root %v, now they have %v: the log was written anew", size, root, *got)
	}
	return nil
}

// decodeEntry reads the fields of a kind; others may stand beside them.
func decodeEntry(e []byte, into any) error {
	if err := json.Unmarshal(e, into); err != nil {
		return fmt.Errorf("%w: %w", ErrEntry, err)
	}
	return nil
}
