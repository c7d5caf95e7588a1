// Package merkle is the right edge of a Merkle tree of RFC 6962: enough to append leaves and to know the root, whatever the size.
// The hashing is that of golang.org/x/mod/sumdb/tlog. The package is pure.
package merkle

import (
	"fmt"
	"math/bits"
	"slices"

	"golang.org/x/mod/sumdb/tlog"
)

// Edge has the hashes of the complete subtrees that a tree of Size leaves consists of, the largest first: one for each bit of Size that is set, so at
// most 63. The zero value is the empty tree.
type Edge struct {
	Size   int64       `json:"size"`
	Hashes []tlog.Hash `json:"hashes"`
}

// Append adds a leaf by its hash (tlog.RecordHash of its data).
func (e *Edge) Append(leaf tlog.Hash) {
	for size := e.Size; size&1 == 1; size >>= 1 {
		last := len(e.Hashes) - 1
		leaf = tlog.NodeHash(e.Hashes[last], leaf)
		e.Hashes = e.Hashes[:last]
	}
	e.Hashes = append(e.Hashes, leaf)
	e.Size++
}

// Root gives the root hash.
func (e *Edge) Root() tlog.Hash {
	if len(e.Hashes) == 0 {
		root, _ := tlog.TreeHash(0, nil) // of no leaves; it reads nothing and cannot fail
		return root
	}
	root := e.Hashes[len(e.Hashes)-1]
	for _, left := range slices.Backward(e.Hashes[:len(e.Hashes)-1]) {
		root = tlog.NodeHash(left, root)
	}
	return root
}

// Clone gives a copy that shares nothing.
func (e *Edge) Clone() Edge { return Edge{e.Size, slices.Clone(e.Hashes)} }

// Validate says whether an edge that was stored can be one.
func (e *Edge) Validate() error {
	if e.Size < 0 {
		return fmt.Errorf("a tree of %d leaves", e.Size)
	}
	if want := bits.OnesCount64(uint64(e.Size)); len(e.Hashes) != want {
		return fmt.Errorf("%d hashes where a tree of %d leaves has %d", len(e.Hashes), e.Size, want)
	}
	return nil
}
