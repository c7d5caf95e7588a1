package crowd

import (
	"cmp"
	"math"
	"slices"

	"ticketrush/room"
)

// line is who was admitted of the line, without those who jumped it by right.
func (w *World) line(slow bool) []*person {
	var list []*person
	for i := range w.people {
		p := &w.people[i]
		if p.granted > 0 && p.code == 0 && p.joined >= 0 && (p.class == room.ClassSlow) == slow {
			list = append(list, p)
		}
	}
	return list
}

// kendall compares the order of admission with the ideal one: the draw's, then that of arrival in true time. 1 is the same, 0 none, -1 the reverse.
func kendall(list []*person) float64 {
	if len(list) < 2 {
		return 1
	}
	slices.SortFunc(list, func(a, b *person) int { // as admitted
		return cmp.Or(cmp.Compare(a.granted, b.granted), cmp.Compare(a.rank, b.rank))
	})
	ideal := slices.Clone(list)
	slices.SortFunc(ideal, func(a, b *person) int {
		switch {
		case a.lobby != b.lobby:
			if a.lobby {
				return -1
			}
			return 1
		case a.lobby:
			return cmp.Compare(a.rank, b.rank)
		}
		return cmp.Or(cmp.Compare(a.joined, b.joined), cmp.Compare(a.rank, b.rank))
	})
	place := make(map[int32]int, len(ideal))
	for i, p := range ideal {
		place[p.id] = i
	}
	order := make([]int, len(list))
	for i, p := range list {
		order[i] = place[p.id]
	}
	n := float64(len(list))
	return 1 - 4*float64(swaps(order, make([]int, len(order))))/(n*(n-1))
}

// swaps counts the pairs that are in the wrong order, by merging; it sorts the list.
func swaps(list, spare []int) (n int64) {
	if len(list) < 2 {
		return 0
	}
	half := len(list) / 2
	n = swaps(list[:half], spare[:half]) + swaps(list[half:], spare[half:])
	i, j := 0, half
	for k := range spare {
		if j == len(list) || i < half && list[i] <= list[j] {
			spare[k] = list[i]
			i++
		} else {
			n += int64(half - i)
			spare[k] = list[j]
			j++
		}
	}
	copy(list, spare)
	return n
}

// rounding is what whole milliseconds take from the bound of a clock.
const rounding = 1

// inversions counts those who have a higher rank than somebody who came later by more than both stated bounds.
func (w *World) inversions(class room.Class) (n, of int, p50, most float64) {
	var list []*person
	var bounds []float64
	for i := range w.people {
		p := &w.people[i]
		if p.class == class && p.code == 0 && !p.lobby && p.joined >= w.opening() && p.rank != 0 && p.state != coming {
			list = append(list, p)
			bounds = append(bounds, float64(p.bound))
		}
	}
	slices.SortFunc(list, func(a, b *person) int { return cmp.Compare(a.rank, b.rank) })
	latest := math.Inf(-1) // the earliest moment at which somebody before can have come, at the most
	for _, p := range list {
		if float64(p.joined)+float64(p.bound)+rounding < latest {
			n++
		}
		latest = max(latest, float64(p.joined)-float64(p.bound)-rounding)
	}
	if len(bounds) > 0 {
		slices.Sort(bounds)
		p50, most = bounds[len(bounds)/2], bounds[len(bounds)-1]
	}
	return n, len(list), p50, most
}

// jain says how even the share of those who were served is among groups of the same standing: 1 is even, 1/n the worst.
func jain(shares []float64) float64 {
	sum, squares := 0.0, 0.0
	for _, x := range shares {
		sum += x
		squares += x * x
	}
	if squares == 0 {
		return 1
	}
	return sum * sum / (float64(len(shares)) * squares)
}

// evenness is jain's index of a class. Its groups are the edges, and in the lobby, where it must not matter when one came, the tenths of its time.
func (w *World) evenness(of func(*person) bool, tenths bool) float64 {
	parts := 1
	if tenths {
		parts = 10
	}
	served, all := make([]float64, parts*len(w.edges)), make([]float64, parts*len(w.edges))
	for i := range w.people {
		p := &w.people[i]
		if !of(p) || p.state == gaveUp {
			continue
		}
		cell := int(p.id) % len(w.edges) // by chance: an edge may be left for another
		if tenths {
			cell = cell*parts + min(parts-1, int(p.came*moment(parts)/w.opening()))
		}
		all[cell]++
		if p.granted > 0 {
			served[cell]++
		}
	}
	var shares []float64
	for i := range all {
		if all[i] > 0 {
			shares = append(shares, served[i]/all[i])
		}
	}
	return jain(shares)
}

// waits are the quantiles of the time from the place, or the opening, to the pass, in seconds.
func (w *World) waits(of func(*person) bool) (n int, p50, p99 float64) {
	var list []moment
	for i := range w.people {
		if p := &w.people[i]; p.granted > 0 && of(p) {
			list = append(list, p.granted-max(p.joined, w.opening()))
		}
	}
	if len(list) == 0 {
		return 0, 0, 0
	}
	slices.Sort(list)
	return len(list), float64(list[len(list)/2]) / 1000, float64(list[len(list)*99/100]) / 1000
}

const rateWindow = 10

// ticksSteady of the 40 of a second have to be steady: a commit may be slow.
const ticksSteady = 30

// rateError is how far the passes of any 10 s were from the rate: the quantiles of those in which the room was open all the time and had slots, people
// and tickets, and upwards at any time.
func (w *World) rateError() (windows int, p50, worst, over float64) {
	var off []float64
	want := w.cfg.Rate * rateWindow
	for from := 0; from+rateWindow <= len(w.check.seconds); from++ {
		n, all := 0, true
		for _, s := range w.check.seconds[from : from+rateWindow] {
			n += s.admitted
			all = all && s.steady >= ticksSteady
		}
		x := (float64(n) - want) / want
		over = max(over, x)
		if all {
			off = append(off, math.Abs(x))
		}
	}
	if len(off) == 0 {
		return 0, 0, 0, over
	}
	slices.Sort(off)
	return len(off), off[len(off)/2], off[len(off)-1], over
}
