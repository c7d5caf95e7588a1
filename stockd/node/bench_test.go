package node

import (
	"context"
	"slices"
	"sync"
	"testing"
	"time"

	"ticketrush/ledger"
	"ticketrush/ledger/pgdev"
	"ticketrush/stockd/stock"
)

// BenchmarkDurableHolds measures holds that are committed to a durable Postgres before they are answered, with 1 and 3 nodes in this process
// and Postgres on the same machine. With 3 nodes two of three commands make a hop.
//
//	go test ./stockd/node -run '^$' -bench DurableHolds -benchtime 5s
func BenchmarkDurableHolds(b *testing.B) {
	for _, c := range []struct {
		name        string
		nodes, fans int
	}{{"nodes=1/fans=1", 1, 1}, {"nodes=1/fans=8", 1, 8}, {"nodes=1/fans=64", 1, 64}, {"nodes=1/fans=256", 1, 256}, {"nodes=3/fans=64", 3, 64}} {
		b.Run(c.name, func(b *testing.B) { benchmarkHolds(b, c.nodes, c.fans) })
	}
}

func benchmarkHolds(b *testing.B, nodes, fans int) {
	server, err := pgdev.Start(b.Context(), pgdev.Options{Durable: true})
	if err != nil {
		b.Fatal(err)
	}
	defer server.Stop()
	dsn := server.DSN("postgres")
	if _, err := ledger.Migrate(b.Context(), dsn); err != nil {
		b.Fatal(err)
	}
	g := newGang(b, dsn, nodes)
	e := g.putOnSale("bench", 60, 20, 25) // 30,000 seats
	took := make([][]time.Duration, fans)
	var wg sync.WaitGroup
	b.ResetTimer()
	for i := range fans {
		wg.Go(func() {
			for turn := i; turn < b.N; turn += fans { // a hold and its release, so that the hall never fills
				m := g.nodes[turn%nodes]
				cmd := newHold(e, stock.SegmentNo(1+turn%60), 2)
				begin := time.Now()
				if !answered(m, cmd) {
					b.Error("a hold was refused")
					return
				}
				took[i] = append(took[i], time.Since(begin))
				begin = time.Now()
				if !answered(m, releaseOf(cmd)) {
					b.Error("a release was refused")
					return
				}
				took[i] = append(took[i], time.Since(begin))
			}
		})
	}
	wg.Wait()
	elapsed := b.Elapsed()
	b.StopTimer()
	all := slices.Concat(took...)
	if len(all) == 0 {
		return
	}
	slices.Sort(all)
	b.ReportMetric(float64(len(all))/elapsed.Seconds(), "commands/s")
	b.ReportMetric(float64(all[len(all)/2].Microseconds())/1000, "p50-ms")
	b.ReportMetric(float64(all[len(all)*99/100].Microseconds())/1000, "p99-ms")
	for _, m := range g.nodes {
		m.kill()
	}
}

// answered sends a command until it is answered: on a busy machine the ledger may be away for longer than a command waits.
func answered(m *member, cmd stock.Command) bool {
	for {
		a, err := m.Do(context.Background(), cmd)
		if err == nil {
			return a.Code == stock.CodeOK || a.Code == stock.CodeReplay
		}
	}
}
