package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"ticketrush/charts"
	"ticketrush/stockd/demo"
	"ticketrush/stockd/failure"
)

type demoCommand struct {
	Rush         bool   `help:"When it is ready, send a crowd, reconcile, print what came of it, and end; exit code 0 only when all of it holds."`
	Nodes        int    `default:"3" help:"How many nodes (${default})."`
	Caddy        string `type:"path" help:"The Caddy that ./xcaddy.sh built; default: beside this program, or bin/caddy."`
	Caddyfile    string `type:"path" help:"Its configuration; default: Caddyfile here, or in the folder over this program's."`
	HTTPPort     int    `default:"8080" help:"Caddy's port, or the next free one (${default})."`
	HTTPSPort    int    `default:"8443" help:"Caddy's port for TLS, or the next free one (${default})."`
	APIPort      int    `default:"7101" help:"First of the nodes' API ports (${default})."`
	GossipPort   int    `default:"7201" help:"First of the nodes' gossip ports (${default})."`
	InternalPort int    `default:"7301" help:"First of the nodes' internal ports (${default})."`
	SitePort     int    `default:"7401" help:"The shop's port behind Caddy (${default})."`
	Rate         int    `default:"120" help:"How many people the waiting room lets in per second (${default})."`
	MaxActive    int    `default:"600" help:"How many people may be inside at once (${default})."`
	NoEdge       bool   `hidden:"" help:"Without Caddy: the site and the rush speak to a node."`
	crowdFlags
}

// Run starts the demo, waits until it is told to stop, and takes it down.
func (c *demoCommand) Run(ctx context.Context, con console) (err error) {
	crowd, err := c.config()
	if err != nil {
		return err
	}
	o, err := c.options(con)
	if err != nil {
		return err
	}
	d, err := demo.Start(ctx, o)
	switch {
	case errors.Is(err, demo.ErrMissing):
		return failure.ByAbsence(err)
	case err != nil && ctx.Err() != nil:
		fmt.Fprintln(con.err, "stockd demo: ended before it was ready; nothing is left behind")
		return failure.Told(failure.Failed)
	case err != nil:
		return err
	}
	defer func() {
		fmt.Fprintln(con.err, "stopping")
		err = errors.Join(err, d.Stop())
	}()
	if err := d.Print(con.out); err != nil {
		return err
	}
	if !c.Rush {
		select {
		case <-ctx.Done():
			return nil
		case err := <-d.Died():
			return err
		}
	}
	crowd.URL, crowd.Event, crowd.SellOut = d.URL(), o.Event, true
	if c.NoEdge {
		crowd.Room, crowd.APIKey = "-", d.Ready().APIKey // without an edge nobody gives passes
	}
	return c.rush(ctx, con, d, crowd)
}

// options finds the programs and the files.
func (c *demoCommand) options(con console) (demo.Options, error) {
	executable, err := os.Executable()
	if err != nil {
		return demo.Options{}, err
	}
	if c.Nodes < 1 || c.Nodes > 16 {
		return demo.Options{}, failure.ByMisuse(fmt.Errorf("--nodes %d: want 1 to 16", c.Nodes))
	}
	run := func(first int) (list []int) {
		for i := range c.Nodes {
			list = append(list, first+i)
		}
		return list
	}
	here := filepath.Dir(executable)
	return demo.Options{
		Executable: executable, NoEdge: c.NoEdge, Rate: c.Rate, MaxActive: c.MaxActive, Nodes: c.Nodes, Out: con.err, Room: "demo", Event: "arena", Setup: putArenaOnSale,
		Caddy:     first(c.Caddy, filepath.Join(here, "caddy"), "bin/caddy"),
		Caddyfile: first(c.Caddyfile, "Caddyfile", filepath.Join(here, "..", "Caddyfile")),
		Ports: demo.Ports{
			HTTP: c.HTTPPort, HTTPS: c.HTTPSPort, Site: c.SitePort, API: run(c.APIPort), Gossip: run(c.GossipPort), Internal: run(c.InternalPort),
		},
	}, nil
}

// first is the absolute path of the first file that is there; the one that was named, when there is one, whether it is there or not.
func first(named string, others ...string) string {
	if named != "" {
		return named
	}
	for _, path := range others {
		if abs, err := filepath.Abs(path); err == nil {
			if _, err := os.Stat(abs); err == nil {
				return abs
			}
		}
	}
	return others[0]
}

// price is one row of the demo's price list, in cents.
type price struct {
	Category string `json:"category"`
	Type     string `json:"type"`
	Face     int64  `json:"face"`
	Fee      int64  `json:"fee"`
	Tax      int64  `json:"tax"`
}

// putArenaOnSale imports the arena and creates the event through the API, as ops would.
func putArenaOnSale(ctx context.Context, place demo.Place) error {
	api := caller{URL: place.API, secret: place.APIKey}
	chart, err := api.importChart(ctx, charts.Arena, "ticketrush", "")
	if err != nil {
		return err
	}
	var prices []price
	for category, face := range map[string]int64{"A": 12900, "B": 8900, "C": 6400, "D": 4200} {
		prices = append(prices,
			price{category, "adult", face, 350, face * 7 / 107},
			price{category, "child", face / 2, 350, face / 2 * 7 / 107})
	}
	starts := time.Now().UTC().AddDate(0, 2, 0).Truncate(24 * time.Hour).Add(19*time.Hour + 30*time.Minute)
	_, err = api.createEvent(ctx, map[string]any{
		"slug": place.Event, "name": "Northern Lights: the last night of the tour", "chart": chart.ID, "venue": "Harbour Arena",
		"starts_at": starts.Format(time.RFC3339), "currency": "EUR", "room": place.Room, "types": []string{"adult", "child"}, "prices": prices,
		"hold_ttl_s": 600, "max_hold_ttl_s": 1200, "limits": map[string]int{"tid": 6}, "open": true,
	})
	return err
}

type sweepCommand struct {
	Folder string `arg:"" help:"The demo's folder."`
}

// Run waits for the demo to end and removes what it left.
func (s *sweepCommand) Run() error { return demo.Sweep(s.Folder, os.Stdin) }
