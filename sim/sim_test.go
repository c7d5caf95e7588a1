package sim

import (
	"slices"
	"testing"
)

// TestSeeds runs some seeds; `make sim` runs many.
func TestSeeds(t *testing.T) {
	t.Parallel()
	n := 300
	if testing.Short() {
		n = 30
	}
	total := RunMany(1_000_000, n, NoMutant, 1, nil)
	for _, r := range total.Failed {
		r = Run(r.Seed, NoMutant, true)
		for _, line := range r.Trace[max(0, len(r.Trace)-80):] {
			t.Log(line)
		}
		t.Errorf("seed %d: %v", r.Seed, r.Fails)
	}
	if total.Distinct != n && len(total.Failed) == 0 {
		t.Errorf("%d seeds had %d courses", n, total.Distinct)
	}
}

// TestSameSeedSameCourse is what makes a failing seed worth anything: it can be run again, with its trace.
func TestSameSeedSameCourse(t *testing.T) {
	t.Parallel()
	for seed := range uint64(40) {
		first, again, traced := Run(seed, NoMutant, false), Run(seed, NoMutant, false), Run(seed, NoMutant, true)
		if first.Hash != again.Hash || first.Hash != traced.Hash || first.Counts != again.Counts || first.Passed != traced.Passed {
			t.Errorf("seed %d took another course when it was run again: %016x, %016x, with its trace %016x", seed, first.Hash, again.Hash, traced.Hash)
		}
		if len(traced.Trace) < 50 {
			t.Errorf("the trace of seed %d has %d lines", seed, len(traced.Trace))
		}
	}
}

// TestQuickMutants: those that show in nearly every seed. `make mutants` runs all.
func TestQuickMutants(t *testing.T) {
	t.Parallel()
	for _, m := range []Mutant{NoFence, CounterLeaked, FirstCounterUnchecked, RefusalsLost, FullLifeOnReplay, SellWithoutOrderCheck, UnpinWithoutOrderCheck} {
		if seeds, why := FirstViolation(200, m); why == "" {
			t.Errorf("mutant %s survived %d seeds", m, seeds)
		}
	}
}

func TestEverySightHasAName(t *testing.T) {
	t.Parallel()
	names := slices.Clone(sightNames[:])
	slices.Sort(names)
	if names[0] == "" || len(slices.Compact(names)) != int(sights) {
		t.Errorf("a name is missing or used twice: %q", names)
	}
}
