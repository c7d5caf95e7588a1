package node

import (
	"context"
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"

	"ticketrush/stockd/stock"
)

func TestThreeNodesServeEverythingThroughAnyOfThem(t *testing.T) {
	t.Parallel()
	g := newGang(t, database(t), 3)
	e := g.putOnSale("any", 6, 4, 10)
	for i, m := range g.nodes {
		for s := range 6 {
			cmd := newHold(e, stock.SegmentNo(s+1), 2)
			a := g.must(m, cmd)
			if len(a.Hold.Seats) != 2 || a.Seq == 0 {
				t.Errorf("hold: %+v", a)
			}
			other := g.nodes[(i+1)%3]
			if again := g.must(other, cmd); again.Code != stock.CodeReplay || again.Hold == nil || again.Hold.Generation != a.Hold.Generation {
				t.Errorf("replay through another node: %+v", again)
			}
			view, ok, err := other.Find(t.Context(), cmd.Hold)
			if err != nil || !ok || view.State != stock.Held || len(view.Seats) != 2 {
				t.Errorf("find: %+v %v %v", view, ok, err)
			}
			if s%2 == 0 {
				g.must(other, releaseOf(cmd)) // names only the hold
				if _, ok, err := m.Find(t.Context(), cmd.Hold); ok || err != nil {
					t.Errorf("a released hold is found: %v %v", ok, err)
				}
			}
		}
	}
	if a, err := g.ask(g.nodes[0], releaseOf(newHold(e, 1, 1))); err != nil || a.Code != stock.CodeNoHold {
		t.Errorf("release of nothing: %+v %v", a, err)
	}
	g.reconcile()
}

func TestStopHandsOffAndKillIsTakenOver(t *testing.T) {
	t.Parallel()
	g := newGang(t, database(t), 3)
	e := g.putOnSale("moves", 12, 4, 10)
	seats := map[stock.SeatID]bool{}
	var holds []stock.Command
	take := func(m *member) {
		for s := range 12 {
			cmd := newHold(e, stock.SegmentNo(s+1), 3)
			for _, seat := range g.must(m, cmd).Hold.Seats {
				if seats[seat.Seat] {
					t.Errorf("seat %d was held twice", seat.Seat)
				}
				seats[seat.Seat] = true
			}
			holds = append(holds, cmd)
		}
	}
	find := func(m *member) {
		t.Helper()
		for _, h := range holds {
			if view, ok, err := m.Find(t.Context(), h.Hold); !ok || err != nil || view.State != stock.Held {
				t.Errorf("hold %v: %v %v", h.Hold, ok, err)
			}
		}
	}
	take(g.nodes[0])
	g.nodes[1].stop(t)
	take(g.nodes[0]) // at once: the others have the stock, or answer when they have it
	find(g.nodes[2])
	g.settle(2)
	g.nodes[2].kill()
	g.settle(1)
	take(g.nodes[0])
	find(g.nodes[0])
	again := g.start("n2", g.seeds[2])
	g.settle(2)
	take(again)
	find(again)
	g.reconcile()
}

func TestSeatsNeverTwiceUnderAFight(t *testing.T) {
	t.Parallel()
	g := newGang(t, database(t), 3)
	e := g.putOnSale("fight", 2, 2, 10) // 40 seats
	var held, taken atomic.Int64
	var seats sync.Map
	var fans sync.WaitGroup
	for i := range 120 {
		fans.Go(func() {
			cmd := newHold(e, stock.SegmentNo(1+i%2), 1)
			seat := stock.NewSeatID(cmd.Segment, int32(i/2%20))
			cmd.Ask = stock.Ask{Seats: []stock.SeatAsk{{Seat: seat}}}
			a, err := g.ask(g.nodes[i%3], cmd)
			switch {
			case err != nil:
				t.Error(err)
			case a.Code == stock.CodeOK, a.Code == stock.CodeReplay: // of a try that was answered too late
				held.Add(1)
				if _, twice := seats.LoadOrStore(seat, true); twice {
					t.Errorf("seat %d was given twice", seat)
				}
			case a.Code == stock.CodeSeatTaken:
				taken.Add(1)
			default:
				t.Errorf("code %d", a.Code)
			}
		})
	}
	fans.Wait()
	if held.Load() != 40 || taken.Load() != 80 {
		t.Errorf("%d held, %d refused", held.Load(), taken.Load())
	}
	g.reconcile()
}

func TestHoldsExpire(t *testing.T) {
	t.Parallel()
	g := newGang(t, database(t), 1)
	e := g.putOnSale("expire", 1, 1, 4)
	cmd := newHold(e, 1, 4)
	cmd.TTL, cmd.MaxTTL = 300, 300
	g.must(g.nodes[0], cmd)
	until(t, "expiry", func() bool {
		_, ok, err := g.nodes[0].Find(t.Context(), cmd.Hold)
		return err == nil && !ok
	})
	if a, err := g.ask(g.nodes[0], releaseOf(cmd)); err != nil || a.Code != stock.CodeNoHold && a.Code != stock.CodeHoldExpired {
		t.Errorf("release of an expired hold: %+v %v", a, err)
	}
	g.must(g.nodes[0], newHold(e, 1, 4))
	g.reconcile()
}

func TestAvailabilityIsGatheredAndFollowed(t *testing.T) {
	t.Parallel()
	g := newCalmGang(t, database(t), 3)
	e := g.putOnSale("counts", 4, 2, 10)
	for _, m := range g.nodes { // at the event's node and at those that copy
		until(t, "first counts", func() bool {
			counts, _, stale := m.Counts(e.Number)
			return len(counts) == 5 && !stale && counts[1].Free == 20 && counts[5].Free == 50
		})
	}
	_, self := g.nodes[0].EventNode(e.Number)
	for _, m := range g.nodes {
		if node, _ := m.EventNode(e.Number); node.NodeID == "" {
			t.Error("no event node")
		}
	}
	t.Logf("n0 is the event's node: %v", self)
	deltas, cancel := g.nodes[0].Subscribe(e.Number, "")
	first := <-deltas
	if !first.Reset || len(first.Counts) != 5 {
		t.Errorf("first delta: %+v", first)
	}
	hold := g.must(g.nodes[1], newHold(e, 2, 3))
	d := <-deltas
	if d.Counts[2].Held != 3 || len(d.Seats) != 3 || d.Seats[0].State != stock.Held {
		t.Errorf("delta: %+v", d)
	}
	cancel()
	if _, open := <-deltas; open {
		t.Error("the channel is open after cancel")
	}
	more, cancel := g.nodes[0].Subscribe(e.Number, first.ID)
	defer cancel()
	if missed := <-more; missed.Reset || missed.ID != d.ID {
		t.Errorf("what was missed: %+v, want %s", missed, d.ID)
	}
	states, err := g.nodes[0].SeatStates(t.Context(), e.Number, 2)
	if err != nil || states[hold.Hold.Seats[0].Seat.Index()] != stock.Held {
		t.Errorf("states: %v %v", states, err)
	}
	best := g.nodes[0].BestSegments(e.Number, stock.Ask{Quantity: 4})
	if len(best) != 4 {
		t.Errorf("best segments: %v", best)
	}
	if floor := g.nodes[0].BestSegments(e.Number, stock.Ask{Quantity: 4, Categories: 2}); len(floor) != 1 || floor[0] != 5 {
		t.Errorf("the area's category: %v", floor)
	}
}

func TestCatalogChangesReachAllNodes(t *testing.T) {
	t.Parallel()
	g := newGang(t, database(t), 2)
	e := g.putOnSale("catalog", 1, 1, 4)
	until(t, "the event at the other node", func() bool { _, ok := g.nodes[1].Catalog().BySlug("catalog"); return ok })
	other, ok := g.nodes[1].Catalog().BySlug("catalog")
	if !ok || other.Label(stock.NewSeatID(1, 0)) == "" || other.Segment(2) == nil || other.Segment(3) != nil {
		t.Fatalf("the other node's event: %+v", other)
	}
	if id, ok := other.SeatByLabel("S0-1-3"); !ok || other.Label(id) != "S0-1-3" || other.Category(id) != 0 || other.Category(stock.NewSeatID(2, 7)) != 1 {
		t.Errorf("labels: %v %v", id, ok)
	}
	if price, ok := other.Price(0, 0); !ok || price.Face != 5000 {
		t.Errorf("price: %+v", price)
	}
	paused := "paused"
	if _, err := g.nodes[1].UpdateEvent(t.Context(), e.Number, e.Version, EventChange{State: &paused}); err != nil {
		t.Fatal(err)
	}
	until(t, "the change at the other node", func() bool {
		again, _ := g.nodes[0].Catalog().ByID(e.ID)
		return again.State == "paused"
	})
	if _, err := g.nodes[0].UpdateEvent(t.Context(), e.Number, e.Version, EventChange{State: &paused}); err == nil {
		t.Error("a stale version was taken")
	}
	same, created, err := g.nodes[1].CreateChart(t.Context(), "ticketrush", "catalog", hall(1, 1, 4))
	if err != nil || created || same.ID != e.ChartID {
		t.Errorf("the same chart again: %v %v %v", same.ID, created, err)
	}
	if _, _, err := g.nodes[0].CreateChart(t.Context(), "ticketrush", "", []byte("{")); !errors.Is(err, ErrBadChart) {
		t.Errorf("a broken chart: %v", err)
	}
	if _, err := g.nodes[0].CreateEvent(t.Context(), NewEvent{ChartID: e.ChartID, Slug: "no-price", Name: "x", Currency: "EUR", StartsAt: time.Now(), Types: []string{"adult"}}); !errors.Is(err, ErrBadEvent) {
		t.Errorf("an event without prices: %v", err)
	}
	if _, err := g.nodes[0].CreateEvent(t.Context(), NewEvent{ChartID: uuid.New(), Slug: "no-chart"}); err == nil {
		t.Error("an event without a chart")
	}
}

func TestBadConfigIsOneClearError(t *testing.T) {
	t.Parallel()
	good := (&gang{t: t, dsn: "host=127.0.0.1 port=1 sslmode=disable"}).config("n", "127.0.0.1:0", "127.0.0.1:1")
	for want, change := range map[string]func(*Config){
		"needs a key of 32 bytes":    func(c *Config) { c.GossipAddr, c.GossipKey = "0.0.0.0:7946", nil },
		"gossip key has 5 bytes":     func(c *Config) { c.GossipKey = []byte("short") },
		"needs an internal key":      func(c *Config) { c.InternalAddr, c.InternalKey = "10.0.0.1:7301", "" },
		"internal key has 3":         func(c *Config) { c.InternalKey = "abc" },
		"does not tell others":       func(c *Config) { c.APIAddr = "0.0.0.0:7101" },
		"is not host:port":           func(c *Config) { c.APIAddr = "here" },
		"connection string is empty": func(c *Config) { c.Postgres = "" },
		"node id is empty":           func(c *Config) { c.NodeID = "" },
		"cannot be renewed":          func(c *Config) { c.SessionTTL = -1 },
	} {
		cfg := good
		change(&cfg)
		if _, err := New(cfg, nil, nil); err == nil {
			t.Errorf("%s: accepted", want)
		} else if want != "cannot be renewed" && !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", want, err)
		}
	}
	n, err := New(good, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	if err := n.Start(ctx); err == nil || !strings.Contains(err.Error(), "ledger") {
		t.Errorf("an unreachable Postgres: %v", err)
	}
}
