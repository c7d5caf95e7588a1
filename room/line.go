package room

import (
	"math/bits"
	"sort"
)

// bucketsMax bounds a Line. With a million people in one class a bucket then holds about 2,000 of them.
const bucketsMax = 1024

// Line counts the ranks of one class in buckets. It is exact up to bucketsMax ranks; beyond, ranks within a bucket are taken as evenly spread.
type Line struct {
	Width   uint32   `json:"width"`   // most ranks that a bucket takes
	Before  uint64   `json:"before"`  // just below the first rank
	Total   uint64   `json:"total"`   // ranks counted
	Buckets []Bucket `json:"buckets"` // by rank
}

// Bucket is a run of ranks up to and including Last.
type Bucket struct {
	Last uint64 `json:"r"`
	N    uint32 `json:"n"`
}

// Add counts a rank. Ranks usually grow; one that does not falls into the bucket that covers it.
func (l *Line) Add(rank uint64) {
	l.Width = max(l.Width, 1)
	l.Total++
	n := len(l.Buckets)
	if n == 0 {
		l.Before = rank - min(rank, 1)
	}
	if n > 0 && rank <= l.Buckets[n-1].Last {
		i := sort.Search(n, func(i int) bool { return l.Buckets[i].Last >= rank })
		l.Buckets[i].N++
		l.Before = min(l.Before, rank-min(rank, 1))
		return
	}
	if n > 0 && l.Buckets[n-1].N < l.Width {
		l.Buckets[n-1].N++
		l.Buckets[n-1].Last = rank
		return
	}
	if n == bucketsMax {
		l.halve()
	}
	l.Buckets = append(l.Buckets, Bucket{Last: rank, N: 1})
}

// halve joins pairs of buckets.
func (l *Line) halve() {
	half := l.Buckets[:0]
	for i := 0; i+1 < len(l.Buckets); i += 2 {
		half = append(half, Bucket{Last: l.Buckets[i+1].Last, N: l.Buckets[i].N + l.Buckets[i+1].N})
	}
	l.Buckets = half
	l.Width *= 2
}

// CountUpTo gives how many ranks are at most rank.
func (l *Line) CountUpTo(rank uint64) uint64 {
	low, count := l.Before, uint64(0)
	for _, b := range l.Buckets {
		if b.Last > rank {
			if rank > low {
				count += share(uint64(b.N), rank-low, b.Last-low)
			}
			return count
		}
		low, count = b.Last, count+uint64(b.N)
	}
	return count
}

// RankOf gives the rank up to which there are n ranks, 1 <= n <= Total.
func (l *Line) RankOf(n uint64) uint64 {
	low, count := l.Before, uint64(0)
	for _, b := range l.Buckets {
		if count+uint64(b.N) >= n {
			k, width := n-count, b.Last-low
			step := share(width, k, uint64(b.N))
			if share(uint64(b.N), step, width) < k {
				step++
			}
			return low + min(step, width)
		}
		low, count = b.Last, count+uint64(b.N)
	}
	return low
}

// Last gives the highest rank counted; 0 when there is none.
func (l *Line) Last() uint64 {
	if len(l.Buckets) == 0 {
		return 0
	}
	return l.Buckets[len(l.Buckets)-1].Last
}

// share gives a*part/whole without overflow, for part <= whole.
func share(a, part, whole uint64) uint64 {
	hi, lo := bits.Mul64(a, part)
	q, _ := bits.Div64(hi, lo, whole)
	return q
}

func (l *Line) clone() Line {
	c := *l
	c.Buckets = append([]Bucket(nil), l.Buckets...)
	return c
}

// lines holds one Line per class, read together as the two groups.
type lines [classes]Line

func (s *lines) of(g Group) []Line {
	if g == GroupSlow {
		return s[ClassSlow:]
	}
	return s[:ClassSlow]
}

func (s *lines) total(g Group) (n uint64) {
	for _, l := range s.of(g) {
		n += l.Total
	}
	return n
}

// countUpTo gives how many of the group have at most this rank.
func (s *lines) countUpTo(g Group, rank uint64) (n uint64) {
	for i := range s.of(g) {
		n += s.of(g)[i].CountUpTo(rank)
	}
	return n
}

// rankOf gives the rank up to which there are n of the group; the highest rank when there are fewer.
func (s *lines) rankOf(g Group, n uint64) (rank uint64) {
	for i := range s.of(g) {
		l := &s.of(g)[i]
		switch {
		case l.Total == 0:
			continue
		case n > l.Total:
			n -= l.Total
			rank = l.Last()
		case n == 0:
			return rank
		default:
			return l.RankOf(n)
		}
	}
	return rank
}

// Point is one point of the published histogram: how many ranks there are up to Rank, over all classes.
type Point struct {
	Rank  uint64
	Count uint64
}

// points gives at most limit points, the first and last of each class among them.
func (s *lines) points(limit int) []Point {
	total := 0
	for i := range s {
		total += len(s[i].Buckets)
	}
	// Each class in use costs two points beside the thinned ones.
	step := 1 + total/(limit-2*int(classes))
	var out []Point
	var count uint64
	for i := range s {
		l := &s[i]
		if l.Total == 0 {
			continue
		}
		out = append(out, Point{l.Before, count})
		for j, b := range l.Buckets {
			count += uint64(b.N)
			if (j+1)%step == 0 || j == len(l.Buckets)-1 {
				out = append(out, Point{b.Last, count})
			}
		}
	}
	return out
}
