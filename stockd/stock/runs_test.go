package stock

import "testing"

// FuzzRuns compares the bit tricks with loops.
func FuzzRuns(f *testing.F) {
	f.Add(uint64(0b1110110111), 2)
	f.Add(^uint64(0), 64)
	f.Add(uint64(1)<<63, 1)
	f.Fuzz(func(t *testing.T, w uint64, k int) {
		if k < 1 || k > 64 {
			t.Skip()
		}
		is := func(i int) bool { return i >= 0 && i < 64 && w>>i&1 != 0 }
		var runs, legal uint64
		longest, now := 0, 0
		for i := range 64 {
			if now++; !is(i) {
				now = 0
			}
			longest = max(longest, now)
			fits := true
			for j := i; j < i+k; j++ {
				fits = fits && is(j)
			}
			if !fits {
				continue
			}
			runs |= 1 << i
			left := is(i-1) && !is(i-2)
			right := is(i+k) && !is(i+k+1)
			if !left && !right {
				legal |= 1 << i
			}
		}
		if got := runsOf(w, k); got != runs {
			t.Errorf("runs of %d in %b: %b, want %b", k, w, got, runs)
		}
		if got := legalOf(runs, w, k); got != legal {
			t.Errorf("legal runs of %d in %b: %b, want %b", k, w, got, legal)
		}
		if got := longestOf(w); got != longest {
			t.Errorf("longest run in %b: %d, want %d", w, got, longest)
		}
	})
}
