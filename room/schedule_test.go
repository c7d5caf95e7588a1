package room

import (
	"testing"
	"time"

	"pgregory.net/rapid"

	"ticketrush/room/draw"
)

// weekly opens an hour after the start, for two hours, with a lobby of half an hour, every day.
var weekly = Settings{
	Rate: 1000, OpensAt: start.Add(time.Hour), EndsAt: start.Add(3 * time.Hour), Lobby: 30 * time.Minute, Every: 24 * time.Hour, PassLife: 4 * time.Hour,
}

// TestARoomOpensAgainAndAgain: each day has its lobby, draw, sale and end, with a line of its own.
func TestARoomOpensAgainAndAgain(t *testing.T) {
	t.Parallel()
	r := newAlone(t, weekly)
	at := func(d time.Duration) time.Time {
		now := start.Add(d)
		r.Tick(now)
		r.store(now)
		r.sync(now)
		r.sync(now)
		if d := r.Document(now); d.Phase != r.edge.Phase(now) {
			t.Errorf("after %v the owner says %s, the edge %s", now.Sub(start), d.Phase, r.edge.Phase(now))
		}
		return now
	}
	for day := range 3 {
		first := time.Duration(day) * 24 * time.Hour
		if day == 0 {
			if p := r.Phase(at(10 * time.Minute)); p != PhaseAnnounced {
				t.Fatalf("before the first lobby: %s", p)
			}
		}
		now := at(first + 40*time.Minute)
		if p := r.Phase(now); p != PhaseLobby || r.Edition() != uint16(day+1) {
			t.Fatalf("day %d: %s in edition %d", day, p, r.Edition())
		}
		r.Commit(draw.Secret{byte(day)})
		r.log = nil
		for i := range 5 {
			if rank := r.join(now, tid(i), ClassArrival); rank != 0 {
				t.Fatalf("day %d: a rank in the lobby", day)
			}
		}
		now = at(first + time.Hour - 4*time.Second)
		drawn, ok := r.hold(now)
		if !ok {
			t.Fatalf("day %d: no draw", day)
		}
		now = at(first + time.Hour + time.Second)
		d := r.Document(now)
		if d.Phase != PhaseOpen || !d.OpensAt.Equal(start.Add(first+time.Hour)) || !d.NextAt.Equal(start.Add(first+25*time.Hour)) {
			t.Fatalf("day %d: %s, opens %v, next %v", day, d.Phase, d.OpensAt, d.NextAt)
		}
		if _, _, waits, err := r.Claim(now, Claim{Tid: tid(1), Rank: draw.NewRanker(drawn.Seed()).Rank(tid(1)), Until: now.Add(time.Second)}); err != nil || !waits {
			t.Fatalf("day %d: a claim: %v, %v", day, waits, err)
		}
		r.Tick(now.Add(openEvery * time.Millisecond))
		if n := len(r.state.Inside); n != 1 {
			t.Fatalf("day %d: %d inside", day, n)
		}
		r.Member = nil
		if p := r.Phase(at(first + 3*time.Hour)); p != PhaseEnded {
			t.Fatalf("day %d: after its end %s", day, p)
		}
		if n := len(r.state.Inside); n != 1 {
			t.Errorf("day %d: the end of the sale ends a pass: %d inside", day, n)
		}
	}
}

// TestWhatOpsSaidOutlivesAnOccurrence: a pause, a passthrough and limits do; an end is that of one occurrence.
func TestWhatOpsSaidOutlivesAnOccurrence(t *testing.T) {
	t.Parallel()
	r := newAlone(t, weekly)
	now := start.Add(2 * time.Hour)
	r.End(now, "test")
	r.Pause(now, "test")
	r.Passthrough(now, "test")
	if err := r.SetLimits(now, Limits{MaxActive: 7}, "test"); err != nil {
		t.Fatal(err)
	}
	r.store(now)
	base, err := r.Snapshot()
	if err != nil {
		t.Fatal(err)
	}
	if p := r.Phase(now); p != PhaseEnded {
		t.Fatalf("ended by ops: %s", p)
	}
	now = start.Add(25 * time.Hour)
	r.log = nil
	r.Tick(now)
	r.store(now)
	for name, it := range map[string]func() *Room{
		"live": func() *Room { return r.Room },
		"restored from the log": func() *Room {
			again, err := Restore(weekly, base, r.log, now)
			if err != nil {
				t.Fatal(err)
			}
			return again
		},
		"restored after the lobby opened": func() *Room {
			again, err := Restore(weekly, base, nil, now)
			if err != nil {
				t.Fatal(err)
			}
			again.Tick(now)
			return again
		},
	} {
		got := it()
		if p := got.Phase(now); p != PhasePaused || !got.state.Through || got.state.Limits.MaxActive != 7 || got.Edition() != 2 {
			t.Errorf("%s: %s, passthrough %v, %+v, edition %d", name, p, got.state.Through, got.state.Limits, got.Edition())
		}
	}
}

// TestAReloadMovesTheScheduleOnly: places and passes stay when the configuration's times change.
func TestAReloadMovesTheScheduleOnly(t *testing.T) {
	t.Parallel()
	r := newAlone(t, weekly)
	now := start.Add(25*time.Hour + time.Minute)
	r.Tick(now)
	r.store(now)
	for name, change := range map[string]func(*Settings){
		"later":       func(s *Settings) { s.OpensAt, s.EndsAt = s.OpensAt.Add(10*time.Minute), s.EndsAt.Add(10*time.Minute) },
		"once":        func(s *Settings) { s.Every = 0 },
		"every hour":  func(s *Settings) { s.EndsAt, s.Every = s.OpensAt.Add(30*time.Minute), time.Hour },
		"as it was":   func(*Settings) {},
		"always open": func(s *Settings) { *s = Settings{} },
	} {
		set := weekly
		change(&set)
		r.Configure(set)
		r.store(now)
		r.Tick(now)
		if r.Edition() != 2 {
			t.Errorf("%s: edition %d", name, r.Edition())
		}
		if p, want := r.Phase(now), map[string]Phase{"once": PhaseEnded, "always open": PhaseOpen, "as it was": PhaseOpen}[name]; want != "" && p != want {
			t.Errorf("%s: %s", name, p)
		}
	}
}

// TestOccurrencesDoNotOverlap checks the pure schedule: each moment belongs to one occurrence, which goes on to the next one's lobby.
func TestOccurrencesDoNotOverlap(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		minutes := func(name string, low, high int) time.Duration {
			return time.Duration(rapid.IntRange(low, high).Draw(t, name)) * time.Minute
		}
		lobby, lasts := minutes("lobby", 1, 60), minutes("lasts", 1, 60)
		set := Settings{OpensAt: start, Lobby: lobby, EndsAt: start.Add(lasts), Every: lobby + lasts + minutes("between", -1, 180)}.WithDefaults()
		if err := set.Validate(); (err != nil) != (set.Every < lobby+lasts) {
			t.Fatalf("a lobby of %v and a sale of %v every %v: %v", lobby, lasts, set.Every, err)
		} else if err != nil {
			return
		}
		s := set.schedule()
		// Somewhere in an occurrence, or in the lobby before the next.
		at := start.Add(set.Every*time.Duration(rapid.IntRange(-2, 500).Draw(t, "occurrence")) + rapid.SampledFrom([]time.Duration{
			-lobby, -lobby - 1e6, -lobby / 2, 0, -1e6, lasts, set.Every - lobby/2, time.Duration(rapid.Int64Range(0, int64(set.Every)).Draw(t, "into")),
		}).Draw(t, "at")).UnixMilli()
		opens := s.opening(at)
		if !s.has(opens) || s.has(opens+1) || s.next(opens) != opens+set.Every.Milliseconds() {
			t.Fatalf("opening %d of %+v", opens, s)
		}
		if at >= s.next(opens)-s.lobby || opens > s.first && at < opens-s.lobby || s.ends(opens) > s.next(opens)-s.lobby {
			t.Fatalf("%d does not belong to the occurrence that opens at %d of %+v", at, opens, s)
		}
	})
}
