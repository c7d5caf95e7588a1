package node

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"ticketrush/ledger"
	"ticketrush/stockd/owner"
	"ticketrush/stockd/stock"
)

// newWide is a wish for one named seat in each of some segments, by somebody new, with a document for each seat: the same for whoever wants it, good for
// two tickets. So one that is left behind on the way is missing afterwards.
func newWide(e *Event, index int32, segments ...stock.SegmentNo) owner.Wide {
	r := stock.Request{Scope: uuid.New(), Key: uuid.New(), Fingerprint: uuid.New()}
	w := owner.Wide{Hold: stock.WideHold{Event: e.Number, Segments: segments, Quantity: int32(len(segments)), Request: r}}
	w.Hold.ID = stock.NewCoordinatedID(stock.PartitionOf(e.Number, segments[0]), r.Scope, r.Key, "legs")
	for _, no := range segments {
		seat := stock.NewSeatID(no, index)
		ask := stock.Ask{Seats: []stock.SeatAsk{{Seat: seat}}}
		document := stock.Quota{Dimension: stock.DimensionDocument, Key: uuid.NewSHA1(uuid.NameSpaceOID, fmt.Append(nil, seat)), Limit: 2}
		w.Legs = append(w.Legs, stock.Command{Kind: stock.KindLeg, Event: e.Number, Segment: no, Hold: w.Hold.ID, Ask: ask, Quotas: []stock.Quota{document}})
		w.Hold.Quotas = append(w.Hold.Quotas, document)
	}
	return w
}

// counters is what all counters of buyers add up to.
func (g *gang) counters() (n int) {
	g.t.Helper()
	if err := g.nodes[len(g.nodes)-1].db.SQL().QueryRowContext(g.t.Context(), `SELECT coalesce(sum(n), 0) FROM ledger.quota`).Scan(&n); err != nil {
		g.t.Fatal(err)
	}
	return n
}

// wide makes a hold, with patience while partitions move.
func (g *gang) wide(m *member, w owner.Wide) stock.Answer {
	g.t.Helper()
	var a stock.Answer
	until(g.t, "an answer to a hold over several segments", func() bool {
		var err error
		a, err = m.HoldWide(g.t.Context(), w.Hold, w.Legs, time.Minute, time.Hour)
		return err == nil && a.Code != stock.CodeBusy && a.Code != stock.CodeKeyInFlight && a.Code != stock.CodeLimitBusy
	})
	return a
}

// steps takes a coordinator n steps on its way, and leaves it there.
func (m *member) steps(t *testing.T, w *owner.Wide, n int) {
	t.Helper()
	for range n {
		step := w.Next()
		switch {
		case step.Begin:
			code, err := m.db.WideBegin(t.Context(), wideHold(&w.Hold), owner.WideTry, m.Now())
			w.Begun(code, err == nil)
		case step.Leg != nil:
			var a stock.Answer
			problem := owner.ProblemNone
			until(t, "an answer about a leg", func() bool { // partitions may still move
				a, problem = m.leg(t.Context(), step)
				return problem != owner.ProblemMoving
			})
			w.Took(a, problem)
		case step.Commit:
			var seats []int64
			for _, s := range step.View.Seats {
				seats = append(seats, int64(s.Seat))
			}
			now := m.Now()
			code, err := m.db.WideCommit(t.Context(), w.Hold.ID, step.Try, seats, now.Add(time.Hour), now.Add(time.Hour), ledger.Request(w.Hold.Request), now)
			w.Committed(code, err == nil)
		default:
			t.Fatalf("the coordinator is at %+v", step)
		}
	}
}

// TestCoordinatorDiesAtEachStep: what it had begun and not finished is free again for others, and what was held is held, whatever became of its answer.
func TestCoordinatorDiesAtEachStep(t *testing.T) {
	t.Parallel()
	g := newGang(t, database(t), 3)
	e := g.putOnSale("wide", 3, 1, 20)
	one, other := g.nodes[0], g.nodes[1]
	const held = 5 // begin, three legs, commit
	var wides []owner.Wide
	for n := range held {
		w := newWide(e, int32(3*n), 1, 2, 3)
		first := w
		one.steps(t, &w, n+1)
		wides = append(wides, first)
	}
	one.kill()
	for n, w := range wides[:held-1] {
		until(t, "the seats of a hold whose coordinator has died are free", func() bool {
			again := newWide(e, int32(3*n), 1, 2, 3)
			return g.wide(other, again).Code == stock.CodeOK
		})
		if a := g.wide(other, w); a.Code != stock.CodeSeatTaken {
			t.Errorf("after %d steps: a repetition was answered %+v", n+1, a)
		}
	}
	w := wides[held-1]
	if a := g.wide(other, w); a.Code != stock.CodeReplay {
		t.Errorf("the repetition of a hold that is held was answered %+v", a)
	}
	view, found, err := other.Find(t.Context(), w.Hold.ID)
	if err != nil || !found || len(view.Seats) != 3 || !view.Wide() || view.State != stock.Held {
		t.Fatalf("%+v %v %v", view, found, err)
	}
	g.settle(2) // its partitions have come to the others: the legs with them
	if a, err := other.EndWide(t.Context(), view, stock.Request{}); err != nil || a.Code != stock.CodeOK {
		t.Fatalf("%+v %v", a, err)
	}
	until(t, "the seats that were released are free", func() bool {
		return g.wide(g.nodes[2], newWide(e, 3*(held-1), 1, 2, 3)).Code == stock.CodeOK
	})
	if n := g.counters(); n != held*3 { // one live hold for each step
		t.Errorf("the counters of documents add up to %d, the holds have %d seats", n, held*3)
	}
	g.reconcile()
}

// TestAllOrNoneUnderAFight: many buyers want overlapping seats in several segments at once, through all nodes. Each gets all of theirs, or nothing of
// them stays taken; and a buyer's holds count as a whole.
func TestAllOrNoneUnderAFight(t *testing.T) {
	t.Parallel()
	g := newCalmGang(t, database(t), 3)
	e := g.putOnSale("fight", 6, 1, 6)
	buyer := []stock.Quota{{Dimension: stock.DimensionTid, Key: uuid.New(), Limit: 6}}
	var mu sync.Mutex
	seats, limited, mine := map[stock.SeatID]int{}, 0, int32(0)
	var wg sync.WaitGroup
	for i := range 60 {
		segments := [][]stock.SegmentNo{{1, 2}, {2, 3, 4}, {1, 4}}[i%3]
		w := newWide(e, int32(i/3%6), segments...)
		if i%2 == 0 {
			w.Hold.Quotas = append(w.Hold.Quotas, buyer...)
		}
		wg.Go(func() {
			a := g.wide(g.nodes[i%3], w)
			mu.Lock()
			defer mu.Unlock()
			switch a.Code {
			case stock.CodeOK:
				for _, s := range a.Hold.Seats {
					seats[s.Seat]++
				}
				if len(a.Hold.Seats) != len(segments) {
					t.Errorf("a hold has %d of %d seats", len(a.Hold.Seats), len(segments))
				}
				if i%2 == 0 {
					mine += w.Hold.Quantity
				}
			case stock.CodeLimitReached:
				limited++
			case stock.CodeSeatTaken:
			default:
				t.Errorf("%+v", a)
			}
		})
	}
	wg.Wait()
	for seat, n := range seats {
		if n > 1 {
			t.Errorf("seat %d was held %d times", seat, n)
		}
	}
	for i := int32(0); i < 6 && limited == 0; i++ { // nobody else wants these
		w := newWide(e, i, 5, 6)
		w.Hold.Quotas = append(w.Hold.Quotas, buyer...)
		switch a := g.wide(g.nodes[i%3], w); a.Code {
		case stock.CodeOK:
			mine += 2
			seats[stock.NewSeatID(5, i)]++
			seats[stock.NewSeatID(6, i)]++
		case stock.CodeLimitReached:
			limited++
		default:
			t.Errorf("%+v", a)
		}
	}
	if mine > 6 || limited == 0 {
		t.Errorf("one buyer has %d seats, the limit is 6; %d were refused for it", mine, limited)
	}
	until(t, "what was refused is free", func() bool {
		held := int32(0)
		for no := stock.SegmentNo(1); no <= 6; no++ {
			a, err := g.nodes[0].db.LoadSegments(t.Context(), int32(e.Number), []int32{int32(no)})
			if err != nil {
				t.Fatal(err)
			}
			held += a.Segments[0].Held
		}
		return int(held) == len(seats)
	})
	g.reconcile()
}
