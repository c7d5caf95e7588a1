package draw

import (
	"crypto/sha256"

	"golang.org/x/mod/sumdb/tlog"
)

// Subtrees of 256 leaves are the smallest that are kept: 64 bytes for each with everything above it, a quarter of a byte for each tid. What is below is
// hashed again when a proof asks for it.
const (
	keptLevel  = 8
	keptLeaves = 1 << keptLevel
)

// tree is the Merkle tree over a sorted list. levels[i] has the hashes of the complete subtrees of 2^(8+i) leaves.
type tree struct {
	leaves *List
	levels [][]tlog.Hash
}

// leafHash is tlog.RecordHash of a tid, without its allocations.
func leafHash(tid *Tid) tlog.Hash {
	var b [1 + tidSize]byte
	copy(b[1:], tid[:])
	return sha256.Sum256(b[:])
}

func newTree(leaves *List) *tree {
	t := &tree{leaves: leaves}
	level := make([]tlog.Hash, leaves.n>>keptLevel)
	for i := range level {
		level[i] = t.subtree(keptLevel, int64(i))
	}
	for len(level) > 0 {
		t.levels = append(t.levels, level)
		above := make([]tlog.Hash, len(level)/2)
		for i := range above {
			above[i] = tlog.NodeHash(level[2*i], level[2*i+1])
		}
		level = above
	}
	return t
}

// subtree hashes the n-th complete subtree of 2^level leaves.
func (t *tree) subtree(level int, n int64) tlog.Hash {
	var hashes [keptLeaves]tlog.Hash
	width := 1 << level
	for i := range width {
		hashes[i] = leafHash(t.leaves.at(n<<level + int64(i)))
	}
	for ; width > 1; width /= 2 {
		for i := range width / 2 {
			hashes[i] = tlog.NodeHash(hashes[2*i], hashes[2*i+1])
		}
	}
	return hashes[0]
}

// ReadHashes implements tlog.HashReader.
func (t *tree) ReadHashes(indexes []int64) ([]tlog.Hash, error) {
	out := make([]tlog.Hash, len(indexes))
	for i, index := range indexes {
		level, n := tlog.SplitStoredHashIndex(index)
		if level >= keptLevel {
			out[i] = t.levels[level-keptLevel][n]
			continue
		}
		out[i] = t.subtree(level, n)
	}
	return out, nil
}

func (t *tree) root() tlog.Hash {
	return must(tlog.TreeHash(t.leaves.n, t))
}

// proof gives the inclusion path of the i-th leaf, from the leaf upward.
func (t *tree) proof(i int64) []tlog.Hash {
	return must(tlog.ProveRecord(t.leaves.n, i, t))
}

// must takes a result whose error would be a wrong index: the reader above never fails.
func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}
