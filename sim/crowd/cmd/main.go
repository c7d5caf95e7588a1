// Command cmd simulates a sale at a waiting room: see package crowd.
package main

import (
	"flag"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"time"

	"ticketrush/sim/crowd"
)

func main() {
	var cfg crowd.Config
	flag.Uint64Var(&cfg.Seed, "seed", 1, "the run: the same seed takes the same course")
	flag.IntVar(&cfg.People, "people", 0, "how many come (default 1000000)")
	flag.IntVar(&cfg.Edges, "edges", 0, "how many edges there are (default 8)")
	flag.Float64Var(&cfg.Rate, "rate", 0, "passes per second (default a thousandth of the people)")
	flag.IntVar(&cfg.MaxActive, "max-active", 0, "people inside at most (default 40 s of the rate)")
	flag.IntVar(&cfg.Tickets, "tickets", 0, "tickets on sale (default a fifth of the people)")
	flag.DurationVar(&cfg.Lobby, "lobby", 0, "how long before the opening people come (default 5m)")
	flag.BoolVar(&cfg.Calm, "calm", false, "nothing goes wrong")
	flag.Func("mutant", "break a simulated part on purpose: "+names(), func(s string) error {
		if cfg.Wrong = crowd.Mutant(s); !slices.Contains(crowd.Mutants, cfg.Wrong) {
			return fmt.Errorf("known are %s", names())
		}
		return nil
	})
	flag.Parse()
	if flag.NArg() > 0 {
		fmt.Fprintf(os.Stderr, "unexpected argument %q; -h lists the flags\n", flag.Arg(0))
		os.Exit(2)
	}
	began := time.Now()
	r, err := crowd.Run(cfg)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	}
	show(r, time.Since(began))
	if r.Violations > 0 {
		os.Exit(1)
	}
}

func names() string {
	list := make([]string, 0, len(crowd.Mutants))
	for _, m := range crowd.Mutants {
		list = append(list, string(m))
	}
	return strings.Join(list, ", ")
}

func show(r *crowd.Result, took time.Duration) {
	row := func(name, format string, args ...any) { fmt.Printf("%-28s %s\n", name, fmt.Sprintf(format, args...)) }
	c := r.Config
	fmt.Printf("%d people at %d edges, seed %d: rate %.0f/s, max_active %d, %d tickets\n", c.People, c.Edges, c.Seed, c.Rate, c.MaxActive, c.Tickets)
	for _, what := range slices.Sorted(maps.Keys(r.Faults)) {
		row("  "+what, "%d times", r.Faults[what])
	}
	for _, f := range r.Fails {
		fmt.Println("VIOLATED", f)
	}
	row("most inside at once", "%d, seen by %d looks at all edges; max_active %d", r.MostInside, r.Looks, c.MaxActive)
	row("inversions beyond bound", "%d of %d who came later; stated bound p50 %.0f ms, max %.0f ms", r.Inversions, r.Arrivals, r.BoundP50, r.BoundMax)
	row("Kendall's tau", "%.4f the line, %.4f the slow lane", r.Tau, r.TauSlow)
	for _, class := range r.Classes {
		row(class.Name, "%d admitted; wait p50 %.1f s, p99 %.1f s; Jain's index %.4f", class.Admitted, class.P50, class.P99, class.Jain)
	}
	row("rate", "off by %.2f %% (p50), %.2f %% at most in %d steady windows of 10 s; over it by %.2f %% at most in any",
		100*r.RateP50, 100*r.RateError, r.RateWindows, 100*r.RateOver)
	row("admitted", "%d; gave up %d, told sold out %d, still waiting %d", r.Admitted, r.GaveUp, r.SoldOut, r.Waiting)
	row("not in the draw", "%d places of the lobby that their edge told too late", r.Late)
	row("access codes", "%d places", r.Codes)
	row("second tabs", "%d", r.Tabs)
	row("passes asked about", "%d, by edges that were younger than the pass", r.Asked)
	fmt.Printf("simulated: %v · took %v · course %016x\n", r.Simulated, took.Round(100*time.Millisecond), r.Course)
	fmt.Printf("violations: %d\n", r.Violations)
}
