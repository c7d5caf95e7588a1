package node

import (
	"context"
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	dto "github.com/prometheus/client_model/go"

	"ticketrush/stockd/owner"
	"ticketrush/stockd/stock"
)

// poisoned is a segment with a bug in it. It belongs to an event that is not in the ledger: when its partition is loaded anew, it is gone.
type poisoned struct{ owner.Engine }

func (poisoned) Apply(stock.Command, int64) stock.Effect { panic("a bug") }

// poison is the number of its event.
const poison stock.EventID = 1 << 20

// TestPanicReloadsOnePartition: while fans buy in six partitions, the engine of one panics. That one is loaded from the ledger and sells again,
// who waited for it gets an answer, and the others neither move nor refuse anybody.
func TestPanicReloadsOnePartition(t *testing.T) {
	t.Parallel()
	g := newCalmGang(t, database(t), 1)
	e := g.putOnSale("sick", 6, 10, 20)
	n, sick := g.nodes[0], stock.PartitionOf(e.Number, 1)
	hold := newHold(e, 1, 2)
	g.must(n, hold)
	epochs := map[stock.PartitionID]int64{}
	for s := range stock.SegmentNo(6) {
		part := stock.PartitionOf(e.Number, s+1)
		epochs[part] = n.local[part].Load()
	}
	var fans sync.WaitGroup
	var served atomic.Int64
	begun := make(chan struct{}, 6)
	for s := range stock.SegmentNo(6) {
		fans.Go(func() {
			for turn := range 40 {
				cmd := newHold(e, s+1, 1)
				if stock.PartitionOf(e.Number, s+1) == sick {
					g.must(n, cmd) // sent again while it is away
				} else if a, err := n.Do(t.Context(), cmd); err != nil || a.Code != stock.CodeOK {
					t.Errorf("segment %d, which is not sick: %+v, %v", s+1, a, err)
				}
				served.Add(1)
				if turn == 5 {
					begun <- struct{}{}
				}
			}
		})
	}
	for range 6 {
		<-begun
	}
	n.give(owner.Loaded{Added: true, Parts: []owner.LoadedPart{{Part: sick, Epoch: epochs[sick], Segments: []owner.LoadedSegment{
		{Event: poison, Segment: 1, Engine: poisoned{stock.NewArea(poison, 1, 1)}},
	}}}})
	if _, err := n.here(t.Context(), sick, stock.Command{Kind: stock.KindHold, Event: poison, Segment: 1}, 0); !errors.Is(err, ErrFailed) {
		t.Errorf("the request that broke it got %v", err)
	}
	fans.Wait()
	until(t, "the sick partition is back", func() bool { return n.local[sick].Load() != 0 }) // who asked for it may all have been served before
	for part, epoch := range epochs {
		if now := n.local[part].Load(); (now > epoch) != (part == sick) {
			t.Errorf("partition %d (the sick one is %d) went from epoch %d to %d", part, sick, epoch, now)
		}
	}
	if view, ok, err := n.Find(context.Background(), hold.Hold); !ok || err != nil || len(view.Seats) != 2 {
		t.Errorf("the hold from before: %+v %v %v", view, ok, err)
	}
	alarms := n.Status().Alarms
	if len(alarms) != 1 || alarms[0].Kind != "panic" || alarms[0].Part != sick || !strings.Contains(alarms[0].Text, "a bug") {
		t.Errorf("alarms: %+v", alarms)
	}
	var told dto.Metric
	if err := n.metrics.alarms.WithLabelValues("panic").Write(&told); err != nil || told.GetCounter().GetValue() != 1 {
		t.Errorf("stockd_alarms_total{kind=panic}: %v %v", told.GetCounter(), err)
	}
	g.reconcile()
}

func TestWhatCannotBeLoadedIsAnError(t *testing.T) {
	t.Parallel()
	err := contained(func() error { var s *stock.Segment; return s.Load(nil, nil, 0) })
	if err == nil || !strings.Contains(err.Error(), "a bug") {
		t.Errorf("%v", err)
	}
}
