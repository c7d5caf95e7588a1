package room

import (
	"encoding/binary"
	"errors"
	"maps"
	"reflect"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func digest(n int) (d Digest) {
	binary.BigEndian.PutUint32(d[:], uint32(n)+1)
	return d
}

// shared drives a room whose places go from device to device at random, and keeps a model of who bears them.
type shared struct {
	*alone
	now    time.Time
	base   State
	ranks  map[Tid]uint64
	held   map[Tid]uint16 // the number of the present bearer
	waits  map[Tid]waiting
	codes  int
	used   map[Digest]Digest // codes that have moved a place, and to whom
	inside map[Tid]int64     // until, by the answers
	claims map[Tid]uint16    // waits, and of which bearer
	voided map[Tid]bool      // a claim of a bearer before waits for its answer
}

type waiting struct {
	code  Digest
	until time.Time
}

func newShared(t *rapid.T) *shared {
	r, err := New(Settings{Rate: 20, MaxActive: 3, PassLife: 20 * time.Second, Grace: time.Second}, start)
	if err != nil {
		t.Fatal(err)
	}
	m := &shared{
		alone: &alone{Room: r, edge: NewEdge("a", 1, start), t: t}, now: start, ranks: map[Tid]uint64{}, held: map[Tid]uint16{}, waits: map[Tid]waiting{},
		used: map[Digest]Digest{}, inside: map[Tid]int64{}, claims: map[Tid]uint16{}, voided: map[Tid]bool{},
	}
	m.sync(m.now)
	m.compact(t)
	for i := range 4 {
		m.ranks[tid(i)] = m.join(m.now, tid(i), ClassArrival)
	}
	return m
}

func (m *shared) compact(t *rapid.T) {
	var err error
	m.store(m.now)
	if m.base, err = m.Snapshot(); err != nil {
		t.Fatal(err)
	}
	m.log = nil
}

func (m *shared) living(who Tid) bool { return m.now.UnixMilli() < m.inside[who] }

// token is one that was given out for the place of somebody, perhaps to a bearer before.
func (m *shared) token(t *rapid.T) Place {
	who := tid(rapid.IntRange(0, 3).Draw(t, "who"))
	return Place{Tid: who, Rank: m.ranks[who], Handed: m.held[who] - min(m.held[who], rapid.Uint16Range(0, 2).Draw(t, "old"))}
}

func (m *shared) offer(t *rapid.T) {
	p, code := m.token(t), digest(m.codes)
	m.codes++
	p.Flags, p.Risk = 4, byte(m.codes)
	_, err := m.Offer(m.now, p, code, false)
	var want error
	switch {
	case p.Handed != m.held[p.Tid]:
		want = ErrHandedOver
	case m.living(p.Tid):
		want = ErrInside
	case p.Handed >= handoversMax:
		want = ErrHandoverMax
	}
	if !errors.Is(err, want) || (want == nil) != (err == nil) {
		t.Fatalf("offer of %+v: %v, want %v", p, err, want)
	}
	if err == nil {
		m.waits[p.Tid] = waiting{code, m.now.Add(OfferLife)}
		if left, err := m.Offer(m.now, p, code, true); err != nil || left != OfferLife {
			t.Fatalf("looked at: %v, %v", left, err)
		}
	}
}

func (m *shared) handover(t *rapid.T) {
	code, taker := digest(rapid.IntRange(max(0, m.codes-4), m.codes).Draw(t, "code")), digest(1000+rapid.IntRange(0, 2).Draw(t, "taker"))
	p, err := m.Handover(m.now, code, taker)
	if by, used := m.used[code]; used {
		if err == nil && by != taker {
			t.Fatalf("%x was used by %x, and gave a place to %x", code, by, taker)
		}
		return
	}
	for who, w := range m.waits {
		if w.code != code || !m.now.Before(w.until) {
			continue
		}
		if m.living(who) {
			if !errors.Is(err, ErrInside) {
				t.Fatalf("the place of somebody inside: %v", err)
			}
			return
		}
		if err != nil || p.Tid != who || p.Rank != m.ranks[who] || p.Handed != m.held[who]+1 || p.Flags != 4 {
			t.Fatalf("the code of %v, rank %d, gave %+v, %v", who, m.ranks[who], p, err)
		}
		m.held[who]++
		m.used[code] = taker
		delete(m.waits, who)
		if _, waits := m.claims[who]; waits {
			m.voided[who] = true
		}
		delete(m.claims, who)
		if again, err := m.Handover(m.now, code, taker); err != nil || again != p {
			t.Fatalf("asked again: %+v, %v", again, err)
		}
		return
	}
	if !errors.Is(err, ErrNoOffer) && !errors.Is(err, ErrTries) {
		t.Fatalf("a code that is worth nothing gave %+v, %v", p, err)
	}
}

func (m *shared) claim(t *rapid.T) {
	p := m.token(t)
	s, ok, waits, err := m.Claim(m.now, Claim{Tid: p.Tid, Rank: p.Rank, Until: m.now.Add(time.Second), Handed: p.Handed})
	if old := p.Handed != m.held[p.Tid]; old != errors.Is(err, ErrHandedOver) || old && (ok || waits || s != Session{}) {
		t.Fatalf("bearer %d of %d claims: %+v %v %v %v", p.Handed, m.held[p.Tid], s, ok, waits, err)
	}
	if waits {
		m.claims[p.Tid] = p.Handed
	}
}

func (m *shared) tick(t *rapid.T) {
	m.now = m.now.Add(250 * time.Millisecond)
	for _, d := range m.Tick(m.now) {
		if d.Granted && m.voided[d.Tid] {
			t.Fatal("whoever had the place before, and still waits for an answer, is told of the pass")
		}
		if m.voided[d.Tid] {
			delete(m.voided, d.Tid)
			continue
		}
		if d.Granted {
			if by, waits := m.claims[d.Tid]; !waits || by != m.held[d.Tid] {
				t.Fatalf("a pass for bearer %d (%v), while %d has the place", by, waits, m.held[d.Tid])
			}
			m.inside[d.Tid] = d.Session.Expires
		}
		delete(m.claims, d.Tid)
	}
}

func (m *shared) leave(t *rapid.T) {
	who := tid(rapid.IntRange(0, 3).Draw(t, "who"))
	if err := m.Leave(m.now, who); (err == nil) != m.living(who) {
		t.Fatal(err)
	}
	delete(m.inside, who)
}

func (m *shared) wait(t *rapid.T) {
	m.now = m.now.Add(time.Duration(rapid.IntRange(1, 400).Draw(t, "s")) * time.Second)
}

// restart goes through JSON, as an owner does that comes after a crash.
func (m *shared) restart(t *rapid.T) {
	m.Mark(m.now)
	m.store(m.now)
	base := throughJSON(t, m.base)
	again, err := Restore(m.set, base, throughJSON(t, m.log), m.now)
	if err != nil {
		t.Fatal(err)
	}
	if !maps.Equal(again.state.Handed, m.state.Handed) || !reflect.DeepEqual(again.state.Offers, m.state.Offers) && len(m.state.Offers)+len(again.state.Offers) > 0 {
		t.Fatalf("before the restart %v %v, after it %v %v", m.state.Handed, m.state.Offers, again.state.Handed, again.state.Offers)
	}
	m.Room = again
	clear(m.claims)
	clear(m.voided)
	m.sync(m.now)
	if rapid.Bool().Draw(t, "compact") {
		m.compact(t)
	}
}

// TestAPlaceHasOneBearer moves places at random: between devices that have them and devices that had them, with claims, passes, restarts and codes of all
// kinds in between.
func TestAPlaceHasOneBearer(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		m := newShared(rt)
		rt.Repeat(map[string]func(*rapid.T){
			"offer": m.offer, "offer too": m.offer, "handover": m.handover, "handover too": m.handover, "claim": m.claim, "tick": m.tick, "tick on": m.tick,
			"leave": m.leave, "wait": m.wait, "restart": m.restart,
			"store": func(*rapid.T) { m.store(m.now) }, // not after each act: what a batch has may have ended when it is taken
			"": func(rt *rapid.T) {
				if len(m.state.Offers) > len(m.ranks) || len(m.state.Handed) > len(m.ranks) {
					rt.Fatalf("%d codes of %d places", len(m.state.Offers), len(m.ranks))
				}
			},
		})
	})
}

func TestWrongCodesAreLimited(t *testing.T) {
	t.Parallel()
	r := newAlone(t, Settings{})
	now := start
	p := Place{Tid: tid(1), Rank: r.join(now, tid(1), ClassArrival)}
	if _, err := r.Offer(now, p, digest(1), false); err != nil {
		t.Fatal(err)
	}
	wrong := 0
	for i := range 10_000 {
		now = now.Add(10 * time.Millisecond)
		switch _, err := r.Handover(now, digest(100+i), digest(7)); {
		case errors.Is(err, ErrNoOffer):
			wrong++
		case !errors.Is(err, ErrTries):
			t.Fatal(err)
		}
	}
	if most := triesMax + 100*triesPerS; wrong > most || wrong < most-1 {
		t.Errorf("%d wrong codes in 100 s, want %d", wrong, most)
	}
	if _, err := r.Handover(now, digest(1), digest(7)); !errors.Is(err, ErrTries) {
		t.Errorf("the right one among them: %v", err)
	}
	if got, err := r.Handover(now.Add(time.Second), digest(1), digest(7)); err != nil || got.Tid != p.Tid {
		t.Errorf("a second later: %+v, %v", got, err)
	}
	if _, err := r.Handover(now.Add(time.Second), digest(1), Digest{}); !errors.Is(err, ErrNoOffer) {
		t.Errorf("nobody takes it: %v", err)
	}
}

func TestHandoversAreBounded(t *testing.T) {
	t.Parallel()
	r := newAlone(t, Settings{})
	if _, err := r.Offer(start, Place{Tid: tid(0)}, digest(0), false); err != nil {
		t.Fatal(err)
	}
	for i := range offersMax { // as many as there may be
		r.state.Offers[tid(i)] = Offer{Place: Place{Tid: tid(i)}, Code: digest(i), Until: start.Add(OfferLife).UnixMilli()}
	}
	if _, err := r.Offer(start, Place{Tid: tid(offersMax)}, digest(offersMax), false); !errors.Is(err, ErrOffersFull) {
		t.Errorf("one more: %v", err)
	}
	if _, err := r.Offer(start, Place{Tid: tid(1)}, digest(offersMax), false); err != nil {
		t.Errorf("another code of a place that has one: %v", err)
	}
	if _, err := r.Offer(start, Place{Tid: tid(2)}, digest(3), false); !errors.Is(err, ErrOffersFull) {
		t.Errorf("a code of somebody else: %v", err)
	}
	later := start.Add(OfferLife)
	if _, err := r.Offer(later, Place{Tid: tid(offersMax)}, digest(0), false); err != nil || len(r.state.Offers) != 1 {
		t.Errorf("when they have ended: %v, %d", err, len(r.state.Offers))
	}
	r.state.Handed = map[Tid]uint16{}
	for i := range handedMax {
		r.state.Handed[tid(i)] = 1
	}
	if _, err := r.Offer(later, Place{Tid: tid(handedMax)}, digest(1), false); !errors.Is(err, ErrOffersFull) {
		t.Errorf("one more place that was moved: %v", err)
	}
	if _, err := r.Offer(later, Place{Tid: tid(5), Handed: 1}, digest(1), false); err != nil {
		t.Errorf("one that was moved before: %v", err)
	}
}

// TestHandoverKnowsWhatBecameOfThePlace looks at what comes between a code and its use.
func TestHandoverKnowsWhatBecameOfThePlace(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		then func(*alone)
		want error
		rank uint64
	}{
		"nothing":     {func(*alone) {}, nil, 9},
		"another":     {func(r *alone) { _, _ = r.Offer(start, Place{Tid: tid(1), Rank: 9}, digest(2), false) }, ErrNoOffer, 0},
		"ban":         {func(r *alone) { r.Ban(start, start.Add(time.Hour), tid(1)) }, ErrBanned, 0},
		"end":         {func(r *alone) { r.End(start, "test") }, ErrClosed, 0},
		"pause":       {func(r *alone) { r.Pause(start, "test") }, nil, 9},
		"edition":     {func(r *alone) { r.NewEdition(start, "test") }, ErrNoOffer, 0},
		"access code": {func(r *alone) { _, _ = r.IssueCodes(start, 1, "test"); _, _ = r.Redeem(start, tid(1), 1, 1) }, nil, 1},
		"late":        {func(r *alone) { r.late(tid(1)) }, nil, uint64(ClassArrival) << classShift},
	} {
		r := newAlone(t, Settings{})
		if _, err := r.Offer(start, Place{Tid: tid(1), Rank: 9}, digest(1), false); err != nil {
			t.Fatal(err)
		}
		c.then(r)
		p, err := r.Handover(start.Add(time.Second), digest(1), digest(7))
		if !errors.Is(err, c.want) || (err == nil) != (c.want == nil) || p.Rank != c.rank {
			t.Errorf("%s: %+v, %v", name, p, err)
		}
	}
}

// TestATokenOutlivesAStateThatWasSetBack: who was given the place keeps it when the owner has forgotten that it was handed over.
func TestATokenOutlivesAStateThatWasSetBack(t *testing.T) {
	t.Parallel()
	r := newAlone(t, Settings{})
	rank := r.join(start, tid(1), ClassArrival)
	if _, _, _, err := r.Claim(start, Claim{Tid: tid(1), Rank: rank, Handed: 2}); err != nil {
		t.Fatal(err)
	}
	for handed, want := range []error{ErrHandedOver, ErrHandedOver, nil} {
		if _, _, _, err := r.Claim(start, Claim{Tid: tid(1), Rank: rank, Handed: uint16(handed)}); !errors.Is(err, want) {
			t.Errorf("bearer %d: %v", handed, err)
		}
	}
}
