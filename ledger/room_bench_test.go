package ledger_test

import (
	"fmt"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"ticketrush/ledger"
	"ticketrush/ledger/pgdev"
)

// BenchmarkFlushBesideARoom measures a lane that flushes one operation at a time, alone, and while a room of the same partition appends small batches without a
// pause, which is more than any room does. x/alone is what the room's lock on the partition costs.
func BenchmarkFlushBesideARoom(b *testing.B) {
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
	g := newRoomBench(b, dsn)
	alone := 0.0
	for _, part := range []int32{0, areaPart, testPart} {
		name := map[int32]string{0: "room=none", areaPart: "room=elsewhere", testPart: "room=same-partition"}[part]
		b.Run(name, func(b *testing.B) {
			if part != 0 {
				b.Cleanup(g.appendWithoutAPause(b, part))
			}
			var took []time.Duration
			for b.Loop() {
				_, h := g.hold(seatID(0))
				start := time.Now()
				g.want(g.flush(h), applied)
				took = append(took, time.Since(start))
				g.want(g.flush(g.op(release, h.Hold, held, available, seatID(0))), applied)
			}
			slices.Sort(took)
			if part == 0 {
				alone = millis(took, 50)
			}
			b.ReportMetric(0, "ns/op")
			b.ReportMetric(millis(took, 50), "p50-ms")
			b.ReportMetric(millis(took, 99), "p99-ms")
			b.ReportMetric(millis(took, 50)/alone, "x/alone")
		})
	}
}

// appendWithoutAPause has a room of a partition append until the returned function is called.
func (g *roomBench) appendWithoutAPause(b *testing.B, part int32) func() {
	b.Helper()
	name := fmt.Sprint("busy-", part)
	if _, _, err := g.db.RoomEnter(b.Context(), ledger.Room{Name: name, Number: uint32(part), Part: part, Settings: []byte("{}")}); err != nil {
		b.Fatal(err)
	}
	o, err := g.db.RoomOpen(b.Context(), ledger.RoomOwner{Room: name, Part: part, Session: g.session, Epoch: g.epoch[part]})
	if err != nil {
		b.Fatal(err)
	}
	row, err := g.db.RoomByName(b.Context(), name)
	if err != nil {
		b.Fatal(err)
	}
	lane, err := g.db.OpenRoomLane(b.Context())
	if err != nil {
		b.Fatal(err)
	}
	var stop atomic.Bool
	done := make(chan struct{})
	go func() {
		defer close(done)
		body := make([]byte, 400)
		for seq := row.Seq + 1; !stop.Load(); seq++ {
			if err := lane.Append(o, &ledger.RoomBatch{Seq: seq, Body: body, Edition: 1, Now: g.now}); err != nil {
				b.Error(err)
				return
			}
		}
	}()
	return func() {
		stop.Store(true)
		<-done
		lane.Close()
	}
}
