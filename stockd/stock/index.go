package stock

// indexedRun is the longest run that has sets of its own; longer ones use the sets of this length and look closer.
const indexedRun = 8

// index answers at once which blocks still have a run of k ordinary seats, and which have one that leaves no single.
// It ignores accessible and companion seats. Blocks are in order of distance, so the first bit is a good candidate.
type index struct {
	has, legal [indexedRun + 1][]uint64 // per length, a bit per block; length 0 is not used
}

func newIndex(blocks int) index {
	words := (blocks + 63) / 64
	all := make([]uint64, 2*indexedRun*words)
	var x index
	for k := 1; k <= indexedRun; k++ {
		x.has[k], all = all[:words:words], all[words:]
		x.legal[k], all = all[:words:words], all[words:]
	}
	return x
}

// update recomputes the bits of one block; free is its free ordinary seats.
func (x *index) update(b int, free uint64) {
	word, bit := b>>6, uint64(1)<<(b&63)
	starts := free
	for k := 1; k <= indexedRun; k++ {
		starts &= free >> (k - 1)
		if starts != 0 {
			x.has[k][word] |= bit
		} else {
			x.has[k][word] &^= bit
		}
		if legalOf(starts, free, k) != 0 {
			x.legal[k][word] |= bit
		} else {
			x.legal[k][word] &^= bit
		}
	}
}

// set is the blocks that may have a run of k.
func (x *index) set(k int, legal bool) []uint64 {
	switch {
	case k > indexedRun:
		return x.has[indexedRun]
	case legal:
		return x.legal[k]
	default:
		return x.has[k]
	}
}
