package draw

import (
	"errors"
	"fmt"
	"io"
	"slices"

	"ticketrush/room/merkle"
)

// Check is a step of a verification with what was found, for people to read.
type Check struct {
	Step    Step
	Text    string // what was compared, with the numbers
	Err     error  // nil when it holds
	Skipped bool   // it could not be checked here; Text says why
}

// Report is what VerifyDraw found.
type Report struct {
	Header Header
	Checks []Check
	Places []Place // of the tids that were asked for, in that order
}

// Place is where somebody came out in a draw.
type Place struct {
	Tid     Tid
	Member  bool // of the list; else the rest is 0
	Rank    uint64
	Ordinal int64 // from 1 on
}

// OK says whether every step holds that could be checked.
func (r *Report) OK() bool {
	return !slices.ContainsFunc(r.Checks, func(c Check) bool { return c.Err != nil })
}

func (r *Report) add(step Step, err error, format string, args ...any) {
	var f *Fault
	if errors.As(err, &f) {
		step, err = f.Step, f.Err
	}
	r.Checks = append(r.Checks, Check{Step: step, Text: fmt.Sprintf(format, args...), Err: err})
}

// VerifyDraw reads a published draw and computes everything in it again: commitment, beacon, seed, the list and its root. For each tid that is asked for
// it finds rank and ordinal, by counting who came before. It needs no memory for the list. An error means that the file could not be read, not that it is
// wrong: that is in the report. What the file cannot prove by itself, that C and R were published in time, is the room's log's (package openlog).
func VerifyDraw(file io.Reader, asked ...Tid) (*Report, error) {
	r := new(Report)
	in, err := NewFileReader(file)
	if err != nil {
		if f := (*Fault)(nil); !errors.As(err, &f) {
			return nil, err
		}
		r.add(StepFormat, err, "a published draw, %s", FileFormat)
		return r, nil
	}
	h := &in.Header
	r.Header = *h
	seed := h.DeriveSeed()
	r.add(StepFormat, nil, "%s: the draw of room %q, edition %d, by the rule %s", h.Format, h.Room, h.Edition, h.Rule)
	r.add(StepSecret, h.checkSecret(), "C = SHA-256(S) = %v", h.Commitment)
	r.add(StepBeacon, h.checkBeacon(), "%s", h.Beacon.describe())
	r.Checks[len(r.Checks)-1].Skipped = h.Beacon.Mode() != ModeDrand
	var wrong error
	if seed != h.Seed {
		wrong = fmt.Errorf("by the rest of the header it is %v", seed)
	}
	r.add(StepSeed, wrong, "the seed is %v", h.Seed)
	if err := r.verifyList(in, seed, asked); err != nil {
		return nil, err
	}
	return r, nil
}

func (r *Report) verifyList(in *FileReader, seed Hash, asked []Tid) error {
	ranker := newKeyed(seed)
	places := make([]Place, len(asked))
	for i, tid := range asked {
		places[i] = Place{Tid: tid, Rank: ranker.rank(&tid), Ordinal: 1}
	}
	var edge merkle.Edge
	for {
		tid, err := in.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if f := (*Fault)(nil); errors.As(err, &f) {
			r.add(StepList, err, "%d tids, sorted, each once", in.Header.N)
			return nil
		}
		if err != nil {
			return fmt.Errorf("read the list after %d of %d tids: %w", edge.Size, in.Header.N, err)
		}
		edge.Append(leafHash(&tid))
		if len(places) > 0 {
			count(places, tid, ranker.rank(&tid))
		}
	}
	for i := range places {
		if !places[i].Member {
			places[i] = Place{Tid: places[i].Tid}
		}
	}
	var wrong error
	if root := Hash(edge.Root()); root != in.Header.Root {
		wrong = fmt.Errorf("the list has the root %v", root)
	}
	r.add(StepList, wrong, "%d tids, sorted, each once, with the Merkle root R = %v", in.Header.N, in.Header.Root)
	r.Places = places
	return nil
}

// count moves the places by one tid of the list.
func count(places []Place, tid Tid, rank uint64) {
	for i := range places {
		p := &places[i]
		switch {
		case p.Tid == tid:
			p.Member = true
		case rank < p.Rank, rank == p.Rank && keyOf(&tid).compare(keyOf(&p.Tid)) < 0:
			p.Ordinal++
		}
	}
}

// CheckReceipt verifies a receipt against the draw: all of it, the ordinal too, which the list alone can prove. Its tid has to be among those that
// VerifyDraw was asked for.
func (r *Report) CheckReceipt(receipt *Receipt) error {
	if !r.OK() {
		return fault(StepList, "the draw itself does not hold")
	}
	if err := receipt.Verify(Trusted{Commitment: r.Header.Commitment, Root: r.Header.Root}); err != nil {
		return err
	}
	if receipt.Terms != r.Header.Terms {
		return fault(StepSeed, "the receipt is of another draw")
	}
	for _, p := range r.Places {
		if p.Tid == Tid(receipt.Tid) && p.Member {
			if p.Ordinal != receipt.Ordinal {
				return fault(StepOrdinal, "the receipt says %d of %d, by the list it is %d", receipt.Ordinal, receipt.N, p.Ordinal)
			}
			return nil
		}
	}
	return fault(StepOrdinal, "the list was not asked for the tid %v", receipt.Tid)
}

// describe says what the draw rests on.
func (b *Beacon) describe() string {
	switch b.Mode() {
	case ModeDrand:
		return fmt.Sprintf("round %d of %s, signed by its network: %s", b.Round, b.Source, b.Value)
	case ModeEntered:
		return fmt.Sprintf("entered by hand, compare it with the source yourself: %q of %q, round %d", b.Value, b.Source, b.Round)
	}
	return "no beacon (mode operator): the operator knew S while the list was open"
}
