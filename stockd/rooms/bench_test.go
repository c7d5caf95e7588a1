package rooms_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"ticketrush/client"
	"ticketrush/room"
)

// What a room's owner has to bear: so many claims and renewals a second, each committed before it is answered, within so long at the 99th percentile.
const (
	callsLimit   = 1000
	latencyLimit = 50 * time.Millisecond
)

// open is a room in which rate and slots stop nobody, so that only the owner's work is measured.
var open = room.Settings{Rate: 100_000, MaxActive: 1_000_000, PassLife: time.Hour}

// rush is a room at three nodes over a durable Postgres, and an edge, all on this machine.
type rush struct {
	*gang
	room *client.Room
	edge *edge
	next int
}

type place struct {
	tid  room.Tid
	rank uint64
}

func newRush(b *testing.B) *rush {
	b.Helper()
	_, dsn := ownServer(b)
	g := newGang(b, dsn, 3)
	h := &rush{gang: g, room: g.enter(g.client(), "rush", open)}
	h.edge = newEdge(b, "a", h.room)
	return h
}

// call gives places to n more people, and waits until all of them may claim.
func (h *rush) call(n int) []place {
	places := make([]place, n)
	for i := range places {
		h.next++
		places[i].tid, places[i].rank = h.edge.join(h.next)
	}
	if !h.edge.called(context.Background(), places[n-1].rank) {
		h.t.Fatal("not called")
	}
	return places
}

// turn is a claim and the renewal of its pass. It tells how long each took; from is when the claim was to be asked for.
func (h *rush) turn(p place, from time.Time) (took [2]time.Duration) {
	claimed, err := h.room.Claim(context.Background(), room.Claim{Tid: p.tid, Rank: p.rank, Until: time.Now().Add(5 * time.Second)})
	if err != nil || !claimed.Granted {
		h.t.Errorf("claim: %+v, %v", claimed, err)
	}
	took[0] = time.Since(from)
	from = time.Now()
	if s, err := h.room.Renew(context.Background(), p.tid, 0, 0); err != nil || s.Renewal != 1 {
		h.t.Errorf("renew: %+v, %v", s, err)
	}
	took[1] = time.Since(from)
	return took
}

// BenchmarkClaims has people claim at random moments and renew what they get, 1,000 calls a second in the mean, however long the answers take: a claim
// counts from the moment at which it was to be asked for. x/limit is the p99 over its limit of 50 ms; it must be below 1.
//
//	go test ./stockd/rooms -run '^$' -bench Claims -benchtime 5000x
func BenchmarkClaims(b *testing.B) {
	h := newRush(b)
	places := h.call(b.N)
	dice := rand.New(rand.NewPCG(1, 2))
	claims, renewals := make([]time.Duration, b.N), make([]time.Duration, b.N)
	var all sync.WaitGroup
	b.ResetTimer()
	began := time.Now()
	at := began
	for i, p := range places {
		at = at.Add(time.Duration(dice.ExpFloat64() * 2 / callsLimit * float64(time.Second)))
		<-time.After(time.Until(at))
		all.Go(func() {
			took := h.turn(p, at)
			claims[i], renewals[i] = took[0], took[1]
		})
	}
	all.Wait()
	perSecond := 2 * float64(b.N) / time.Since(began).Seconds()
	b.StopTimer()
	worst := max(h.report(b, claims, "claim"), h.report(b, renewals, "renew"))
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(perSecond, "calls/s")
	b.ReportMetric(worst/float64(latencyLimit.Milliseconds()), "x/limit")
}

// BenchmarkClaimsFlatOut has 256 people claim and renew as fast as they are answered. of-limit is the rate over the 1,000 calls a second that are asked
// for; it must be above 1.
func BenchmarkClaimsFlatOut(b *testing.B) {
	h := newRush(b)
	places := h.call(b.N)
	took := make([][2]time.Duration, b.N)
	var next atomic.Int64
	var all sync.WaitGroup
	b.ResetTimer()
	began := time.Now()
	for range 256 {
		all.Go(func() {
			for i := next.Add(1) - 1; i < int64(b.N); i = next.Add(1) - 1 {
				took[i] = h.turn(places[i], time.Now())
			}
		})
	}
	all.Wait()
	perSecond := 2 * float64(b.N) / time.Since(began).Seconds()
	b.StopTimer()
	claims, renewals := make([]time.Duration, 0, b.N), make([]time.Duration, 0, b.N)
	for _, t := range took {
		claims, renewals = append(claims, t[0]), append(renewals, t[1])
	}
	h.report(b, claims, "claim")
	h.report(b, renewals, "renew")
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(perSecond, "calls/s")
	b.ReportMetric(perSecond/callsLimit, "of-limit")
}

// report prints the percentiles, and gives the 99th in milliseconds.
func (h *rush) report(b *testing.B, took []time.Duration, what string) float64 {
	slices.Sort(took)
	at := func(percent int) float64 { return float64(took[len(took)*percent/100].Microseconds()) / 1000 }
	b.ReportMetric(at(50), fmt.Sprintf("%s-p50-ms", what))
	b.ReportMetric(at(99), fmt.Sprintf("%s-p99-ms", what))
	return at(99)
}
