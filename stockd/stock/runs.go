package stock

import "math/bits"

// runsOf is the starts of all runs of k neighbouring bits: bit i is set when bits i to i+k-1 of w are. Folding takes log2(k) steps.
func runsOf(w uint64, k int) uint64 {
	if k > 64 {
		return 0
	}
	for done := 1; done < k; {
		step := min(done, k-done)
		w &= w >> step
		done += step
	}
	return w
}

// legalOf is the starts of runs of k that leave no single free seat beside them. around is the free seats that could be left alone.
// A single that was alone before is not this choice's fault, but it cannot touch a run, so the rule needs no exception for it.
func legalOf(starts, around uint64, k int) uint64 {
	left := around << 1 &^ (around << 2)
	right := around >> k &^ (around >> (k + 1))
	return starts &^ left &^ right
}

// singlesOf is the free seats without a free neighbour.
func singlesOf(w uint64) uint64 { return w &^ (w << 1) &^ (w >> 1) }

// longestOf is the length of the longest run.
func longestOf(w uint64) int {
	n := 0
	for ; w != 0; n++ {
		w &= w >> 1
	}
	return n
}

// runMask is k bits from start.
func runMask(start, k int) uint64 { return ^uint64(0) >> (64 - k) << start }

// shifted moves bits up by shift, or down when it is negative.
func shifted(w uint64, shift int8) uint64 {
	if shift >= 0 {
		return w << shift
	}
	return w >> -shift
}

// lowest is the place of the lowest bit.
func lowest(w uint64) int { return bits.TrailingZeros64(w) }
