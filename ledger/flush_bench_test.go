package ledger_test

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/lib/pq"

	"ticketrush/ledger"
	"ticketrush/ledger/pgdev"
)

// bareFence is the peer that the whole flush is measured against: the fence and the seats, and nothing else of what a flush does.
const bareFence = `CREATE FUNCTION bare(p_session bigint, p_part int, p_epoch bigint, p_seq bigint, p_event int, s_seat bigint[], s_ver int[], s_hold uuid[]) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE n bigint;
BEGIN
	UPDATE ledger.part SET applied_seq = p_seq WHERE part = p_part AND epoch = p_epoch AND session = p_session AND applied_seq = p_seq - 1;
	IF NOT FOUND THEN RETURN -1; END IF;
	UPDATE ledger.seats t SET state = CASE WHEN s.ver % 2 = 1 THEN 1 ELSE 0 END, ver = s.ver, hold = CASE WHEN s.ver % 2 = 1 THEN s.hold END
	  FROM unnest(s_seat, s_ver, s_hold) s(seat, ver, hold) WHERE t.event = p_event AND t.seat = s.seat AND t.ver = s.ver - 1;
	GET DIAGNOSTICS n = ROW_COUNT;
	RETURN n;
END $$`

// seatsPerOp is the size of a party.
const seatsPerOp = 2

// BenchmarkFlush measures one lane that holds and releases, in batches of 1 to 128 operations of two seats, each with an idempotency key and a
// limit: the whole flush, and in turn with it the bare fence on the same rows of the same server. x/fence is how many times slower the whole is.
// fsync is on.
func BenchmarkFlush(b *testing.B) {
	server, err := pgdev.Start(b.Context(), pgdev.Options{Durable: true})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = server.Stop() })
	if err := server.Exec(b.Context(), "postgres", "CREATE DATABASE bench"); err != nil {
		b.Fatal(err)
	}
	dsn := server.DSN("bench")
	if err := migrated(b.Context(), dsn); err != nil {
		b.Fatal(err)
	}
	g := newBench(b, dsn)
	g.exec(bareFence)
	g.exec(`UPDATE ledger.part SET session = $1, epoch = 1 WHERE part = 100`, g.session)
	w := newWave(g)
	for _, size := range []int{1, 8, 32, 128} {
		b.Run(fmt.Sprintf("batch=%d", size), func(b *testing.B) { w.measure(b, size) })
	}
}

// wave holds and releases blocks of seats in turn.
type wave struct {
	*bench
	next   int
	full   []time.Duration
	bare   []time.Duration
	flight []ledger.Op // holds to be released by the next batch
}

func newWave(g *bench) *wave {
	w := &wave{bench: g}
	for part, segment := range map[int32]int64{testPart: 3, 100: 4} {
		g.exec(`INSERT INTO ledger.segments(event, segment, part, section, name, area, score, home, opened, capacity) VALUES ($1, $2, $3, 'A', $4, false, 0, $2, 20000, 20000)`, g.event, segment, part, fmt.Sprint("bench ", segment))
		g.exec(`INSERT INTO ledger.seats(event, seat, segment, label, category) SELECT $1, ($2::bigint << 24) + i, $2, $2 || '-' || i, 0 FROM generate_series(0, 19999) i`, g.event, segment)
	}
	g.exec(`ANALYZE`)
	return w
}

func (w *wave) measure(b *testing.B, size int) {
	w.full, w.bare = w.full[:0], w.bare[:0]
	stmt, err := w.db.SQL().PrepareContext(context.Background(), `SELECT bare($1, 100, 1, $2, $3, $4, $5, $6)`)
	if err != nil {
		b.Fatal(err)
	}
	defer stmt.Close()
	for b.Loop() {
		ops := w.ops(size)
		f := w.batch(ops...)
		start := time.Now()
		results, err := w.lane.Flush(f)
		w.full = append(w.full, time.Since(start))
		if err != nil || results[0].Fenced || slices.Max(results[0].Outcomes) != applied {
			b.Fatalf("%+v, %v", results, err)
		}
		w.seq[testPart]++
		w.count(f, results[0])

		seats, vers, holds := w.bareArrays(ops)
		w.seq[100]++
		start = time.Now()
		var n int
		err = stmt.QueryRow(w.session, w.seq[100], w.event, pq.Array(seats), pq.Array(vers), pq.Array(holds)).Scan(&n)
		w.bare = append(w.bare, time.Since(start))
		if err != nil || n != len(seats) {
			b.Fatalf("%d of %d, %v", n, len(seats), err)
		}
	}
	slices.Sort(w.full)
	slices.Sort(w.bare)
	seats := float64(size * seatsPerOp)
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(millis(w.full, 50), "p50-ms")
	b.ReportMetric(millis(w.full, 99), "p99-ms")
	b.ReportMetric(seats*rate(w.full), "seats/s")
	b.ReportMetric(seats*rate(w.bare), "fence-seats/s")
	b.ReportMetric(millis(w.full, 50)/millis(w.bare, 50), "x/fence")
}

// ops is the next batch: holds, and after it the release of the same.
func (w *wave) ops(size int) (ops []ledger.Op) {
	if len(w.flight) == size {
		for _, h := range w.flight {
			var seats []int64
			for _, m := range h.Moves {
				seats = append(seats, m.Seat)
			}
			r := w.op(release, h.Hold, held, available, seats...)
			r.Segment, r.Quotas = 3, h.Quotas
			ops = append(ops, keyed(r))
		}
		w.flight = nil
		return ops
	}
	w.flight = nil // of another size: they stay held
	for range size {
		var seats []int64
		for range seatsPerOp {
			seats = append(seats, 3<<24|int64(w.next%20000))
			w.next++
		}
		id := uuid.New()
		h := keyed(limited(w.op(hold, id, available, held, seats...), uuid.New(), 6))
		h.Segment = 3
		ops = append(ops, h)
	}
	w.flight = ops
	return ops
}

// bareArrays are the same moves on the segment of the bare fence.
func (w *wave) bareArrays(ops []ledger.Op) (seats []int64, vers []int32, holds []string) {
	for _, op := range ops {
		for _, m := range op.Moves {
			seats = append(seats, m.Seat+1<<24)
			vers = append(vers, m.Ver)
			holds = append(holds, op.Hold.String())
		}
	}
	return seats, vers, holds
}

func millis(sorted []time.Duration, percent int) float64 {
	return float64(sorted[(len(sorted)-1)*percent/100]) / float64(time.Millisecond)
}

// rate is calls per second.
func rate(d []time.Duration) float64 {
	var sum time.Duration
	for _, v := range d {
		sum += v
	}
	return float64(len(d)) / sum.Seconds()
}
