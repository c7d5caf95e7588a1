package room

import (
	"encoding/json"
	"testing"
	"time"
)

// alone is a room and its only edge, in one process: what is done at the edge is synced through JSON at once.
type alone struct {
	*Room
	edge *Edge
	t    fataler
	log  []Batch
}

type fataler interface {
	Helper()
	Fatal(...any)
	Fatalf(string, ...any)
}

func newAlone(t testing.TB, set Settings) *alone {
	t.Helper()
	r, err := New(set, start)
	if err != nil {
		t.Fatal(err)
	}
	a := &alone{Room: r, edge: NewEdge("a", 1, start), t: t}
	a.sync(start)
	return a
}

// store takes what there is and says that it is stored.
func store(r *Room, now time.Time) *Batch {
	b, ok := r.Take(now)
	if !ok {
		return nil
	}
	r.Stored()
	return &b
}

func (a *alone) store(now time.Time) {
	if b := store(a.Room, now); b != nil {
		a.log = append(a.log, *b)
	}
}

// sync lets an edge report, stores, and brings the answer back.
func (a *alone) syncEdge(e *Edge, sent, received time.Time) {
	a.t.Helper()
	p := throughJSON(a.t, e.Report(sent))
	if err := a.Sync(received, &p); err != nil {
		a.t.Fatal(err)
	}
	a.store(received)
	answer, err := a.Answer(received, &p)
	if err != nil {
		a.t.Fatal(err)
	}
	d := a.Document(received)
	if answer.Document, answer.Tag, err = d.Encode(testKey); err != nil {
		a.t.Fatal(err)
	}
	answer = throughJSON(a.t, answer)
	e.Took(sent, received, &p, &answer)
}

func (a *alone) sync(now time.Time) { a.syncEdge(a.edge, now, now) }

// join gives a rank that the owner knows of.
func (a *alone) join(now time.Time, tid Tid, class Class) uint64 {
	a.t.Helper()
	rank, err := a.edge.Join(now, tid, class)
	if err != nil {
		a.t.Fatal(err)
	}
	a.sync(now)
	return rank
}

// alive asks the edge, as a request with the pass of session s does.
func (a *alone) alive(now time.Time, tid Tid, s Session) error {
	return a.edge.Alive(now, tid, time.UnixMilli(s.Issued), time.UnixMilli(s.Expires))
}

func throughJSON[V any](t fataler, v V) (out V) {
	t.Helper()
	text, err := json.Marshal(v)
	if err == nil {
		err = json.Unmarshal(text, &out)
	}
	if err != nil {
		t.Fatal(err)
	}
	return out
}
