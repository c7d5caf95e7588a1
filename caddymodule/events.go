package caddymodule

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyevents"
	"go.uber.org/zap"

	"ticketrush/room"
)

// What an edge tells of a room: as an event of Caddy, for handlers of its `events` option, and as a line in the log. Each edge tells of what it learned
// itself, within a sync of the change; what was so when it started is no change. The data of each event is room, edition, state, inside, waiting and rate.
const (
	eventAnnounced   = "waiting_room_announced" // the lobby is not open yet
	eventLobby       = "waiting_room_lobby"     // it is
	eventDrawing     = "waiting_room_drawing"   // it is over, and its order is drawn
	eventOpened      = "waiting_room_opened"
	eventPaused      = "waiting_room_paused"
	eventResumed     = "waiting_room_resumed"
	eventEnded       = "waiting_room_ended"
	eventEdition     = "waiting_room_edition" // a new one: places and passes are void
	eventSoldOut     = "waiting_room_sold_out"
	eventRestocked   = "waiting_room_restocked"
	eventPassthrough = "waiting_room_passthrough" // by ops: nobody is held back
	eventEnforced    = "waiting_room_enforced"
	eventOwnerAway   = "waiting_room_owner_away" // nobody is let in
	eventOwnerBack   = "waiting_room_owner_back"
)

// aspect is what events tell the changes of.
type aspect struct {
	met     bool // the room's owner was met
	away    bool // it does not answer
	phase   room.Phase
	edition uint16
	through bool
	soldOut bool
}

// changes gives the events that lead from one aspect to another.
func (a aspect) changes(b aspect) (names []string) {
	add := func(changed bool, name string) {
		if changed {
			names = append(names, name)
		}
	}
	if !a.met {
		return nil
	}
	add(!a.away && b.away, eventOwnerAway)
	add(a.away && !b.away, eventOwnerBack)
	add(a.edition != b.edition, eventEdition)
	if a.phase != b.phase {
		add(true, phaseEvent(a.phase, b.phase))
	}
	add(!a.soldOut && b.soldOut, eventSoldOut)
	add(a.soldOut && !b.soldOut, eventRestocked)
	add(!a.through && b.through, eventPassthrough)
	add(a.through && !b.through, eventEnforced)
	return names
}

func phaseEvent(from, to room.Phase) string {
	switch {
	case to == room.PhasePaused:
		return eventPaused
	case to == room.PhaseEnded:
		return eventEnded
	case from == room.PhasePaused:
		return eventResumed // to whatever it was; the event's state says what that is now
	case to == room.PhaseAnnounced:
		return eventAnnounced
	case to == room.PhaseLobby:
		return eventLobby
	case to == room.PhaseDrawing:
		return eventDrawing
	}
	return eventOpened
}

// news is an event on its way to Caddy.
type news struct {
	name string
	data map[string]any
}

// emitter hands an event to Caddy. Handlers run in it, one after the other, and may take their time.
type emitter func(name string, data map[string]any)

// newsMax bounds the events that wait for slow handlers; the log has those that were left out.
const newsMax = 64

// crier tells of the changes of a room. Its keeper's goroutine looks; another one tells, so that no handler holds a sync up.
type crier struct {
	emit  atomic.Pointer[emitter] // nil until a configuration has started
	queue chan news
	last  aspect // the keeper's lock guards it
}

// run tells until ctx ends.
func (c *crier) run(ctx context.Context) {
	for {
		select {
		case n := <-c.queue:
			if emit := c.emit.Load(); emit != nil {
				(*emit)(n.name, n.data)
			}
		case <-ctx.Done():
			return
		}
	}
}

// look tells of what has changed since the last look. The caller holds the lock.
func (k *keeper) look(now time.Time, away bool) {
	d := k.edge.Document()
	if d == nil {
		return
	}
	next := aspect{
		met: true, away: away, phase: k.edge.Phase(now), edition: k.edge.Edition(), through: k.edge.Through(), soldOut: d.Stock != nil && d.Stock.SoldOut,
	}
	names := k.crier.last.changes(next)
	k.crier.last = next
	for _, name := range names {
		k.log.Info("the waiting room has changed", zap.String("event", name), zap.String("state", string(next.phase)), zap.Uint16("edition", next.edition),
			zap.Int("inside", d.Inside), zap.Uint64("waiting", d.Waiting), zap.Float64("rate", d.Rate))
		select {
		case k.crier.queue <- news{name, map[string]any{
			"room": k.name, "edition": next.edition, "state": string(next.phase), "inside": d.Inside, "waiting": d.Waiting, "rate": d.Rate,
		}}:
		default:
			k.log.Warn("an event was left out: its handlers are too slow", zap.String("event", name))
		}
	}
}

// begun lets the rooms of a configuration tell their events once all of its apps have started: only then may the events' app be used.
type begun struct {
	app    *App
	events *caddyevents.App
}

// Handle implements caddyevents.Handler.
func (b begun) Handle(context.Context, caddy.Event) error {
	emit := emitter(func(name string, data map[string]any) { b.events.Emit(b.app.ctx, name, data) })
	for _, use := range b.app.rooms {
		use.keeper.crier.emit.Store(&emit)
	}
	return nil
}

// listen asks to be told when everything has started.
func (a *App) listen() error {
	app, err := a.ctx.App("events")
	if err != nil {
		return err
	}
	events := app.(*caddyevents.App)
	return events.On("started", begun{a, events})
}

var _ caddyevents.Handler = begun{}
