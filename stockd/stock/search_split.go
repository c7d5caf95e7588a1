package stock

import (
	"math"
	"math/bits"
)

const (
	anchorsFit  = 16  // so many possible places are compared by pickNear
	anchorsSeen = 256 // and so many are looked at for them
)

// pickTwoRows seats the larger half of the party in one row and the rest in the same columns of the row behind.
func (s *Segment) pickTwoRows(k int, legal bool, f filter) bool {
	front, rear := (k+1)/2, k/2
	best, bestRear := run{cost: float32(math.Inf(1))}, run{}
	set, _ := s.index.set(front, legal)
	for i := range set {
		for w := s.word(set, i, f); w != 0; w &= w - 1 {
			b := i<<6 | bits.TrailingZeros64(w)
			blk := &s.layout.blocks[b]
			if blk.min >= best.cost {
				break
			}
			if blk.behind == noBlock {
				continue
			}
			starts := s.starts(b, front, legal, f)
			behind := shifted(s.starts(int(blk.behind), rear, legal, f), blk.shift)
			level := starts & behind
			starts &= behind | behind>>(front-rear)
			if starts == 0 {
				continue
			}
			if r := s.nearestStart(b, front, starts); r.cost < best.cost {
				best = r
				bestRear = run{block: int(blk.behind), start: r.start - int(blk.shift)}
				if level>>r.start&1 == 0 {
					bestRear.start++
				}
			}
		}
	}
	if math.IsInf(float64(best.cost), 1) {
		return false
	}
	s.picked = s.picked[:0]
	s.pickRun(best.block, best.start, front)
	s.pickRun(bestRear.block, bestRear.start, rear)
	return true
}

// pickNear splits the party into pieces of at least two in blocks that are near each other, and takes the tightest of the first places
// that fit. It looks at a bounded number of places, so it may miss one that fits.
func (s *Segment) pickNear(k int, f filter) bool {
	var best []int32
	bestSpread, fit, seen := math.MaxInt, 0, 0
	set, _ := s.index.set(2, false)
	for i := range set {
		for w := s.word(set, i, f); w != 0 && fit < anchorsFit && seen < anchorsSeen; w &= w - 1 {
			seen++
			if spread, ok := s.pickAround(i<<6|bits.TrailingZeros64(w), k, f); ok {
				fit++
				if spread < bestSpread {
					bestSpread, best = spread, append(best[:0], s.picked...)
				}
			}
		}
	}
	s.picked = append(s.picked[:0], best...)
	return best != nil
}

// pickAround fills the party from one block and those around it; spread grows with how far out it had to go.
func (s *Segment) pickAround(anchor, k int, f filter) (spread int, ok bool) {
	s.picked = s.picked[:0]
	rest := s.pickPieces(anchor, k, f)
	if rest == k {
		return 0, false
	}
	for rank, b := range s.layout.nearest(anchor) {
		if rest == 0 {
			break
		}
		left := s.pickPieces(int(b), rest, f)
		spread += (rank + 1) * (rest - left)
		rest = left
	}
	return spread, rest == 0
}

// pickPieces takes runs of at least two out of a block and leaves no rest of one person. It returns how many are still without a seat.
func (s *Segment) pickPieces(b, rest int, f filter) int {
	for open := s.open(b, f); rest > 0; {
		k := min(longestOf(open), rest)
		if rest-k == 1 {
			k--
		}
		if k < 2 {
			break
		}
		r := s.nearestStart(b, k, runsOf(open, k))
		s.pickRun(b, r.start, k)
		open &^= runMask(r.start, k)
		rest -= k
	}
	return rest
}

// pickScattered takes the k open seats nearest to the focal point, wherever they are.
func (s *Segment) pickScattered(k int, f filter) bool {
	s.picked = s.picked[:0]
	set, _ := s.index.set(1, false)
	for i := range set {
		for w := s.word(set, i, f); w != 0; w &= w - 1 {
			b := i<<6 | bits.TrailingZeros64(w)
			blk := &s.layout.blocks[b]
			if len(s.picked) == k && blk.min >= s.layout.dist[s.picked[k-1]] {
				return true
			}
			for open := s.open(b, f); open != 0; open &= open - 1 {
				s.keepNearest(blk.first+int32(bits.TrailingZeros64(open)), k)
			}
		}
	}
	return len(s.picked) == k
}

// keepNearest inserts a seat into s.picked, which is in order of distance and at most k long.
func (s *Segment) keepNearest(index int32, k int) {
	dist := s.layout.dist
	at := len(s.picked)
	if at < k {
		s.picked = append(s.picked, 0)
	} else if at--; dist[index] >= dist[s.picked[at]] {
		return
	}
	for ; at > 0 && dist[s.picked[at-1]] > dist[index]; at-- {
		s.picked[at] = s.picked[at-1]
	}
	s.picked[at] = index
}
