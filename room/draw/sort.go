package draw

import (
	"cmp"
	"encoding/binary"
	"slices"
)

// key is a tid as two numbers: they compare several times faster than 16 bytes.
type key struct{ hi, lo uint64 }

func keyOf(tid *Tid) key {
	return key{binary.BigEndian.Uint64(tid[:8]), binary.BigEndian.Uint64(tid[8:])}
}

func (k key) compare(other key) int {
	if k.hi != other.hi {
		return cmp.Compare(k.hi, other.hi)
	}
	return cmp.Compare(k.lo, other.lo)
}

func (k key) put(tid *Tid) {
	binary.BigEndian.PutUint64(tid[:8], k.hi)
	binary.BigEndian.PutUint64(tid[8:], k.lo)
}

// sortSet sorts the list in place and removes repetitions. A copy of a million tids would cost as much again as the list; so they are first
// swapped into 256 groups by their first byte, and each group is sorted in a buffer of its size. Tids are hashes: the groups are of one size.
func (l *List) sortSet() {
	bounds := l.group()
	var buffer []key
	for b := range 256 {
		lo, hi := bounds[b], bounds[b+1]
		buffer = slices.Grow(buffer[:0], int(hi-lo))
		for i := lo; i < hi; i++ {
			buffer = append(buffer, keyOf(l.at(i)))
		}
		slices.SortFunc(buffer, key.compare)
		for i, k := range buffer {
			k.put(l.at(lo + int64(i)))
		}
	}
	l.compact()
}

// group swaps the tids so that their first bytes ascend, and gives where each byte's group begins.
func (l *List) group() (bounds [257]int64) {
	for i := range l.n {
		bounds[int(l.at(i)[0])+1]++
	}
	for b := range 256 {
		bounds[b+1] += bounds[b]
	}
	next := bounds
	for b := range 256 {
		for next[b] < bounds[b+1] {
			tid := l.at(next[b])
			// Until the tid that belongs here comes by, each goes to the next free place of its own group.
			for home := int(tid[0]); home != b; home = int(tid[0]) {
				other := l.at(next[home])
				*tid, *other = *other, *tid
				next[home]++
			}
			next[b]++
		}
	}
	return bounds
}

// compact removes repetitions from the sorted list.
func (l *List) compact() {
	if l.n == 0 {
		return
	}
	kept := int64(1)
	for i := int64(1); i < l.n; i++ {
		if tid := l.at(i); *tid != *l.at(kept - 1) {
			*l.at(kept) = *tid
			kept++
		}
	}
	l.truncate(kept)
}
