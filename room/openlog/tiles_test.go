package openlog

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"golang.org/x/mod/sumdb/tlog"
	"pgregory.net/rapid"
)

func TestPathsAreThoseOfTheSpecification(t *testing.T) {
	t.Parallel()
	for path, tile := range map[string]tlog.Tile{
		"tile/0/x001/x234/067":           {H: 8, L: 0, N: 1234067, W: 256},
		"tile/0/x001/x234/067.p/8":       {H: 8, L: 0, N: 1234067, W: 8},
		"tile/entries/x001/x234/067":     {H: 8, L: -1, N: 1234067, W: 256},
		"tile/entries/000.p/112":         {H: 8, L: -1, N: 0, W: 112},
		"tile/3/000.p/255":               {H: 8, L: 3, N: 0, W: 255},
		"tile/63/000":                    {H: 8, L: 63, N: 0, W: 256},
		"tile/entries/x999/x999/999.p/1": {H: 8, L: -1, N: 999999999, W: 1},
	} {
		got, err := parsePath(path)
		if err != nil || got != tile {
			t.Errorf("%s: %+v %v", path, got, err)
		}
		made := TilePath(tile.L, tile.N, tile.W)
		if tile.L < 0 {
			made = EntriesPath(tile.N, tile.W)
		}
		if made != path {
			t.Errorf("%s is made as %s", path, made)
		}
	}
	for _, path := range []string{
		"", "tile", "tile/", "tile/0", "tile/0/", "tile/0/0", "tile/0/0000", "tile/0/001/x002", "tile/00/000", "tile/-1/000", "tile/data/000", "tile/8/0/000",
		"tile/0/000.p/0", "tile/0/000.p/256", "tile/0/000.p/", "tile/0/000.p/01", "tile/entries", "tile/entries/", "tile/Entries/000", "/tile/0/000",
		"tile/0/../0/000", "checkpoint", "tile/0/x000/000", "tile/0/" + strings.Repeat("x001/", 20) + "001",
	} {
		if tile, err := parsePath(path); !errors.Is(err, ErrNoTile) {
			t.Errorf("%q: %+v %v", path, tile, err)
		}
	}
}

// TestTilesOfTheSpecificationsExample has 70,000 entries: 273 full tiles of level 0 and one of 112, one full of level 1 and one of 17, one of 1 on level 2.
func TestTilesOfTheSpecificationsExample(t *testing.T) {
	t.Parallel()
	const size = 70_000
	l, m := pauses(t, size)
	tiles := NewTiles(m)
	serve := func(path string) int {
		b, err := tiles.Serve(path, size)
		if err != nil && !errors.Is(err, ErrNoTile) {
			t.Fatal(err)
		}
		return len(b)
	}
	for path, hashes := range map[string]int{
		"tile/0/272": 256, "tile/0/273.p/112": 112, "tile/1/000": 256, "tile/1/001.p/17": 17, "tile/2/000.p/1": 1,
		"tile/0/273": 0, "tile/0/273.p/113": 0, "tile/0/274.p/1": 0, "tile/1/001.p/18": 0, "tile/2/000.p/2": 0, "tile/3/000.p/1": 0, "tile/8/000.p/1": 0,
		"tile/0/x999/x999/x999/x999/x999/999": 0,
		"tile/0/273.p/50":                     50, // of an earlier checkpoint
	} {
		if got := serve(path); got != hashes*tlog.HashSize {
			t.Errorf("%s has %d bytes, want %d hashes", path, got, hashes)
		}
	}
	reads := m.reads
	serve("tile/1/000")
	if m.reads != reads {
		t.Errorf("a tile of level 1 read %d bundles again", m.reads-reads)
	}
	// Package tlog checks each tile that it reads against the root.
	tree := tlog.Tree{N: size, Hash: l.Root()}
	proof, err := tlog.ProveRecord(size, 12_345, tlog.TileHashReader(tree, served{t, tiles, size}))
	if err != nil {
		t.Fatal(err)
	}
	if err := tlog.CheckRecord(proof, size, l.Root(), 12_345, tlog.RecordHash(m.entries[12_345])); err != nil {
		t.Error(err)
	}
}

// served reads tiles as a client of the log does.
type served struct {
	t     *testing.T
	tiles *Tiles
	size  int64
}

func (s served) Height() int                     { return tileHeight }
func (s served) SaveTiles([]tlog.Tile, [][]byte) {}
func (s served) ReadTiles(tiles []tlog.Tile) (out [][]byte, err error) {
	for _, tile := range tiles {
		b, err := s.tiles.Serve(TilePath(tile.L, tile.N, tile.W), s.size)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", tile.Path(), err)
		}
		out = append(out, b)
	}
	return out, nil
}

func TestProofs(t *testing.T) {
	t.Parallel()
	const most = 1500
	_, m := pauses(t, most)
	tiles := NewTiles(m)
	roots := make([]tlog.Hash, 0, most+1)
	l := new(Log)
	for _, e := range m.entries {
		roots = append(roots, l.Root())
		if _, _, err := l.Append(e); err != nil {
			t.Fatal(err)
		}
	}
	roots = append(roots, l.Root())
	rapid.Check(t, func(rt *rapid.T) {
		size := rapid.Int64Range(1, most).Draw(rt, "size")
		index := rapid.Int64Range(0, size-1).Draw(rt, "index")
		proof, err := tiles.ProveInclusion(index, size)
		if err != nil {
			rt.Fatal(err)
		}
		if err := tlog.CheckRecord(proof, size, roots[size], index, tlog.RecordHash(m.entries[index])); err != nil {
			rt.Fatal(err)
		}
		old := rapid.Int64Range(1, size).Draw(rt, "old")
		tree, err := tiles.ProveConsistency(old, size)
		if err != nil {
			rt.Fatal(err)
		}
		if err := tlog.CheckTree(tree, size, roots[size], old, roots[old]); err != nil {
			rt.Fatal(err)
		}
		if old < size && tlog.CheckTree(tree, size, roots[size], old, roots[old-1]) == nil {
			rt.Fatal("a proof for another log")
		}
	})
}

func TestHashesInAnyOrder(t *testing.T) {
	t.Parallel()
	_, m := pauses(t, 600)
	tiles := NewTiles(m)
	rapid.Check(t, func(rt *rapid.T) {
		indexes := rapid.SliceOf(rapid.Int64Range(0, tlog.StoredHashCount(600)-1)).Draw(rt, "indexes")
		got, err := tiles.ReadHashes(indexes)
		if err != nil {
			rt.Fatal(err)
		}
		for i, index := range indexes {
			if one, err := tiles.ReadHashes([]int64{index}); err != nil || one[0] != got[i] {
				rt.Fatalf("hash %d: %v, alone %v %v", index, got[i], one, err)
			}
		}
	})
}

func TestTilesPassOnWhatTheStorageSays(t *testing.T) {
	t.Parallel()
	for name, m := range map[string]*memory{
		"broken": {fails: io.ErrClosedPipe}, "short": {entries: [][]byte{{1}}}, "large": {entries: [][]byte{make([]byte, EntryMax+1), {}, {}}},
	} {
		tiles := NewTiles(m)
		for _, path := range []string{"tile/0/000.p/3", "tile/entries/000.p/3"} {
			if b, err := tiles.Serve(path, 3); err == nil || errors.Is(err, ErrNoTile) {
				t.Errorf("%s: %s: %d bytes, %v", name, path, len(b), err)
			}
		}
		if _, err := tiles.ProveInclusion(1, 3); err == nil {
			t.Errorf("%s: proven", name)
		}
	}
	if _, err := NewTiles(&memory{fails: io.ErrClosedPipe}).Serve("tile/1/000.p/1", 256); !errors.Is(err, io.ErrClosedPipe) {
		t.Error(err)
	}
}

func FuzzServe(f *testing.F) {
	_, m := pauses(f, 600)
	tiles := NewTiles(m)
	for _, path := range []string{"tile/0/001", "tile/entries/002.p/88", "tile/1/000.p/2", "tile/0/x001/000"} {
		f.Add(path, int64(600))
	}
	f.Fuzz(func(t *testing.T, path string, size int64) {
		if size < 0 || size > 600 {
			return
		}
		b, err := tiles.Serve(path, size)
		if err != nil && !errors.Is(err, ErrNoTile) {
			t.Fatal(err)
		}
		if err == nil && len(b) == 0 {
			t.Fatal("an empty tile")
		}
	})
}

func FuzzParseBundle(f *testing.F) {
	f.Add([]byte{0, 1, 'a', 0, 0}, 2)
	f.Fuzz(func(t *testing.T, b []byte, n int) {
		if n < 0 || n > tileWidth {
			return
		}
		entries, err := parseBundle(b, n)
		if err != nil {
			return
		}
		total := 0
		for _, e := range entries {
			total += 2 + len(e)
		}
		if len(entries) != n || total != len(b) {
			t.Fatalf("%d entries of %d bytes from %d", len(entries), total, len(b))
		}
	})
}
