package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"ticketrush/stockd/failure"
	"ticketrush/stockd/gate"
	"ticketrush/stockd/serve"
)

type gateCommand struct {
	Fetch  gateFetch  `cmd:"" help:"Fetch what a gate takes along to check tickets without a network."`
	Check  gateCheck  `cmd:"" help:"Check codes: from the command line, a file, or a scanner that types lines."`
	Serve  gateServe  `cmd:"" help:"Serve a page for the browser of this device, which reads codes with its camera."`
	Merge  gateMerge  `cmd:"" help:"Put the logs of several gates together and report tickets that were scanned twice."`
	Upload gateUpload `cmd:"" help:"Tell the scans of a log to the ledger and report tickets that were scanned twice."`
}

// gateFiles are a gate's own.
type gateFiles struct {
	Bundle   string `default:"gate.json" type:"path" help:"What gate fetch has written (${default})."`
	Log      string `default:"scans.log" type:"path" help:"The log of scans; it is made when it is not there (${default})."`
	Gate     string `required:"" placeholder:"NAME" help:"The name of this gate, as the warning of a second scan tells it."`
	Rehearse bool   `help:"Leave out the time of the event."`
}

// open reads the gate's files.
func (f *gateFiles) open(con console) (*gate.Checker, *gate.Log, error) {
	b, err := gate.Load(f.Bundle)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil, failure.ByAbsence(fmt.Errorf("there is no bundle %s; fetch it with `stockd gate fetch EVENT --out %s`", f.Bundle, f.Bundle))
	}
	if err != nil {
		return nil, nil, failure.ByAbsence(err)
	}
	log, err := gate.OpenLog(f.Log)
	if err != nil {
		return nil, nil, failure.ByAbsence(err)
	}
	if n := log.Cut(); n > 0 {
		fmt.Fprintf(con.err, "the last line of %s was torn; %d bytes were cut off, its scan was never answered\n", f.Log, n)
	}
	if age := time.Since(b.AsOf); age > 6*time.Hour {
		fmt.Fprintf(con.err, "the list of void tickets is %v old; fetch it again when there is a network\n", age.Round(time.Minute))
	}
	c, err := gate.NewChecker(f.Gate, b, log, f.Rehearse)
	if err != nil {
		return nil, nil, failure.ByMisuse(errors.Join(err, log.Close()))
	}
	return c, log, nil
}

type gateFetch struct {
	caller
	Event string `arg:"" help:"The event, by slug or id."`
	Out   string `default:"gate.json" type:"path" help:"Where to write it (${default})."`
}

// Run fetches the bundle. One that cannot be used is not written over one that can.
func (g *gateFetch) Run(ctx context.Context, con console) error {
	got, err := g.call(ctx, http.MethodGet, "/v1/events/"+url.PathEscape(g.Event)+"/gate-bundle", "", nil, nil)
	if err != nil {
		return err
	}
	var b gate.Bundle
	if err := decode(got.body, &b); err != nil {
		return err
	}
	if err := b.Check(); err != nil {
		return err
	}
	if err := b.Save(g.Out); err != nil {
		return err
	}
	fmt.Fprintf(con.out, "wrote %s: %s, %d tickets sold, %d void, good from %s to %s\n", g.Out, b.Name, len(b.Seats), len(b.Revoked),
		b.ValidFrom.Format(time.RFC3339), b.ValidUntil.Format(time.RFC3339))
	return nil
}

type gateCheck struct {
	gateFiles
	File  string   `short:"f" type:"path" placeholder:"FILE" help:"Read codes from a file, one a line; - is standard input."`
	JSON  bool     `help:"Print each verdict as a line of JSON."`
	Codes []string `arg:"" optional:"" help:"Codes; without any, lines of standard input."`
}

// Run checks the codes. It fails when one of them is not green.
func (g *gateCheck) Run(con console) error {
	c, log, err := g.open(con)
	if err != nil {
		return err
	}
	green := true
	one := func(code string) error {
		v, err := c.Check(code, time.Now())
		if err != nil {
			return err
		}
		green = green && v.Result == gate.OK
		return g.tell(con.out, v)
	}
	err = g.each(one)
	if err := errors.Join(err, log.Close()); err != nil {
		return err
	}
	if !green {
		return failure.Told(failure.Failed)
	}
	return nil
}

// each calls check for every code that was given.
func (g *gateCheck) each(check func(string) error) error {
	for _, code := range g.Codes {
		if err := check(code); err != nil {
			return err
		}
	}
	if len(g.Codes) > 0 && g.File == "" {
		return nil
	}
	var in io.Reader = os.Stdin
	if g.File != "" && g.File != "-" {
		f, err := os.Open(g.File)
		if err != nil {
			return failure.ByAbsence(fmt.Errorf("read the codes: %w", err))
		}
		defer f.Close()
		in = f
	}
	lines := bufio.NewScanner(in)
	for lines.Scan() {
		if code := strings.TrimSpace(lines.Text()); code != "" {
			if err := check(code); err != nil {
				return err
			}
		}
	}
	if err := lines.Err(); err != nil {
		return fmt.Errorf("read the codes: %w", err)
	}
	return nil
}

func (g *gateCheck) tell(w io.Writer, v gate.Verdict) error {
	if g.JSON {
		return json.NewEncoder(w).Encode(v)
	}
	what := strings.Join(strings.Fields(strings.Join([]string{v.Seat, v.Type, v.Holder}, " ")), " ")
	if what != "" {
		what += ": "
	}
	_, err := fmt.Fprintf(w, "%-5s  %-11s  %s%s\n", strings.ToUpper(v.Colour), v.Result, what, v.Text)
	return err
}

type gateServe struct {
	gateFiles
	Listen string `default:"127.0.0.1:7180" help:"Where; an address of this device only (${default})."`
}

// Run serves the page until it is told to stop.
func (g *gateServe) Run(ctx context.Context, con console) error {
	host, _, err := net.SplitHostPort(g.Listen)
	if ip := net.ParseIP(host); err != nil || host != "localhost" && (ip == nil || !ip.IsLoopback()) {
		return failure.ByMisuse(fmt.Errorf("--listen %s: name an address of this device, such as 127.0.0.1:7180; browsers give a page the camera there, and whoever reaches it lets people in", g.Listen))
	}
	c, log, err := g.open(con)
	if err != nil {
		return err
	}
	listener, err := serve.Listen(ctx, g.Listen, "--listen")
	if err != nil {
		return errors.Join(err, log.Close())
	}
	logger := slog.New(slog.NewTextHandler(con.err, nil))
	server := &http.Server{Handler: gate.NewServer(c, g.Bundle, time.Now, logger).Handler(), ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 10 * time.Second}
	fmt.Fprintf(con.out, "gate %s of %s: http://%s\n", g.Gate, c.Bundle().Name, listener.Addr())
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(listener) }()
	select {
	case err := <-ended:
		return errors.Join(err, log.Close())
	case <-ctx.Done():
		return errors.Join(server.Close(), log.Close())
	}
}

type gateMerge struct {
	Out  string   `type:"path" placeholder:"FILE" help:"Write the merged log here; the gates may go on with it."`
	JSON bool     `help:"Print each double as a line of JSON."`
	Logs []string `arg:"" type:"existingfile" help:"The logs, in any order."`
}

// Run merges logs. It fails when a ticket was scanned twice.
func (g *gateMerge) Run(con console) error {
	var logs [][]gate.Scan
	for _, path := range g.Logs {
		scans, err := gate.ReadLog(path)
		if err != nil {
			return failure.ByAbsence(err)
		}
		logs = append(logs, scans)
	}
	merged := gate.Merge(logs...)
	if g.Out != "" {
		if err := gate.WriteLog(g.Out, merged); err != nil {
			return failure.ByAbsence(err)
		}
	}
	doubles := gate.Doubles(merged)
	for _, d := range doubles {
		if g.JSON {
			if err := json.NewEncoder(con.out).Encode(d); err != nil {
				return err
			}
			continue
		}
		fmt.Fprintf(con.out, "tkt_%s: first at gate %s, %s; again at gate %s, %s\n", d.First.Ticket, d.First.Gate, d.First.At.Format(time.RFC3339), d.Again.Gate, d.Again.At.Format(time.RFC3339))
	}
	fmt.Fprintf(con.err, "%d scans of %d tickets, %d of them again\n", len(merged), len(merged)-len(doubles), len(doubles))
	if len(doubles) > 0 {
		return failure.Told(failure.Failed)
	}
	return nil
}

type gateUpload struct {
	caller
	Event string `arg:"" help:"The event, by slug or id."`
	Log   string `default:"scans.log" type:"path" help:"The log (${default})."`
}

// uploadBatch is how many scans go in one call.
const uploadBatch = 400

// Run tells the scans to the ledger; again, nothing happens. It fails when one of them was not the first of its ticket, or of a void one.
func (g *gateUpload) Run(ctx context.Context, con console) error {
	scans, err := gate.ReadLog(g.Log)
	if err != nil {
		return failure.ByAbsence(err)
	}
	good := true
	for rest := scans; len(rest) > 0; {
		n := min(len(rest), uploadBatch)
		list := make([]map[string]any, 0, n)
		for _, s := range rest[:n] {
			list = append(list, map[string]any{"ticket": "tkt_" + s.Ticket.String(), "gate": s.Gate, "at": s.At})
		}
		body, err := json.Marshal(map[string]any{"scans": list})
		if err != nil {
			return err
		}
		got, err := g.call(ctx, http.MethodPost, "/v1/events/"+url.PathEscape(g.Event)+"/checkins", "application/json", body, nil)
		if err != nil {
			return err
		}
		var answer struct {
			Results []struct{ Result, Ticket, Text string }
		}
		if err := decode(got.body, &answer); err != nil {
			return err
		}
		for i, r := range answer.Results {
			if r.Result != string(gate.OK) && i < n {
				good = false
				fmt.Fprintf(con.out, "%s at gate %s, %s: %s\n", r.Ticket, rest[i].Gate, rest[i].At.Format(time.RFC3339), r.Text)
			}
		}
		rest = rest[n:]
	}
	fmt.Fprintf(con.err, "told %d scans\n", len(scans))
	if !good {
		return failure.Told(failure.Failed)
	}
	return nil
}
