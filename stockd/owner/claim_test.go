package owner

import (
	"slices"
	"testing"
	"time"

	"ticketrush/stockd/stock"
)

// claims collects what a core asks for; the test answers.
type claims struct {
	core  *Core
	mono  time.Duration
	asked [][]stock.PartitionID
}

func newClaims(t *testing.T, stocked ...stock.PartitionID) *claims {
	t.Helper()
	core, err := New(Config{Node: "n1"})
	if err != nil {
		t.Fatal(err)
	}
	c := &claims{core: core, mono: time.Second}
	refs := make([]SegmentRef, 0, len(stocked))
	for i, p := range stocked {
		refs = append(refs, SegmentRef{Event: 1, Segment: stock.SegmentNo(i + 1), Part: p})
	}
	c.step(View{[]string{"n1"}})
	c.step(Segments{refs})
	c.step(SessionOpened{ID: 1, Sent: c.mono})
	c.step(Tick{})
	return c
}

func (c *claims) step(in Input) {
	for _, e := range c.core.Step(Now{c.mono, wallStart + c.mono.Milliseconds()}, in) {
		if claim, ok := e.(ClaimParts); ok {
			c.asked = append(c.asked, claim.Parts)
		}
	}
}

// inVain answers the last claim: somebody else has all of it.
func (c *claims) inVain() {
	c.step(Claimed{Session: 1, Asked: c.asked[len(c.asked)-1]})
	c.step(Tick{})
}

// A partition with stock that somebody else keeps, because it is hot or has only just come there, must not keep this node from the partitions
// that are free: the next event's stock, or a waiting room, may be in one of them.
func TestWhatIsTakenDoesNotKeepFromWhatIsFree(t *testing.T) {
	t.Parallel()
	c := newClaims(t, 7, 9)
	if len(c.asked) != 1 || !slices.Equal(c.asked[0], []stock.PartitionID{7, 9}) {
		t.Fatalf("asked first for %v", c.asked)
	}
	c.inVain()
	if len(c.asked) != 1 {
		t.Fatalf("what is free is claimed at once, before what has stock may come: %d claims", len(c.asked))
	}
	for range 20 {
		c.mono += 100 * time.Millisecond
		c.step(Tick{})
		if len(c.asked[len(c.asked)-1]) > 2 {
			break
		}
		c.inVain()
	}
	if len(c.asked[len(c.asked)-1]) != stock.Partitions-2 || c.mono < 2*time.Second {
		t.Fatalf("%d claims after one in vain, the last for %d partitions", len(c.asked), len(c.asked[len(c.asked)-1]))
	}
	c.inVain()
	c.mono += time.Second
	c.step(Tick{})
	if last := c.asked[len(c.asked)-1]; !slices.Equal(last, []stock.PartitionID{7, 9}) {
		t.Errorf("after a while asked for %d partitions: %v", len(last), last[:min(5, len(last))])
	}
}

// The news that a partition is free may overtake the answer of a claim that came too early.
func TestReleaseDuringAClaimIsNotForgotten(t *testing.T) {
	t.Parallel()
	c := newClaims(t, 7, 9)
	c.step(Nudged{[]stock.PartitionID{9, stock.Partitions}})
	c.inVain()
	if last := c.asked[len(c.asked)-1]; !slices.Equal(last, []stock.PartitionID{9}) {
		t.Errorf("after the release asked for %d partitions: %v", len(last), last[:min(5, len(last))])
	}
}
