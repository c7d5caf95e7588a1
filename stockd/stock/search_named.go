package stock

import (
	"math/bits"
	"slices"
)

// farGap is the gap of seats that are not near each other at all.
const farGap = 1 << 20

// gap is how far seat b is from seat a as people sit: in the same block by seats, in a block nearby by its rank, else by distance.
func (s *Segment) gap(a, b int32) int {
	blockA, _ := s.layout.bit(a)
	blockB, _ := s.layout.bit(b)
	if blockA == blockB {
		return int(max(a-b, b-a))
	}
	for rank, n := range s.layout.nearest(blockA) {
		if int(n) == blockB {
			return (rank + 1) * 2 * BlockSeatsMax
		}
	}
	d := s.layout.dist[a] - s.layout.dist[b]
	return farGap + int(max(d, -d))
}

// pickEquivalent chooses seats in place of named ones of which some are gone: as many, of the same categories, as near as can be.
// It returns the rung, 0 when there is nothing equivalent.
func (s *Segment) pickEquivalent(wanted []SeatAsk, ask *Ask) int8 {
	var cats uint64
	accessible := int32(0)
	for _, w := range wanted {
		b, bit := s.layout.bit(w.Seat.Index())
		cats |= 1 << s.layout.cat[w.Seat.Index()]
		accessible += int32(s.layout.blocks[b].accessible >> bit & 1)
	}
	if bits.OnesCount64(cats) > 1 || accessible > 0 {
		return s.replaceEach(wanted)
	}
	f := filter{cats: cats}
	k := len(wanted)
	if s.pickBeside(wanted[0].Seat.Index(), k, f, ask.Orphans) {
		if s.leavesSingle(s.picked, f) {
			return RungOrphan
		}
		return RungTogether
	}
	return s.choose(k, ask, f)
}

// pickBeside looks for a run of k in the block of a seat and in those around it.
func (s *Segment) pickBeside(index int32, k int, f filter, orphans Orphans) bool {
	s.picked = s.picked[:0]
	home, bit := s.layout.bit(index)
	for _, legal := range []bool{true, false} {
		if legal && orphans == OrphansAllow || !legal && orphans == OrphansNever {
			continue
		}
		if starts := s.starts(home, k, legal, f); starts != 0 {
			s.pickRun(home, closestBit(starts, int(bit)), k)
			return true
		}
		for _, b := range s.layout.nearest(home) {
			if starts := s.starts(int(b), k, legal, f); starts != 0 {
				s.pickRun(int(b), s.nearestStart(int(b), k, starts).start, k)
				return true
			}
		}
	}
	return false
}

// closestBit is the set bit nearest to at; the lower one of two.
func closestBit(w uint64, at int) int {
	best := lowest(w)
	for ; w != 0; w &= w - 1 {
		if b := lowest(w); max(b-at, at-b) < max(best-at, at-best) {
			best = b
		}
	}
	return best
}

// replaceEach keeps the named seats that are free and puts, for each other one, the nearest free seat that is like it.
func (s *Segment) replaceEach(wanted []SeatAsk) int8 {
	s.picked = s.picked[:0]
	for _, w := range wanted {
		if s.owner[w.Seat.Index()] == 0 {
			s.picked = append(s.picked, w.Seat.Index())
		}
	}
	for _, w := range wanted {
		index := w.Seat.Index()
		if s.owner[index] == 0 {
			continue
		}
		like := s.nearestLike(index)
		if like < 0 {
			s.picked = s.picked[:0]
			return 0
		}
		s.picked = append(s.picked, like)
	}
	if s.contiguous(s.picked) {
		return RungTogether
	}
	return RungScattered
}

// nearestLike is the free seat nearest to one, of its category and kind, that is not picked yet; -1 when there is none.
func (s *Segment) nearestLike(index int32) int32 {
	like, gap := int32(-1), 0
	home, bit := s.layout.bit(index)
	cat, accessible := s.layout.cat[index], s.layout.blocks[home].accessible>>bit&1
	for b := range s.free {
		blk := &s.layout.blocks[b]
		for w := s.free[b]; w != 0; w &= w - 1 {
			at := lowest(w)
			i := blk.first + int32(at)
			if s.layout.cat[i] != cat || blk.accessible>>at&1 != accessible || slices.Contains(s.picked, i) {
				continue
			}
			if g := s.gap(index, i); like < 0 || g < gap {
				like, gap = i, g
			}
		}
	}
	return like
}

// contiguous is whether the seats are one run of a block.
func (s *Segment) contiguous(seats []int32) bool {
	low, high := slices.Min(seats), slices.Max(seats)
	return int(high-low) == len(seats)-1 && s.layout.blockOf[low] == s.layout.blockOf[high]
}
