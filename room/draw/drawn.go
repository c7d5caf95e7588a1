package draw

import (
	"cmp"
	"slices"
	"sort"
)

// Drawn is a draw that is done: 8 more bytes for each tid than the sealed list. It never changes.
type Drawn struct {
	*Sealed
	terms  Terms
	seed   Hash
	rank   func(*Tid) uint64
	ranks  []uint64         // ascending: the rank of ordinal i+1
	shared map[uint64][]Tid // ranks that more than one tid has, with these sorted; nearly always empty
}

// Draw gives each tid of the list its rank: about 0.3 s for a million on one core. Secret and beacon are public from then on, so both have to be
// stored before. The error says what is wrong with them or with the room's name.
func (s *Sealed) Draw(room string, edition uint16, secret Secret, beacon Beacon) (*Drawn, error) {
	t := Terms{
		Room: room, Edition: edition, Rule: Rule, Commitment: secret.Commitment(), Secret: secret, Root: s.root, N: s.N(), Beacon: beacon,
	}
	if err := cmp.Or(t.checkFormat(), t.checkBeacon()); err != nil {
		return nil, err
	}
	seed := t.DeriveSeed()
	d := &Drawn{Sealed: s, terms: t, seed: seed}
	ranker := NewRanker(seed)
	d.rank = func(tid *Tid) uint64 { return ranker.Rank(*tid) }
	d.order(newKeyed(seed).rank)
	return d, nil
}

// order fills the ranks.
func (d *Drawn) order(rank func(*Tid) uint64) {
	d.ranks = make([]uint64, d.N())
	for i := range d.ranks {
		d.ranks[i] = rank(d.list.at(int64(i)))
	}
	slices.Sort(d.ranks)
	for i := 1; i < len(d.ranks); i++ {
		if d.ranks[i] == d.ranks[i-1] {
			if d.shared == nil {
				d.shared = map[uint64][]Tid{}
			}
			d.shared[d.ranks[i]] = nil
		}
	}
	if d.shared == nil {
		return
	}
	for i := range d.N() {
		tid := d.list.at(i)
		r := rank(tid)
		if tids, ok := d.shared[r]; ok {
			d.shared[r] = append(tids, *tid)
		}
	}
}

// Terms gives all that settled the draw.
func (d *Drawn) Terms() Terms { return d.terms }

// Seed gives the key of the draw; edges rank by it.
func (d *Drawn) Seed() Hash { return d.seed }

// Place gives the rank and the ordinal (1 is first) of a tid; ok says whether it is on the list.
func (d *Drawn) Place(tid Tid) (rank uint64, ordinal int64, ok bool) {
	if !d.Has(tid) {
		return 0, 0, false
	}
	rank = d.rank(&tid)
	i, _ := slices.BinarySearch(d.ranks, rank)
	ordinal = int64(i) + 1
	for _, other := range d.shared[rank] {
		if keyOf(&other).compare(keyOf(&tid)) < 0 {
			ordinal++
		}
	}
	return rank, ordinal, true
}

// RankAt gives the rank of an ordinal, for whoever moves a frontier by counts. Below 1 it is just below all ranks of the lobby, above N the last rank.
func (d *Drawn) RankAt(ordinal int64) uint64 {
	ordinal = min(ordinal, d.N())
	if ordinal < 1 {
		return before
	}
	return d.ranks[ordinal-1]
}

// CountUpTo gives how many of the drawn have at most this rank.
func (d *Drawn) CountUpTo(rank uint64) int64 {
	return int64(sort.Search(len(d.ranks), func(i int) bool { return d.ranks[i] > rank }))
}

// Point says that Count of the drawn have at most Rank.
type Point struct {
	Rank  uint64
	Count uint64
}

// Histogram gives at most limit points, evenly spread over the order, the last at N.
func (d *Drawn) Histogram(limit int) []Point {
	n := d.N()
	limit = int(min(int64(max(limit, 0)), n))
	out := make([]Point, 0, limit)
	for i := range int64(limit) {
		rank := d.RankAt((i + 1) * n / int64(limit))
		if p := (Point{rank, uint64(d.CountUpTo(rank))}); len(out) == 0 || out[len(out)-1] != p {
			out = append(out, p)
		}
	}
	return out
}
