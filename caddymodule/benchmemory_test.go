package caddymodule

import (
	"os"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
	"testing"
)

const (
	joinsAtAll   = 1_000_000
	memoryMaxMiB = 32
)

// BenchmarkMemoryOfJoins has a million visitors join at an edge, each of them new, and prints by how much the resident memory of this process has grown
// after: `of-bound` is that over 32 MiB, so 1 and less holds. Two turns before it fill the pools and caches that any traffic fills.
func BenchmarkMemoryOfJoins(b *testing.B) {
	list := rivals(b)
	r := list[len(list)-1]
	c := newChain(b, r.edge, &r)
	for range 2 {
		c.run()
	}
	before, joinedBefore := residentMiB(b), joined(b, r.edge, 2*chainTurn)
	for b.Loop() {
		for range joinsAtAll/chainTurn + 1 {
			c.run()
		}
	}
	grown := residentMiB(b) - before
	joined(b, r.edge, joinedBefore+joinsAtAll)
	b.ReportMetric(before, "before-MiB")
	b.ReportMetric(grown, "grown-MiB")
	b.ReportMetric(grown/memoryMaxMiB, "of-bound")
}

// joined waits until the room counts so many places, and gives how many it does.
func joined(b *testing.B, url string, least float64) (n float64) {
	f := (&edge{t: b, http: url}).fan()
	f.until("the owner knows of all joins", func() bool {
		n = f.get("/.wr/v1/demo/frontier").json(b)["joined"].(float64)
		return n >= least
	})
	return n
}

// residentMiB gives the memory of this process that is in use, after what it does not need went back to the system.
func residentMiB(b *testing.B) float64 {
	b.Helper()
	runtime.GC()
	debug.FreeOSMemory()
	text, err := os.ReadFile("/proc/self/status")
	if err != nil {
		b.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(text), "VmRSS:")
	kib, err := strconv.ParseFloat(strings.Fields(rest)[0], 64)
	if err != nil {
		b.Fatal(err)
	}
	return kib / 1024
}
