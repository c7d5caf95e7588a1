package stock

import (
	"math"
	"math/bits"
)

// The rungs of the best-available ladder, told in the answer.
const (
	RungTogether  int8 = 1 + iota // adjacent, leaves no single seat
	RungOrphan                    // adjacent, leaves a single seat
	RungTwoRows                   // two rows, one behind the other
	RungNear                      // near each other, nobody alone
	RungScattered                 // anywhere in the segment; only for TogetherAny
)

// filter says which free seats a search may use.
type filter struct {
	cats       uint64 // mask of categories; 0 means any
	companions bool   // companion seats too; then the index does not help
}

// run is a run of seats in a block.
type run struct {
	block, start int
	cost         float32 // the distance of its middle seat
}

// open is the free seats of a block that the filter allows.
func (s *Segment) open(b int, f filter) uint64 {
	w := s.around(b, f)
	if f.cats != 0 && s.layout.blocks[b].cats&^f.cats != 0 {
		w &= s.layout.categoryMask(b, f.cats)
	}
	return w
}

// around is the free seats of a block that could be left alone: of any category, and not the ones that are kept apart anyway.
func (s *Segment) around(b int, f filter) uint64 {
	blk := &s.layout.blocks[b]
	if f.companions {
		return s.free[b] &^ blk.accessible
	}
	return s.free[b] &^ blk.special
}

// word is 64 blocks that may have what is looked for.
func (s *Segment) word(set []uint64, i int, f filter) uint64 {
	w := set[i]
	if f.companions {
		w = ^uint64(0)
		if rest := len(s.free) - i*64; rest < 64 {
			w = 1<<rest - 1
		}
	}
	if f.cats != 0 {
		w &= s.layout.categoryWord(i, f.cats)
	}
	return w
}

// starts is where runs of k may begin in a block.
func (s *Segment) starts(b, k int, legal bool, f filter) uint64 {
	starts := runsOf(s.open(b, f), k)
	if legal && starts != 0 {
		starts = legalOf(starts, s.around(b, f), k)
	}
	return starts
}

// nearestStart is the start whose run of k has its middle nearest to the focal point; its cost is infinite when there are no starts.
func (s *Segment) nearestStart(b, k int, starts uint64) run {
	if starts == 0 {
		return run{block: b, cost: float32(math.Inf(1))}
	}
	blk := &s.layout.blocks[b]
	half := (k - 1) / 2
	middle := s.layout.dist[blk.first+int32(half):]
	if blk.nearest < 0 {
		best := run{block: b, cost: float32(math.Inf(1))}
		for ; starts != 0; starts &= starts - 1 {
			at := bits.TrailingZeros64(starts)
			if cost := middle[at]; cost < best.cost {
				best.cost, best.start = cost, at
			}
		}
		return best
	}
	// Distances grow to both sides: only the last start before the best one and the first one after it matter.
	below := starts & (1<<max(int(blk.nearest)-half+1, 0) - 1)
	above := starts &^ below
	if below == 0 {
		at := bits.TrailingZeros64(above)
		return run{b, at, middle[at]}
	}
	at := bits.Len64(below) - 1
	if above != 0 {
		if after := bits.TrailingZeros64(above); middle[after] < middle[at] {
			at = after
		}
	}
	return run{b, at, middle[at]}
}

// bestRun is the run of k nearest to the focal point; of equals the first. Blocks come in order of their nearest seat, so the search
// ends early, and the index's bounds rule most of the others out at a glance.
func (s *Segment) bestRun(k int, legal bool, f filter) (run, bool) {
	best := run{cost: float32(math.Inf(1))}
	found := false
	set, bound := s.index.set(k, legal)
	exact := legal && k <= indexedRun && f == filter{}
	for i := range set {
		w := s.word(set, i, f)
		if w == 0 {
			continue
		}
		if s.layout.blocks[i<<6].min >= best.cost {
			break
		}
		for ; w != 0; w &= w - 1 {
			b := i<<6 | bits.TrailingZeros64(w)
			switch {
			case bound[b] >= best.cost && !f.companions:
			case exact:
				best, found = run{block: b, cost: bound[b]}, true
			default:
				if r := s.nearestStart(b, k, s.starts(b, k, legal, f)); r.cost < best.cost {
					best, found = r, true
				}
			}
		}
	}
	if exact && found {
		best = s.nearestStart(best.block, k, s.starts(best.block, k, true, f))
	}
	return best, found
}

// pickRun adds the seats of a run to the choice.
func (s *Segment) pickRun(b, start, k int) {
	first := s.layout.blocks[b].first + int32(start)
	for i := range int32(k) {
		s.picked = append(s.picked, first+i)
	}
}

// choose walks down the ladder and leaves the seats in s.picked, with the rung; rung 0 when nothing fits.
func (s *Segment) choose(k int, ask *Ask, f filter) int8 {
	s.picked = s.picked[:0]
	if ask.Orphans != OrphansAllow {
		if r, ok := s.bestRun(k, true, f); ok {
			s.pickRun(r.block, r.start, k)
			return RungTogether
		}
	}
	if ask.Orphans != OrphansNever {
		if r, ok := s.bestRun(k, false, f); ok {
			s.pickRun(r.block, r.start, k)
			if legalOf(1<<r.start, s.around(r.block, f), k) != 0 {
				return RungTogether
			}
			return RungOrphan
		}
	}
	if ask.Together == TogetherRequired {
		return 0
	}
	if k >= 4 {
		if s.pickTwoRows(k, true, f) || ask.Orphans != OrphansNever && s.pickTwoRows(k, false, f) {
			return RungTwoRows
		}
		if s.pickNear(k, f) && s.allowed(ask, f) {
			return RungNear
		}
	}
	if ask.Together == TogetherAny && s.pickScattered(k, f) && s.allowed(ask, f) {
		return RungScattered
	}
	s.picked = s.picked[:0]
	return 0
}

// allowed is whether the choice in s.picked keeps the rule about singles.
func (s *Segment) allowed(ask *Ask, f filter) bool {
	return ask.Orphans != OrphansNever || !s.leavesSingle(s.picked, f)
}

// leavesSingle is whether taking these seats makes a single free seat that was none before.
func (s *Segment) leavesSingle(seats []int32, f filter) bool {
	for _, index := range seats {
		b, _ := s.layout.bit(index)
		before := s.around(b, f)
		after := before
		for _, other := range seats {
			if c, bit := s.layout.bit(other); c == b {
				after &^= 1 << bit
			}
		}
		if singlesOf(after)&^singlesOf(before) != 0 {
			return true
		}
	}
	return false
}

// openCount is how many free seats the filter allows.
func (s *Segment) openCount(f filter) int {
	n := 0
	for b := range s.free {
		n += bits.OnesCount64(s.open(b, f))
	}
	return n
}

// largestRun is the longest run that the filter allows.
func (s *Segment) largestRun(f filter) int32 {
	n := 0
	for b := range s.free {
		n = max(n, longestOf(s.open(b, f)))
	}
	return int32(n)
}
