package room

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// edges drives several edges of one room whose reports and answers get lost, come twice and come late, and whose processes and owner restart.
type edges struct {
	room   *alone
	now    time.Time
	base   State
	edge   []*Edge
	sent   []Report // some of them arrive again
	clocks []time.Duration
	ranks  []uint64 // that live edges gave, or that were told before one ended
	fresh  [][]uint64
	next   int
}

func (m *edges) join(t *rapid.T) {
	i := rapid.IntRange(0, len(m.edge)-1).Draw(t, "edge")
	for range rapid.IntRange(1, 40).Draw(t, "n") {
		m.next++
		rank, err := m.edge[i].Join(m.own(i), tid(m.next), ClassArrival)
		if errors.Is(err, ErrAway) {
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		m.fresh[i] = append(m.fresh[i], rank)
	}
}

// own is what the clock of an edge's machine says.
func (m *edges) own(i int) time.Time { return m.now.Add(m.clocks[i]) }

func (m *edges) sync(t *rapid.T) {
	i := rapid.IntRange(0, len(m.edge)-1).Draw(t, "edge")
	fate := rapid.SampledFrom([]string{"whole", "whole", "report lost", "answer lost", "twice"}).Draw(t, "fate")
	m.syncEdge(t, i, fate)
}

func (m *edges) syncEdge(t *rapid.T, i int, fate string) {
	sent := m.own(i)
	p := throughJSON(t, m.edge[i].Report(sent))
	m.sent = append(m.sent, p)
	m.now = m.now.Add(time.Duration(rapid.IntRange(0, 30).Draw(t, "ms")) * time.Millisecond)
	if fate == "report lost" {
		return
	}
	if err := m.room.Sync(m.now, &p); err != nil {
		t.Fatal(err)
	}
	if fate == "twice" {
		if err := m.room.Sync(m.now, &p); err != nil {
			t.Fatal(err)
		}
	}
	m.room.store(m.now)
	a, err := m.room.Answer(m.now, &p)
	if err != nil {
		t.Fatal(err)
	}
	if fate == "answer lost" {
		return
	}
	m.now = m.now.Add(time.Duration(rapid.IntRange(0, 30).Draw(t, "ms")) * time.Millisecond)
	a = throughJSON(t, a)
	m.edge[i].Took(sent, m.own(i), &p, &a)
	if off := m.edge[i].Time(m.own(i)) - m.now.UnixMilli(); max(off, -off) > int64(m.edge[i].Bound(m.own(i))) {
		t.Fatalf("the edge's idea of the owner's time is %d ms off, and said to be within %v", off, m.edge[i].Bound(m.own(i)))
	}
}

// late brings an old report again.
func (m *edges) late(t *rapid.T) {
	if len(m.sent) == 0 {
		return
	}
	p := rapid.SampledFrom(m.sent).Draw(t, "report")
	if err := m.room.Sync(m.now, &p); err != nil && !errors.Is(err, ErrEdgeTwice) {
		t.Fatal(err)
	}
	m.room.store(m.now)
}

func (m *edges) owner(t *rapid.T) {
	next, err := Restore(Settings{}, throughJSON(t, m.base), throughJSON(t, m.room.log), m.now)
	if err != nil {
		t.Fatal(err)
	}
	m.room.Room = next
	m.room.store(m.now)
}

// restart ends an edge's process after a last sync, so that what it gave is known.
func (m *edges) restart(t *rapid.T) {
	i := rapid.IntRange(0, len(m.edge)-1).Draw(t, "edge")
	m.settle(t, i)
	m.room.Mark(m.now)
	m.room.store(m.now)
	m.ranks = append(m.ranks, m.fresh[i]...)
	m.fresh[i] = nil
	m.now = m.now.Add(edgeTwice * time.Millisecond)
	m.edge[i] = NewEdge(m.edge[i].name, m.edge[i].incarnation+1, m.own(i))
	m.settle(t, i)
}

func (m *edges) settle(t *rapid.T, i int) {
	for range 3 {
		m.syncEdge(t, i, "whole")
	}
}

// TestLinesOfManyEdges: whatever is lost, repeated or late, the owner's line is that of all edges.
func TestLinesOfManyEdges(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		r, err := New(Settings{MaxActive: 1, Rate: 0.001}, start)
		if err != nil {
			rt.Fatal(err)
		}
		m := &edges{room: &alone{Room: r, t: rt}, now: start}
		m.room.store(m.now)
		if m.base, err = m.room.Snapshot(); err != nil {
			rt.Fatal(err)
		}
		m.room.log = nil
		for i := range 3 {
			m.clocks = append(m.clocks, time.Duration(rapid.IntRange(-100_000, 100_000).Draw(rt, "clock"))*time.Millisecond)
			m.edge = append(m.edge, NewEdge(fmt.Sprint("edge", i), 1, m.own(i)))
			m.fresh = append(m.fresh, nil)
			m.settle(rt, i)
		}
		rt.Repeat(map[string]func(*rapid.T){"join": m.join, "join too": m.join, "sync": m.sync, "sync too": m.sync, "late": m.late, "owner": m.owner, "restart": m.restart})
		for i := range m.edge {
			m.settle(rt, i)
			m.ranks = append(m.ranks, m.fresh[i]...)
		}
		m.compare(rt)
	})
}

func (m *edges) compare(t *rapid.T) {
	slices.Sort(m.ranks)
	if n := len(slices.Compact(slices.Clone(m.ranks))); n != len(m.ranks) {
		t.Fatalf("%d ranks, %d of them different", len(m.ranks), n)
	}
	c := m.room.crowd()
	if got := c.total(GroupMain); got != uint64(len(m.ranks)) {
		t.Fatalf("the owner counts %d places, the edges gave %d", got, len(m.ranks))
	}
	// Every bucket holds one rank, until a line has more ranks than it may have buckets; then counts are right to a bucket of the line that has most.
	slack := 0
	if len(m.ranks) > bucketsMax {
		slack = int(m.room.state.Gone[ClassArrival].Width)
	}
	for i, rank := range m.ranks {
		if got := int(c.countUpTo(GroupMain, rank)); got < i+1-slack || got > i+1+slack {
			t.Fatalf("up to rank %d the owner counts %d, the edges gave %d; a bucket has %d", rank, got, i+1, slack)
		}
	}
}

func TestEdgesAreRefused(t *testing.T) {
	t.Parallel()
	r := newAlone(t, Settings{})
	now := start.Add(time.Second)
	report := func(name string, incarnation uint64) error {
		err := r.Sync(now, &Report{Edge: name, Incarnation: incarnation})
		r.store(now)
		return err
	}
	if err := report("a", 2); !errors.Is(err, ErrEdgeTwice) { // it synced at the start
		t.Errorf("a second process with the name of a living one: %v", err)
	}
	now = now.Add(2 * time.Second)
	if err := report("a", 2); err != nil {
		t.Errorf("a new process after silence: %v", err)
	}
	if err := report("a", 1); !errors.Is(err, ErrEdgeTwice) {
		t.Errorf("the old process after that: %v", err)
	}
	ids := map[uint8]bool{r.state.Edges["a"].ID: true}
	for i := range 254 {
		name := fmt.Sprint("edge", i)
		if err := report(name, 1); err != nil {
			t.Fatal(err)
		}
		if id := r.state.Edges[name].ID; ids[id] {
			t.Fatalf("number %d was given twice", id)
		}
		ids[r.state.Edges[name].ID] = true
	}
	if err := report("one more", 1); !errors.Is(err, ErrEdgesFull) {
		t.Errorf("the 256th edge: %v", err)
	}
	now = now.Add(edgeForgotten * time.Millisecond)
	if err := report("one more", 1); err != nil {
		t.Errorf("when the others are long gone: %v", err)
	}
	for name, p := range map[string]Report{
		"no name": {}, "pressure": {Edge: "a", Pressure: 2}, "long name": {Edge: strings.Repeat("a", 65)},
		"buckets fall": {Edge: "a", Lines: lines{ClassArrival: {Buckets: []Bucket{{1 << 62, 5}, {1 << 62, 6}}}}},
		"class":        {Edge: "a", Lines: lines{ClassArrival: {Buckets: []Bucket{{5, 1}}}}},
		"lobby":        {Edge: "a", Lobby: LobbyReport{Tids: make(Tids, lobbyAtOnce+1)}},
	} {
		if err := r.Sync(now, &p); !errors.Is(err, ErrReport) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
