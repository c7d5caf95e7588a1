package room

import (
	"cmp"
	"slices"
)

// crowd reads the lines of all edges as one. Each edge counts what it gave out itself, so that no count is ever merged: sums are right in whatever
// order, and however often, reports arrive.
type crowd []*lines

// crowd gives the lines of the room: of its edges, of those that ended, and of the draw.
func (r *Room) crowd() crowd {
	c := make(crowd, 0, len(r.state.Edges)+2)
	c = append(c, &r.state.Gone, &lines{ClassLobby: r.state.Draw.Lots})
	for _, e := range r.state.Edges {
		c = append(c, &e.Lines)
	}
	return c
}

// waiting gives how many of the group are behind the frontier.
func (r *Room) waiting(g Group) uint64 {
	c := r.crowd()
	total := c.total(g)
	return total - min(total, c.countUpTo(g, r.state.Frontier[g]))
}

// recount counts a genuine rank that nobody will tell of any more: one that an edge gave just before it crashed. Without that its holder would wait
// for somebody to come after them. What a living edge gave, it tells by itself.
func (r *Room) recount(rank uint64) {
	class := RankClass(rank)
	if class >= classes || class == ClassLobby || rank <= r.crowd().last(class) {
		return
	}
	for _, e := range r.state.Edges {
		if e.ID == rankEdge(rank) && r.state.Base+rankMs(rank) >= e.Since {
			return
		}
	}
	r.state.Gone[class].Add(rank)
}

// spans gives the classes of a group.
func (g Group) spans() (first, last Class) {
	if g == GroupSlow {
		return ClassSlow, ClassSlow
	}
	return ClassPriority, ClassArrival
}

func (c crowd) classTotal(class Class) (n uint64) {
	for _, l := range c {
		n += l[class].Total()
	}
	return n
}

func (c crowd) total(g Group) (n uint64) {
	first, last := g.spans()
	for class := first; class <= last; class++ {
		n += c.classTotal(class)
	}
	return n
}

// countUpTo gives how many of the group have at most this rank.
func (c crowd) countUpTo(g Group, rank uint64) (n uint64) {
	first, last := g.spans()
	for class := first; class <= last; class++ {
		n += c.classUpTo(class, rank)
	}
	return n
}

func (c crowd) classUpTo(class Class, rank uint64) (n uint64) {
	for _, l := range c {
		n += l[class].CountUpTo(rank)
	}
	return n
}

// rankOf gives the rank up to which there are n of the group; the highest rank when there are fewer, 0 when there is nobody or n is 0.
func (c crowd) rankOf(g Group, n uint64) (rank uint64) {
	first, last := g.spans()
	for class := first; class <= last && n > 0; class++ {
		total := c.classTotal(class)
		if total == 0 {
			continue
		}
		if n >= total {
			n -= total
			rank = c.last(class)
			continue
		}
		return c.classRank(class, n)
	}
	return rank
}

// last gives the highest rank of a class.
func (c crowd) last(class Class) (rank uint64) {
	for _, l := range c {
		rank = max(rank, l[class].Last())
	}
	return rank
}

// classRank gives the lowest rank up to which there are n of the class, for 1 <= n <= its total.
func (c crowd) classRank(class Class, n uint64) uint64 {
	low, high := uint64(class)<<classShift, c.last(class)
	for low < high {
		mid := low + (high-low)/2
		if c.classUpTo(class, mid) >= n {
			high = mid
		} else {
			low = mid + 1
		}
	}
	return low
}

// Point is one point of the published histogram: how many ranks there are up to Rank, over all classes.
type Point struct {
	Rank  uint64
	Count uint64
}

// points gives at most limit points, the first and last of each class among them.
func (c crowd) points(limit int) []Point {
	var out []Point
	var before uint64
	budget := limit/int(classes) - 1
	used := 0
	for class := range classes {
		if c.classTotal(class) > 0 {
			used++
		}
	}
	if used > 0 {
		budget = limit/used - 1
	}
	for class := range classes {
		if c.classTotal(class) == 0 {
			continue
		}
		ends, first := c.ends(class)
		out = append(out, Point{first, before})
		step := (len(ends) + budget - 1) / budget
		for i, rank := range ends {
			if (len(ends)-1-i)%step == 0 {
				out = append(out, Point{rank, before + c.classUpTo(class, rank)})
			}
		}
		before = out[len(out)-1].Count
	}
	return out
}

// ends gives where the buckets of a class end, over all edges, and the rank just below the first.
func (c crowd) ends(class Class) (ends []uint64, first uint64) {
	first = ^uint64(0)
	for _, l := range c {
		if l[class].Total() == 0 {
			continue
		}
		first = min(first, l[class].Before)
		for _, b := range l[class].Buckets {
			ends = append(ends, b.Last)
		}
	}
	slices.SortFunc(ends, cmp.Compare[uint64])
	return slices.Compact(ends), first
}
