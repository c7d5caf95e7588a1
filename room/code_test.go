package room

import (
	"errors"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// TestCodesOpenSoManyPlacesAndNoMore redeems at random, over restarts, and compares with a count.
func TestCodesOpenSoManyPlacesAndNoMore(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		r, err := New(Settings{}, start)
		if err != nil {
			rt.Fatal(err)
		}
		a := &alone{Room: r, t: rt}
		a.store(start)
		base, err := r.Snapshot()
		if err != nil {
			rt.Fatal(err)
		}
		a.log = nil
		now := start
		uses := rapid.IntRange(1, 3).Draw(rt, "uses")
		if first, err := a.IssueCodes(now, 4, "test"); err != nil || first != 1 {
			rt.Fatal(first, err)
		}
		type use struct {
			serial uint32
			tid    Tid
		}
		places, count, revoked := map[use]uint64{}, map[uint32]int{}, map[uint32]bool{}
		last := uint64(0)
		rt.Repeat(map[string]func(*rapid.T){
			"redeem": func(rt *rapid.T) {
				u := use{rapid.Uint32Range(0, 5).Draw(rt, "serial"), tid(rapid.IntRange(0, 8).Draw(rt, "who"))}
				rank, err := a.Redeem(now, u.tid, u.serial, uses)
				before, again := places[u]
				switch {
				case again:
					if rank != before || err != nil {
						rt.Fatalf("a second redemption gave %d, %v; the first %d", rank, err, before)
					}
				case u.serial == 0 || u.serial > 4:
					if !errors.Is(err, ErrCodeUnknown) {
						rt.Fatal(err)
					}
				case revoked[u.serial]:
					if !errors.Is(err, ErrCodeRevoked) {
						rt.Fatal(err)
					}
				case count[u.serial] == uses:
					if !errors.Is(err, ErrCodeUsed) {
						rt.Fatal(err)
					}
				default:
					if err != nil || rank <= last || RankClass(rank) != ClassPriority {
						rt.Fatalf("place %d after %d: %v", rank, last, err)
					}
					places[u], last = rank, rank
					count[u.serial]++
				}
			},
			"revoke": func(rt *rapid.T) {
				serial := rapid.Uint32Range(1, 4).Draw(rt, "serial")
				if err := a.RevokeCode(now, serial, "test"); err != nil {
					rt.Fatal(err)
				}
				revoked[serial] = true
			},
			"restart": func(rt *rapid.T) {
				a.store(now)
				again, err := Restore(Settings{}, throughJSON(rt, base), throughJSON(rt, a.log), now)
				if err != nil {
					rt.Fatal(err)
				}
				a.Room = again
			},
			"": func(rt *rapid.T) {
				if got := a.crowd().classTotal(ClassPriority); got != uint64(len(places)) {
					rt.Fatalf("the line counts %d places of the priority class, %d were given", got, len(places))
				}
			},
		})
	})
}

// TestPriorityDoesNotOverrunTheRate redeems a thousand codes while others claim.
func TestPriorityDoesNotOverrunTheRate(t *testing.T) {
	t.Parallel()
	const rate = 40
	r := newAlone(t, Settings{Rate: rate, MaxActive: 100_000})
	now := start
	for i := range 500 {
		if _, err := r.edge.Join(now, tid(i), ClassArrival); err != nil {
			t.Fatal(err)
		}
	}
	r.sync(now)
	if _, err := r.IssueCodes(now, 1000, "test"); err != nil {
		t.Fatal(err)
	}
	granted := [classes]int{}
	waiting := map[Tid]uint64{}
	for step := range 4 * 10 {
		now = now.Add(openEvery * time.Millisecond)
		if step == 20 {
			for i := range 1000 {
				rank, err := r.Redeem(now, tid(10_000+i), uint32(i+1), 1)
				if err != nil {
					t.Fatal(err)
				}
				waiting[tid(10_000+i)] = rank
			}
		}
		for id, rank := range waiting {
			r.Claim(now, Claim{Tid: id, Rank: rank, Until: now.Add(time.Second)})
		}
		for i := range 500 {
			if rank, _ := r.edge.joins.get(tid(i)); rank != 0 {
				r.Claim(now, Claim{Tid: tid(i), Rank: rank, Until: now.Add(time.Second)})
			}
		}
		second := 0
		for _, d := range r.Tick(now) {
			if d.Granted {
				second++
				granted[RankClass(d.Session.Rank)]++
				delete(waiting, d.Tid)
			}
		}
		if second > rate/2+rate/4 {
			t.Fatalf("%d passes in a quarter of a second at %d a second", second, rate)
		}
		r.store(now)
	}
	if all := granted[ClassPriority] + granted[ClassArrival]; all > rate*10+rate/2 || granted[ClassPriority] < rate*4 {
		t.Errorf("in ten seconds at %d a second: %v", rate, granted)
	}
}

// TestNobodyIsCalledToASaleThatHasNothing looks at the frontier with and without stock.
func TestNobodyIsCalledToASaleThatHasNothing(t *testing.T) {
	t.Parallel()
	r := newAlone(t, Settings{Rate: 1000, MaxActive: 1000})
	now := start.Add(time.Second)
	for i := range 500 {
		if _, err := r.edge.Join(now, tid(i), ClassArrival); err != nil {
			t.Fatal(err)
		}
	}
	called := func(s *Supply) uint64 {
		r.Supply(s)
		now = now.Add(time.Second)
		r.Tick(now)
		r.sync(now)
		return r.crowd().countUpTo(GroupMain, r.state.Frontier[GroupMain])
	}
	r.Supply(&Supply{SoldOut: true})
	r.sync(now)
	if n := called(&Supply{SoldOut: true}); n != 0 {
		t.Errorf("%d were called to a sale that is sold out", n)
	}
	rank, _ := r.edge.joins.get(tid(400))
	if v := r.edge.Look(now, rank); v.Standing != StandingSoldOut || v.Position != 401 {
		t.Errorf("somebody who waits for a sale that is sold out: %+v", v)
	}
	if n := called(&Supply{Returning: 10}); n != 10*demandPerTicket {
		t.Errorf("%d were called for 10 tickets that are about to come back", n)
	}
	if n := called(nil); n != 500 {
		t.Errorf("%d were called though nothing is known of the stock", n)
	}
}
