package demo

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"sync"
	"time"

	"ticketrush/ledger/pgdev"
	"ticketrush/stockd/site"
)

// Demo is a running deployment.
type Demo struct {
	options  Options
	ports    Ports
	folder   folder
	apiKey   string
	sweeper  *sweeper
	postgres *pgdev.Server
	pgLog    *os.File
	mu       sync.Mutex // guards nodes: who breaks the demo replaces them
	nodes    []*child
	caddy    *child
	site     *http.Server
	died     chan error // one error of a child that nobody asked to end
	watching sync.WaitGroup
}

const (
	database = "ticketrush"
	// readyMax bounds how long the nodes and Caddy may take.
	readyMax = 60 * time.Second
	// stopMax bounds how long a child may take to end.
	stopMax = 15 * time.Second
)

// Start runs everything and returns when it is ready. When something fails, or ctx ends, it takes everything down again.
func Start(ctx context.Context, o Options) (*Demo, error) {
	o = o.withDefaults()
	if err := o.check(); err != nil {
		return nil, err
	}
	d := &Demo{options: o, died: make(chan error, 1)}
	if err := d.start(ctx); err != nil {
		return nil, errors.Join(err, d.Stop())
	}
	return d, nil
}

// start runs the parts in their order.
func (d *Demo) start(ctx context.Context) error {
	var err error
	if d.folder, err = newFolder(); err != nil {
		return fmt.Errorf("make the demo's folder: %w", err)
	}
	if d.sweeper, err = startSweeper(d.options.Executable, d.folder); err != nil {
		return err
	}
	if err := d.startPostgres(ctx); err != nil {
		return err
	}
	if err := d.writeKeys(); err != nil {
		return fmt.Errorf("make the keys: %w", err)
	}
	if err := d.startServers(ctx); err != nil {
		return err
	}
	if d.options.Setup != nil {
		d.say("putting the event on sale")
		place := Place{API: "http://" + d.at(0, d.ports.API), APIKey: d.apiKey, Event: d.options.Event, Room: d.options.Room}
		if err := d.unlessDied(ctx, func(ctx context.Context) error { return d.options.Setup(ctx, place) }); err != nil {
			return fmt.Errorf("put the event on sale: %w", err)
		}
	}
	return d.waitForEvent(ctx)
}

func (d *Demo) say(format string, args ...any) {
	fmt.Fprintf(d.options.Out, "· "+format+"\n", args...)
}

func (d *Demo) startPostgres(ctx context.Context) error {
	d.say("starting a private Postgres")
	var err error
	if d.pgLog, err = os.Create(d.folder.path("log", "postgres.log")); err != nil {
		return err
	}
	dir := d.options.PostgresDir
	if dir == "" {
		dir = d.folder.path("pg")
	}
	d.postgres, err = pgdev.Start(ctx, pgdev.Options{Dir: dir, Durable: true, MaxConnections: 200, Log: d.pgLog})
	if errors.Is(err, pgdev.ErrNoServer) {
		return fmt.Errorf("%w: %w", ErrMissing, err)
	}
	if err != nil {
		return fmt.Errorf("start the private Postgres: %w", err)
	}
	if err := d.postgres.Exec(ctx, "postgres", "CREATE DATABASE "+database); err != nil {
		return fmt.Errorf("create the database: %w", err)
	}
	return d.migrate(ctx)
}

// startServers chooses the ports and starts what listens on them. Demos that start at the same time take turns.
func (d *Demo) startServers(ctx context.Context) error {
	release, err := turn(ctx)
	if err != nil {
		return err
	}
	defer release()
	if d.ports, err = d.options.Ports.pick(isFree); err != nil {
		return fmt.Errorf("%w: %w", ErrMissing, err)
	}
	d.say("starting %d nodes", d.options.Nodes)
	for i := range d.options.Nodes {
		node, err := d.startNode(i)
		if err != nil {
			return err
		}
		d.nodes = append(d.nodes, node)
		d.watch(node)
	}
	if err := d.startSite(ctx); err != nil {
		return err
	}
	if !d.options.NoEdge {
		d.say("starting Caddy")
		if d.caddy, err = d.startCaddy(); err != nil {
			return err
		}
		d.watch(d.caddy)
	}
	return d.waitReady(ctx)
}

// startSite serves the shop from this process.
func (d *Demo) startSite(ctx context.Context) error {
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", local(d.ports.Site))
	if err != nil {
		return fmt.Errorf("the shop: %w", err)
	}
	d.site = &http.Server{Handler: site.Handler(site.Config{Room: d.options.Room, Event: d.options.Event}), ReadHeaderTimeout: 10 * time.Second}
	d.watching.Go(func() {
		if err := d.site.Serve(l); !errors.Is(err, http.ErrServerClosed) {
			d.tell(fmt.Errorf("the shop has ended: %w", err))
		}
	})
	return nil
}

// watch tells when a child ends that was not asked to.
func (d *Demo) watch(c *child) {
	d.watching.Go(func() {
		<-c.done
		if !c.stopped.Load() {
			d.tell(c.died())
		}
	})
}

// tell keeps the first death; those that follow from it say no more.
func (d *Demo) tell(err error) {
	select {
	case d.died <- err:
	default:
	}
}

// Died gives the error of a child that ended by itself, with the last that it said.
func (d *Demo) Died() <-chan error { return d.died }

// DSN is the ledger's connection string.
func (d *Demo) DSN() string { return d.postgres.DSN(database) }

// URL is the edge, or the first node where there is none.
func (d *Demo) URL() string {
	if d.options.NoEdge {
		return "http://" + d.at(0, d.ports.API)
	}
	return "http://" + local(d.ports.HTTP)
}

// Stop ends everything in order, the edge first and Postgres last, and removes the folder. It may be called on a demo that started half.
func (d *Demo) Stop() error {
	var errs []error
	if d.caddy != nil {
		errs = append(errs, d.caddy.stop(stopMax))
	}
	if d.site != nil {
		errs = append(errs, d.site.Close())
	}
	// All at once: each hands its stock over, and the last one has nobody to hand it to.
	d.mu.Lock()
	nodes := d.nodes
	d.mu.Unlock()
	results := make(chan error, len(nodes))
	for _, node := range nodes {
		go func() { results <- node.stop(stopMax) }()
	}
	for range nodes {
		errs = append(errs, <-results)
	}
	d.watching.Wait()
	if d.postgres != nil {
		errs = append(errs, d.postgres.Stop())
	}
	if d.pgLog != nil {
		errs = append(errs, d.pgLog.Close())
	}
	if d.folder != "" {
		errs = append(errs, d.folder.remove())
	}
	if d.sweeper != nil {
		errs = append(errs, d.sweeper.stop())
	}
	return errors.Join(errs...)
}
