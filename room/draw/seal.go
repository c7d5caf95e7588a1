package draw

import (
	"iter"
	"sort"
)

// Sealed is the list of a draw as a sorted set, with its Merkle tree: 16.3 bytes for each tid. It never changes.
type Sealed struct {
	list List
	tree *tree
	root Hash
}

// Seal sorts the list, removes repetitions and hashes it: about 0.4 s for a million on one core. It takes the list's memory over and leaves it
// empty: the list in the order of arrival has to be stored before.
func Seal(l *List) *Sealed {
	s := &Sealed{list: *l}
	*l = List{}
	s.list.sortSet()
	s.tree = newTree(&s.list)
	s.root = Hash(s.tree.root())
	return s
}

// Root gives the Merkle root R of the sorted set.
func (s *Sealed) Root() Hash { return s.root }

// N gives the number of tids.
func (s *Sealed) N() int64 { return s.list.n }

// Has says whether the tid is on the list.
func (s *Sealed) Has(tid Tid) bool {
	_, ok := s.Index(tid)
	return ok
}

// Index gives the number of the tid in the sorted list, from 0 on.
func (s *Sealed) Index(tid Tid) (int64, bool) {
	k := keyOf(&tid)
	i := int64(sort.Search(int(s.list.n), func(i int) bool { return keyOf(s.list.at(int64(i))).compare(k) >= 0 }))
	if i == s.list.n || *s.list.at(i) != tid {
		return 0, false
	}
	return i, true
}

// Tids gives the tids in sorted order.
func (s *Sealed) Tids() iter.Seq[Tid] {
	return func(yield func(Tid) bool) {
		for i := range s.list.n {
			if !yield(*s.list.at(i)) {
				return
			}
		}
	}
}
