package stock

import "math"

// indexedRun is the longest run that has sets of its own; longer ones use the sets of this length and look closer.
const indexedRun = 8

// index answers at once which blocks still have a run of k ordinary seats, which have one that leaves no single, and how far
// the nearest of these is. It ignores accessible and companion seats.
type index struct {
	has, legal [indexedRun + 1][]uint64 // per length, a bit per block; length 0 is not used
	// bound is, per length and block, the distance of the nearest run that leaves no single, infinite when there is none;
	// for length 0 the distance of the nearest free seat, which bounds everything else.
	bound [indexedRun + 1][]float32
}

func newIndex(blocks int) index {
	words := (blocks + 63) / 64
	sets := make([]uint64, 2*indexedRun*words)
	bounds := make([]float32, (indexedRun+1)*blocks)
	var x index
	for k := 0; k <= indexedRun; k++ {
		x.bound[k], bounds = bounds[:blocks:blocks], bounds[blocks:]
		if k > 0 {
			x.has[k], sets = sets[:words:words], sets[words:]
			x.legal[k], sets = sets[:words:words], sets[words:]
		}
	}
	return x
}

// updateIndex recomputes what an index knows of one block.
func (s *Segment) updateIndex(x *index, b int) {
	free := s.free[b] &^ s.layout.blocks[b].special
	x.bound[0][b] = s.nearestStart(b, 1, free).cost
	word, bit := b>>6, uint64(1)<<(b&63)
	starts := free
	for k := 1; k <= indexedRun; k++ {
		if starts &= free >> (k - 1); starts != 0 {
			x.has[k][word] |= bit
		} else {
			x.has[k][word] &^= bit
		}
		if legal := legalOf(starts, free, k); legal != 0 {
			x.legal[k][word] |= bit
			x.bound[k][b] = s.nearestStart(b, k, legal).cost
		} else {
			x.legal[k][word] &^= bit
			x.bound[k][b] = float32(math.Inf(1))
		}
	}
}

// set is the blocks that may have a run of k, with a lower bound of its distance for each.
func (x *index) set(k int, legal bool) ([]uint64, []float32) {
	switch {
	case k > indexedRun:
		return x.has[indexedRun], x.bound[0]
	case legal:
		return x.legal[k], x.bound[k]
	default:
		return x.has[k], x.bound[0]
	}
}
