package chart

import (
	"cmp"
	"encoding/binary"
	"slices"
	"testing"

	"ticketrush/charts"
	"ticketrush/stockd/stock"

	"github.com/google/uuid"
)

// crowd asks the segments of the arena for seats as the event's node does: best score first, then with more and more tolerance.
type crowd struct {
	t        *testing.T
	compiled *Compiled
	order    []int // segments, best first
	segments []*stock.Segment
	holds    int
}

func newCrowd(t *testing.T) *crowd {
	chart, _, err := Parse(charts.Arena)
	if err != nil {
		t.Fatal(err)
	}
	compiled, err := chart.Compile()
	if err != nil {
		t.Fatal(err)
	}
	c := &crowd{t: t, compiled: compiled}
	for i, segment := range compiled.Segments {
		c.order = append(c.order, i)
		if segment.Area {
			c.segments = append(c.segments, stock.NewArea(1, segment.No, segment.Capacity))
		} else {
			c.segments = append(c.segments, stock.NewSegment(segment.Layout, 1, segment.No))
		}
	}
	slices.SortStableFunc(c.order, func(a, b int) int { return cmp.Compare(compiled.Segments[b].Score, compiled.Segments[a].Score) })
	return c
}

// hold asks one segment after the other and returns the rung of the first success, -1 when there is none.
func (c *crowd) hold(ask stock.Ask, areas bool) int8 {
	c.holds++
	var id uuid.UUID
	binary.BigEndian.PutUint64(id[:], uint64(c.holds))
	for _, i := range c.order {
		if c.compiled.Segments[i].Area && (!areas || ask.Accessible > 0) {
			continue
		}
		effect := c.segments[i].Apply(stock.Command{
			Kind: stock.KindHold, Event: 1, Segment: c.compiled.Segments[i].No, Hold: id, TTL: 1000, MaxTTL: 1000, Ask: ask,
		}, int64(c.holds))
		if effect.Op == nil || effect.Op.Kind != stock.KindHold {
			continue
		}
		return c.segments[i].Settle(effect.Op, stock.OutcomeApplied, int64(c.holds)).Rung
	}
	return -1
}

// TestArenaSellsOut fills the arena to the last seat, and almost everybody sits together.
func TestArenaSellsOut(t *testing.T) {
	t.Parallel()
	c := newCrowd(t)
	sizes := []int32{2, 4, 2, 1, 3, 2, 4, 6, 2, 5}
	rungs := map[int8]int{}
	for i := 0; ; i++ {
		ask := stock.Ask{Quantity: sizes[i%len(sizes)]}
		if i%200 == 0 {
			ask.Accessible = 1
		}
		rung := c.hold(ask, i%20 == 0)
		if rung < 0 {
			ask.Together = stock.TogetherAny
			rung = c.hold(ask, true)
		}
		if rung < 0 {
			break
		}
		rungs[rung]++
	}
	parties := c.holds
	for c.hold(stock.Ask{Quantity: 1, Together: stock.TogetherAny}, true) >= 0 {
	}
	for c.hold(stock.Ask{Quantity: 1, Accessible: 1, Together: stock.TogetherAny}, true) >= 0 {
	}
	for i, s := range c.segments {
		if counts := s.Counts(); counts.Free != 0 {
			t.Errorf("segment %s: %+v", c.compiled.Segments[i].Name, counts)
		}
		if err := s.Check(); err != nil {
			t.Error(err)
		}
	}
	together := rungs[stock.RungTogether] + rungs[stock.RungOrphan]
	t.Logf("%d parties asked, rungs %v (0: standing)", parties, rungs)
	if all := together + rungs[stock.RungTwoRows] + rungs[stock.RungNear] + rungs[stock.RungScattered]; together*100 < all*98 {
		t.Errorf("%d of %d parties sit together", together, all)
	}
}
