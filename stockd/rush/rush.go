package rush

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"sync"
	"time"
)

// ErrConfig wraps what is wrong with a configuration; nothing was sent.
var ErrConfig = errors.New("the rush cannot start")

// ErrUnreachable wraps the reason why the deployment could not be asked.
var ErrUnreachable = errors.New("the deployment cannot be reached")

// Run sends the crowd and gives what came of it. It returns an error only when the rush could not begin; what went wrong later is in the
// summary. When ctx ends, the fans stop where they are, and what they were promised is still checked.
func Run(ctx context.Context, c Config, show func(Progress)) (*Summary, error) {
	c = c.withDefaults()
	if err := c.validate(); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrConfig, err)
	}
	transport := newTransport(c.Connections)
	defer transport.CloseIdleConnections()
	w := &world{
		config: c, transport: transport, tally: newTally(time.Now()), over: make(chan struct{}), more: make(chan struct{}), active: c.Fans,
	}
	ops := newVisitor(c, transport, w.tally, rand.New(rand.NewPCG(c.Seed, 1<<63)))
	before, err := w.prepare(ctx, ops)
	if err != nil {
		return nil, err
	}
	w.tally.start = time.Now()
	s := &Summary{Config: c, Event: w.event, Room: w.room, Started: w.tally.start, Before: before}
	s.crowd(ctx, w, ops, show)
	s.Took = time.Since(w.tally.start)
	s.check(context.WithoutCancel(ctx), w, ops, show)
	s.collect(w.tally)
	s.judge()
	return s, nil
}

// newTransport shares few connections among all fans: they come from one address, which has only so many ports.
func newTransport(connections int) *http.Transport {
	return &http.Transport{
		DialContext:         (&net.Dialer{Timeout: 5 * time.Second, KeepAlive: 30 * time.Second}).DialContext,
		MaxConnsPerHost:     connections,
		MaxIdleConnsPerHost: connections,
		MaxIdleConns:        4 * connections,
		IdleConnTimeout:     30 * time.Second,
		DisableCompression:  true,
	}
}

// prepare reads what is on sale.
func (w *world) prepare(ctx context.Context, v *visitor) (Availability, error) {
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	unreachable := func(what string, err error) error {
		return fmt.Errorf("%w: %s at %s: %w; is --url the edge, and is the event there?", ErrUnreachable, what, w.config.URL, err)
	}
	var err error
	if w.event, err = v.event(ctx, w.config.Event); err != nil {
		return Availability{}, unreachable("read the event "+w.config.Event, err)
	}
	w.room = w.config.Room
	if w.room == "" {
		w.room = w.event.Room
	}
	if w.room == "-" {
		w.room = ""
	}
	if w.room != "" {
		if _, err := v.frontier(ctx, w.room); err != nil {
			return Availability{}, unreachable("read the frontier of room "+w.room, err)
		}
	}
	m, err := v.seatMap(ctx, w.config.Event)
	if err != nil {
		return Availability{}, unreachable("read the seat map", err)
	}
	w.learn(m)
	w.heat(m)
	a, err := v.availability(ctx, w.config.Event)
	if err != nil {
		return a, unreachable("read the availability", err)
	}
	return a, nil
}

// crowd lets the fans run until all is sold, all are done, or the time is up.
func (s *Summary) crowd(ctx context.Context, w *world, ops *visitor, show func(Progress)) {
	ctx, cancel := context.WithTimeout(ctx, w.config.Deadline)
	defer cancel()
	var fans, side sync.WaitGroup
	for n := range w.config.Fans {
		p, dice := newPerson(w.config, n)
		f := &fan{person: p, n: n, world: w, dice: dice}
		fans.Go(func() { f.run(ctx) })
	}
	side.Go(func() { w.watch(ctx, ops, s.frontier) })
	display, stop := context.WithCancel(context.WithoutCancel(ctx))
	side.Go(func() { w.tally.display(display, show, s) })
	fans.Wait()
	s.TimedOut = errors.Is(ctx.Err(), context.DeadlineExceeded)
	s.Interrupted = ctx.Err() != nil && !s.TimedOut
	w.finish()
	stop()
	side.Wait()
}
