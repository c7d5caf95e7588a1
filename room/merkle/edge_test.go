package merkle

import (
	"fmt"
	"strings"
	"testing"

	"golang.org/x/mod/sumdb/tlog"
)

// TestEdgeHasTheRootOfTheWholeTree compares with tlog, which keeps all hashes.
func TestEdgeHasTheRootOfTheWholeTree(t *testing.T) {
	t.Parallel()
	var edge Edge
	var stored []tlog.Hash
	reader := tlog.HashReaderFunc(func(indexes []int64) (out []tlog.Hash, err error) {
		for _, i := range indexes {
			out = append(out, stored[i])
		}
		return out, nil
	})
	for n := range int64(600) {
		want, err := tlog.TreeHash(n, reader)
		if err != nil {
			t.Fatal(err)
		}
		if got := edge.Root(); got != want {
			t.Fatalf("of %d leaves: root %v, want %v", n, got, want)
		}
		if err := edge.Validate(); err != nil {
			t.Fatalf("of %d leaves: %v", n, err)
		}
		before := edge.Clone()
		data := fmt.Append(nil, n)
		hashes, err := tlog.StoredHashes(n, data, reader)
		if err != nil {
			t.Fatal(err)
		}
		stored = append(stored, hashes...)
		edge.Append(tlog.RecordHash(data))
		if got := before.Root(); got != want {
			t.Fatalf("appending to the tree of %d leaves changed a copy of it", n)
		}
	}
}

func TestEdgeThatCannotBe(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		edge Edge
		says string
	}{
		"negative": {Edge{Size: -1}, "-1 leaves"},
		"few":      {Edge{Size: 5, Hashes: make([]tlog.Hash, 1)}, "1 hashes where a tree of 5 leaves has 2"},
		"many":     {Edge{Size: 4, Hashes: make([]tlog.Hash, 2)}, "2 hashes where a tree of 4 leaves has 1"},
	} {
		if err := tc.edge.Validate(); err == nil || !strings.Contains(err.Error(), tc.says) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
