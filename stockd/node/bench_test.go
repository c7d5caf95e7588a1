package node

import (
	"context"
	"fmt"
	"math/rand/v2"
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
	}{{"nodes=1/fans=1", 1, 1}, {"nodes=1/fans=8", 1, 8}, {"nodes=1/fans=64", 1, 64}, {"nodes=3/fans=64", 3, 64}} {
		b.Run(c.name, func(b *testing.B) { newRace(b, c.nodes).closed(b, c.fans) })
	}
}

// BenchmarkDurableFlatOut asks for as much as 256 fans can, with the flush as it is and in the same run with a bare one: the fence and the seats, and
// nothing else of what a flush does. of-bare is what is left of the bare one's rate.
func BenchmarkDurableFlatOut(b *testing.B) {
	rate := map[string]float64{}
	for _, flush := range []string{"bare", "full"} {
		b.Run("flush="+flush, func(b *testing.B) {
			h := newRace(b, 1)
			if flush == "bare" {
				h.makeBare(b)
			}
			rate[flush] = h.closed(b, 256)
			if rate["bare"] > 0 {
				b.ReportMetric(rate[flush]/rate["bare"], "of-bare")
			}
		})
	}
}

// BenchmarkDurableOpen asks at random moments, 3,000 times per second in the mean, however long the answers take: each counts from the moment at which
// it was to be asked for.
func BenchmarkDurableOpen(b *testing.B) {
	for _, rate := range []float64{1000, 3000} {
		b.Run(fmt.Sprintf("nodes=3/rate=%.0f", rate), func(b *testing.B) { newRace(b, 3).open(b, rate) })
	}
}

// race is an event on sale at some nodes.
type race struct {
	*gang
	event *Event
}

func newRace(b *testing.B, nodes int) *race {
	b.Helper()
	server, err := pgdev.Start(b.Context(), pgdev.Options{Durable: true})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = server.Stop() })
	dsn := server.DSN("postgres")
	if _, err := ledger.Migrate(b.Context(), dsn); err != nil {
		b.Fatal(err)
	}
	g := begin(&gang{t: b, dsn: dsn, lanes: 1}, nodes)           // as the demo's nodes, which share a machine
	h := &race{gang: g, event: g.putOnSale("bench", 60, 20, 25)} // 30,000 seats
	b.Cleanup(func() {
		for _, m := range g.nodes {
			m.kill()
		}
	})
	return h
}

// makeBare replaces the ledger's flush.
func (h *race) makeBare(b *testing.B) {
	b.Helper()
	db := h.nodes[0].Ledger().SQL()
	var arguments string
	if err := db.QueryRow(`SELECT pg_get_function_arguments('ledger.flush'::regproc)`).Scan(&arguments); err != nil {
		b.Fatal(err)
	}
	if _, err := db.Exec(`CREATE OR REPLACE FUNCTION ledger.flush(` + arguments + `) RETURNS bytea LANGUAGE plpgsql AS $$
DECLARE n int;
BEGIN
	UPDATE ledger.part p SET applied_seq = w.seq FROM unnest(w_part, w_epoch, w_seq) w(part, epoch, seq)
	 WHERE p.part = w.part AND p.epoch = w.epoch AND p.session = p_session AND p.applied_seq = w.seq - 1;
	GET DIAGNOSTICS n = ROW_COUNT;
	IF n <> cardinality(w_part) THEN RAISE EXCEPTION 'fenced'; END IF;
	UPDATE ledger.seats t SET state = s.t, ver = s.ver, hold = CASE WHEN s.t > 0 THEN o_hold[s.op] END
	  FROM unnest(s_op, s_seat, s_ver, s_to) s(op, seat, ver, t) WHERE t.event = o_event[s.op] AND t.seat = s.seat AND t.ver = s.ver - 1;
	GET DIAGNOSTICS n = ROW_COUNT;
	IF n <> cardinality(s_op) THEN RAISE EXCEPTION 'other seats'; END IF;
	RETURN decode(repeat('0001', cardinality(w_part)) || repeat('0000', cardinality(o_kind)), 'hex');
END $$`); err != nil {
		b.Fatal(err)
	}
}

// turn is a hold of two seats and its release, so that the hall never fills. It tells how long each took; from is when it was to be asked for.
func (h *race) turn(b *testing.B, no int, from time.Time) (took [2]time.Duration) {
	m := h.nodes[no%len(h.nodes)]
	cmd := newHold(h.event, stock.SegmentNo(1+no%60), 2)
	if !answered(m, cmd) {
		b.Error("a hold was refused")
	}
	took[0] = time.Since(from)
	from = time.Now()
	if !answered(m, releaseOf(cmd)) {
		b.Error("a release was refused")
	}
	took[1] = time.Since(from)
	return took
}

// closed has fans take turns as fast as they are answered. It gives the commands per second.
func (h *race) closed(b *testing.B, fans int) float64 {
	took := make([][]time.Duration, fans)
	var all sync.WaitGroup
	b.ResetTimer()
	for i := range fans {
		all.Go(func() {
			for no := i; no < b.N && !b.Failed(); no += fans {
				t := h.turn(b, no, time.Now())
				took[i] = append(took[i], t[:]...)
			}
		})
	}
	all.Wait()
	return report(b, slices.Concat(took...), "p50-ms", "p99-ms")
}

// open begins a turn at random moments; perSecond counts holds and releases.
func (h *race) open(b *testing.B, perSecond float64) {
	dice := rand.New(rand.NewPCG(1, 2))
	took := make([][2]time.Duration, b.N)
	var all sync.WaitGroup
	b.ResetTimer()
	at := time.Now()
	for no := range b.N {
		at = at.Add(time.Duration(dice.ExpFloat64() * 2 / perSecond * float64(time.Second)))
		<-time.After(time.Until(at))
		all.Go(func() { took[no] = h.turn(b, no, at) })
	}
	all.Wait()
	holds := make([]time.Duration, 0, b.N)
	for _, t := range took {
		holds = append(holds, t[0])
	}
	report(b, holds, "hold-p50-ms", "hold-p99-ms")
	b.ReportMetric(2*float64(b.N)/b.Elapsed().Seconds(), "commands/s")
}

func report(b *testing.B, all []time.Duration, p50, p99 string) float64 {
	elapsed := b.Elapsed()
	b.StopTimer()
	if len(all) == 0 {
		return 0
	}
	slices.Sort(all)
	perSecond := float64(len(all)) / elapsed.Seconds()
	b.ReportMetric(perSecond, "commands/s")
	b.ReportMetric(float64(all[len(all)/2].Microseconds())/1000, p50)
	b.ReportMetric(float64(all[len(all)*99/100].Microseconds())/1000, p99)
	return perSecond
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
