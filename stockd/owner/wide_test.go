package owner

import (
	"slices"
	"testing"

	"github.com/google/uuid"
	"pgregory.net/rapid"

	"ticketrush/stockd/stock"
)

// TestWideIsAllOrNone drives a Wide with whatever answers: it says yes only after a commit of all legs, drops whatever it has begun and not got, and
// frees each leg that it may have taken.
func TestWideIsAllOrNone(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(2, 4).Draw(t, "legs")
		w := &Wide{Hold: stock.WideHold{ID: uuid.New(), Quantity: int32(n)}}
		for i := range n {
			w.Legs = append(w.Legs, stock.Command{Kind: stock.KindLeg, Segment: stock.SegmentNo(i + 1), Hold: w.Hold.ID})
		}
		began, committed, dropped := false, false, false
		try := int32(0)
		var asked, taken []stock.SegmentNo
		for steps := 0; ; steps++ {
			if steps > 100 {
				t.Fatal("it comes to no end")
			}
			step := w.Next()
			switch {
			case step.Begin:
				try = rapid.SampledFrom([]int32{1, 1, 1, 2, 3, 0, -10, -11, -20, -40}).Draw(t, "begin")
				known := rapid.IntRange(0, 9).Draw(t, "known") > 0
				began = known && try > 0
				w.Begun(try, known)
			case step.Leg != nil && step.Leg.Kind == stock.KindUnleg:
				if try < 2 {
					t.Fatal("a first try frees what it cannot have left")
				}
				w.Took(stock.Answer{Code: stock.CodeNoHold}, ProblemNone)
			case step.Leg != nil:
				no := step.Leg.Segment
				if step.Leg.Try != try || len(asked) > 0 && no < asked[len(asked)-1] || slices.Contains(taken, no) {
					t.Fatalf("asks for %+v after %v", step.Leg, asked)
				}
				asked = append(asked, no)
				a := stock.Answer{Code: rapid.SampledFrom([]stock.Code{
					stock.CodeOK, stock.CodeOK, stock.CodeOK, stock.CodeReplay, stock.CodeBusy, stock.CodeSeatTaken, stock.CodeIllegal, stock.CodeAllHeld,
				}).Draw(t, "leg")}
				problem := rapid.SampledFrom([]Problem{ProblemNone, ProblemNone, ProblemNone, ProblemNone, ProblemMoving}).Draw(t, "problem")
				generation := try - int32(rapid.IntRange(0, 9).Draw(t, "of an earlier try"))/9
				if a.Code == stock.CodeOK || a.Code == stock.CodeReplay {
					a.Hold = &stock.HoldView{Generation: generation, Seats: []stock.HeldSeat{{Seat: stock.NewSeatID(no, 1)}}}
					if problem == ProblemNone && generation == try {
						taken = append(taken, no)
					}
				}
				w.Took(a, problem)
			case step.Commit:
				if len(taken) != n || len(step.View.Seats) != n || step.Try != try {
					t.Fatalf("commits %+v with %v", step.View, taken)
				}
				code := rapid.SampledFrom([]int32{0, 0, 10, 11, 60, 62}).Draw(t, "commit")
				known := rapid.IntRange(0, 3).Draw(t, "known") > 0
				committed = known && code == 0
				w.Committed(code, known)
			case step.Drop:
				dropped = true
				w.Dropped()
			default:
				if !step.Told {
					t.Fatalf("%+v", step)
				}
				if yes := step.Answer.Code == stock.CodeOK && step.Problem == ProblemNone; yes != committed || yes && (step.Answer.Hold == nil || len(step.Free) > 0) {
					t.Fatalf("told %+v, committed %v", step, committed)
				}
				if began && dropped == committed {
					t.Fatalf("began, committed %v, dropped %v", committed, dropped)
				}
				for _, no := range asked {
					if !committed && !slices.ContainsFunc(step.Free, func(c stock.Command) bool { return c.Segment == no && c.Kind == stock.KindUnleg }) {
						t.Fatalf("the leg in segment %d is not freed: %+v", no, step.Free)
					}
				}
				return
			}
		}
	})
}
