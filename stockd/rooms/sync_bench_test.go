package rooms_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"syscall"
	"testing"
	"time"

	"ticketrush/room"
)

const (
	edgesEnv = "ROOMS_BENCH_EDGES" // where a process that plays edges finds a node
	joinsEnv = "ROOMS_BENCH_JOINS" // how many people join per second, at all edges together
	edges    = 50
	// cpuLimit is the part of a core that the syncs of 50 edges may cost the owner.
	cpuLimit = 0.03
)

// BenchmarkSync measures what 50 edges, in a process of their own, cost the owner of a room, each syncing every 250 ms: CPU seconds of the node's process per
// second, less what it uses without them. x/limit is that over 3 % of a core. peer=http is as many exchanges of bare HTTP with bodies of that size, in the
// same run: x/http is what the rest costs. joins=0 is a room in which nothing happens; joins=500 one to which 500 people come per second, so that each report
// has news, and each answer a new document of some kilobytes. The figures are worth something on a machine that does nothing else.
//
//	go test ./stockd/rooms -run '^$' -bench Sync -benchtime 10x
func BenchmarkSync(b *testing.B) {
	_, dsn := ownServer(b)
	g := newGang(b, dsn, 1)
	g.enter(g.client(), "rush", room.Settings{Rate: 50, MaxActive: 1_000_000})
	bare := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		_, _ = w.Write(make([]byte, 400))
	}))
	b.Cleanup(bare.Close)
	rest := cpuOf(func() { <-time.After(4 * measured) }) / (4 * measured).Seconds()
	http := 0.0
	for _, c := range []struct {
		name, seed string
		joins      int
	}{{"peer=http", bare.URL, -1}, {"joins=0", g.nodes[0].internal, 0}, {"joins=500", g.nodes[0].internal, 500}} {
		b.Run(c.name, func(b *testing.B) {
			defer startEdges(b, c.seed, c.joins)()
			<-time.After(2 * time.Second) // the edges meet the room
			before := g.syncs()
			var cpu, seconds float64
			for b.Loop() {
				began := time.Now()
				cpu += cpuOf(func() { <-time.After(measured) })
				seconds += time.Since(began).Seconds()
			}
			perSecond, want := (g.syncs()-before)/seconds, edges/room.SyncEvery.Seconds()
			if c.joins >= 0 && perSecond < 0.9*want {
				b.Errorf("%.0f syncs a second, want %.0f", perSecond, want)
			}
			cost := cpu/seconds - rest
			if c.joins < 0 {
				http = cost
			}
			b.ReportMetric(0, "ns/op")
			b.ReportMetric(cost, "cpu-s/s")
			b.ReportMetric(1e6*cost/want, "cpu-µs/sync")
			b.ReportMetric(cost/http, "x/http")
			b.ReportMetric(cost/cpuLimit, "x/limit")
		})
	}
}

// measured is how long is measured for each turn of the loop.
const measured = 2 * time.Second

// cpuOf is how much CPU this process uses while f runs, in seconds.
func cpuOf(f func()) float64 {
	used := func() float64 {
		var u syscall.Rusage
		if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
			panic(err)
		}
		return time.Duration(u.Utime.Nano() + u.Stime.Nano()).Seconds()
	}
	before := used()
	f()
	return used() - before
}

// syncs is how many syncs the nodes have answered.
func (g *gang) syncs() (n float64) {
	g.t.Helper()
	for _, m := range g.alive() {
		families, err := m.registry.Gather()
		if err != nil {
			g.t.Fatal(err)
		}
		for _, family := range families {
			if family.GetName() != "ticketrush_room_syncs_total" {
				continue
			}
			for _, metric := range family.GetMetric() {
				n += metric.GetCounter().GetValue()
			}
		}
	}
	return n
}

// startEdges begins a process with edges.
func startEdges(b *testing.B, seed string, joins int) (stop func()) {
	b.Helper()
	cmd := exec.CommandContext(context.Background(), os.Args[0])
	cmd.Env = append(os.Environ(), edgesEnv+"="+seed, fmt.Sprintf("%s=%d", joinsEnv, joins))
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe() // its end is the end of the edges, also when this process dies
	if err != nil {
		b.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	return func() {
		in.Close()
		if err := cmd.Wait(); err != nil {
			b.Error(err)
		}
	}
}
