package api

import (
	"cmp"
	"context"
	"maps"
	"slices"

	"ticketrush/stockd/stock"
)

// part is what is wanted of one of several segments. Of an area it is its first segment.
type part struct {
	segment stock.SegmentNo
	ask     stock.Ask
	tickets []int // which of the request's tickets these are, in the order of ask
}

// parts are what is wanted, by segment, in the order in which it was asked for.
type parts struct {
	list  []part
	total int
}

// add puts the request's next n tickets into the part of a segment, and gives that.
func (p *parts) add(segment stock.SegmentNo, n int32) *part {
	i := slices.IndexFunc(p.list, func(x part) bool { return x.segment == segment })
	if i < 0 {
		i = len(p.list)
		p.list = append(p.list, part{segment: segment})
	}
	for range n {
		p.list[i].tickets = append(p.list[i].tickets, p.total)
		p.total++
	}
	return &p.list[i]
}

// legsMax is how many segments a party is split over, when it may be split.
const legsMax = 8

// divide makes a wish of what is wanted by segment. What is in one segment, or one area, is a wish as any other.
func (w *wish) divide(parts []part) {
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
	if want.segments != nil || want.ask.Together != stock.TogetherAny || want.ask.Quantity < 2 || want.ask.Accessible > 0 {
		return nil
	}
	counts := s.Node.Counts(ev.Number)
	one := want
	one.ask.Quantity = 1
	one.ask.Types = nil
	size := map[stock.SegmentNo]int32{}
	left := want.ask.Quantity
	for _, no := range s.candidates(ev, one) {
		n := min(left, counts.Segments[no].Free)
		if n <= 0 || len(size) == legsMax {
			continue
		}
		size[no] = n
		left -= n
	}
	if left > 0 {
		return nil
	}
	var split parts
	for _, no := range slices.Sorted(maps.Keys(size)) { // types and documents go along in the order of the map
		taken := int32(split.total)
		p := split.add(no, size[no])
		p.ask = want.ask
		p.ask.Quantity = size[no]
		if len(want.ask.Types) > 0 {
			p.ask.Types = want.ask.Types[taken : taken+size[no]]
		}
	}
	return split.list
}

// tickets is how many are wanted in all.
func (w *wish) tickets() int {
	n := len(w.ask.Seats) + int(w.ask.Quantity)
	for _, p := range w.parts {
		n += len(p.tickets)
	}
	return n
}

// quotasOf are the limits of some of the request's tickets: those of the buyer, and the documents of these tickets.
func (who *asker) quotasOf(tickets []int) (quotas []stock.Quota) {
	var documents []stock.Quota
	for _, q := range who.quotas {
		if q.Dimension == stock.DimensionDocument {
			documents = append(documents, q)
		} else {
			quotas = append(quotas, q)
		}
	}
	if len(documents) == 0 {
		return quotas
	}
	for _, i := range tickets {
		quotas = append(quotas, documents[i])
	}
	return quotas
}

// askWide makes a hold over several segments, all or none.
func (s *server) askWide(ctx context.Context, ev *Event, parts []part, want wish, req stock.Request, who asker) (stock.Answer, error) {
	// The id does not depend on which segments have something free: a repetition has to find what the first try made.
	first := parts[0].segment
	if len(want.parts) == 0 {
		first = ev.Segments[0].No
	}
	id := stock.NewCoordinatedID(stock.PartitionOf(ev.Number, first), req.Scope, req.Key, "legs")
	hold := stock.WideHold{ID: id, Event: ev.Number, Request: req}
	var legs []stock.Command
	var tickets []int // leg by leg
	for _, p := range parts {
		hold.Segments = append(hold.Segments, p.segment)
		hold.Quantity += int32(len(p.tickets))
		tickets = append(tickets, p.tickets...)
		legs = append(legs, stock.Command{Kind: stock.KindLeg, Event: ev.Number, Segment: p.segment, Hold: id, Ask: p.ask, Quotas: who.quotasOf(p.tickets)})
	}
	hold.Quotas = who.quotasOf(tickets)
	a, err := s.Node.HoldWide(ctx, hold, legs, want.ttl, ev.MaxTTL)
	if a.Code == stock.CodeSoldOut && len(want.parts) == 0 { // of one of the segments; the counts had said otherwise
		a.Code = stock.CodeAllHeld
	}
	return a, err
}
