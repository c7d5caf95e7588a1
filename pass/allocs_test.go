//go:build !race

// The race detector makes sync.Pool forget at random, so allocations are counted without it.

package pass

import (
	"testing"
)

func TestNoAllocations(t *testing.T) {
	k := testKeys(t)
	tok := sample()
	text := mustSign(t, k, tok)
	var out Token
	if n := testing.AllocsPerRun(1000, func() { _ = k.Verify(text, Pass, tok.Room, now, &out) }); n > 0 {
		t.Errorf("verify allocates %v times", n)
	}
}
