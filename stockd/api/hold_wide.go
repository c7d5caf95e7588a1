package api

import (
	"cmp"
	"context"
	"slices"

	"ticketrush/stockd/stock"
)

// part is what is wanted of one of several segments. Of an area it is its first segment.
type part struct {
	segment stock.SegmentNo
	ask     stock.Ask
}

// legsMax is how many segments a party is split over, when it may be split.
const legsMax = 8

// divide sorts what is wanted by segment. What is in one segment, or one area, is a wish as any other.
func (w *wish) divide(units []part) {
	parts := units
	for _, seat := range w.ask.Seats {
		i := slices.IndexFunc(parts, func(p part) bool { return p.segment == seat.Seat.Segment() })
		if i < 0 {
			i = len(parts)
			parts = append(parts, part{segment: seat.Seat.Segment()})
		}
		parts[i].ask.Seats = append(parts[i].ask.Seats, seat)
	}
	nearest := w.ask.Nearest
	if len(parts) == 1 {
		w.ask = parts[0].ask
		w.ask.Nearest = nearest
		w.segments = []stock.SegmentNo{parts[0].segment}
		return
	}
	for i := range parts {
		parts[i].ask.Nearest = nearest && len(parts[i].ask.Seats) > 0
	}
	slices.SortFunc(parts, func(a, b part) int { return cmp.Compare(a.segment, b.segment) })
	w.ask, w.parts = stock.Ask{}, parts
}

// split divides a party that no single segment takes, and that may sit anywhere, over the segments that have free seats by the last counts. Nothing
// when they have not enough, or when it has to stay in one.
func (s *server) split(ev *Event, want wish) []part {
	if ev.LimitDocument > 0 || want.segments != nil || want.ask.Together != stock.TogetherAny || want.ask.Quantity < 2 || want.ask.Accessible > 0 {
		return nil
	}
	counts := s.Node.Counts(ev.Number)
	one := want
	one.ask.Quantity = 1
	one.ask.Types = nil
	var parts []part
	left := want.ask.Quantity
	for _, no := range s.candidates(ev, one) {
		n := min(left, counts.Segments[no].Free)
		if n <= 0 || len(parts) == legsMax {
			continue
		}
		ask := want.ask
		ask.Quantity = n
		if taken := want.ask.Quantity - left; len(want.ask.Types) > 0 {
			ask.Types = want.ask.Types[taken : taken+n]
		}
		parts = append(parts, part{no, ask})
		if left -= n; left == 0 {
			slices.SortFunc(parts, func(a, b part) int { return cmp.Compare(a.segment, b.segment) })
			return parts
		}
	}
	return nil
}

// askWide makes a hold over several segments, all or none.
func (s *server) askWide(ctx context.Context, ev *Event, parts []part, want wish, req stock.Request, who asker) (stock.Answer, error) {
	// The id does not depend on which segments have something free: a repetition has to find what the first try made.
	first := parts[0].segment
	if len(want.parts) == 0 {
		first = ev.Segments[0].No
	}
	id := stock.NewCoordinatedID(stock.PartitionOf(ev.Number, first), req.Scope, req.Key, "legs")
	hold := stock.WideHold{ID: id, Event: ev.Number, Quotas: slices.Clone(who.quotas), Request: req}
	var legs []stock.Command
	for _, p := range parts {
		hold.Segments = append(hold.Segments, p.segment)
		hold.Quantity += p.ask.Quantity + int32(len(p.ask.Seats))
		legs = append(legs, stock.Command{Kind: stock.KindLeg, Event: ev.Number, Segment: p.segment, Hold: id, Ask: p.ask, Quotas: hold.Quotas})
	}
	a, err := s.Node.HoldWide(ctx, hold, legs, want.ttl, ev.MaxTTL)
	if a.Code == stock.CodeSoldOut && len(want.parts) == 0 { // of one of the segments; the counts had said otherwise
		a.Code = stock.CodeAllHeld
	}
	return a, err
}
