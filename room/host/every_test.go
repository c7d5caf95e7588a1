package host_test

import (
	"context"
	"crypto/ed25519"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap"

	"ticketrush/room"
	"ticketrush/room/draw"
	"ticketrush/room/host"
)

// TestEachOccurrenceHasItsOwnDraw runs a host over two occurrences of a room that opens every ten minutes: who was in a lobby has a receipt of its draw, whose secret
// is another one than the time before, and nobody else has.
func TestEachOccurrenceHasItsOwnDraw(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		_, key, err := ed25519.GenerateKey(nil)
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		start := time.Now()
		h := host.New(host.Options{
			Name: "often", Key: key, Store: &memory{}, Log: zap.NewNop(), Settings: room.Settings{
				OpensAt: start.Add(time.Minute), EndsAt: start.Add(3 * time.Minute), Lobby: time.Minute, Every: 10 * time.Minute,
			}.WithDefaults(),
		})
		ended := make(chan error, 1)
		go func() { ended <- h.Run(ctx) }()
		synctest.Wait()
		edge := room.NewEdge("a", 1, start)
		sync := func() {
			t.Helper()
			sent := time.Now()
			report := edge.Report(sent)
			answer, err := h.Sync(ctx, &report)
			if err != nil {
				t.Fatal(err)
			}
			edge.Took(sent, time.Now(), &report, answer)
		}
		upTo := func(at time.Duration) {
			t.Helper()
			for tick := time.NewTicker(room.SyncEvery); time.Since(start) < at; <-tick.C {
				if time.Since(start) > at-10*time.Second {
					sync()
				}
			}
			sync()
		}
		var secrets []draw.Secret
		for n := range 2 {
			from := time.Duration(n) * 10 * time.Minute
			upTo(from + 10*time.Second)
			who := room.Tid{byte(n + 1)}
			if rank, err := edge.Join(time.Now(), who, room.ClassArrival); err != nil || rank != 0 {
				t.Fatalf("time %d: a join in the lobby: %d, %v", n, rank, err)
			}
			upTo(from + time.Minute + time.Second)
			if p := edge.Phase(time.Now()); p != room.PhaseOpen || edge.Draw() == nil || edge.Draw().Drawn == nil {
				t.Fatalf("time %d: %s, %+v", n, p, edge.Draw())
			}
			receipt, err := h.Receipt(ctx, who)
			if err != nil || receipt.N != 1 || receipt.Verify(draw.Trusted{}) != nil {
				t.Fatalf("time %d: %+v, %v", n, receipt, err)
			}
			if _, err := h.Receipt(ctx, room.Tid{byte(n)}); err == nil {
				t.Errorf("time %d: the draw has somebody of another time", n)
			}
			secrets = append(secrets, edge.Draw().Drawn.Secret)
		}
		if secrets[0] == secrets[1] {
			t.Error("two draws rest on one secret")
		}
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
}
