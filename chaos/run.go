package chaos

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"ticketrush/ledger"
	"ticketrush/ledger/reconcile"
)

// Options says what is run.
type Options struct {
	// Stockd is the program of the nodes. Caddy and Caddyfile are the edge's; without Caddy its part is played by the client that it is made of.
	Stockd, Caddy, Caddyfile string
	// Before is the program of the nodes in the version before, for the fault upgrade.
	Before string
	// Faults are the names of those to make. Default: all.
	Faults []string
	// Seconds is how long the crowd buys at least: the faults are made again until then. Default: 60.
	Seconds int
	// Buyers is the number of clients. Default: 96.
	Buyers int
	// Rate is how many operations begin per second at most; Gentle the same for faults that are planned, whose short gaps would drown in the queues of
	// a machine at its limit. Defaults: 4,000 and 400.
	Rate, Gentle int
	// OpsMax bounds the operations of one deployment, and with them the memory of the history. Default: 3,000,000.
	OpsMax int64
	// Logs is a folder that gets what nodes, edge and Postgres said. Default: it is thrown away.
	Logs string
	// Out gets what happens. Default: nothing.
	Out io.Writer
}

func (o Options) withDefaults() Options {
	if o.Seconds == 0 {
		o.Seconds = 60
	}
	if o.Buyers == 0 {
		o.Buyers = 96
	}
	if o.Rate == 0 {
		o.Rate = 4000
	}
	if o.Gentle == 0 {
		o.Gentle = 400
	}
	if o.OpsMax == 0 {
		o.OpsMax = 3_000_000
	}
	if o.Out == nil {
		o.Out = io.Discard
	}
	return o
}

// choose finds the faults by their names.
func choose(names []string) ([]Fault, error) {
	all := Faults()
	if len(names) == 0 {
		return all, nil
	}
	var chosen []Fault
	for _, name := range names {
		i := slices.IndexFunc(all, func(f Fault) bool { return f.Name == name })
		if i < 0 {
			var known []string
			for _, f := range all {
				known = append(known, f.Name)
			}
			return nil, fmt.Errorf("there is no fault %q; there are: %s", name, strings.Join(known, ", "))
		}
		chosen = append(chosen, all[i])
	}
	return chosen, nil
}

// Run makes the faults and gives the report. An error means that the run itself could not go on; what does not hold is in the report.
func Run(ctx context.Context, o Options) (*Report, error) {
	o = o.withDefaults()
	faults, err := choose(o.Faults)
	if err != nil {
		return nil, err
	}
	r := &Report{Machine: machine(), Started: time.Now()}
	for _, needs := range []need{needNothing, needProxies, needSpaces, needSmallDisk, needBefore} {
		group := slices.DeleteFunc(slices.Clone(faults), func(f Fault) bool { return f.needs != needs })
		if len(group) == 0 {
			continue
		}
		share := time.Duration(o.Seconds) * time.Second * time.Duration(len(group)) / time.Duration(len(faults))
		if err := runGroup(ctx, o, r, group, share); err != nil {
			return r, err
		}
	}
	return r, nil
}

// runGroup makes the faults of one need in a deployment of their own, and checks everything that its crowd was promised.
func runGroup(ctx context.Context, o Options, r *Report, group []Fault, least time.Duration) (err error) {
	d, err := start(ctx, o, group[0].needs)
	if errors.Is(err, errNotHere) {
		for _, f := range group {
			r.Lines = append(r.Lines, Line{Fault: f.Name, About: f.About, Skipped: err.Error()})
		}
		return nil
	}
	if err != nil {
		return err
	}
	defer func() {
		if o.Logs != "" {
			err = errors.Join(err, os.CopyFS(filepath.Join(o.Logs, group[0].Name), os.DirFS(d.demo.Ready().Logs)))
		}
		err = errors.Join(err, d.close())
	}()
	begin := time.Now()
	for round := 0; round == 0 || time.Since(begin) < least; round++ {
		for i, f := range group {
			if round == 0 && i == len(group)/2 {
				f = d.withCancellation(f)
			}
			line, err := d.make(ctx, o.Out, f)
			if err != nil {
				return fmt.Errorf("%s: %w", f.Name, err)
			}
			r.Lines = append(r.Lines, line)
		}
	}
	r.Load += time.Since(begin)
	return d.verify(ctx, o.Out, r)
}

// calm is how long the crowd is watched before a fault, to tell what the fault adds.
const calm = 2 * time.Second

// reset begins a measurement of the gaps.
func (d *deployment) reset() {
	now := time.Now()
	d.frozen = nil
	d.edge.reset(now)
	d.nodes.reset(now)
}

// measured are the longest gaps of a measurement.
type measured struct{ edge, nodes gap }

// freeze ends the measurement of the gaps.
func (d *deployment) freeze() {
	if d.frozen != nil {
		return
	}
	now := time.Now()
	d.frozen = &measured{edge: d.edge.longest(now), nodes: d.nodes.longest(now)}
}

// make makes one fault and measures it.
func (d *deployment) make(ctx context.Context, out io.Writer, f Fault) (line Line, err error) {
	if err := d.ready(ctx); err != nil {
		return line, err
	}
	d.pace.set(d.rates[f.gentle])
	if err := wait(ctx, time.Second); err != nil {
		return line, err
	}
	d.reset()
	ops, since := d.crowd.ops.Load(), time.Now()
	if err := wait(ctx, calm); err != nil {
		return line, err
	}
	line = Line{Fault: f.Name, About: f.About, Rate: float64(d.crowd.ops.Load()-ops) / time.Since(since).Seconds()}
	d.freeze()
	line.Calm = max(d.frozen.edge.length, d.frozen.nodes.length)
	fmt.Fprintf(out, "· %s %s: %s (%.0f operations/s before it)\n", time.Now().UTC().Format("15:04:05.000"), f.Name, f.About, line.Rate)
	d.reset()
	errorsBefore := d.book.count("errors")
	took, err := f.run(ctx, d)
	if err != nil {
		return line, err
	}
	if err := d.ready(ctx); err != nil {
		return line, err
	}
	d.freeze()
	line.Edge, line.Nodes = d.frozen.edge.length, d.frozen.nodes.length
	line.Took, line.Bound = took, f.bound+took
	line.Errors = d.book.count("errors") - errorsBefore
	line.Holds = line.Errors == 0 && line.Edge <= line.Bound && (!f.nodes || line.Nodes <= line.Bound)
	fmt.Fprintf(out, "  gap %v at the edge, %v at a node; bound %v; %d errors\n", d.frozen.edge, d.frozen.nodes, line.Bound.Round(time.Millisecond), line.Errors)
	select {
	case err := <-d.demo.Died():
		return line, err
	default:
		return line, nil
	}
}

// verify ends the crowd and looks whether every promise was kept.
func (d *deployment) verify(ctx context.Context, out io.Writer, r *Report) error {
	fmt.Fprintln(out, "· the crowd ends what it has begun")
	if d.rooms != nil {
		d.rooms.finish(ctx, r)
	}
	if err := d.settle(); err != nil {
		r.Wrong = append(r.Wrong, err.Error())
	}
	db, err := ledger.Open(ctx, d.demo.DSN(), ledger.Options{})
	if err != nil {
		return err
	}
	defer db.Close()
	fmt.Fprintln(out, "· waiting for money and seats that are on their way back")
	if err := d.quiet(ctx, db, r); err != nil {
		return err
	}
	d.judgeMatinee(ctx, r)
	d.crowd.allReturned()
	fmt.Fprintln(out, "· reading the ledger")
	if err := d.find(ctx, db, r); err != nil {
		return err
	}
	if err := books(ctx, db, r); err != nil {
		return err
	}
	fmt.Fprintf(out, "· checking %d operations on %d seats\n", d.history.operations(), d.history.seatsTouched())
	if err := d.history.check(); err != nil {
		r.Wrong = append(r.Wrong, "porcupine: "+err.Error())
	}
	r.add(d)
	return nil
}

// books has the ledger checked. That nothing is wrong with the books counts only if there was something in them.
func books(ctx context.Context, db *ledger.DB, r *Report) error {
	report, err := reconcile.Run(ctx, db, reconcile.Options{})
	if err != nil {
		return err
	}
	rows := map[string]int64{}
	for _, c := range report.Checks {
		r.Checks++
		rows[c.Name] = c.Rows
		for _, b := range c.Breaks {
			r.Wrong = append(r.Wrong, fmt.Sprintf("reconcile, %s: %s: %s", c.Name, b.Row, b.Text))
		}
	}
	for _, note := range report.Notes {
		r.Wrong = append(r.Wrong, "reconcile: "+note)
	}
	if rows["trial balance"] == 0 || rows["clearing"] == 0 {
		r.Wrong = append(r.Wrong, fmt.Sprintf("nothing was sold: reconcile has seen %d accounts and %d clearing accounts", rows["trial balance"], rows["clearing"]))
	}
	r.Accounts += rows["trial balance"]
	r.Clearing += rows["clearing"]
	return nil
}

// quietMax bounds how long money, seats and messages may be under way when nobody does anything any more.
const quietMax = 2 * time.Minute

// quiet waits until nothing is under way any more: no call of the outbox, no order that was paid late, no event that is being given back.
func (d *deployment) quiet(ctx context.Context, db *ledger.DB, r *Report) error {
	d.crowd.matinee.called.Wait()
	for begin := time.Now(); ; {
		calls, dead, err := db.OutboxCount(ctx)
		if err != nil {
			return err
		}
		late, err := db.LateOpen(ctx, time.Now().Add(time.Hour), 1)
		if err != nil {
			return err
		}
		mass, err := db.MassRefundsOpen(ctx)
		if err != nil {
			return err
		}
		if dead > 0 || time.Since(begin) > quietMax {
			r.Wrong = append(r.Wrong, fmt.Sprintf("%d calls were given up, %d are still to be made, after %v; orders paid late: %v; events that are given back: %v", dead, calls, time.Since(begin), late, mass))
			return nil
		}
		if calls == 0 && len(late) == 0 && len(mass) == 0 {
			return nil
		}
		if err := wait(ctx, 250*time.Millisecond); err != nil {
			return err
		}
	}
}
