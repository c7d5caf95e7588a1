package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"golang.org/x/term"

	"ticketrush/stockd/failure"
	"ticketrush/stockd/rush"
)

// crowdFlags are the flags of a crowd, for rush and for demo --rush.
type crowdFlags struct {
	Fans        int           `default:"8000" help:"How many people come (${default})."`
	Arrive      time.Duration `default:"20s" help:"In which time they come, most of them early (${default})."`
	Parties     string        `default:"1-6" help:"How many tickets somebody wants (${default})."`
	Abandon     float64       `default:"0.1" help:"Share that holds seats and leaves (${default})."`
	Late        float64       `default:"0.03" help:"Share that lets the hold run out and then wants to pay (${default})."`
	Fight       float64       `default:"0.1" help:"Share that wants the same few seats as others (${default})."`
	Decline     float64       `default:"0.05" help:"Share whose first payment is declined (${default})."`
	Think       time.Duration `default:"400ms" help:"Mean time that a person takes at each step (${default})."`
	Visits      int           `default:"3" help:"How often one person comes while there is something left (${default})."`
	Seed        uint64        `default:"1" help:"The same seed makes the same people (${default})."`
	Connections int           `default:"256" help:"The most connections to the edge (${default})."`
	Deadline    time.Duration `default:"10m" help:"When it takes longer, it is ended and fails (${default})."`
	Report      string        `type:"path" placeholder:"FILE" help:"Write a report with charts, as HTML."`
}

// config gives the crowd without where it goes.
func (c crowdFlags) config() (rush.Config, error) {
	low, high, err := rush.ParseParties(c.Parties)
	if err != nil {
		return rush.Config{}, failure.ByMisuse(err)
	}
	share := func(v float64) float64 { // 0 on the command line means nobody, in Config it means the default
		if v == 0 {
			return -1
		}
		return v
	}
	return rush.Config{
		Fans: c.Fans, Arrive: c.Arrive, PartyMin: low, PartyMax: high, Abandon: share(c.Abandon), Late: share(c.Late), Fight: share(c.Fight),
		Decline: share(c.Decline), Think: c.Think, Visits: c.Visits, Seed: c.Seed, Connections: c.Connections, Deadline: c.Deadline,
	}, nil
}

type rushCommand struct {
	crowdFlags
	URL        string `default:"http://127.0.0.1:8080" help:"The edge (${default})."`
	Event      string `default:"arena" help:"The event (${default})."`
	Room       string `help:"Its waiting room; default the event's own; - for none, then an API key with the scope sell may be needed."`
	APIKeyFile string `name:"api-key-file" type:"path" placeholder:"FILE" help:"A file with an API key to make holds with, instead of a pass."`
	SellOut    bool   `help:"Fail when something is left at the end."`
}

// Run sends the crowd and fails when something does not hold.
func (r *rushCommand) Run(ctx context.Context, con console) error {
	c, err := r.config()
	if err != nil {
		return err
	}
	c.URL, c.Event, c.Room, c.SellOut = r.URL, r.Event, r.Room, r.SellOut
	if r.APIKeyFile != "" {
		if c.APIKey, err = (caller{APIKeyFile: r.APIKeyFile}).key(); err != nil {
			return err
		}
	}
	s, err := sendCrowd(ctx, con, c, r.Report)
	if err != nil {
		return err
	}
	if !s.OK() {
		return failure.Told(failure.Failed)
	}
	return nil
}

// sendCrowd runs a rush, shows it, and prints and writes what came of it.
func sendCrowd(ctx context.Context, con console, c rush.Config, report string) (*rush.Summary, error) {
	out, terminal, width := con.terminal()
	show, finish := rush.NewDisplay(out, terminal, width)
	s, err := rush.Run(ctx, c, show)
	finish()
	switch {
	case errors.Is(err, rush.ErrConfig):
		return nil, failure.ByMisuse(err)
	case err != nil:
		return nil, failure.ByAbsence(err)
	}
	fmt.Fprintln(con.out)
	s.WriteText(con.out)
	if report != "" {
		if err := writeReport(s, report); err != nil {
			return nil, failure.ByAbsence(fmt.Errorf("write the report: %w", err))
		}
		fmt.Fprintf(con.out, "\nthe report is in %s\n", report)
	}
	return s, nil
}

func writeReport(s *rush.Summary, path string) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	return errors.Join(s.WriteReport(f), f.Close())
}

// terminal says whether the output is one, and how wide it is.
func (c console) terminal() (out io.Writer, is bool, width func() int) {
	f, ok := c.out.(*os.File)
	if !ok || !term.IsTerminal(int(f.Fd())) {
		return c.out, false, nil
	}
	return f, true, func() int {
		w, _, err := term.GetSize(int(f.Fd()))
		if err != nil {
			return 80
		}
		return w
	}
}
