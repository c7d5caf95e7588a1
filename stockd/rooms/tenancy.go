package rooms

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"ticketrush/client"
	"ticketrush/ledger"
	"ticketrush/room"
	"ticketrush/room/host"
	"ticketrush/stockd/stock"
)

// A room whose host has ended begins again after a pause that grows with each time.
const (
	restartFirst = 50 * time.Millisecond
	restartMax   = 5 * time.Second
	restartCalm  = time.Minute // a host that lived for so long counts as the first again
)

// tenancy is one room for as long as this node owns its partition.
type tenancy struct {
	rooms    *Rooms
	name     string
	number   uint32
	part     stock.PartitionID
	tenure   tenure
	settings room.Settings // as they were entered
	since    time.Time

	ctx    context.Context
	cancel context.CancelFunc
	done   chan struct{}
	host   atomic.Pointer[host.Host]   // nil: none lives just now
	ended  atomic.Pointer[string]      // why the last one ended by itself
	supply atomic.Pointer[room.Supply] // tickets of the room's events; nil: not known

	mu    sync.Mutex // guards what follows
	edges map[string]edge
	pace  pace
}

// edge is when an edge synced last.
type edge struct {
	incarnation uint64
	at          time.Time
}

func newTenancy(r *Rooms, row ledger.Room, held tenure) (*tenancy, error) {
	t := &tenancy{
		rooms: r, name: row.Name, number: row.Number, part: stock.PartitionID(row.Part), tenure: held, since: time.Now(), done: make(chan struct{}), edges: map[string]edge{},
	}
	if err := json.Unmarshal(row.Settings, &t.settings); err != nil {
		return nil, fmt.Errorf("the settings of room %s in the ledger: %w", row.Name, err)
	}
	t.ctx, t.cancel = context.WithCancel(r.ctx)
	return t, nil
}

// run keeps a host alive until the tenancy ends.
func (t *tenancy) run() {
	defer close(t.done)
	defer t.cancel()
	for pause := restartFirst; ; pause = min(2*pause, restartMax) {
		began := time.Now()
		err := t.live()
		if t.ctx.Err() != nil {
			if err != nil && !errors.Is(err, host.ErrLost) {
				t.rooms.log.Warn("a room ended before everything was stored; what was not was not answered either", "room", t.name, "error", err)
			}
			return
		}
		text := "it has ended by itself"
		if err != nil {
			text = err.Error()
		}
		t.ended.Store(&text)
		t.rooms.metrics.restarts.WithLabelValues(t.name).Inc()
		t.rooms.log.Error("a room's owner has ended; it begins anew from what the ledger has", "room", t.name, "pause", pause, "error", text)
		if errors.Is(err, errFenced) {
			t.rooms.node.Fenced(t.part, t.tenure.epoch) // it ends this tenancy, and claims the partition again where that is right
		}
		if time.Since(began) >= restartCalm {
			pause = restartFirst
		}
		select {
		case <-time.After(pause):
		case <-t.ctx.Done():
			return
		}
	}
}

// live is one life of a host. A panic ends it and nothing else.
func (t *tenancy) live() (err error) {
	r := t.rooms
	defer func() {
		if cause := recover(); cause != nil {
			err = fmt.Errorf("panic: %v\n%s", cause, debug.Stack())
		}
	}()
	h := host.New(host.Options{
		Name: t.name, Settings: t.settings.WithDefaults(), Key: r.key, LogKey: r.logKey, Log: zapLog(r.log), Now: r.node.Now, Strain: r.strain, Supply: t.supply.Load,
		Store: &store{
			lanes: r.lanes, db: r.node.Ledger(), now: r.node.Now,
			owner: ledger.RoomOwner{Room: t.name, Part: int32(t.part), Session: t.tenure.session, Epoch: t.tenure.epoch},
		},
		Seconds: func(took time.Duration, err error) {
			r.metrics.store.WithLabelValues(t.name).Observe(took.Seconds())
			if err != nil {
				r.metrics.storeErrors.WithLabelValues(t.name).Inc()
			}
		},
	})
	t.host.Store(h)
	defer t.host.Store(nil)
	return h.Run(t.ctx)
}

// watchEvery is how often a room's stock is counted and its pace measured.
const watchEvery = time.Second

// watch counts what the room's host must not wait for.
func (t *tenancy) watch() {
	tick := time.NewTicker(watchEvery)
	defer tick.Stop()
	for {
		t.supply.Store(t.rooms.tickets(t.name))
		if h := t.host.Load(); h != nil {
			d, _ := h.Document()
			t.mu.Lock()
			t.pace.see(time.Now(), d.Edition, d.Granted)
			t.mu.Unlock()
		}
		select {
		case <-tick.C:
		case <-t.ctx.Done():
			return
		}
	}
}

// soon is what "about to come back" means.
const soon = time.Minute

// tickets is what is left of the events that a room stands before; nil when there are none, or when it is too long ago that it was known. When holds end is
// their owners' to know: as many are taken to end soon as do when holds have begun at any time and live as long as they may.
func (r *Rooms) tickets(name string) *room.Supply {
	var s room.Supply
	found, moving := false, int64(0)
	for _, e := range r.node.Catalog().Events() {
		if e.Room != name || e.State == "draft" || e.State == "closed" {
			continue
		}
		counts, _, stale := r.node.Counts(e.Number)
		if stale {
			return nil
		}
		found = true
		held := int64(0)
		for _, c := range counts {
			s.Left += int64(c.Free)
			held += int64(c.Held)
			moving += int64(c.Held + c.Paying)
		}
		s.Returning += int64(float64(held) * min(1, soon.Seconds()/e.HoldTTL.Seconds()))
	}
	if !found {
		return nil
	}
	s.SoldOut = s.Left == 0 && moving == 0
	return &s
}

// edgesMax bounds what is remembered of edges; a room has at most 255.
const (
	edgesMax  = 512
	edgeFresh = 10 * time.Second // an edge that is silent for longer is not counted
)

// heard notes that an edge has synced.
func (t *tenancy) heard(report *room.Report) {
	t.mu.Lock()
	defer t.mu.Unlock()
	now := time.Now()
	if _, known := t.edges[report.Edge]; !known && len(t.edges) >= edgesMax {
		for name, e := range t.edges {
			if now.Sub(e.at) > edgeFresh {
				delete(t.edges, name)
			}
		}
	}
	if len(t.edges) < 2*edgesMax {
		t.edges[report.Edge] = edge{report.Incarnation, now}
	}
}

// state is the room at a glance.
func (t *tenancy) state() client.RoomState {
	s := client.RoomState{
		Room: t.name, Number: t.number, Partition: int32(t.part), Owner: t.rooms.node.ID(), Epoch: t.tenure.epoch, Since: t.since.UTC(), Settings: t.settings,
		Strain: t.rooms.strain(),
	}
	if supply := t.supply.Load(); supply != nil {
		s.Stock = &supply.Left
	}
	if h := t.host.Load(); h != nil {
		d, err := h.Document()
		s.Phase, s.Edition, s.Waiting, s.Inside, s.MaxActive, s.Rate, s.ShowRate = d.Phase, d.Edition, d.Waiting, d.Inside, d.MaxActive, d.Rate, d.ShowRate
		s.Joined, s.Granted, s.DrawWaits = d.Joined, d.Granted, h.Waits()
		if err != nil {
			s.NotReady = err.Error()
		}
	} else if why := t.ended.Load(); why != nil {
		s.NotReady = *why
	} else {
		s.NotReady = host.ErrNotReady.Error()
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	s.Admitted = t.pace.rate
	now := time.Now()
	for name, e := range t.edges {
		if ago := now.Sub(e.at); ago <= edgeFresh {
			s.Edges = append(s.Edges, client.RoomEdge{Edge: name, Incarnation: e.incarnation, AgoMs: ago.Milliseconds()})
		}
	}
	return s
}

// pace is how many passes are issued per second.
type pace struct {
	at      time.Time
	edition uint16
	granted uint64
	rate    float64
}

// paceWeight is how much the last second counts.
const paceWeight = 0.3

func (p *pace) see(now time.Time, edition uint16, granted uint64) {
	if passed := now.Sub(p.at).Seconds(); !p.at.IsZero() && p.edition == edition && granted >= p.granted && passed > 0 {
		p.rate += paceWeight * (float64(granted-p.granted)/passed - p.rate)
	}
	p.at, p.edition, p.granted = now, edition, granted
}
