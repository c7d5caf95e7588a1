package rooms_test

import (
	"os"
	"testing"
)

// TestMain is also the process that plays the edges of BenchmarkSync, so that what they cost is not counted as the owner's.
func TestMain(m *testing.M) {
	if seed := os.Getenv(edgesEnv); seed != "" {
		playEdges(seed)
		return
	}
	os.Exit(m.Run())
}
