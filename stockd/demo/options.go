package demo

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
)

// Options says what a demo runs.
type Options struct {
	// Executable is this program: it runs as the nodes and as the sweeper. Needed.
	Executable string
	// Caddy is the binary that xcaddy.sh builds, Caddyfile its configuration. Needed, unless NoEdge.
	Caddy, Caddyfile string
	// NoEdge leaves Caddy out: for tests of the rest.
	NoEdge bool
	// Ports are wishes; zero means DefaultPorts of Nodes.
	Ports Ports
	// Nodes is the number of nodes. Default: 3.
	Nodes int
	// Rate is how many people the room lets in per second, MaxActive how many may be inside at once. Defaults: 60 and 600, what two cores bear
	// that run everything at once, the crowd of a rush included.
	Rate, MaxActive int
	// Room and Event name what is on sale. Default: demo and arena, as in the Caddyfile.
	Room, Event string
	// NodeHosts are the addresses of the nodes, when they are not on this machine's loopback. Default: 127.0.0.1 for each.
	NodeHosts []string
	// NodePrefix gives the words that run a node's command line, such as those that enter a network namespace. Default: none.
	NodePrefix func(node int) []string
	// NodeExecutable gives the program of a node each time that it starts. Default: Executable.
	NodeExecutable func(node int) string
	// NodeDSN gives the connection string that a node gets; dsn is the ledger's own. Default: dsn.
	NodeDSN func(node int, dsn string) string
	// NodeSettings are settings of each node's configuration, written as TOML, that are not the demo's own. Default: none.
	NodeSettings map[string]string
	// PostgresDir is the folder of Postgres, when it is not to be in the demo's. The demo does not remove it.
	PostgresDir string
	// Setup puts the event on sale through the API, as ops would.
	Setup func(ctx context.Context, place Place) error
	// Out gets a line for each step. Default: nothing.
	Out io.Writer
}

// Place is what Setup needs.
type Place struct {
	API, APIKey, Event, Room string
}

// Ready is the last line that the demo prints when it is ready, as JSON.
type Ready struct {
	Ready      bool     `json:"ready"`
	Site       string   `json:"site"`
	Room       string   `json:"room"`
	API        []string `json:"api"`
	Admin      string   `json:"admin"`
	CaddyAdmin string   `json:"caddy_admin"`
	Postgres   string   `json:"postgres"`
	Event      string   `json:"event"`
	APIKey     string   `json:"api_key"`
	Logs       string   `json:"logs"`
}

// ErrMissing wraps what the demo needs and does not find.
var ErrMissing = errors.New("the demo cannot start")

func (o Options) withDefaults() Options {
	if o.Nodes == 0 {
		o.Nodes = 3
	}
	wish := DefaultPorts(o.Nodes)
	if o.Ports.HTTP == 0 {
		o.Ports.HTTP = wish.HTTP
	}
	if o.Ports.HTTPS == 0 {
		o.Ports.HTTPS = wish.HTTPS
	}
	if o.Ports.Site == 0 {
		o.Ports.Site = wish.Site
	}
	for _, l := range []struct{ have, want *[]int }{{&o.Ports.API, &wish.API}, {&o.Ports.Gossip, &wish.Gossip}, {&o.Ports.Internal, &wish.Internal}} {
		if len(*l.have) != o.Nodes {
			*l.have = *l.want
		}
	}
	for len(o.NodeHosts) < o.Nodes {
		o.NodeHosts = append(o.NodeHosts, loopback)
	}
	if o.NodeExecutable == nil {
		o.NodeExecutable = func(int) string { return o.Executable }
	}
	if o.NodePrefix == nil {
		o.NodePrefix = func(int) []string { return nil }
	}
	if o.NodeDSN == nil {
		o.NodeDSN = func(_ int, dsn string) string { return dsn }
	}
	if o.Rate == 0 {
		o.Rate = 60
	}
	if o.MaxActive == 0 {
		o.MaxActive = 600
	}
	if o.Room == "" {
		o.Room = "demo"
	}
	if o.Event == "" {
		o.Event = "arena"
	}
	if o.Out == nil {
		o.Out = io.Discard
	}
	return o
}

// check sees whether the files are there.
func (o Options) check() error {
	if o.NoEdge {
		return nil
	}
	if _, err := os.Stat(o.Caddy); err != nil {
		return fmt.Errorf("%w: no Caddy at %s; build it with ./xcaddy.sh, or name it with --caddy", ErrMissing, o.Caddy)
	}
	if _, err := os.Stat(o.Caddyfile); err != nil {
		return fmt.Errorf("%w: no Caddyfile at %s; run the demo in the project's folder, or name one with --caddyfile", ErrMissing, o.Caddyfile)
	}
	return nil
}
