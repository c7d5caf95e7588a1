package crowd

import (
	"testing"
	"time"
)

// small is a sale that takes a second or two, with all that goes wrong.
func small(seed uint64) Config {
	return Config{Seed: seed, People: 4000, Edges: 4, Rate: 50, MaxActive: 600, Tickets: 1500, Lobby: time.Minute}
}

func run(t *testing.T, cfg Config) *Result {
	t.Helper()
	r, err := Run(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestTheRoomHoldsWhateverBreaks(t *testing.T) {
	t.Parallel()
	for seed := uint64(1); seed <= 3; seed++ {
		r := run(t, small(seed))
		if r.Violations > 0 {
			t.Errorf("seed %d: %d violations: %q", seed, r.Violations, r.Fails)
		}
		if r.Admitted < 1000 || r.Waiting > 0 || r.Late == 0 || r.Codes == 0 || r.Tabs == 0 || r.Faults["owner killed"] < 2 || r.Faults["edge restarted"] < 2 {
			t.Errorf("seed %d: not everything was seen: %+v", seed, r)
		}
		if r.Tau < 0.8 { // people look every few seconds, and the whole sale takes a minute
			t.Errorf("seed %d: Kendall's tau is %.3f", seed, r.Tau)
		}
	}
}

// In calm, everybody who stays is told how it ended, and the order of admission is nearly the ideal one.
func TestCalm(t *testing.T) {
	t.Parallel()
	cfg := small(7)
	cfg.Calm, cfg.MaxActive = true, 3000
	r := run(t, cfg)
	if r.Violations > 0 || r.Waiting > 0 || r.Late > 0 || r.Asked > 0 || len(r.Faults) > 0 {
		t.Errorf("%+v", r)
	}
	if r.RateWindows == 0 || r.RateError > 0.1 {
		t.Errorf("the rate is off by %.3f in %d windows", r.RateError, r.RateWindows)
	}
}

func TestTheSameSeedTakesTheSameCourse(t *testing.T) {
	t.Parallel()
	a, b, other := run(t, small(5)), run(t, small(5)), run(t, small(6))
	if a.Course != b.Course || a.Course == other.Course {
		t.Errorf("courses %x, %x and %x", a.Course, b.Course, other.Course)
	}
}

// A check that notices nothing proves nothing.
func TestMutantsAreNoticed(t *testing.T) {
	t.Parallel()
	for _, m := range Mutants {
		t.Run(string(m), func(t *testing.T) {
			t.Parallel()
			for seed := uint64(1); seed <= 10; seed++ {
				cfg := small(seed)
				cfg.Wrong = m
				if r := run(t, cfg); r.Violations > 0 {
					t.Logf("seed %d: %s", seed, r.Fails[0])
					return
				}
			}
			t.Error("10 runs, and nothing was noticed")
		})
	}
}

func TestBadConfigsAreRefused(t *testing.T) {
	t.Parallel()
	for _, cfg := range []Config{{People: 7}, {People: 1 << 30}, {Edges: 500}, {Edges: -1}, {Rate: -1}, {MaxActive: -1}, {Tickets: -1}, {Lobby: time.Second}} {
		if _, err := Run(cfg); err == nil {
			t.Errorf("%+v is taken", cfg)
		}
	}
}

func TestMeasures(t *testing.T) {
	t.Parallel()
	if got := jain([]float64{1, 1, 1, 1}); got != 1 {
		t.Errorf("an even class has %v", got)
	}
	if got := jain([]float64{1, 0, 0, 0}); got != 0.25 {
		t.Errorf("a class of which one has everything has %v", got)
	}
	if n := swaps([]int{3, 2, 1, 0}, make([]int, 4)); n != 6 {
		t.Errorf("the reverse of four has %d pairs in the wrong order", n)
	}
	if n := swaps([]int{0, 2, 1, 3}, make([]int, 4)); n != 1 {
		t.Errorf("one swap counts %d", n)
	}
}
