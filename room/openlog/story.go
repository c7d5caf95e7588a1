package openlog

import (
	"errors"
	"fmt"

	"ticketrush/room/draw"
)

// story is what a log tells about one edition of the room.
type story struct {
	commit *Commit
	seal   *Seal
	draw   *Draw
	at     Frontiers
	opened int64 // the entry by which the frontier reached the lobby's ranks, -1 while there is none
}

func newStory() *story { return &story{opened: -1} }

var (
	errTwice = errors.New("a second time in its edition")
	errOrder = errors.New("before what it follows")
)

// entry follows one entry and says what is wrong with it.
func (s *story) entry(head Head, e []byte) (draw.Step, error) {
	switch head.Kind {
	case KindCommit:
		return once(&s.commit, e, true)
	case KindSeal:
		return once(&s.seal, e, s.commit != nil)
	case KindDraw:
		return once(&s.draw, e, s.seal != nil)
	case KindFrontier:
		var f Frontier
		if err := decodeEntry(e, &f); err != nil {
			return StepEntries, err
		}
		return StepFrontier, s.move(f)
	}
	return "", nil
}

// once reads an entry of which there may be one, after another.
func once[T any](field **T, e []byte, inOrder bool) (draw.Step, error) {
	v := new(T)
	if err := decodeEntry(e, v); err != nil {
		return StepEntries, err
	}
	if *field != nil {
		return StepOnce, errTwice
	}
	*field = v
	if !inOrder {
		return StepOnce, errOrder
	}
	return "", nil
}

func (s *story) move(f Frontier) error {
	was := s.at
	s.at = f.Frontier
	if s.opened < 0 && f.Frontier.Main>>draw.ClassShift >= draw.Class {
		s.opened = f.N
	}
	if s.at.Main < was.Main || s.at.Slow < was.Slow {
		return fmt.Errorf("the frontier goes back from %d and %d to %d and %d", was.Main, was.Slow, s.at.Main, s.at.Slow)
	}
	return nil
}

// checkDraw compares a published draw with what the log has of its edition.
func (w *walk) checkDraw(h *draw.Header) {
	r := w.report
	s := w.editions[h.Edition]
	if s == nil || s.commit == nil || s.seal == nil || s.draw == nil {
		r.add(StepOnce, fmt.Errorf("the log lacks the commitment, the seal or the draw of edition %d", h.Edition), "the draw is in the log")
		return
	}
	r.add(draw.StepCommitment, s.commitIs(h), "entry %d commits to C = %v and the rule, before the lobby was sealed", s.commit.N, h.Commitment)
	r.add(draw.StepRoot, s.sealIs(h), "entry %d seals %d tids with the root R, before the draw", s.seal.N, h.N)
	r.add(draw.StepBeacon, s.beaconIs(h), "%s", s.beaconText(h))
	r.add(draw.StepSeed, s.drawIs(h), "entry %d draws with S, beacon and seed of the published draw", s.draw.N)
	var early error
	if s.opened >= 0 && s.opened < s.draw.N {
		early = fmt.Errorf("entry %d let the lobby in before", s.opened)
	}
	r.add(StepFrontier, early, "nobody of the lobby was let in before the draw")
	if h.Log == nil {
		return
	}
	err := w.compare(r.Checkpoint.Origin, h.Log.Size, h.Log.Root)
	if err == nil && h.Log.Size <= s.draw.N {
		err = fmt.Errorf("the draw is entry %d, after that", s.draw.N)
	}
	r.add(StepLog, err, "the published draw names the log with %d entries", h.Log.Size)
}

func (s *story) commitIs(h *draw.Header) error {
	c := s.commit
	switch {
	case c.Room != h.Room:
		return fmt.Errorf("the log is of room %q, the draw of %q", c.Room, h.Room)
	case c.Rule != h.Rule:
		return fmt.Errorf("the rule was to be %q, the draw is by %q", c.Rule, h.Rule)
	case c.Commitment != h.Commitment:
		return fmt.Errorf("committed was C = %v, the draw has %v", c.Commitment, h.Commitment)
	}
	return nil
}

func (s *story) sealIs(h *draw.Header) error {
	if s.seal.Root != h.Root || s.seal.Count != h.N {
		return fmt.Errorf("sealed were %d tids with R = %v, the draw has %d with %v", s.seal.Count, s.seal.Root, h.N, h.Root)
	}
	return nil
}

// beaconIs says whether the seal named the beacon, and one that nobody could know yet.
func (s *story) beaconIs(h *draw.Header) error {
	if s.seal.Source != h.Beacon.Source || s.seal.Round != h.Beacon.Round {
		return fmt.Errorf("the seal names round %d of %q, the draw uses round %d of %q", s.seal.Round, s.seal.Source, h.Beacon.Round, h.Beacon.Source)
	}
	if h.Beacon.Mode() != draw.ModeDrand {
		return nil
	}
	if out := draw.Quicknet().TimeOf(h.Beacon.Round); !out.After(s.seal.At) {
		return fmt.Errorf("round %d came out at %v, and the list was sealed at %v: its value was known", h.Beacon.Round, out, s.seal.At)
	}
	return nil
}

func (s *story) beaconText(h *draw.Header) string {
	switch h.Beacon.Mode() {
	case draw.ModeDrand:
		out := draw.Quicknet().TimeOf(h.Beacon.Round)
		return fmt.Sprintf("the seal names the beacon, round %d of %s, %v before it came out", h.Beacon.Round, h.Beacon.Source, out.Sub(s.seal.At))
	case draw.ModeEntered:
		return fmt.Sprintf("the seal names the beacon, %q", h.Beacon.Source)
	}
	return "the seal says that there is no beacon"
}

func (s *story) drawIs(h *draw.Header) error {
	d := s.draw
	switch {
	case d.Secret.Commitment() != s.commit.Commitment:
		return fmt.Errorf("SHA-256 of the secret is %v, committed was %v", d.Secret.Commitment(), s.commit.Commitment)
	case d.Secret != h.Secret || d.Beacon != h.Beacon:
		return errors.New("the log has another secret or another beacon")
	case d.Seed != h.DeriveSeed():
		return fmt.Errorf("the log has the seed %v, it should be %v", d.Seed, h.DeriveSeed())
	}
	return nil
}
