package draw

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"hash"
	"sync"
)

// Class is the top 3 bits of each drawn rank, those from ClassShift on: the lobby's.
const (
	Class      = 1
	ClassShift = 61
)

// before is the rank just below all that can be drawn.
const before = Class<<ClassShift - 1

// keyed is a keyed hash with the buffers of one call, so that none allocates.
type keyed struct {
	hash hash.Hash
	tid  Tid
	sum  [sha256.Size]byte
}

func newKeyed(seed Hash) *keyed {
	return &keyed{hash: hmac.New(sha256.New, seed[:])}
}

func (k *keyed) rank(tid *Tid) uint64 {
	k.tid = *tid
	k.hash.Reset()
	k.hash.Write(k.tid[:])
	return Class<<ClassShift | binary.BigEndian.Uint64(k.hash.Sum(k.sum[:0]))>>(64-ClassShift)
}

// Ranker gives drawn ranks by the seed alone: an edge needs no list for it. It may be used by many goroutines.
type Ranker struct {
	seed Hash
	pool sync.Pool
}

// NewRanker gives the ranker of a draw.
func NewRanker(seed Hash) *Ranker { return &Ranker{seed: seed} }

// Rank gives the rank that tid has in the draw if it is on the list, which the ranker cannot know.
func (r *Ranker) Rank(tid Tid) uint64 {
	k, ok := r.pool.Get().(*keyed)
	if !ok {
		k = newKeyed(r.seed)
	}
	rank := k.rank(&tid)
	r.pool.Put(k)
	return rank
}

// Rank is NewRanker(seed).Rank(tid), for one call.
func Rank(seed Hash, tid Tid) uint64 { return newKeyed(seed).rank(&tid) }
