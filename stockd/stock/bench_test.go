package stock

import (
	"math"
	"runtime"
	"testing"
)

// stadium is a hall of n seats: curved rows of blocks of 8 to 20 seats in four sections, focal point at the middle of the front.
func stadium(n int) []SeatSpec {
	specs := make([]SeatSpec, 0, n)
	block := int32(0)
	for row := int32(0); len(specs) < n; row++ {
		radius := 20 + float64(row)
		seats := int(radius * math.Pi * 0.9 / 0.5)
		for i := 0; i < seats && len(specs) < n; i++ {
			if i%(8+int(row)%13) == 0 {
				block++
			}
			angle := math.Pi * (0.05 + 0.9*float64(i)/float64(seats))
			x, y := radius*math.Cos(angle), radius*math.Sin(angle)
			specs = append(specs, SeatSpec{
				Row: row, Block: block, X: float32(x), Y: float32(y), Distance: float32(math.Hypot(x, 2*y)), Category: uint8(min(row/40, 3)),
			})
		}
	}
	return specs
}

func stadiumLayout(tb testing.TB, n int) *Layout {
	layout, err := NewLayout(stadium(n))
	if err != nil {
		tb.Fatal(err)
	}
	return layout
}

// party is the size of the i-th party: 1 to 6, twos and fours most often.
func party(i int) int {
	return [...]int{2, 4, 2, 1, 3, 2, 4, 6, 2, 5, 2, 4, 1, 2, 3, 4}[i%16]
}

// BenchmarkBestAvailable is the mean of search, take and index over the sell-out of 100,000 seats, the last parties scattered.
func BenchmarkBestAvailable(b *testing.B) {
	layout := stadiumLayout(b, 100_000)
	ask := Ask{Together: TogetherAny}
	seats := make([]heldSeat, 0, QuantityMax)
	var s *Segment
	b.ReportAllocs()
	b.ResetTimer()
	for i, n := 0, 0; i < b.N; i++ {
		if n == 0 {
			b.StopTimer()
			s = NewSegment(layout, testEvent, testSegment)
			s.picked = make([]int32, 0, QuantityMax)
			n = len(s.owner)
			b.StartTimer()
		}
		k := min(party(i), n)
		if s.choose(k, &ask, filter{}) == 0 {
			b.Fatalf("no %d seats, %d are left", k, n)
		}
		seats = seats[:0]
		for _, index := range s.picked {
			s.take(1, index)
			seats = append(seats, heldSeat{index: index})
		}
		s.reindex(seats)
		n -= k
	}
}

// BenchmarkApplySettleHold is a whole hold over the same sell-out: decision, operation, settlement, answer.
func BenchmarkApplySettleHold(b *testing.B) {
	layout := stadiumLayout(b, 100_000)
	var s *Segment
	b.ReportAllocs()
	b.ResetTimer()
	for i, n := 0, 0; i < b.N; i++ {
		if n == 0 {
			b.StopTimer()
			s = NewSegment(layout, testEvent, testSegment)
			n = len(s.owner)
			b.StartTimer()
		}
		k := min(party(i), n)
		cmd := Command{
			Kind: KindHold, Event: testEvent, Segment: testSegment, Hold: testID('h', i), TTL: testTTL, MaxTTL: testMaxTTL,
			Ask: Ask{Quantity: int32(k), Together: TogetherAny},
		}
		now := int64(1_000_000 + i)
		effect := s.Apply(cmd, now)
		if effect.Op == nil || s.Settle(effect.Op, OutcomeApplied, now).Code != CodeOK {
			b.Fatalf("no %d seats, %d are left: %+v", k, n, effect)
		}
		n -= k
	}
}

// BenchmarkHoldRelease holds and releases in segments of the usual size, half of it held by others.
func BenchmarkHoldRelease(b *testing.B) {
	s := NewSegment(stadiumLayout(b, 512), testEvent, testSegment)
	do := func(kind Kind, id, k int, now int64) {
		effect := s.Apply(Command{
			Kind: kind, Event: testEvent, Segment: testSegment, Hold: testID('h', id), TTL: testTTL, MaxTTL: testMaxTTL,
			Ask: Ask{Quantity: int32(k)},
		}, now)
		if s.Settle(effect.Op, OutcomeApplied, now).Code != CodeOK {
			b.Fatalf("kind %d: %+v", kind, effect)
		}
	}
	for i := range 100 {
		do(KindHold, i, party(i), 1_000_000)
	}
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		now := int64(1_000_000 + i/100)
		do(KindHold, 100+i, party(i), now)
		do(KindRelease, 100+i, party(i), now)
	}
}

// TestMemoryPerSeat keeps a segment without holds below 30 bytes per seat, its layout included, for one large hall and for segments of
// the usual size.
func TestMemoryPerSeat(t *testing.T) {
	for name, n := range map[string]int{"hall": 100_000, "segment": 500} {
		specs := stadium(n)
		many := 100_000 / n
		layouts, segments := make([]*Layout, many), make([]*Segment, many)
		var before, after runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&before)
		for i := range layouts {
			layouts[i], _ = NewLayout(specs)
			segments[i] = NewSegment(layouts[i], testEvent, SegmentNo(i))
		}
		runtime.GC()
		runtime.ReadMemStats(&after)
		perSeat := float64(after.HeapAlloc-before.HeapAlloc) / float64(n*many)
		t.Logf("%s: %.1f bytes per seat", name, perSeat)
		if perSeat > 30 {
			t.Errorf("%s: %.1f bytes per seat, at most 30", name, perSeat)
		}
		runtime.KeepAlive(layouts)
		runtime.KeepAlive(segments)
		runtime.KeepAlive(specs)
	}
}
