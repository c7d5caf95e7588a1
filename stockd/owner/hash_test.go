package owner

import (
	"fmt"
	"math"
	"testing"

	"ticketrush/stockd/stock"
)

func names(n int) []string {
	var out []string
	for i := range n {
		out = append(out, fmt.Sprintf("node-%d", i))
	}
	return out
}

func TestProposeIsBalancedAndMovesLittle(t *testing.T) {
	t.Parallel()
	for _, n := range []int{1, 2, 3, 10, 100} {
		table := Propose(names(n))
		load := map[string]int{}
		for _, m := range table {
			load[m]++
		}
		most := int(math.Ceil(1.10 * stock.Partitions / float64(n)))
		for m, l := range load {
			if l > most {
				t.Errorf("n=%d: %s has %d, at most %d", n, m, l, most)
			}
		}
		if n == 1 {
			continue
		}
		less := Propose(names(n - 1))
		needless := 0
		for p := range table {
			if table[p] != less[p] && table[p] != fmt.Sprintf("node-%d", n-1) {
				needless++
			}
		}
		if needless > stock.Partitions/50 {
			t.Errorf("n=%d: %d partitions moved between nodes that stayed", n, needless)
		}
	}
	if Propose(nil) != nil {
		t.Error("a table without members")
	}
}

func TestProposeDependsOnTheSetOnly(t *testing.T) {
	t.Parallel()
	a, b := Propose([]string{"a", "b", "c"}), Propose([]string{"c", "a", "b", "a"})
	for p := range a {
		if a[p] != b[p] {
			t.Fatalf("partition %d: %s and %s", p, a[p], b[p])
		}
	}
}

func BenchmarkPropose(b *testing.B) {
	members := names(10)
	for b.Loop() {
		Propose(members)
	}
}
