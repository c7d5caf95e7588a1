package stock

import (
	"cmp"
	"slices"
)

// anchorsAccessible bounds how many places for a wheelchair are tried as the middle of a party.
const anchorsAccessible = 32

// pickAccessible chooses places for a party of k of which ask.Accessible need accessible seats: these as near to each other as can be,
// the others on their companion seats first, then on what is nearest. It returns the rung, 0 when nothing fits.
func (s *Segment) pickAccessible(k int, ask *Ask) int8 {
	free := s.freeAccessible(ask.Categories)
	if len(free) < int(ask.Accessible) {
		s.picked = s.picked[:0]
		return 0
	}
	var best []int32
	bestGap, bestRung := 0, int8(0)
	for _, anchor := range free[:min(len(free), anchorsAccessible)] {
		gap := s.pickAroundAnchor(anchor, free, k, ask)
		if len(s.picked) < k || gap >= farGap && ask.Together != TogetherAny {
			continue
		}
		rung := RungNear
		switch {
		case s.contiguous(s.picked) && !s.leavesSingle(s.picked, filter{}):
			rung = RungTogether
		case s.contiguous(s.picked):
			rung = RungOrphan
		case gap >= farGap:
			rung = RungScattered
		}
		if rung > RungOrphan && ask.Together == TogetherRequired || rung != RungTogether && !s.allowed(ask, filter{}) {
			continue
		}
		if best == nil || rung < bestRung || rung == bestRung && gap < bestGap {
			best, bestGap, bestRung = append(best[:0], s.picked...), gap, rung
		}
	}
	s.picked = append(s.picked[:0], best...)
	return bestRung
}

// freeAccessible is the free accessible seats of the categories, nearest to the focal point first.
func (s *Segment) freeAccessible(cats uint64) []int32 {
	var free []int32
	for _, b := range s.layout.accessible {
		blk := &s.layout.blocks[b]
		for w := s.free[b] & blk.accessible; w != 0; w &= w - 1 {
			i := blk.first + int32(lowest(w))
			if cats == 0 || cats>>s.layout.cat[i]&1 != 0 {
				free = append(free, i)
			}
		}
	}
	slices.SortFunc(free, func(a, b int32) int {
		return cmp.Or(cmp.Compare(s.layout.dist[a], s.layout.dist[b]), cmp.Compare(a, b))
	})
	return free
}

// pickAroundAnchor fills s.picked around one accessible seat and returns the sum of the gaps.
func (s *Segment) pickAroundAnchor(anchor int32, accessible []int32, k int, ask *Ask) int {
	byGap := func(a, b int32) int {
		return cmp.Or(cmp.Compare(s.gap(anchor, a), s.gap(anchor, b)), cmp.Compare(a, b))
	}
	places := slices.Clone(accessible)
	slices.SortFunc(places, byGap)
	s.picked = append(s.picked[:0], places[:ask.Accessible]...)
	for _, seat := range places[:ask.Accessible] {
		for _, link := range s.layout.companionsOf(seat) {
			if len(s.picked) < k && s.owner[link.companion] == 0 && !slices.Contains(s.picked, link.companion) {
				s.picked = append(s.picked, link.companion)
			}
		}
	}
	if rest := k - len(s.picked); rest > 0 {
		others := s.openAround(anchor, filter{cats: ask.Categories, companions: true}, ask.Together == TogetherAny)
		others = slices.DeleteFunc(others, func(i int32) bool { return slices.Contains(s.picked, i) })
		slices.SortFunc(others, byGap)
		s.picked = append(s.picked, others[:min(rest, len(others))]...)
	}
	sum := 0
	for _, i := range s.picked {
		sum += s.gap(anchor, i)
	}
	return sum
}

// openAround is the open seats of a seat's block and of those around it, or of all blocks.
func (s *Segment) openAround(index int32, f filter, all bool) []int32 {
	home, _ := s.layout.bit(index)
	var open []int32
	add := func(b int) {
		for w := s.open(b, f); w != 0; w &= w - 1 {
			open = append(open, s.layout.blocks[b].first+int32(lowest(w)))
		}
	}
	if all {
		for b := range s.free {
			add(b)
		}
		return open
	}
	add(home)
	for _, b := range s.layout.nearest(home) {
		add(int(b))
	}
	return open
}
