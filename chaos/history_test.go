package chaos

import (
	"testing"
	"time"

	"github.com/google/uuid"
	"pgregory.net/rapid"
)

// line is one operation of a test's history: from and to in milliseconds, 0 for no answer.
type line struct {
	from, to int
	o        op
}

func historyOf(lines ...line) *history {
	h := newHistory()
	at := func(ms int) time.Time { return h.start.Add(time.Duration(ms) * time.Millisecond) }
	for _, l := range lines {
		l.o.open = l.to == 0
		h.add([]string{"N-1-1"}, l.o, at(l.from), at(l.to))
	}
	return h
}

func TestWrongHistoriesAreRefused(t *testing.T) {
	t.Parallel()
	a, b := uuid.New(), uuid.New()
	hold := func(id uuid.UUID) op { return op{verb: verbHold, hold: id} }
	drop := func(id uuid.UUID) op { return op{verb: verbDrop, hold: id} }
	keep := func(id uuid.UUID) op { return op{verb: verbKeep, hold: id} }
	sell := func(id uuid.UUID) op { return op{verb: verbSell, hold: id} }
	back := func(id uuid.UUID) op { return op{verb: verbReturn, hold: id} }
	gone := func(id uuid.UUID) op { return op{verb: verbGone, hold: id} }
	find := func(s state, id uuid.UUID) op { return op{verb: verbFind, find: seat{s, id}} }
	for name, c := range map[string]struct {
		lines []line
		right bool
	}{
		"held, kept, released, held by another": {[]line{{1, 2, hold(a)}, {3, 4, keep(a)}, {5, 6, drop(a)}, {7, 8, hold(b)}, {9, 9, find(stateHeld, b)}}, true},
		"sold":                                  {[]line{{1, 2, hold(a)}, {3, 4, sell(a)}, {9, 9, find(stateSold, a)}}, true},
		"released and held at the same time":    {[]line{{1, 2, hold(a)}, {3, 8, drop(a)}, {4, 7, hold(b)}}, true},
		"a release without an answer happened":  {[]line{{1, 2, hold(a)}, {3, 0, drop(a)}, {5, 6, hold(b)}, {9, 9, find(stateHeld, b)}}, true},
		"a release without an answer did not":   {[]line{{1, 2, hold(a)}, {3, 0, drop(a)}, {9, 9, find(stateHeld, a)}}, true},
		"a hold without an answer":              {[]line{{1, 0, hold(a)}, {3, 4, hold(b)}, {9, 9, find(stateHeld, b)}}, true},
		"a payment without an answer was taken": {[]line{{1, 2, hold(a)}, {3, 0, sell(a)}, {9, 9, find(stateSold, a)}}, true},
		"gone after its release":                {[]line{{1, 2, hold(a)}, {3, 4, drop(a)}, {5, 6, gone(a)}}, true},
		"returned and sold again":               {[]line{{1, 2, hold(a)}, {3, 4, sell(a)}, {5, 20, back(a)}, {7, 8, hold(b)}, {9, 10, sell(b)}, {21, 21, find(stateSold, b)}}, true},
		"returned":                              {[]line{{1, 2, hold(a)}, {3, 4, sell(a)}, {5, 8, back(a)}, {9, 9, find(stateFree, uuid.Nil)}}, true},

		"returned, and never on sale again":    {[]line{{1, 2, hold(a)}, {3, 4, sell(a)}, {5, 8, back(a)}, {9, 9, find(stateSold, a)}}, false},
		"sold again before it was returned":    {[]line{{1, 2, hold(a)}, {3, 4, sell(a)}, {5, 6, hold(b)}, {7, 8, back(a)}, {9, 9, find(stateHeld, b)}}, false},
		"returned by another":                  {[]line{{1, 2, hold(a)}, {3, 4, sell(a)}, {5, 6, back(b)}}, false},
		"returned twice":                       {[]line{{1, 2, hold(a)}, {3, 4, sell(a)}, {5, 6, back(a)}, {7, 8, back(a)}}, false},
		"held twice":                           {[]line{{1, 2, hold(a)}, {3, 4, hold(b)}}, false},
		"held twice at the same time":          {[]line{{1, 5, hold(a)}, {2, 4, hold(b)}}, false},
		"sold twice":                           {[]line{{1, 2, hold(a)}, {3, 4, sell(a)}, {5, 6, hold(b)}, {7, 8, sell(b)}}, false},
		"sold to somebody else":                {[]line{{1, 2, hold(a)}, {3, 4, sell(b)}}, false},
		"a lost hold":                          {[]line{{1, 2, hold(a)}, {9, 9, find(stateFree, uuid.Nil)}}, false},
		"a lost hold that another has":         {[]line{{1, 2, hold(a)}, {3, 0, hold(b)}, {9, 9, find(stateHeld, b)}}, false},
		"a lost sale":                          {[]line{{1, 2, hold(a)}, {3, 4, sell(a)}, {9, 9, find(stateFree, uuid.Nil)}}, false},
		"a sale that is only held":             {[]line{{1, 2, hold(a)}, {3, 4, sell(a)}, {9, 9, find(stateHeld, a)}}, false},
		"told gone while it is held":           {[]line{{1, 2, hold(a)}, {3, 4, gone(a)}, {5, 6, keep(a)}}, false},
		"kept after its release":               {[]line{{1, 2, hold(a)}, {3, 4, drop(a)}, {5, 6, keep(a)}}, false},
		"released, and held all the same":      {[]line{{1, 2, hold(a)}, {3, 4, drop(a)}, {9, 9, find(stateHeld, a)}}, false},
		"a hold that nobody made":              {[]line{{9, 9, find(stateHeld, a)}}, false},
		"found before it was asked for":        {[]line{{1, 2, find(stateHeld, a)}, {3, 4, hold(a)}}, false},
		"a release without an answer, kept on": {[]line{{1, 2, hold(a)}, {3, 0, drop(a)}, {4, 5, hold(b)}, {6, 7, keep(a)}}, false},
		"extended for another":                 {[]line{{1, 2, hold(a)}, {3, 4, keep(b)}}, false},
		"released by another":                  {[]line{{1, 2, hold(a)}, {3, 4, drop(b)}}, false},
		"sold without a hold":                  {[]line{{1, 2, sell(a)}}, false},
		"sold after its release":               {[]line{{1, 2, hold(a)}, {3, 4, drop(a)}, {5, 6, sell(a)}}, false},
	} {
		err := historyOf(c.lines...).check()
		if (err == nil) != c.right {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestHistoriesOfARealSeatAreExplained drives a seat that keeps the rules and writes down what overlapping clients see of it.
func TestHistoriesOfARealSeatAreExplained(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		var lines []line
		now, truth := 1, seat{}
		holds := []uuid.UUID{{1}, {2}, {3}}
		for range rapid.IntRange(1, 40).Draw(t, "operations") {
			now += 2
			o := op{verb: verb(rapid.IntRange(int(verbHold), int(verbGone)).Draw(t, "verb")), hold: rapid.SampledFrom(holds).Draw(t, "hold")}
			may, next := step(truth, o)
			answered := rapid.IntRange(0, 9).Draw(t, "answered") > 0
			change := o.verb == verbHold || o.verb == verbDrop || o.verb == verbSell || o.verb == verbReturn
			switch {
			case may && answered:
				truth = next
				lines = append(lines, line{now - rapid.IntRange(0, 3).Draw(t, "before"), now + rapid.IntRange(0, 3).Draw(t, "after"), o})
			case change && !answered: // the client gave up: it may have happened or not
				if may && rapid.Bool().Draw(t, "happened") {
					truth = next
				}
				lines = append(lines, line{now, 0, o})
			}
		}
		lines = append(lines, line{now + 9, now + 9, op{verb: verbFind, find: truth}})
		if err := historyOf(lines...).check(); err != nil {
			t.Fatal(err)
		}
	})
}
