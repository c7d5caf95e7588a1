package gate_test

import (
	"fmt"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"
	"pgregory.net/rapid"

	"ticketrush/stockd/gate"
)

// TestMerge: random scans at several gates without a network. However their logs are merged, in any order, in any grouping and any number of times, the
// result is the same, and each scan that was not the first of its ticket is reported exactly once.
func TestMerge(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		gates := rapid.IntRange(1, 4).Draw(t, "gates")
		logs := make([][]gate.Scan, gates)
		type scan struct {
			ticket byte
			gate   int
			at     int
		}
		model := map[scan]bool{}
		for range rapid.IntRange(0, 40).Draw(t, "scans") {
			s := scan{rapid.ByteRange(1, 6).Draw(t, "ticket"), rapid.IntRange(0, gates-1).Draw(t, "gate"), rapid.IntRange(0, 20).Draw(t, "at")}
			model[s] = true
			logs[s.gate] = append(logs[s.gate], gate.Scan{Ticket: uuid.UUID{15: s.ticket}, Gate: fmt.Sprint("g", s.gate), At: night.Add(time.Duration(s.at) * time.Second)})
		}
		merged := gate.Merge(logs...)
		if len(merged) != len(model) {
			t.Fatalf("%d scans of %d", len(merged), len(model))
		}
		// In steps, in another order, with logs and merged logs given again.
		steps := [][]gate.Scan{}
		for _, i := range rapid.SliceOfN(rapid.IntRange(0, gates-1), 0, 8).Draw(t, "order") {
			steps = append(steps, logs[i])
			if rapid.Bool().Draw(t, "fold") {
				steps = [][]gate.Scan{gate.Merge(steps...), logs[i]}
			}
		}
		steps = append(steps, rapid.Permutation(logs).Draw(t, "all")...)
		if other := gate.Merge(steps...); !slices.Equal(other, merged) {
			t.Fatalf("another order gives another result:\n%v\n%v", other, merged)
		}
		reported := map[gate.Scan]int{}
		for _, d := range gate.Doubles(merged) {
			reported[d.Again]++
			if d.First.Ticket != d.Again.Ticket || d.First.At.After(d.Again.At) {
				t.Fatalf("%+v", d)
			}
		}
		tickets := map[uuid.UUID]bool{}
		for _, s := range merged { // in order, so the first of a ticket comes first
			want := 0
			if tickets[s.Ticket] {
				want = 1
			}
			tickets[s.Ticket] = true
			if reported[s] != want {
				t.Fatalf("%+v is reported %d times, want %d", s, reported[s], want)
			}
		}
	})
}

func TestMergedLogWarns(t *testing.T) {
	t.Parallel()
	text := ticket()
	scan := func(name string, at time.Time) []gate.Scan {
		log := open(t, filepath.Join(t.TempDir(), name))
		c, err := gate.NewChecker(name, bundle(), log, false)
		if err != nil {
			t.Fatal(err)
		}
		if v, err := c.Check(text.Sign(key), at); err != nil || v.Result != gate.OK {
			t.Fatalf("gates that cannot hear each other let it in: %+v %v", v, err)
		}
		return log.Scans()
	}
	south, north := scan("south", night.Add(time.Minute)), scan("north", night)
	path := filepath.Join(t.TempDir(), "merged.log")
	merged := gate.Merge(south, north)
	if err := gate.WriteLog(path, merged); err != nil {
		t.Fatal(err)
	}
	if err := gate.WriteLog(path, merged); err == nil {
		t.Error("a file was written over")
	}
	doubles := gate.Doubles(merged)
	if len(doubles) != 1 || doubles[0].First.Gate != "north" || doubles[0].Again.Gate != "south" {
		t.Fatalf("%+v", doubles)
	}
	// A gate that goes on with the merged log warns by the scan of another one.
	west, err := gate.NewChecker("west", bundle(), open(t, path), false)
	if err != nil {
		t.Fatal(err)
	}
	if v, err := west.Check(text.Sign(key), night.Add(time.Hour)); err != nil || v.Result != gate.Again || v.First.Gate != "north" {
		t.Errorf("%+v %v", v, err)
	}
}
