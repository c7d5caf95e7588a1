package shed

import (
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func gate(t testing.TB, config Config) *Gate {
	t.Helper()
	g, err := New(config)
	if err != nil {
		t.Fatal(err)
	}
	return g
}

func enter(t testing.TB, g *Gate, c Class, now time.Duration) *Ticket {
	t.Helper()
	ticket, why := g.Enter(c, now)
	if why != Admitted {
		t.Fatalf("%v was refused: %v", c, why)
	}
	return ticket
}

// decided is whether a request that had to wait waits no more.
func decided(t *Ticket) bool {
	select {
	case <-t.Ready():
		return true
	default:
		return false
	}
}

func TestHigherClassFirstThenOrderOfArrival(t *testing.T) {
	t.Parallel()
	g := gate(t, Config{Work: 1})
	first := enter(t, g, Hold, 0)
	if first.Ready() != nil {
		t.Fatal("the first one waits")
	}
	line := []*Ticket{enter(t, g, Hold, 1), enter(t, g, Hold, 2), enter(t, g, Buy, 3), enter(t, g, Look, 4), enter(t, g, Buy, 5)}
	served := 0
	for _, at := range []int{2, 4, 3, 0, 1} {
		g.Leave(first, 10)
		in := 0
		for _, ticket := range line {
			if decided(ticket) {
				in++
			}
		}
		if served++; in != served || !decided(line[at]) || line[at].Decided() != Admitted {
			t.Fatalf("%d of those who waited got in, the next one, request %d: %v", in, at, decided(line[at]))
		}
		first = line[at]
	}
}

func TestReadsHavePlacesOfTheirOwn(t *testing.T) {
	t.Parallel()
	g := gate(t, Config{Work: 2, Reads: 1})
	enter(t, g, Hold, 0)
	enter(t, g, Buy, 0)
	if waits := enter(t, g, Hold, 0); waits.Ready() == nil {
		t.Error("a third is at work")
	}
	if reads := enter(t, g, Browse, 0); reads.Ready() != nil {
		t.Error("a read waits for those who write")
	}
}

func TestWhoIsTooOldIsRefusedOnTheWay(t *testing.T) {
	t.Parallel()
	g := gate(t, Config{Work: 1})
	busy := enter(t, g, Hold, 0)
	old, young := enter(t, g, Hold, 0), enter(t, g, Hold, time.Second)
	now := Hold.Patience() + 1
	g.Leave(busy, now)
	if old.Decided() != Age || young.Decided() != Admitted || !decided(old) || !decided(young) {
		t.Errorf("the old one: %v, the young one: %v", old.Decided(), young.Decided())
	}
	g.Leave(old, now) // changes nothing: it has no place
	if n := g.Numbers(now); n.Busy[work] != 1 || n.Shed[Hold][Age] != 1 {
		t.Errorf("%+v", n)
	}
}

func TestQueueIsBounded(t *testing.T) {
	t.Parallel()
	g := gate(t, Config{Work: 1, Queue: 3})
	enter(t, g, Hold, 0)
	for range 3 {
		enter(t, g, Hold, 0)
	}
	if _, why := g.Enter(Hold, 0); why != Full {
		t.Errorf("the fifth: %v", why)
	}
	if _, why := g.Enter(Buy, 0); why != Admitted {
		t.Errorf("who buys: %v", why)
	}
}

// TestAStuckPoolIsNoticed: nothing leaves, nobody gets a place, and still the signal comes: from the age of the oldest one.
func TestAStuckPoolIsNoticed(t *testing.T) {
	t.Parallel()
	g := gate(t, Config{Work: 1})
	enter(t, g, Hold, 0)
	now := time.Duration(0)
	for range 100 {
		now += 10 * time.Millisecond
		g.Enter(Hold, now)
	}
	if n := g.Numbers(now); n.Share[Hold] > 0.5 || n.Oldest < 900*time.Millisecond {
		t.Errorf("%+v", n)
	}
}

func TestGiveUpAndAPlaceAtTheSameMoment(t *testing.T) {
	t.Parallel()
	g := gate(t, Config{Work: 1})
	busy := enter(t, g, Hold, 0)
	waits := enter(t, g, Hold, 0)
	g.Leave(busy, 5)
	if how := g.GiveUp(waits, Gone, 5); how != Admitted {
		t.Errorf("the place is lost: %v", how)
	}
	g.Leave(waits, 6)
	g.Leave(waits, 6)
	if n := g.Numbers(6); n.Busy[work] != 0 {
		t.Errorf("%d places are taken", n.Busy[work])
	}
}

func TestAShareIsKeptByCounting(t *testing.T) {
	t.Parallel()
	s := share{of: 0.25}
	in := 0
	for range 400 {
		if s.take() {
			in++
		}
	}
	if in != 100 {
		t.Errorf("%d of 400 got in with a share of a quarter", in)
	}
}

func TestConfigTellsAllThatIsWrong(t *testing.T) {
	t.Parallel()
	_, err := New(Config{Work: -1, Queue: -2, Interval: -time.Second})
	for _, want := range []string{"places for work: -1", "queue: -2", "interval: -1s"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v does not say %q", err, want)
		}
	}
}

// TestAnyCourse: whatever comes and goes in whatever order, no place is lost or given twice, nobody who may be served waits beside a free place, and no
// one overtakes within a class.
func TestAnyCourse(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		g, err := New(Config{Work: rapid.IntRange(1, 4).Draw(t, "work"), Reads: rapid.IntRange(1, 3).Draw(t, "reads"), Queue: rapid.IntRange(1, 6).Draw(t, "queue")})
		if err != nil {
			t.Fatal(err)
		}
		var now time.Duration
		var inside []*Ticket
		last := map[Class]time.Duration{} // arrival of the last one of a class that waited and got a place
		t.Repeat(map[string]func(*rapid.T){
			"enter": func(t *rapid.T) {
				c := Class(rapid.IntRange(0, int(classes)-1).Draw(t, "class"))
				if ticket, why := g.Enter(c, now); why == Admitted {
					inside = append(inside, ticket)
				} else if ticket != nil {
					t.Fatal("a refusal with a ticket")
				}
			},
			"leave": func(t *rapid.T) {
				if len(inside) > 0 {
					g.Leave(inside[rapid.IntRange(0, len(inside)-1).Draw(t, "who")], now)
				}
			},
			"give up": func(t *rapid.T) {
				if len(inside) > 0 {
					g.GiveUp(inside[rapid.IntRange(0, len(inside)-1).Draw(t, "who")], rapid.SampledFrom([]Reason{Age, Gone}).Draw(t, "why"), now)
				}
			},
			"time": func(t *rapid.T) {
				now += time.Duration(rapid.IntRange(0, 400).Draw(t, "ms")) * time.Millisecond
			},
			"": func(t *rapid.T) {
				n := g.Numbers(now)
				var busy [pools]int
				var waiting [classes]int
				for _, ticket := range inside {
					switch {
					case ticket.waiting:
						waiting[ticket.class]++
					case ticket.decided == Admitted && !ticket.left:
						busy[poolOf(ticket.class)]++
					}
					if waits := ticket.ready != nil; waits && decided(ticket) == ticket.waiting {
						t.Fatal("a wait that is over and was not told, or the other way round")
					}
				}
				if busy != n.Busy || waiting != n.Waiting {
					t.Fatalf("busy %v, waiting %v; the gate says %+v", busy, waiting, n)
				}
				for i := range g.pools {
					p := &g.pools[i]
					if p.busy > p.places {
						t.Fatalf("%d of %d places are taken", p.busy, p.places)
					}
					if p.busy < p.places && g.oldest(p) > 0 {
						t.Fatal("somebody waits beside a free place")
					}
				}
				for c := range g.share {
					if s := g.share[c]; s.of < floors[c] || s.of > 1 || s.credit < 0 || s.credit >= 1 {
						t.Fatalf("%v: %+v", Class(c), s)
					}
					if q := &g.queues[c]; q.len() > g.config.Queue || len(q.list) > 2*q.waiting+16 {
						t.Fatalf("%v: %d wait in a list of %d", Class(c), q.waiting, len(q.list))
					}
				}
				inOrder(t, inside, last)
			},
		})
	})
}

// inOrder wants those of a class that waited and got a place to be all that came before those who still wait.
func inOrder(t *rapid.T, inside []*Ticket, last map[Class]time.Duration) {
	for _, ticket := range inside {
		if ticket.ready != nil && !ticket.waiting && ticket.decided == Admitted {
			last[ticket.class] = max(last[ticket.class], ticket.arrived)
		}
	}
	for _, ticket := range inside {
		if ticket.waiting && ticket.arrived < last[ticket.class] {
			t.Fatalf("a request of class %v that came at %v waits, one that came at %v was let in", ticket.class, ticket.arrived, last[ticket.class])
		}
	}
}
