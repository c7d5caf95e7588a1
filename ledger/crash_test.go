package ledger_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"ticketrush/ledger"
	"ticketrush/ledger/pgdev"
)

// durable is a server of the test's own, with fsync on, to be killed.
func durable(t testing.TB) (*pgdev.Server, string) {
	t.Helper()
	server, err := pgdev.Start(t.Context(), pgdev.Options{Durable: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := server.Stop(); err != nil {
			t.Error(err)
		}
	})
	if err := server.Exec(t.Context(), "postgres", "CREATE DATABASE crash"); err != nil {
		t.Fatal(err)
	}
	if err := migrated(t.Context(), server.DSN("crash")); err != nil {
		t.Fatal(err)
	}
	return server, server.DSN("crash")
}

// The server is killed (SIGKILL to all of its processes) in the middle of flushes, several times. The owner sends each unknown batch again on a
// new lane, unchanged. In the end every batch that was acknowledged is there, once; none is there twice; everything adds up.
func TestServerKilledInTheMiddleOfFlushes(t *testing.T) {
	t.Parallel()
	server, dsn := durable(t)
	b := newBench(t, dsn)
	const kills = 5
	acked := map[int64]bool{}
	for round := range kills {
		killed := make(chan error, 1)
		f, unknown := b.holdAndRelease(acked, func(i int) {
			if i == 15 {
				go func() { killed <- server.Kill() }()
			}
		})
		if err := <-killed; err != nil {
			t.Fatal(err)
		}
		if err := server.Resume(t.Context()); err != nil {
			t.Fatal(err)
		}
		b.openLane()
		results, err := b.lane.Flush(f)
		if err != nil || results[0].Fenced {
			t.Fatalf("after %v the batch is sent again and gives %+v, %v", unknown, results, err)
		}
		t.Logf("kill %d at sequence %d (%v); applied before: %v", round+1, f.Works[0].Seq, unknown, results[0].Resent)
		b.accept(f, results[0], acked)
		if n := b.number(`SELECT count(*) FROM ledger.flush_batches WHERE part = $1`, testPart); n != len(acked) {
			t.Fatalf("%d batches in the ledger, %d were acknowledged", n, len(acked))
		}
	}
	b.wantClean()
}

// holdAndRelease flushes until the server is gone and returns the batch whose outcome is unknown. It calls before with each batch's number.
func (b *bench) holdAndRelease(acked map[int64]bool, before func(i int)) (*ledger.Flush, error) {
	b.t.Helper()
	for i := 0; ; i++ {
		before(i)
		seat := seatID(i % testSeats)
		var f *ledger.Flush
		if b.ver[seat]%2 == 0 {
			_, h := b.hold(seat)
			f = b.batch(keyed(h))
		} else {
			f = b.batch(b.op(release, b.holder[seat], held, available, seat))
		}
		results, err := b.lane.Flush(f)
		if errors.Is(err, ledger.ErrUnknown) {
			return f, err
		}
		if err != nil || results[0].Fenced || results[0].Resent {
			b.t.Fatalf("%+v, %v", results, err)
		}
		b.accept(f, results[0], acked)
	}
}

// accept takes over what a flush of one operation did.
func (b *bench) accept(f *ledger.Flush, r ledger.WorkResult, acked map[int64]bool) {
	b.t.Helper()
	w := f.Works[0]
	b.want(r.Outcomes, applied)
	if acked[w.Seq] {
		b.t.Fatalf("sequence %d is acknowledged twice", w.Seq)
	}
	acked[w.Seq] = true
	b.seq[w.Part] = w.Seq
	for _, m := range w.Ops[0].Moves {
		b.ver[m.Seat], b.holder[m.Seat] = m.Ver, w.Ops[0].Hold
	}
}

// A server that restarts (crash recovery) breaks the lane, and says so as unknown, never as done or undone.
func TestServerRestarts(t *testing.T) {
	t.Parallel()
	server, dsn := durable(t)
	b := newBench(t, dsn)
	_, first := b.hold(seatID(0))
	b.want(b.flush(first), applied)
	if err := server.Restart(t.Context()); err != nil {
		t.Fatal(err)
	}
	_, h := b.hold(seatID(1))
	f := b.batch(h)
	if _, err := b.lane.Flush(f); !errors.Is(err, ledger.ErrUnknown) {
		t.Fatalf("a flush on a broken lane gives %v, want ErrUnknown", err)
	}
	b.openLane()
	b.want(b.send(f), applied)
	b.wantClean()
}

// A flush that hangs is given up by closing its lane. Its outcome is unknown, until the same batch is sent again.
func TestLaneClosedUnderAFlush(t *testing.T) {
	t.Parallel()
	b := newBench(t, database(t).DSN)
	tx, err := b.db.SQL().BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer tx.Rollback()
	if _, err := tx.Exec(`SELECT 1 FROM ledger.part WHERE part = $1 FOR NO KEY UPDATE`, testPart); err != nil {
		t.Fatal(err)
	}
	_, h := b.hold(seatID(0))
	f := b.batch(h)
	lane := b.lane
	failed := make(chan error)
	go func() {
		_, err := lane.Flush(f)
		failed <- err
	}()
	b.waitBlocked()
	if err := lane.Close(); err != nil {
		t.Fatal(err)
	}
	if err := <-failed; !errors.Is(err, ledger.ErrUnknown) {
		t.Fatalf("the flush gives %v, want ErrUnknown", err)
	}
	if err := tx.Rollback(); err != nil {
		t.Fatal(err)
	}
	b.openLane()
	b.want(b.send(f), applied) // the server may have applied it although nobody listened
	b.wantClean()
	if _, err := lane.Flush(b.batch(h)); !errors.Is(err, ledger.ErrUnknown) {
		t.Errorf("a flush on a closed lane gives %v", err)
	}
}

// waitBlocked waits until a flush of the bench's database waits for a lock.
func (b *bench) waitBlocked() {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.t.Context(), 20*time.Second)
	defer cancel()
	for {
		var n int
		if err := b.db.SQL().QueryRowContext(ctx, `SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'`).Scan(&n); err != nil {
			b.t.Fatal(err)
		}
		if n > 0 {
			return
		}
	}
}

// Two lanes of different owners on the same buyers: the limit is exact, and nobody deadlocks.
func TestLimitsOverLanes(t *testing.T) {
	t.Parallel()
	b := newBench(t, database(t).DSN)
	b.exec(`UPDATE ledger.part SET session = $1, epoch = 1 WHERE part BETWEEN 200 AND 203`, b.session)
	b.exec(`INSERT INTO ledger.part_epochs(part, epoch, session, start_seq) SELECT p, 1, $1, 0 FROM generate_series(200, 203) p`, b.session)
	b.exec(`INSERT INTO ledger.segments(event, segment, part, section, name, area, score, home, opened, capacity) SELECT $1, 10 + i, 200 + i, 'F', 'zone ' || i, true, 0, 10 + i, 5000, 5000 FROM generate_series(0, 3) i`, b.event)
	buyers := []uuid.UUID{uuid.New(), uuid.New(), uuid.New()}
	const limit, rounds = 7, 25
	var wg sync.WaitGroup
	for part := range int32(4) {
		lane, err := b.db.OpenLane(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { lane.Close() })
		wg.Go(func() { b.race(lane, part, buyers, limit, rounds) })
	}
	wg.Wait()
	if n := b.number(`SELECT count(*) FROM ledger.quota WHERE n > $1`, limit); n != 0 {
		t.Errorf("%d buyers are over their limit", n)
	}
	if n := b.number(`SELECT sum(n) FROM ledger.quota`); n < 3*(limit-2) {
		t.Errorf("the buyers have %d in all: they could not use their limits", n)
	}
	b.wantClean()
}

// race holds units for all buyers, in an order of its own, and now and then gives back what it holds.
func (b *bench) race(lane *ledger.Lane, part int32, buyers []uuid.UUID, limit int32, rounds int) {
	segment := int64(10 + part)
	unit := int64(0)
	live := map[uuid.UUID]ledger.Op{}
	for round := range rounds {
		var ops []ledger.Op
		for i := range buyers {
			buyer := buyers[(i+int(part)+round)%len(buyers)]
			id := uuid.New()
			h := ledger.Op{Kind: hold, Event: b.event, Segment: int32(segment), Area: true, Hold: id, Generation: 1, Quantity: 2, Deadline: b.now.Add(time.Minute), MaxExpires: b.now.Add(time.Minute),
				Quotas: []ledger.Quota{{Dimension: 1, Key: buyer, Limit: limit}, {Dimension: 2, Key: buyer, Limit: limit + 3}}}
			for range 2 {
				unit++
				h.Moves = append(h.Moves, ledger.Move{Seat: segment<<24 | unit, Ver: 1, From: available, To: held})
			}
			ops = append(ops, h)
		}
		if round%3 == 2 {
			for id, h := range live {
				r := h
				r.Kind, r.Moves = release, nil
				for _, m := range h.Moves {
					r.Moves = append(r.Moves, ledger.Move{Seat: m.Seat, Ver: 2, From: held, To: available})
				}
				ops = append(ops, r)
				delete(live, id)
				break
			}
		}
		f := &ledger.Flush{Batch: uuid.New(), Session: b.session, Now: b.now, Works: []ledger.Work{{Part: 200 + part, Epoch: 1, Seq: int64(round) + 1, Ops: ops}}}
		results, err := lane.Flush(f)
		if err != nil || results[0].Fenced {
			b.t.Errorf("partition %d round %d: %+v, %v", part, round, results, err)
			return
		}
		for i, op := range ops {
			switch outcome := results[0].Outcomes[i]; {
			case outcome == applied && op.Kind == hold:
				live[op.Hold] = op
			case outcome != applied && (op.Kind != hold || outcome < overLimit(1, 0)):
				b.t.Errorf("partition %d round %d: operation %d gives %d", part, round, i, outcome)
			}
		}
	}
}
