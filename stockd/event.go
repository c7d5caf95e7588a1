package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"ticketrush/stockd/failure"
)

type eventCommand struct {
	Create   eventCreate   `cmd:"" help:"Create an event from a JSON file."`
	Import   eventImport   `cmd:"" help:"Import a seat map: ticketrush-chart/1, a seating plan of pretix, or CSV."`
	Open     eventOpen     `cmd:"" help:"Put an event on sale, or go on after a pause."`
	Pause    eventPause    `cmd:"" help:"Refuse new holds for now."`
	Close    eventClose    `cmd:"" help:"Refuse new holds for good; live ones may finish."`
	Cancel   eventCancel   `cmd:"" help:"The event does not take place: give everybody their money back, and show how far that is."`
	Postpone eventPostpone `cmd:"" help:"The event takes place at another time; its tickets stay valid."`
	Show     eventShow     `cmd:"" help:"Show an event and what is left of it."`
}

type eventImport struct {
	caller
	File   string `arg:"" type:"existingfile" help:"The seat map."`
	Format string `enum:"auto,ticketrush,pretix,csv" default:"auto" help:"What the file is: auto (by its name), ticketrush, pretix, csv."`
	Name   string `help:"The chart's name, for formats that carry none."`
}

// chartView is what a command shows of a chart.
type chartView struct {
	ID       string   `json:"id"`
	Name     string   `json:"name"`
	Seats    int      `json:"seats"`
	Areas    int      `json:"areas"`
	Sections int      `json:"sections"`
	Segments int      `json:"segments"`
	Warnings []string `json:"warnings"`
}

// Run imports the chart and prints its id.
func (e *eventImport) Run(ctx context.Context, con console) error {
	body, err := os.ReadFile(e.File)
	if err != nil {
		return failure.ByAbsence(err)
	}
	format := e.Format
	if format == "auto" {
		format = "ticketrush"
		if strings.EqualFold(filepath.Ext(e.File), ".csv") {
			format = "csv"
		}
	}
	chart, err := e.importChart(ctx, body, format, e.Name)
	if err != nil {
		return err
	}
	for _, w := range chart.Warnings {
		fmt.Fprintf(con.err, "warning: %s\n", w)
	}
	fmt.Fprintf(con.out, "%s  %s: %d seats, %d areas, %d sections in %d segments\n", chart.ID, chart.Name, chart.Seats, chart.Areas, chart.Sections, chart.Segments)
	return nil
}

func (c caller) importChart(ctx context.Context, body []byte, format, name string) (chart chartView, err error) {
	query, contentType := url.Values{}, "application/json"
	switch format {
	case "csv":
		contentType = "text/csv"
	case "pretix":
		query.Set("format", "pretix")
	}
	if name != "" {
		query.Set("name", name)
	}
	path := "/v1/charts"
	if len(query) > 0 {
		path += "?" + query.Encode()
	}
	got, err := c.call(ctx, http.MethodPost, path, contentType, body, nil)
	if err != nil {
		return chart, err
	}
	return chart, decode(got.body, &chart)
}

type eventCreate struct {
	caller
	File  string `arg:"" type:"existingfile" help:"The event as JSON, as POST /v1/events takes it; stockd openapi prints its schema NewEvent."`
	Chart string `help:"Id of an imported chart; over the one in the file."`
	Open  bool   `help:"Put it on sale at once."`
}

// eventView is what a command shows of an event.
type eventView struct {
	ID       string `json:"id"`
	Slug     string `json:"slug"`
	Name     string `json:"name"`
	State    string `json:"state"`
	Version  int    `json:"version"`
	Room     string `json:"room"`
	Capacity int    `json:"capacity"`
	StartsAt string `json:"starts_at"`
	OpensAt  string `json:"opens_at"`
	etag     string
}

// Run creates the event and prints its id.
func (e *eventCreate) Run(ctx context.Context, con console) error {
	text, err := os.ReadFile(e.File)
	if err != nil {
		return failure.ByAbsence(err)
	}
	var body map[string]any
	if err := json.Unmarshal(text, &body); err != nil {
		return failure.ByMisuse(fmt.Errorf("%s is not a JSON object: %w", e.File, err))
	}
	if e.Chart != "" {
		body["chart"] = e.Chart
	}
	if e.Open {
		body["open"] = true
	}
	ev, err := e.createEvent(ctx, body)
	if err != nil {
		return err
	}
	fmt.Fprintf(con.out, "%s  %s: %s, %d places, %s\n", ev.ID, ev.Slug, ev.Name, ev.Capacity, ev.State)
	return nil
}

func (c caller) createEvent(ctx context.Context, event any) (view eventView, err error) {
	body, err := json.Marshal(event)
	if err != nil {
		return view, err
	}
	got, err := c.call(ctx, http.MethodPost, "/v1/events", "application/json", body, nil)
	if err != nil {
		return view, err
	}
	return view, decode(got.body, &view)
}

type eventName struct {
	caller
	Event string `arg:"" help:"The event's slug or id."`
}

type eventOpen struct{ eventName }

// Run puts the event on sale.
func (e *eventOpen) Run(ctx context.Context, con console) error { return e.change(ctx, con, "on_sale") }

type eventPause struct{ eventName }

// Run pauses the event.
func (e *eventPause) Run(ctx context.Context, con console) error { return e.change(ctx, con, "paused") }

type eventClose struct{ eventName }

// Run closes the event.
func (e *eventClose) Run(ctx context.Context, con console) error { return e.change(ctx, con, "closed") }

// change reads the event and changes the state of what it has read.
func (e *eventName) change(ctx context.Context, con console, state string) error {
	ev, err := e.get(ctx)
	if err != nil {
		return err
	}
	body, err := json.Marshal(map[string]string{"state": state})
	if err != nil {
		return err
	}
	got, err := e.call(ctx, http.MethodPatch, e.path(), "application/json", body, map[string]string{"If-Match": ev.etag})
	if err != nil {
		return err
	}
	if err := decode(got.body, &ev); err != nil {
		return err
	}
	fmt.Fprintf(con.out, "%s is %s\n", ev.Slug, ev.State)
	return nil
}

func (e *eventName) path() string { return "/v1/events/" + url.PathEscape(e.Event) }

func (e *eventName) get(ctx context.Context) (ev eventView, err error) {
	got, err := e.call(ctx, http.MethodGet, e.path(), "", nil, nil)
	if err != nil {
		return ev, err
	}
	ev.etag = got.header.Get("ETag")
	return ev, decode(got.body, &ev)
}

type eventShow struct {
	eventName
	JSON bool `help:"Print the API's answers as they are."`
}

// Run shows the event and its counts.
func (e *eventShow) Run(ctx context.Context, con console) error {
	got, err := e.call(ctx, http.MethodGet, e.path(), "", nil, nil)
	if err != nil {
		return err
	}
	counts, err := e.call(ctx, http.MethodGet, e.path()+"/availability", "", nil, nil)
	if err != nil {
		return err
	}
	if e.JSON {
		fmt.Fprintf(con.out, "{\"event\":%s,\"availability\":%s}\n", strings.TrimSpace(string(got.body)), strings.TrimSpace(string(counts.body)))
		return nil
	}
	var ev eventView
	var left struct {
		Totals struct{ Capacity, Free, Held, Sold int } `json:"totals"`
		Stale  bool                                     `json:"stale"`
	}
	if err := decode(got.body, &ev); err != nil {
		return err
	}
	if err := decode(counts.body, &left); err != nil {
		return err
	}
	t := left.Totals
	fmt.Fprintf(con.out, "%s  %s\n%s, version %d; starts %s; room %q\n%d places: %d free, %d held, %d sold\n",
		ev.ID, ev.Name, ev.State, ev.Version, ev.StartsAt, ev.Room, t.Capacity, t.Free, t.Held, t.Sold)
	if left.Stale {
		fmt.Fprintln(con.out, "the counts are stale: a node could not be asked")
	}
	return nil
}

func decode(body []byte, into any) error {
	if err := json.Unmarshal(body, into); err != nil {
		return fmt.Errorf("the API's answer cannot be read: %w", err)
	}
	return nil
}
