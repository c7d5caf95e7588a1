package chaos

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"

	"ticketrush/client"
	"ticketrush/stockd/demo"
)

// deployment is a running demo with its crowd.
type deployment struct {
	demo    *demo.Demo
	proxies []*proxy // one for each node, between it and Postgres; none unless asked for
	client  *client.Client
	crowd   *crowd
	history *history
	book    *book
	edge    *gaps
	nodes   *gaps
	frozen  *measured
	pace    *pace
	rates   map[bool]int       // operations per second, by whether the fault is a gentle one
	cutOff  context.CancelFunc // ends the crowd without its leave
	disk    *disk
	before  [nodes]bool // which nodes run the version before
	spaces  *spaces
	rooms   *waitings // nil with nodes of the version before, whose rooms may be others
}

// settings make the nodes of chaos quicker to move for balance than those of a sale, so that joins are seen within the run; a payment whose
// webhook is lost is asked for after seconds.
var settings = map[string]string{"balance_after": `"3s"`, "move_cooldown": `"5s"`, "hot_stay": `"1s"`, "payment_deadline": `"20s"`}

// start runs a deployment and sends its crowd.
func start(ctx context.Context, o Options, needs need) (d *deployment, err error) {
	d = &deployment{edge: newGaps(), nodes: newGaps(), history: newHistory(), book: newBook(), pace: &pace{}, rates: map[bool]int{false: o.Rate, true: o.Gentle}}
	d.pace.set(o.Rate)
	defer func() {
		if err != nil {
			err = errors.Join(err, d.close())
			d = nil
		}
	}()
	options := demo.Options{
		Executable: o.Stockd, Caddy: o.Caddy, Caddyfile: o.Caddyfile, NoEdge: o.Caddy == "", Event: eventSlug, Out: o.Out, Setup: putOnSale, NodeSettings: settings,
		Ports: demo.Ports{HTTP: 18080, HTTPS: 18443, Site: 17401, API: []int{17101, 17102, 17103}, Gossip: []int{17201, 17202, 17203}, Internal: []int{17301, 17302, 17303}},
	}
	if err := d.prepare(ctx, o, &options, needs); err != nil {
		return d, err
	}
	if d.demo, err = demo.Start(ctx, options); err != nil {
		return d, err
	}
	ready := d.demo.Ready()
	wires, err := d.wires(ready, options.NoEdge)
	if err != nil {
		return d, err
	}
	p, err := readPlaces(ctx, wires[0])
	if err != nil {
		return d, err
	}
	run, cutOff := context.WithCancel(context.WithoutCancel(ctx)) // what has begun is ended in order also when ctx ends
	d.cutOff = cutOff
	if !options.NoEdge {
		if err := wires[0].keepPass(run); err != nil {
			return d, err
		}
	}
	if needs != needBefore {
		config, err := d.demo.Client()
		if err != nil {
			return d, err
		}
		if d.rooms, err = openRooms(run, config, d.book); err != nil {
			return d, err
		}
	}
	d.crowd = newCrowd(wires, p, d.history, d.book, o.Buyers, o.OpsMax)
	d.crowd.start(run)
	return d, nil
}

// prepare makes what a fault needs and the demo does not have.
func (d *deployment) prepare(ctx context.Context, run Options, o *demo.Options, needs need) (err error) {
	switch needs {
	case needProxies:
		for range nodes {
			p, err := newProxy(ctx)
			if err != nil {
				return err
			}
			d.proxies = append(d.proxies, p)
		}
		o.NodeDSN = func(node int, dsn string) string { return d.proxies[node].dsn(dsn) }
	case needSmallDisk:
		if d.disk, err = newDisk(); err != nil {
			return err
		}
		o.PostgresDir = d.disk.path("pg")
	case needSpaces:
		if d.spaces, err = newSpaces(ctx); err != nil {
			return err
		}
		o.NodeHosts, o.NodePrefix = d.spaces.hosts(), d.spaces.prefix
	case needBefore:
		if run.Before == "" {
			return fmt.Errorf("%w: name the program of the version before with -before; scripts/before.sh REF builds it", errNotHere)
		}
		d.before = [nodes]bool{true, true, true}
		o.NodeExecutable = func(node int) string {
			if d.before[node] {
				return run.Before
			}
			return run.Stockd
		}
	case needNothing:
	}
	return nil
}

const nodes = 3

// wires are the ways that the crowd takes. Without Caddy the edge's part is played by the client that Caddy's module is made of.
func (d *deployment) wires(ready demo.Ready, noEdge bool) ([]*wire, error) {
	transport := func() *http.Transport {
		return &http.Transport{
			DialContext: (&net.Dialer{Timeout: 500 * time.Millisecond}).DialContext, MaxIdleConnsPerHost: 512, MaxIdleConns: 2048, IdleConnTimeout: 30 * time.Second,
		}
	}
	edge := &wire{name: "edge", bases: []string{d.demo.URL()}, http: &http.Client{Transport: transport()}, try: 30 * time.Second, gaps: d.edge, book: d.book, pace: d.pace}
	if noEdge {
		config, err := d.demo.Client()
		if err != nil {
			return nil, err
		}
		if d.client, err = client.New(config); err != nil {
			return nil, err
		}
		d.client.Start()
		edge.http.Transport = d.client
	}
	straight := &wire{name: "node", bases: ready.API, http: &http.Client{Transport: transport()}, try: 3 * time.Second, gaps: d.nodes, book: d.book, pace: d.pace}
	return []*wire{edge, straight}, nil
}

// settleMax bounds how long what was begun may take to end when all faults are over.
const settleMax = 2 * time.Minute

// settle ends the crowd in order.
func (d *deployment) settle() error {
	timer := time.AfterFunc(settleMax, d.cutOff)
	defer timer.Stop()
	d.crowd.finish()
	if !timer.Stop() {
		return fmt.Errorf("what buyers had begun has not ended within %v", settleMax)
	}
	return nil
}

// close takes everything down.
func (d *deployment) close() error {
	var errs []error
	if d.cutOff != nil {
		d.cutOff()
	}
	if d.crowd != nil {
		d.crowd.running.Wait()
	}
	if d.client != nil {
		d.client.Close()
	}
	if d.rooms != nil {
		d.rooms.close()
	}
	if d.demo != nil {
		errs = append(errs, d.demo.Stop())
	}
	for _, p := range d.proxies {
		p.close()
	}
	if d.disk != nil {
		errs = append(errs, d.disk.close())
	}
	if d.spaces != nil {
		errs = append(errs, d.spaces.close())
	}
	return errors.Join(errs...)
}

// ready waits until all nodes say that they are.
func (d *deployment) ready(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	for i := range d.demo.Nodes() {
		if err := d.demo.WaitNode(ctx, i); err != nil {
			return fmt.Errorf("node %d is not ready again: %w", i+1, err)
		}
	}
	return nil
}
