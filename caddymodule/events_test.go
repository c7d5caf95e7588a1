package caddymodule

import (
	"context"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/caddyserver/caddy/v2"

	"ticketrush/room"
)

func init() { caddy.RegisterModule(new(recorder)) }

// heard is what the recorder of this process's only Caddy was told.
var heard struct {
	sync.Mutex
	events []caddy.Event
}

// recorder is an event handler, as ops would have one.
type recorder struct{}

// CaddyModule returns the Caddy module information.
func (*recorder) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "events.handlers.recorder", New: func() caddy.Module { return new(recorder) }}
}

// Handle keeps the event.
func (*recorder) Handle(_ context.Context, e caddy.Event) error {
	heard.Lock()
	defer heard.Unlock()
	if strings.HasPrefix(e.Name(), "waiting_room") {
		heard.events = append(heard.events, e)
	}
	return nil
}

// TestChangesAreTold walks a room through what ops do, with a reload in between, and hears of each once.
func TestChangesAreTold(t *testing.T) {
	e := newEdge(t)
	heard.events = nil
	start := func() {
		t.Helper()
		text, err := e.adapt(strings.Replace(globals, "%s", "", 1) + "HTTP {\n" + shop + "\n}\n")
		if err == nil {
			err = loadConfig([]byte(strings.Replace(string(text), `"apps":{`, `"apps":{"events":{"subscriptions":[{"handlers":[{"handler":"recorder"}]}]},`, 1)))
		}
		if err != nil {
			t.Fatal(err)
		}
		e.kept()
	}
	start()
	var want []string
	for _, step := range []struct{ action, event string }{
		{"pause", eventPaused}, {"resume", eventResumed}, {"passthrough", eventPassthrough}, {"", ""}, {"enforce", eventEnforced}, {"edition", eventEdition},
		{"end", eventEnded},
	} {
		if step.action == "" {
			start() // a reload is no change
			continue
		}
		if a := e.ops("POST", "/waiting_room/rooms/demo/"+step.action, ""); a.StatusCode != 200 {
			t.Fatalf("%s: %d %s", step.action, a.StatusCode, a.text)
		}
		want = append(want, step.event)
	}
	names := func() (got []string) {
		heard.Lock()
		defer heard.Unlock()
		for _, e := range heard.events {
			got = append(got, e.Name())
		}
		return got
	}
	e.until("the last event is heard", func() bool { return slices.Contains(names(), eventEnded) })
	if got := names(); !slices.Equal(got, want) {
		t.Errorf("heard %v, want %v", got, want)
	}
	if d := heard.events[0].Data; d["room"] != "demo" || d["state"] != "paused" || d["edition"] != uint16(1) {
		t.Errorf("the first event's data: %v", d)
	}
	if origin := heard.events[0].Origin(); origin == nil || origin.CaddyModule().ID != "waiting_room" {
		t.Errorf("its origin: %v", origin)
	}
}

func TestEveryChangeHasItsEvent(t *testing.T) {
	t.Parallel()
	open := aspect{met: true, phase: room.PhaseOpen, edition: 1}
	with := func(change func(*aspect)) aspect {
		a := open
		change(&a)
		return a
	}
	silent := map[string]bool{ // of which nothing has told yet
		eventAnnounced: true, eventLobby: true, eventDrawing: true, eventOpened: true, eventPaused: true, eventResumed: true, eventEnded: true, eventEdition: true,
		eventSoldOut: true, eventRestocked: true, eventPassthrough: true, eventEnforced: true, eventOwnerAway: true, eventOwnerBack: true,
	}
	phase := func(p room.Phase) aspect { return with(func(a *aspect) { a.phase = p }) }
	for name, c := range map[string]struct {
		from, to aspect
		want     []string
	}{
		"the start":       {aspect{}, open, nil},
		"nothing":         {open, open, nil},
		"lobby":           {phase(room.PhaseAnnounced), phase(room.PhaseLobby), []string{eventLobby}},
		"announced":       {phase(room.PhaseEnded), phase(room.PhaseAnnounced), []string{eventAnnounced}},
		"drawing":         {phase(room.PhaseLobby), phase(room.PhaseDrawing), []string{eventDrawing}},
		"opened":          {phase(room.PhaseDrawing), open, []string{eventOpened}},
		"paused":          {phase(room.PhaseLobby), phase(room.PhasePaused), []string{eventPaused}},
		"resumed":         {phase(room.PhasePaused), phase(room.PhaseLobby), []string{eventResumed}},
		"ended":           {phase(room.PhasePaused), phase(room.PhaseEnded), []string{eventEnded}},
		"sold out":        {open, with(func(a *aspect) { a.soldOut = true }), []string{eventSoldOut}},
		"restocked":       {with(func(a *aspect) { a.soldOut = true }), open, []string{eventRestocked}},
		"the owner goes":  {open, with(func(a *aspect) { a.away = true }), []string{eventOwnerAway}},
		"it is back":      {with(func(a *aspect) { a.away = true }), open, []string{eventOwnerBack}},
		"the next lobby":  {phase(room.PhaseEnded), with(func(a *aspect) { a.phase, a.edition = room.PhaseLobby, 2 }), []string{eventEdition, eventLobby}},
		"let all through": {open, with(func(a *aspect) { a.through = true }), []string{eventPassthrough}},
		"held back again": {with(func(a *aspect) { a.through = true }), open, []string{eventEnforced}},
	} {
		for _, name := range c.want {
			delete(silent, name)
		}
		if got := c.from.changes(c.to); !slices.Equal(got, c.want) {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
	}
	if len(silent) > 0 {
		t.Errorf("no change has the events %v", silent)
	}
}
