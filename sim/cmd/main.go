// Command cmd runs the simulator: many seeds, or one with its trace, or the mutants. `make sim` and `make mutants` call it.
package main

import (
	"cmp"
	"flag"
	"fmt"
	"os"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"ticketrush/sim"
	"ticketrush/sim/mutants"
)

// gcPercent trades memory, of which a run needs little, for time.
const gcPercent = 400

func main() {
	seeds := flag.Int("seeds", 10_000, "how many seeds to run")
	first := flag.Uint64("first", 0, "the first of them")
	one := flag.Int64("seed", -1, "run this one alone and print its trace")
	mutant := flag.String("mutant", "", "run with this mutant of the simulated ledger, driver or clients")
	all := flag.Bool("mutants", false, "build and run every mutant; each has to be caught within -seeds")
	verdict := flag.Bool("verdict", false, "print in one line after how many seeds the first violation came, and which")
	flag.Parse()
	debug.SetGCPercent(gcPercent)
	ok := false
	switch {
	case *all:
		ok = everyMutant(*seeds)
	case *mutant != "" && !slices.Contains(sim.Mutants, sim.Mutant(*mutant)):
		fmt.Fprintf(os.Stderr, "there is no mutant %q; there are %v\n", *mutant, sim.Mutants)
	case *verdict:
		seeds, why := sim.FirstViolation(*seeds, sim.Mutant(*mutant))
		fmt.Printf("%d seeds: %s\n", seeds, why)
		ok = true
	case *one >= 0:
		ok = trace(uint64(*one), sim.Mutant(*mutant))
	default:
		ok = many(*first, *seeds, sim.Mutant(*mutant))
	}
	if !ok {
		os.Exit(1)
	}
}

// trace prints the course of one seed.
func trace(seed uint64, m sim.Mutant) bool {
	r := sim.Run(seed, m, true)
	for _, line := range r.Trace {
		fmt.Println(line)
	}
	fmt.Printf("seed %d: %v of simulated time, trace %016x, violations: %d\n", seed, r.Passed.Round(time.Millisecond), r.Hash, len(r.Fails))
	return len(r.Fails) == 0
}

// shown is how many failed seeds are told of.
const shown = 10

// traceTail is how much of a failing seed's trace is printed.
const traceTail = 60

// many runs seeds and sums up.
func many(first uint64, n int, m sim.Mutant) bool {
	begin := time.Now()
	last := begin
	failed := 0
	total := sim.RunMany(first, n, m, shown, func(done int, r *sim.Result) {
		if len(r.Fails) > 0 { // at once: a long run may be cut short
			failed++
			fmt.Printf("seed %d: %s\n  replay: %s\n", r.Seed, strings.Join(r.Fails, "; "), replay(r.Seed, m))
		}
		if time.Since(last) > 15*time.Second {
			last = time.Now()
			fmt.Fprintf(os.Stderr, "%d of %d seeds, %d violations, %v\n", done, n, failed, time.Since(begin).Round(time.Second))
		}
	})
	took := time.Since(begin)
	if len(total.Failed) > 0 {
		tail(slices.MinFunc(total.Failed, func(a, b sim.Result) int { return cmp.Compare(a.Seed, b.Seed) }).Seed, m)
	}
	for i, n := range total.Counts {
		fmt.Printf("  %-42s %d\n", sim.Sight(i), n)
	}
	never := total.Counts.Never()
	if len(never) > 0 {
		fmt.Printf("never seen: %v\n", never)
	}
	fmt.Printf("seeds: %d · distinct traces: %d · simulated: %v · took %v (%.0f seeds/s)\n", total.Seeds, total.Distinct, total.Passed.Round(time.Second),
		took.Round(100*time.Millisecond), float64(total.Seeds)/took.Seconds())
	fmt.Printf("violations: %d\n", len(total.Failed))
	// Few seeds cannot be expected to see everything.
	return len(total.Failed) == 0 && (len(never) == 0 || n < sim.EnoughSeeds)
}

// tail prints the end of a failed seed's trace.
func tail(seed uint64, m sim.Mutant) {
	r := sim.Run(seed, m, true)
	fmt.Printf("the end of seed %d:\n", seed)
	for _, line := range r.Trace[max(0, len(r.Trace)-traceTail):] {
		fmt.Println(line)
	}
}

func replay(seed uint64, m sim.Mutant) string {
	if m == sim.NoMutant {
		return fmt.Sprintf("go run ./sim/cmd -seed %d", seed)
	}
	return fmt.Sprintf("go run ./sim/cmd -seed %d -mutant %s", seed, m)
}

// everyMutant runs the mutants, those of the simulator first, then those of the product's code.
func everyMutant(n int) bool {
	killed, survived := 0, []string{}
	note := func(name string, seeds int, why string) {
		if why == "" {
			survived = append(survived, name)
			fmt.Printf("  %-28s SURVIVED %d seeds\n", name, seeds)
			return
		}
		killed++
		fmt.Printf("  %-28s caught within %4d seeds: %s\n", name, seeds, cut(why))
	}
	for _, m := range sim.Mutants {
		seeds, why := sim.FirstViolation(n, m)
		note(string(m), seeds, why)
	}
	err := mutants.Run(n, note)
	if err != nil {
		fmt.Println(err)
	}
	fmt.Printf("mutants killed: %d\nmutants survived: %d %v\n", killed, len(survived), survived)
	return err == nil && len(survived) == 0
}

// cut makes a line of a reason.
func cut(text string) string {
	const most = 110
	if r := []rune(text); len(r) > most {
		return string(r[:most]) + "…"
	}
	return text
}
