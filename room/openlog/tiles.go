package openlog

import (
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
	"sync"

	"golang.org/x/mod/sumdb/tlog"
)

// Tiles of the C2SP form have 8 levels: 256 hashes or entries.
const (
	tileHeight = 8
	tileWidth  = 1 << tileHeight
	pathMax    = 60
)

// ErrNoTile is returned for a path that a log of that size does not have.
var ErrNoTile = errors.New("openlog: no such tile")

// Entries reads the stored entries of a log.
type Entries interface {
	// ReadEntries gives the entries from index from up to, and without, index to: at most 256, all of them below the size that was asked of Tiles.
	ReadEntries(from, to int64) ([][]byte, error)
}

// Tiles serves a log from its entries. What was hashed once is kept: 32 bytes for each 256 entries. It may be used by many goroutines.
// The sizes that it is asked for must be of states that are stored for good: it keeps hashes of complete tiles below them.
type Tiles struct {
	entries Entries
	mu      sync.Mutex
	kept    map[int64]tlog.Hash // guarded by mu: complete tiles of 256 entries, by number
}

// NewTiles serves the log that has these entries.
func NewTiles(entries Entries) *Tiles {
	return &Tiles{entries: entries, kept: map[int64]tlog.Hash{}}
}

// EntriesPath gives the path of the bundle with number n, width entries of it.
func EntriesPath(n int64, width int) string {
	return "tile/entries/" + strings.TrimPrefix(tlog.Tile{H: tileHeight, L: -1, N: n, W: width}.Path(), "tile/8/data/")
}

// TilePath gives the path of a tile of hashes.
func TilePath(level int, n int64, width int) string {
	return "tile/" + strings.TrimPrefix(tlog.Tile{H: tileHeight, L: level, N: n, W: width}.Path(), "tile/8/")
}

// parsePath reads a path of the C2SP form: that of package tlog without the height, and with "entries" for "data".
func parsePath(path string) (tlog.Tile, error) {
	rest, ok := strings.CutPrefix(path, "tile/")
	if !ok || len(path) > pathMax || strings.HasPrefix(rest, "data/") {
		return tlog.Tile{}, ErrNoTile
	}
	if n, ok := strings.CutPrefix(rest, "entries/"); ok {
		rest = "data/" + n
	}
	tile, err := tlog.ParseTilePath(fmt.Sprintf("tile/%d/%s", tileHeight, rest))
	if err != nil {
		return tlog.Tile{}, ErrNoTile
	}
	return tile, nil
}

// Serve gives the tile or bundle at a path, in a log of that size. It is ErrNoTile where there is none; any other error is the entries'. A tile never
// changes, so it may be cached for ever.
func (t *Tiles) Serve(path string, size int64) ([]byte, error) {
	tile, err := parsePath(path)
	if err != nil {
		return nil, err
	}
	level := max(tile.L, 0) * tileHeight
	if level >= 63 || tile.N > size>>level || tile.N*tileWidth+int64(tile.W) > size>>level {
		return nil, ErrNoTile
	}
	if tile.L >= 0 {
		return tlog.ReadTileData(tile, t)
	}
	entries, err := t.read(tile.N*tileWidth, int64(tile.W))
	if err != nil {
		return nil, err
	}
	var out []byte
	for _, e := range entries {
		out = binary.BigEndian.AppendUint16(out, uint16(len(e)))
		out = append(out, e...)
	}
	return out, nil
}

// ProveInclusion gives the proof for tlog.CheckRecord that the entry with this index is in the log of that size.
func (t *Tiles) ProveInclusion(index, size int64) (tlog.RecordProof, error) {
	return tlog.ProveRecord(size, index, t)
}

// ProveConsistency gives the proof for tlog.CheckTree that the log of that size begins with the one of size old.
func (t *Tiles) ProveConsistency(old, size int64) (tlog.TreeProof, error) {
	return tlog.ProveTree(size, old, t)
}

func (t *Tiles) read(from, n int64) ([][]byte, error) {
	entries, err := t.entries.ReadEntries(from, from+n)
	if err != nil {
		return nil, fmt.Errorf("openlog: read the entries from %d on: %w", from, err)
	}
	if int64(len(entries)) != n {
		return nil, fmt.Errorf("openlog: %d entries from %d on where %d were asked for", len(entries), from, n)
	}
	for _, e := range entries {
		if len(e) > EntryMax {
			return nil, fmt.Errorf("openlog: an entry after %d has %d bytes, at most %d", from, len(e), EntryMax)
		}
	}
	return entries, nil
}

// ReadHashes implements tlog.HashReader. The leaves of one tile are read once, however many of them are asked for.
func (t *Tiles) ReadHashes(indexes []int64) ([]tlog.Hash, error) {
	out := make([]tlog.Hash, len(indexes))
	var leaves []tlog.Hash
	var first int64 // of leaves
	for i, index := range indexes {
		level, n := tlog.SplitStoredHashIndex(index)
		if level >= tileHeight {
			h, err := t.high(level, n)
			if err != nil {
				return nil, err
			}
			out[i] = h
			continue
		}
		lo, hi := n<<level, (n+1)<<level
		if lo < first || hi > first+int64(len(leaves)) {
			first = lo
			var err error
			if leaves, err = t.leaves(lo, wanted(indexes[i:], lo)-lo); err != nil {
				return nil, err
			}
		}
		out[i] = fold(leaves[lo-first : hi-first])
	}
	return out, nil
}

// wanted gives the end of the leaves, of the tile that lo is in, that these hashes need.
func wanted(indexes []int64, lo int64) (end int64) {
	for _, index := range indexes {
		if level, n := tlog.SplitStoredHashIndex(index); level < tileHeight && n<<level >= lo && n<<level/tileWidth == lo/tileWidth {
			end = max(end, (n+1)<<level)
		}
	}
	return end
}

// leaves hashes n entries from an index on.
func (t *Tiles) leaves(from, n int64) ([]tlog.Hash, error) {
	entries, err := t.read(from, n)
	if err != nil {
		return nil, err
	}
	out := make([]tlog.Hash, n)
	for i, e := range entries {
		out[i] = tlog.RecordHash(e)
	}
	return out, nil
}

// high gives the n-th hash of a level from 8 on.
func (t *Tiles) high(level int, n int64) (tlog.Hash, error) {
	if level > tileHeight {
		left, err := t.high(level-1, 2*n)
		if err != nil {
			return tlog.Hash{}, err
		}
		right, err := t.high(level-1, 2*n+1)
		return tlog.NodeHash(left, right), err
	}
	t.mu.Lock()
	h, ok := t.kept[n]
	t.mu.Unlock()
	if ok {
		return h, nil
	}
	leaves, err := t.leaves(n*tileWidth, tileWidth)
	if err != nil {
		return tlog.Hash{}, err
	}
	h = fold(leaves)
	t.mu.Lock()
	t.kept[n] = h
	t.mu.Unlock()
	return h, nil
}

// fold gives the root of a power of two of hashes. It changes nothing.
func fold(hashes []tlog.Hash) tlog.Hash {
	if len(hashes) == 1 {
		return hashes[0]
	}
	half := len(hashes) / 2
	return tlog.NodeHash(fold(hashes[:half]), fold(hashes[half:]))
}

// parseBundle splits a bundle of n entries.
func parseBundle(b []byte, n int) ([][]byte, error) {
	entries := make([][]byte, 0, n)
	for len(entries) < n {
		if len(b) < 2 || len(b)-2 < int(binary.BigEndian.Uint16(b)) {
			return nil, fmt.Errorf("the bundle ends after %d of %d entries", len(entries), n)
		}
		end := 2 + int(binary.BigEndian.Uint16(b))
		entries = append(entries, b[2:end])
		b = b[end:]
	}
	if len(b) > 0 {
		return nil, fmt.Errorf("%d bytes stand after the %d entries of the bundle", len(b), n)
	}
	return entries, nil
}
