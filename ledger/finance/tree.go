package finance

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math/bits"
	"slices"

	"golang.org/x/mod/sumdb/tlog"

	"ticketrush/ledger/db"
)

// leavesAtOnce is how many transfers are hashed in one go; their hashes are stored together.
const leavesAtOnce = 20_000

// emptyRoot is the root of the tree before the first closing.
var emptyRoot, _ = tlog.TreeHash(0, nil)

// growingTree is the right edge of the stored tree: of each level the last hash. It is all that is needed to append, and to know the root.
type growingTree struct {
	size int64
	last [64]struct {
		index int64
		hash  tlog.Hash
	}
}

// ReadHashes implements tlog.HashReader, for what an append reads.
func (g *growingTree) ReadHashes(indexes []int64) ([]tlog.Hash, error) {
	out := make([]tlog.Hash, len(indexes))
	for i, x := range indexes {
		level, _ := tlog.SplitStoredHashIndex(x)
		if g.last[level].index != x {
			return nil, fmt.Errorf("hash %d of the tree is not at its edge", x)
		}
		out[i] = g.last[level].hash
	}
	return out, nil
}

// append adds a leaf and gives the hashes to be stored for it.
func (g *growingTree) append(leaf tlog.Hash) ([]tlog.Hash, error) {
	hashes, err := tlog.StoredHashesForRecordHash(g.size, leaf, g)
	if err != nil {
		return nil, err
	}
	for level, h := range hashes {
		g.last[level].index, g.last[level].hash = tlog.StoredHashIndex(level, g.size>>level), h
	}
	g.size++
	return hashes, nil
}

// root is the root hash.
func (g *growingTree) root() (tlog.Hash, error) { return tlog.TreeHash(g.size, g) }

// loadTree reads the edge of the tree of a size.
func (d *Desk) loadTree(ctx context.Context, tx db.DBTX, size int64) (*growingTree, error) {
	g := &growingTree{size: size}
	for i := range g.last {
		g.last[i].index = -1
	}
	var indexes []int64
	for level := range bits.Len64(uint64(size)) {
		if size>>level&1 == 1 {
			indexes = append(indexes, tlog.StoredHashIndex(level, size>>level-1))
		}
	}
	hashes, err := d.hashes(ctx, tx).ReadHashes(indexes)
	if err != nil {
		return nil, err
	}
	for i, x := range indexes {
		level, _ := tlog.SplitStoredHashIndex(x)
		g.last[level].index, g.last[level].hash = x, hashes[i]
	}
	return g, nil
}

// hashes reads stored hashes.
func (d *Desk) hashes(ctx context.Context, tx db.DBTX) tlog.HashReader {
	return tlog.HashReaderFunc(func(indexes []int64) ([]tlog.Hash, error) {
		rows, err := d.q.MerkleGet(ctx, tx, indexes)
		if err != nil {
			return nil, err
		}
		found := map[int64]tlog.Hash{}
		for _, r := range rows {
			found[r.Idx] = tlog.Hash(r.Hash)
		}
		out := make([]tlog.Hash, len(indexes))
		for i, x := range indexes {
			var ok bool
			if out[i], ok = found[x]; !ok {
				return nil, fmt.Errorf("the ledger lacks hash %d of the tree over closed days", x)
			}
		}
		return out, nil
	})
}

// extend appends the transfers of a day to the tree and stores its hashes. It returns how many they were.
func (d *Desk) extend(ctx context.Context, tx *sql.Tx, g *growingTree, of db.TransferLeavesParams) (int64, error) {
	before := g.size
	of.Count = leavesAtOnce
	for {
		leaves, err := d.q.TransferLeaves(ctx, tx, of)
		if err != nil {
			return 0, err
		}
		if len(leaves) == 0 {
			return g.size - before, nil
		}
		first := tlog.StoredHashCount(g.size)
		var stored [][]byte
		for _, l := range leaves {
			hashes, err := g.append(tlog.Hash(l.Hash))
			if err != nil {
				return 0, err
			}
			for _, h := range hashes {
				stored = append(stored, slices.Clone(h[:]))
			}
		}
		if err := d.q.MerkleInsert(ctx, tx, db.MerkleInsertParams{First: first, Hashes: stored}); err != nil {
			return 0, err
		}
		of.After = leaves[len(leaves)-1].ID
	}
}

// errNotSigned says that a transfer's day is not signed yet.
var errNotSigned = errors.New("its business day is not signed yet: run stockd close-day first")
