package room

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"testing"
	"time"
)

// reported is a room that is told anything, and what it said before, which it may not take back.
type reported struct {
	*alone
	base   State
	now    time.Time
	total  [groups]uint64
	shown  [groups]uint64
	ids    map[string]uint8
	taken  map[string]uint64 // tids of the lobby that were acknowledged, by edge and incarnation
	before []byte            // the state before a report
}

// FuzzReports: whatever edges report, one after the other, each report is taken or refused with a reason that edges know, a malformed one changes nothing,
// counts and frontiers never go back, what is kept has its bounds, each edge keeps its number, and another owner goes on with the same.
func FuzzReports(f *testing.F) {
	for _, lines := range []string{
		`{"edge":"a","incarnation":1,"fence":1,"edition":1,"lines":[{},{},{"before":4611686018427387904,"buckets":[{"r":4611686018427387905,"n":1}]},{}]}`,
		`{"edge":"a","incarnation":1,"fence":1,"edition":1,"lines":[{},{},{"before":4611686018427387904,"buckets":[{"r":4611686018427387905,"n":2}]},{}],"pressure":1,"p99_ms":3}` + "\n" +
			`{"edge":"a","incarnation":1,"fence":1,"edition":1,"lines":[{},{},{"from":2,"before":4611686018427387905,"buckets":[{"r":4611686018427388905,"n":5}]},{}],"voids":7}`,
		`{"edge":"a","incarnation":1,"edition":1,"lines":[{"buckets":[{"r":5,"n":5}]},{},{},{"before":6917529027641081856,"buckets":[{"r":6917529027641081857,"n":1}]}]}` + "\n" +
			`{"edge":"a","incarnation":2,"edition":1}` + "\n" + `{"edge":"b","incarnation":1,"edition":1,"lobby":{"tids":"AAAAAAAAAAAAAAAAAAAAAA==","closed":true}}`,
		`{"edge":"b","incarnation":1,"fence":1,"edition":1,"lobby":{"from":0,"tids":"AAAAAAAAAAAAAAAAAAAAAA=="}}` + "\n" + `{"edge":"b","incarnation":1,"lobby":{"from":18446744073709551615}}`,
		`{"edge":"a","incarnation":1,"fence":1,"edition":1,"lines":[{},{},{"before":4611686018427388904,"buckets":[{"r":4611686018427388905,"n":1}]},{}]}` + "\n" +
			`{"edge":"a","incarnation":1,"fence":1,"edition":1,"lines":[{},{},{"from":1,"before":4611686018427387904,"buckets":[{"r":4611686018427387905,"n":2}]},{}]}`,
		`{"edge":"a","incarnation":1,"fence":1,"edition":1,"lines":[{"buckets":[{"r":5,"n":5}]},{},{"buckets":[{"r":4611686018427388905,"n":9}]},{}]}`,
		`{"edge":"","pressure":-1}`, `{"edge":"a","lines":[{},{},{"from":9,"width":18446744073709551615}]}`,
	} {
		for _, wait := range []uint16{0, 250, 2500} {
			f.Add([]byte(lines), wait, false)
			f.Add([]byte(lines), wait, true)
		}
	}
	f.Fuzz(func(t *testing.T, body []byte, wait uint16, lobby bool) {
		set := Settings{Rate: 50, MaxActive: 5}
		if lobby {
			set.OpensAt = start.Add(10 * time.Second)
		}
		r := &reported{alone: newAlone(t, set), now: start, ids: map[string]uint8{}, taken: map[string]uint64{}}
		r.log = nil
		var err error
		if r.base, err = r.Snapshot(); err != nil {
			t.Fatal(err)
		}
		for i, text := range bytes.Split(body, []byte("\n")) {
			var p Report
			if i > 50 || json.Unmarshal(text, &p) != nil {
				return
			}
			r.now = r.now.Add(time.Duration(wait) * time.Millisecond)
			r.Tick(r.now)
			r.store(r.now)
			r.report(t, &p)
		}
		r.another(t, set)
	})
}

func (r *reported) report(t *testing.T, p *Report) {
	r.before = r.stateText(t)
	err := r.Sync(r.now, p)
	malformed := errors.Is(err, ErrReport)
	if err != nil && !malformed && !errors.Is(err, ErrEdgeTwice) && !errors.Is(err, ErrEdgesFull) {
		t.Fatalf("a reason that edges do not know: %v", err)
	}
	r.store(r.now)
	if after := r.stateText(t); malformed && !bytes.Equal(after, r.before) {
		t.Fatalf("a report that was refused (%v) changed\n%s\nto\n%s", err, r.before, after)
	}
	r.check(t)
	if err != nil {
		return
	}
	a, err := r.Answer(r.now, p)
	if err != nil {
		t.Fatalf("a report that was taken has no answer: %v", err)
	}
	if err := a.Validate(); err != nil {
		t.Fatalf("an answer that edges refuse: %v", err)
	}
	if id, ok := r.ids[p.Edge]; ok && id != a.ID {
		t.Fatalf("edge %q was number %d and is %d", p.Edge, id, a.ID)
	}
	r.ids[p.Edge] = a.ID
	life := fmt.Sprint(p.Edge, " ", p.Incarnation)
	if a.Lobby.Taken < r.taken[life] {
		t.Fatalf("of %d acknowledged tids of the lobby %d are left", r.taken[life], a.Lobby.Taken)
	}
	r.taken[life] = a.Lobby.Taken
}

func (r *reported) stateText(t *testing.T) []byte {
	s, err := r.Snapshot()
	if err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func (r *reported) check(t *testing.T) {
	c := r.crowd()
	for g := range groups {
		total := c.total(g)
		if total < r.total[g] || r.shown[g] > r.Room.shown[g] {
			t.Fatalf("group %d: %d were counted and are %d; the frontier was %d and is %d", g, r.total[g], total, r.shown[g], r.Room.shown[g])
		}
		r.total[g], r.shown[g] = total, r.Room.shown[g]
		if r.waiting(g) > total || c.rankOf(g, total) < c.rankOf(g, total/2) {
			t.Fatal("the line is broken")
		}
	}
	if len(r.state.Edges) > 255 {
		t.Fatalf("%d edges", len(r.state.Edges))
	}
	for name, e := range r.state.Edges {
		for class := range classes {
			l := e.Lines[class].clone()
			if len(l.Buckets) > bucketsMax {
				t.Fatalf("edge %q: %d buckets", name, len(l.Buckets))
			}
			if err := l.validate(class); err != nil {
				t.Fatalf("edge %q keeps a line that it could not report: %v", name, err)
			}
		}
	}
	d := r.Document(r.now)
	if len(d.Histogram) > PointsMax {
		t.Fatalf("%d points are published", len(d.Histogram))
	}
	for i := 1; i < len(d.Histogram); i++ {
		if a, b := d.Histogram[i-1], d.Histogram[i]; b.Rank < a.Rank || b.Count < a.Count {
			t.Fatalf("the published line goes back from %v to %v", a, b)
		}
	}
}

// another owner, of whom everything is stored, goes on.
func (r *reported) another(t *testing.T, set Settings) {
	r.Mark(r.now)
	r.store(r.now)
	next, err := Restore(set, throughJSON(t, r.base), throughJSON(t, r.log), r.now)
	if err != nil {
		t.Fatal(err)
	}
	was, is := r.state, next.state
	if !reflect.DeepEqual(is.Frontier, was.Frontier) || len(is.Edges) != len(was.Edges) || is.Draw.Told != was.Draw.Told {
		t.Fatalf("the next owner has %+v, this one %+v", is, was)
	}
	for g := range groups {
		if n := next.crowd().total(g); n != r.total[g] {
			t.Fatalf("group %d: the next owner counts %d, this one %d", g, n, r.total[g])
		}
	}
}

// FuzzTook: whatever an owner answers, an edge refuses it by Validate, or takes it and goes on: what it reports next is no malformed report, its ranks are of their
// class and grow for as long as the edition is one, and what it says of a place has a bound.
func FuzzTook(f *testing.F) {
	for _, lines := range []string{
		`{"fence":1,"now":1796115600000,"id":1,"edition":1,"base":1796115600000,"phase":"open","frontier":[0,6917529027641081855]}`,
		`{"fence":1,"now":1796115600000,"id":7,"edition":1,"base":1796115600000,"phase":"open","frontier":[4611686020000000000,6917529027641081855],"whole":true}` + "\n" +
			`{"fence":2,"now":1796115600300,"id":7,"edition":1,"base":1796115600000,"phase":"paused","frontier":[4611686020000000000,6917529027641081855]}`,
		`{"fence":1,"now":1796115600000,"id":1,"edition":1,"base":1796115600000,"phase":"open","voids":[{"n":5,"tid":"01000000000000000000000000000000","hard":9,"until":1}],"more":true}` + "\n" +
			`{"fence":1,"now":1,"id":2,"edition":2,"base":253402300799999,"phase":"open","passthrough":true}`,
		`{"fence":3,"now":1796115600000,"id":1,"edition":1,"phase":"lobby","lobby":{"opens_at":1796115700000,"taken":3}}` + "\n" +
			`{"fence":3,"now":1796115600000,"id":1,"edition":1,"phase":"drawing","lobby":{"opens_at":1796115700000,"taken":18446744073709551615,"draw":{"sealed":{}}}}`,
		`{"fence":1,"now":-1,"id":1,"phase":"open"}`, `{"fence":1,"now":1,"id":1,"phase":"dancing"}`, `{"fence":1,"now":1,"id":1,"phase":"lobby","lobby":{"draw":{}}}`,
	} {
		f.Add([]byte(lines), uint8(3), uint16(250))
		f.Add([]byte(lines), uint8(40), uint16(0))
	}
	f.Fuzz(func(t *testing.T, body []byte, joins uint8, wait uint16) {
		e, now, visitor := NewEdge("a", 1, start), start, 0
		last, edition := [classes]uint64{}, uint16(0)
		for i, text := range bytes.Split(body, []byte("\n")) {
			var a Answer
			if i > 50 || json.Unmarshal(text, &a) != nil || a.Validate() != nil {
				return
			}
			sent := now
			p := e.Report(sent)
			if err := p.Validate(); err != nil {
				t.Fatalf("the edge's report is refused: %v", err)
			}
			now = now.Add(time.Duration(wait) * time.Millisecond)
			e.Took(sent, now, &p, &a)
			if e.Edition() != edition {
				last, edition = [classes]uint64{}, e.Edition()
			}
			for n := range int(joins) {
				visitor++
				class := []Class{ClassArrival, ClassSlow}[n%2]
				rank, err := e.Join(now, tid(visitor), class)
				switch {
				case errors.Is(err, ErrClosed), err == nil && rank == 0 && e.Phase(now) == PhaseLobby:
				case err != nil:
					t.Fatalf("a join after an answer: %v", err)
				case RankClass(rank) != class || rank <= last[class]:
					t.Fatalf("rank %d of class %d after %d", rank, class, last[class])
				default:
					last[class] = rank
				}
				if v := e.Look(now, rank); v.Standing == "" || v.Position < 0 || v.Wait < 0 || v.NextPoll < pollTurn || v.NextPoll > pollFar {
					t.Fatalf("the place at rank %d is told %+v", rank, v)
				}
			}
		}
	})
}
