package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"strconv"
	"text/tabwriter"
	"time"

	"ticketrush/stockd/failure"
	"ticketrush/stockd/serve"
)

// outboxCommand is for calls to payment providers and to the stock that follow a commit: refunds, voids, seats that come back.
type outboxCommand struct {
	List  outboxListCommand  `cmd:"" help:"List calls that are not done, those that were given up first."`
	Retry outboxRetryCommand `cmd:"" help:"Try a call again at once, or all that were given up."`
}

// outboxMax is the most calls that are listed at once.
const outboxMax = 1000

type outboxListCommand struct {
	ledgerAt
	Dead bool `help:"Only those that were given up."`
	JSON bool `help:"Print JSON."`
}

// Run lists them.
func (o *outboxListCommand) Run(ctx context.Context, con console) error {
	dsn, err := o.dsn()
	if err != nil {
		return err
	}
	db, err := openLedger(ctx, dsn)
	if err != nil {
		return err
	}
	defer db.Close()
	list, err := db.OutboxList(ctx, o.Dead, outboxMax)
	if err != nil {
		return err
	}
	calls := serve.Calls(list)
	if o.JSON {
		e := json.NewEncoder(con.out)
		e.SetIndent("", "  ")
		return e.Encode(calls)
	}
	if len(calls) == 0 {
		fmt.Fprintln(con.out, "nothing waits")
		return nil
	}
	w := tabwriter.NewWriter(con.out, 0, 0, 2, ' ', 0)
	fmt.Fprintf(w, "ID\tCALL\tTRIES\tSTATE\tABOUT\tLAST ERROR\n")
	for _, c := range calls {
		state := "again at " + c.Due.UTC().Format(time.RFC3339)
		if c.DeadAt != nil {
			state = "given up " + c.DeadAt.UTC().Format(time.RFC3339)
		}
		fmt.Fprintf(w, "%d\t%s\t%d\t%s\t%s\t%s\n", c.ID, c.Topic, c.Attempts, state, c.About, orDash(c.Error))
	}
	if len(calls) == outboxMax {
		fmt.Fprintf(w, "and perhaps more: these are the first %d\n", outboxMax)
	}
	return w.Flush()
}

type outboxRetryCommand struct {
	ledgerAt
	ID  string `arg:"" optional:"" help:"The call's number, from stockd outbox list."`
	All bool   `help:"All that were given up."`
}

// Run makes calls due; any node makes them within a second.
func (o *outboxRetryCommand) Run(ctx context.Context, con console) error {
	if (o.ID == "") != o.All {
		return failure.ByMisuse(errors.New("say which call: its number from `stockd outbox list --dead`, or --all, one of them"))
	}
	var id int64
	if !o.All {
		var err error
		if id, err = strconv.ParseInt(o.ID, 10, 64); err != nil || id <= 0 {
			return failure.ByMisuse(fmt.Errorf("%q is no number of a call; `stockd outbox list --dead` shows them", o.ID))
		}
	}
	dsn, err := o.dsn()
	if err != nil {
		return err
	}
	db, err := openLedger(ctx, dsn)
	if err != nil {
		return err
	}
	defer db.Close()
	n, err := db.OutboxRetry(ctx, id, time.Now())
	if err != nil {
		return err
	}
	if n == 0 && id != 0 {
		return failure.ByMisuse(fmt.Errorf("no call with the number %d waits: it is done, or never was; `stockd outbox list` shows those that do", id))
	}
	if n > 0 {
		if err := db.Audit(ctx, whoami(), "outbox.retry", callName(id), nil, netip.Addr{}); err != nil {
			return err
		}
	}
	fmt.Fprintf(con.out, "%d calls are due now; a node makes them within a second, and `stockd outbox list` shows what is left\n", n)
	return nil
}

// callName names a call, or all, in the audit log.
func callName(id int64) string {
	if id == 0 {
		return "all"
	}
	return strconv.FormatInt(id, 10)
}
