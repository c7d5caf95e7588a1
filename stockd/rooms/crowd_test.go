package rooms_test

import (
	"context"
	"encoding/json"
	"fmt"
	"sync"
	"time"

	"ticketrush/client"
	"ticketrush/ledger"
	"ticketrush/room"
)

// crowd are visitors who claim through their edges until they are let in, or the test has seen enough.
type crowd struct {
	g     *gang
	stop  context.CancelFunc
	tasks sync.WaitGroup

	mu      sync.Mutex // guards what follows
	granted map[room.Tid]room.Session
}

// begin has visitors first to last join and claim, in turn at the edges.
func (g *gang) crowd(edges []*edge, first, last int) *crowd {
	ctx, stop := context.WithCancel(context.Background())
	c := &crowd{g: g, stop: stop, granted: map[room.Tid]room.Session{}}
	for n := first; n <= last; n++ {
		e := edges[n%len(edges)]
		tid, rank := e.join(n)
		c.tasks.Go(func() {
			if s, ok := e.claim(ctx, tid, rank); ok {
				c.mu.Lock()
				c.granted[tid] = s
				c.mu.Unlock()
			}
		})
	}
	g.t.Cleanup(c.end)
	return c
}

func (c *crowd) end() {
	c.stop()
	c.tasks.Wait()
}

// answered waits until so many have their pass.
func (c *crowd) answered(n int) {
	c.g.t.Helper()
	until(c.g.t, fmt.Sprintf("%d answered grants", n), func() bool {
		c.mu.Lock()
		defer c.mu.Unlock()
		return len(c.granted) >= n
	})
}

// stillInside wants everybody who was told that they are inside to be inside, with the pass that they were given.
func (c *crowd) stillInside(r *client.Room) {
	c.g.t.Helper()
	c.mu.Lock()
	defer c.mu.Unlock()
	for tid, s := range c.granted {
		now, err := r.Renew(c.g.t.Context(), tid, s.Renewal, 0)
		if err != nil || now.Admitted != s.Admitted || now.Rank != s.Rank {
			c.g.t.Errorf("%v was let in at %d and has now %+v, %v", tid, s.Admitted, now, err)
		}
	}
}

// grants reads from the ledger whom a room has let in, whether they were told or not, and wants that there were never more inside than most. Nobody's pass
// may have ended yet: of what is in a snapshot it has only those inside.
func (g *gang) grants(name string, most int) (granted map[room.Tid]bool) {
	g.t.Helper()
	db, err := ledger.Open(g.t.Context(), g.dsn, ledger.Options{AllowNoFsync: true})
	if err != nil {
		g.t.Fatal(err)
	}
	defer db.Close()
	state, err := db.RoomLoad(g.t.Context(), name)
	if err != nil {
		g.t.Fatal(err)
	}
	granted = map[room.Tid]bool{}
	inside := map[room.Tid]int64{} // until when the slot is taken
	var before room.State
	if err := json.Unmarshal(state.Snapshot, &before); err != nil {
		g.t.Fatal(err)
	}
	for tid, s := range before.Inside {
		granted[tid], inside[tid] = true, s.Free
	}
	for _, b := range state.Batches {
		var batch room.Batch
		if err := json.Unmarshal(b.Body, &batch); err != nil {
			g.t.Fatal(err)
		}
		for tid, free := range inside {
			if free <= batch.At {
				delete(inside, tid)
			}
		}
		for _, r := range batch.Records {
			switch r.Kind {
			case room.KindGrant:
				granted[*r.Tid] = true
				inside[*r.Tid] = r.Session.Free
			case room.KindRenew, room.KindLeave:
				inside[*r.Tid] = r.Session.Free
			}
		}
		if len(inside) > most {
			g.t.Fatalf("after batch %d there are %d inside, at most %d may be", b.Seq, len(inside), most)
		}
	}
	return granted
}

const most = 60

// slow is a room that lets in most people over some seconds.
var slow = room.Settings{Rate: 40, MaxActive: most, PassLife: 10 * time.Minute, Grace: time.Millisecond}
