package room

import (
	"math/bits"
	"sort"
)

// bucketsMax bounds a Line. With a million people in one class a bucket then holds about 2,000 of them.
const bucketsMax = 1024

// Line counts ranks of one class in buckets. It is exact up to bucketsMax ranks; beyond, ranks within a bucket are taken as evenly spread.
type Line struct {
	From    uint64   `json:"from,omitempty"`    // ranks that were counted elsewhere before
	Before  uint64   `json:"before,omitempty"`  // just below the first rank
	Width   uint64   `json:"width,omitempty"`   // most ranks that a bucket takes
	Buckets []Bucket `json:"buckets,omitempty"` // by rank
}

// Bucket is a run of ranks up to and including Last.
type Bucket struct {
	Last uint64 `json:"r"`
	Sum  uint64 `json:"n"` // of all ranks up to Last, From included
}

// Total gives how many ranks were counted.
func (l *Line) Total() uint64 {
	if len(l.Buckets) == 0 {
		return l.From
	}
	return l.Buckets[len(l.Buckets)-1].Sum
}

// Last gives the highest rank counted; 0 when there is none.
func (l *Line) Last() uint64 {
	if len(l.Buckets) == 0 {
		return 0
	}
	return l.Buckets[len(l.Buckets)-1].Last
}

// Add counts a rank. Ranks usually grow; one that does not falls into the bucket that covers it.
func (l *Line) Add(rank uint64) {
	if n := len(l.Buckets); n > 0 && rank <= l.Buckets[n-1].Last {
		for i := l.find(rank); i < n; i++ {
			l.Buckets[i].Sum++
		}
		l.Before = min(l.Before, rank-min(rank, 1))
		return
	}
	l.extend(rank, l.Total()+1)
}

// extend counts a rank behind the last as number sum of all.
func (l *Line) extend(rank, sum uint64) {
	l.Width = max(l.Width, 1)
	if n := len(l.Buckets); n > 0 && l.size(n-1) < l.Width {
		l.Buckets[n-1] = Bucket{rank, sum}
		return
	}
	if len(l.Buckets) == 0 {
		l.From = sum - 1
	}
	l.push(rank-min(rank, 1), Bucket{rank, sum})
}

// push appends a bucket behind the last; before is just below its first rank.
func (l *Line) push(before uint64, b Bucket) {
	if len(l.Buckets) == 0 {
		l.Before = before
	}
	if len(l.Buckets) >= bucketsMax {
		l.halve()
	}
	l.Buckets = append(l.Buckets, b)
	l.Width = max(l.Width, l.size(len(l.Buckets)-1))
}

// append adds what another line counted after this one.
func (l *Line) append(more *Line) {
	before := more.Before
	for _, b := range more.Buckets {
		l.push(before, b)
		before = b.Last
	}
}

// drop forgets the ranks up to number sum; what came after keeps its numbers.
func (l *Line) drop(sum uint64) {
	gone := 0
	for gone < len(l.Buckets) && l.Buckets[gone].Sum <= sum {
		l.Before = l.Buckets[gone].Last
		gone++
	}
	l.Buckets = append([]Bucket(nil), l.Buckets[gone:]...)
	l.From, l.Width = sum, 0
}

// size gives how many ranks a bucket has.
func (l *Line) size(i int) uint64 {
	if i == 0 {
		return l.Buckets[0].Sum - l.From
	}
	return l.Buckets[i].Sum - l.Buckets[i-1].Sum
}

// find gives the first bucket that ends at rank or later.
func (l *Line) find(rank uint64) int {
	return sort.Search(len(l.Buckets), func(i int) bool { return l.Buckets[i].Last >= rank })
}

// halve joins pairs of buckets.
func (l *Line) halve() {
	l.thin(len(l.Buckets) / 2)
	l.Width *= 2
}

// thin keeps at most n buckets, the last among them; n is at least 1.
func (l *Line) thin(n int) {
	if len(l.Buckets) <= n {
		return
	}
	step := (len(l.Buckets) + n - 1) / n
	kept := l.Buckets[:0]
	for i := range l.Buckets {
		if (len(l.Buckets)-1-i)%step == 0 {
			kept = append(kept, l.Buckets[i])
		}
	}
	l.Buckets = kept
}

// CountUpTo gives how many ranks are at most rank.
func (l *Line) CountUpTo(rank uint64) uint64 {
	i := l.find(rank)
	low, count := l.Before, l.From
	if i > 0 {
		low, count = l.Buckets[i-1].Last, l.Buckets[i-1].Sum
	}
	if i == len(l.Buckets) || rank <= low {
		return count
	}
	b := l.Buckets[i]
	return count + share(b.Sum-count, rank-low, b.Last-low)
}

// share gives a*part/whole without overflow, for part <= whole.
func share(a, part, whole uint64) uint64 {
	hi, lo := bits.Mul64(a, part)
	q, _ := bits.Div64(hi, lo, whole)
	return q
}

// clone gives a copy that shares nothing with l.
func (l *Line) clone() Line {
	c := *l
	c.Buckets = append([]Bucket(nil), l.Buckets...)
	return c
}

// lines holds one Line per class.
type lines [classes]Line

func (s *lines) clone() (c lines) {
	for i := range s {
		c[i] = s[i].clone()
	}
	return c
}
