package node

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"

	"ticketrush/ledger"
	"ticketrush/ledger/pgdev"
	"ticketrush/stockd/stock"
)

// ownServer is a Postgres that a test may break.
func ownServer(t *testing.T) (*pgdev.Server, string) {
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
	dsn := server.DSN("postgres")
	if _, err := ledger.Migrate(t.Context(), dsn); err != nil {
		t.Fatal(err)
	}
	return server, dsn
}

// crowd holds and releases through all nodes, and keeps what was promised.
type crowd struct {
	g        *gang
	e        *Event
	promised sync.Map // hold id → segment, of holds that were acknowledged and not released since
	done     atomic.Int64
	away     atomic.Int64
	fans     sync.WaitGroup
	stop     chan struct{}
}

func (c *crowd) run(fans int) {
	c.stop = make(chan struct{})
	for i := range fans {
		c.fans.Go(func() { c.fan(i) })
	}
}

func (c *crowd) fan(i int) {
	for turn := 0; ; turn++ {
		select {
		case <-c.stop:
			return
		default:
		}
		m := c.g.nodes[(i+turn)%len(c.g.nodes)]
		cmd := newHold(c.e, stock.SegmentNo(1+(i*7+turn)%(len(c.e.Segments)-1)), 1)
		if !c.insist(m, cmd) {
			continue
		}
		c.promised.Store(cmd.Hold, cmd.Segment)
		if turn%3 != 0 {
			c.promised.Delete(cmd.Hold) // from here on its fate is open until the release is answered
			c.insist(m, releaseOf(cmd))
		}
	}
}

// insist sends a command again, under its key, until it is answered. It says whether the answer was yes.
func (c *crowd) insist(m *member, cmd stock.Command) bool {
	for {
		a, err := m.Do(context.Background(), cmd)
		var moving *ErrMoving
		switch {
		case err == nil:
			c.done.Add(1)
			return a.Code == stock.CodeOK || a.Code == stock.CodeReplay && a.Hold != nil
		case errors.Is(err, ErrStopped):
			return false
		case errors.As(err, &moving), errors.Is(err, ErrLedgerAway), errors.Is(err, ErrOverloaded):
			c.away.Add(1)
		default:
			c.g.t.Errorf("an answer that a client cannot use: %v", err)
			return false
		}
		select {
		case <-c.stop:
			return false
		case <-time.After(20 * time.Millisecond):
		}
	}
}

func (c *crowd) end() {
	close(c.stop)
	c.fans.Wait()
}

// kept checks that each promise is still there, once.
func (c *crowd) kept(m *member) {
	c.g.t.Helper()
	seats := map[stock.SeatID]uuid.UUID{}
	n := 0
	c.promised.Range(func(hold, _ any) bool {
		id := hold.(uuid.UUID)
		view, ok, err := m.Find(context.Background(), id)
		if err != nil || !ok || view.State != stock.Held {
			c.g.t.Errorf("promised hold %v is lost: found %v, %v", id, ok, err)
			return true
		}
		for _, s := range view.Seats {
			if other, twice := seats[s.Seat]; twice {
				c.g.t.Errorf("seat %d is in holds %v and %v", s.Seat, other, id)
			}
			seats[s.Seat] = id
		}
		n++
		return true
	})
	c.g.t.Logf("%d commands answered, %d times asked again, %d promises kept", c.done.Load(), c.away.Load(), n)
}

func (c *crowd) progress(t *testing.T, what string) {
	t.Helper()
	before := c.done.Load()
	until(t, what, func() bool { return c.done.Load() > before+300 })
}

func TestPostgresRestartsInTheMiddle(t *testing.T) {
	t.Parallel()
	server, dsn := ownServer(t)
	g := newGang(t, dsn, 3)
	c := &crowd{g: g, e: g.putOnSale("restart", 10, 10, 20)}
	c.run(12)
	c.progress(t, "work before")
	if err := server.Restart(t.Context()); err != nil { // immediate: kills what is under way
		t.Fatal(err)
	}
	c.progress(t, "work after a restart")
	if err := server.Kill(); err != nil {
		t.Fatal(err)
	}
	away := time.NewTimer(sessionTTL + time.Second) // the sessions end
	defer away.Stop()
	<-away.C
	if err := server.Resume(t.Context()); err != nil {
		t.Fatal(err)
	}
	c.progress(t, "work after the outage")
	c.end()
	g.settle(3)
	c.kept(g.nodes[1])
	g.reconcile()
}

func TestNodesComeAndGoInTheMiddle(t *testing.T) {
	t.Parallel()
	g := newGang(t, database(t), 3)
	c := &crowd{g: g, e: g.putOnSale("come-and-go", 10, 10, 20)}
	c.run(12)
	c.progress(t, "work before")
	g.nodes[1].stop(t)
	c.progress(t, "work after a stop")
	g.nodes[2].kill()
	c.progress(t, "work after a kill")
	c.end()
	g.settle(1)
	c.kept(g.nodes[0])
	g.reconcile()
}
