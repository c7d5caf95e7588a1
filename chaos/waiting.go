package chaos

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	mrand "math/rand/v2"
	"sync"
	"time"

	"ticketrush/client"
	"ticketrush/room"
	roomhost "ticketrush/room/host"
)

// The waiting rooms at the nodes that visitors come to, beside the buyers: one at each node, so that each fault hurts the owner of one. Passes live for longer than
// a take-over takes, and slots are few, so that they change hands all the time.
var (
	waitingSet      = room.Settings{Rate: 20, MaxActive: 12, PassLife: 15 * time.Second, Grace: time.Second}
	waitingVisitors = 18 // of each room, at once
)

// roomTries bounds the names that are tried until each node has a room.
const roomTries = 24

// waiting is a room at a node with two edges, played by what the edges of Caddy are made of, and its visitors.
type waiting struct {
	room  *client.Room
	name  string
	stays *stays
	book  *book
	edges []*waitingEdge
}

// waitings are all rooms.
type waitings struct {
	all     []*waiting
	clients []*client.Client
	stop    context.CancelFunc
	running sync.WaitGroup
}

// openRooms opens a room at each node, and lets visitors come until finish, or ctx ends.
func openRooms(ctx context.Context, config client.Config, b *book) (w *waitings, err error) {
	w = &waitings{}
	for range 2 { // one for each of the edges
		c, err := client.New(config)
		if err != nil {
			return w, err
		}
		c.Start()
		w.clients = append(w.clients, c)
	}
	ctx, w.stop = context.WithCancel(ctx)
	at := map[string]bool{}
	for n := 0; len(at) < nodes && n < roomTries; n++ {
		one := &waiting{name: fmt.Sprintf("chaos-%d", n), book: b, stays: newStays(waitingSet.MaxActive, waitingSet.Grace.Milliseconds())}
		one.room = w.clients[0].Room(one.name)
		state, err := one.enter(ctx)
		if err != nil {
			return w, err
		}
		if at[state.Owner] {
			continue
		}
		at[state.Owner] = true
		w.all = append(w.all, one)
		for i, c := range w.clients {
			now := time.Now()
			one.edges = append(one.edges, &waitingEdge{of: one, owner: c.Room(one.name), edge: room.NewEdge(fmt.Sprintf("chaos-%d", i), uint64(now.UnixNano()), now)})
		}
	}
	for _, one := range w.all {
		for _, e := range one.edges {
			w.running.Go(func() { e.run(ctx) })
		}
		for range waitingVisitors {
			w.running.Go(func() { one.visit(ctx) })
		}
		w.running.Go(func() { one.watch(ctx) })
	}
	return w, nil
}

// enter creates the room, and waits until its owner answers.
func (o *waiting) enter(ctx context.Context) (state client.RoomState, err error) {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	for {
		if _, err = o.room.Enter(ctx, waitingSet); err == nil {
			if state, err = o.room.Describe(ctx); err == nil && state.NotReady == "" {
				return state, nil
			}
		}
		if err := errors.Join(wait(ctx, 100*time.Millisecond), err); err != nil && ctx.Err() != nil {
			return state, fmt.Errorf("enter the room %s: %w", o.name, err)
		}
	}
}

// watchEvery is how often it is counted who is inside while visitors come.
const watchEvery = 2 * time.Second

// watch looks all the time, so that what is wrong is told when it happens.
func (o *waiting) watch(ctx context.Context) {
	for wait(ctx, watchEvery) == nil {
		if err := o.stays.check(); err != nil {
			o.wrong(err)
			return // it would be told again and again
		}
	}
}

func (o *waiting) wrong(err error) {
	if err != nil {
		o.book.failed("room %s: %v", o.name, err)
	}
}

// finish ends the visits, and adds to the report what they were.
func (w *waitings) finish(ctx context.Context, r *Report) {
	w.stop()
	w.running.Wait()
	for _, o := range w.all {
		o.wrong(o.stays.check())
		o.known(ctx)
		most, _ := o.stays.inside()
		r.Rooms.add(o.stays, most)
	}
}

// known asks the last owner for everybody who was told that they are inside and did not leave.
func (o *waiting) known(ctx context.Context) {
	o.stays.mu.Lock()
	alive := map[room.Tid]uint16{}
	for tid, in := range o.stays.all {
		if now := o.edges[0].now(); !in.left && in.until > now+time.Second.Milliseconds() {
			alive[tid] = in.renewal
		}
	}
	o.stays.mu.Unlock()
	for tid, renewal := range alive {
		o.renew(ctx, o.edges[0], tid, renewal)
	}
}

// close ends what finish did not.
func (w *waitings) close() {
	w.stop()
	w.running.Wait()
	for _, c := range w.clients {
		c.Close()
	}
}

// waitingEdge is one edge of a room.
type waitingEdge struct {
	of    *waiting
	owner *client.Room

	mu   sync.Mutex // guards what follows
	edge *room.Edge
}

// now is the time of the room's owner.
func (e *waitingEdge) now() int64 {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.edge.Time(time.Now())
}

func (e *waitingEdge) run(ctx context.Context) {
	for {
		sent := time.Now()
		e.mu.Lock()
		report := e.edge.Report(sent)
		e.mu.Unlock()
		edition, frontier, fence := e.of.stays.seen()
		answer, err := e.owner.Sync(ctx, &report)
		switch {
		case err == nil && answer.Fence >= fence: // else of an owner that was replaced: edges take no notice of it
			e.of.wrong(e.of.stays.shown(edition, frontier, answer))
			e.mu.Lock()
			e.edge.Took(sent, time.Now(), &report, answer)
			e.mu.Unlock()
		case err != nil && ctx.Err() == nil && !errors.Is(err, roomhost.ErrNotReady):
			e.of.wrong(fmt.Errorf("sync: %w", err))
		}
		e.mu.Lock()
		next := e.edge.NextSync(time.Now())
		e.mu.Unlock()
		if wait(ctx, next) != nil {
			return
		}
	}
}

// join gives a new visitor a place; the rank is 0 where the edge has not met the owner yet.
func (e *waitingEdge) join(tid room.Tid) (rank uint64) {
	e.mu.Lock()
	defer e.mu.Unlock()
	rank, _ = e.edge.Join(time.Now(), tid, room.ClassArrival)
	return rank
}

// How visitors behave.
const (
	claimEvery = 300 * time.Millisecond
	claimFor   = time.Second
	stayMost   = 12 * time.Second // then they renew, leave, or go without a word
)

// visit has one person after the other come, wait, be inside for a while, and go.
func (o *waiting) visit(ctx context.Context) {
	for ctx.Err() == nil {
		var tid room.Tid
		_, _ = rand.Read(tid[:])
		rank := o.edges[mrand.IntN(len(o.edges))].join(tid)
		if rank == 0 {
			_ = wait(ctx, claimEvery)
			continue
		}
		s, ok := o.claim(ctx, tid, rank)
		for ok && wait(ctx, mrand.N(stayMost)) == nil {
			e := o.edges[mrand.IntN(len(o.edges))]
			switch mrand.IntN(6) {
			case 0, 1, 2:
				o.stays.leaves(tid, e.now())
				_ = e.owner.Leave(ctx, tid) // whatever comes of it, nothing is promised any more
				ok = false
			case 3:
				ok = false // the slot is taken until the pass ends
			case 4: // another tab
				s, ok = o.claim(ctx, tid, rank)
			default:
				s, ok = o.renew(ctx, e, tid, s.Renewal)
			}
		}
	}
}

// claim asks until the visitor is inside, at times at both edges at once: there is one pass for one visitor.
func (o *waiting) claim(ctx context.Context, tid room.Tid, rank uint64) (s room.Session, ok bool) {
	for {
		var got [2]roomhost.Claimed
		var tasks sync.WaitGroup
		for i := range 1 + mrand.IntN(2) {
			tasks.Go(func() {
				c, err := o.edges[i].owner.Claim(ctx, room.Claim{Tid: tid, Rank: rank, Until: time.Now().Add(claimFor)})
				if err != nil && ctx.Err() == nil && !errors.Is(err, roomhost.ErrNotReady) {
					o.wrong(fmt.Errorf("claim: %w", err))
				}
				if err == nil && c.Granted {
					o.wrong(o.stays.let(tid, c.Session))
					got[i] = c
				}
			})
		}
		tasks.Wait()
		for _, c := range got {
			if c.Granted {
				return c.Session, true
			}
		}
		if wait(ctx, claimEvery) != nil {
			return s, false
		}
	}
}

// renew gives a pass a new life. A refusal while the pass that was answered lives says that it was lost.
func (o *waiting) renew(ctx context.Context, e *waitingEdge, tid room.Tid, renewal uint16) (s room.Session, ok bool) {
	s, err := e.owner.Renew(ctx, tid, renewal, 0)
	switch {
	case err == nil:
		o.wrong(o.stays.renewed(tid, s))
		return s, true
	case errors.Is(err, room.ErrNotInside), errors.Is(err, room.ErrOldPass):
		o.wrong(o.stays.lost(tid, e.now()+time.Second.Milliseconds())) // its clock may be wrong by as much
	case ctx.Err() == nil && !errors.Is(err, roomhost.ErrNotReady):
		o.wrong(fmt.Errorf("renew: %w", err))
	}
	return s, false
}
