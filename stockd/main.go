package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
	_ "time/tzdata" // people's time zones, where the machine has none

	"ticketrush/stockd/failure"

	"github.com/alecthomas/kong"
)

// commands is the whole command line.
type commands struct {
	Serve      serveCommand      `cmd:"" help:"Run a node."`
	Migrate    migrateCommand    `cmd:"" help:"Bring the ledger's schema up to date."`
	Keys       keysCommand       `cmd:"" help:"Make keys."`
	Apikey     apikeyCommand     `cmd:"" name:"apikey" help:"API keys of organisers and ops."`
	Event      eventCommand      `cmd:"" help:"Events: create, import a chart, open, pause, close, cancel, postpone, show."`
	Gate       gateCommand       `cmd:"" help:"Check tickets at a door, without a network too."`
	Invoice    invoiceCommand    `cmd:"" help:"Invoices and credit notes: make what is missing, and say who issues them."`
	Status     statusCommand     `cmd:"" help:"Nodes, waiting rooms, events and alarms at a glance."`
	Reconcile  reconcileCommand  `cmd:"" help:"Compare stock, sales, orders and money in the ledger, to the last unit."`
	Settlement settlementCommand `cmd:"" name:"settlement" help:"What payment providers settled: import their files."`
	Export     exportCommand     `cmd:"" help:"Write postings, movements, orders or settlement lines to a file, with a manifest."`
	CloseDay   closeDayCommand   `cmd:"" name:"close-day" help:"Close a business day and sign what was posted to it."`
	Prove      proveCommand      `cmd:"" help:"Prove that a posting was signed, check such a proof, or compare the ledger with what was published."`
	Outbox     outboxCommand     `cmd:"" help:"Calls to payment providers that wait or were given up: list them, try them again."`
	Organiser  organiserCommand  `cmd:"" help:"What belongs to organisers: recognise an event's revenue, record payouts."`
	Restored   restoredCommand   `cmd:"" help:"Make a ledger fit for nodes that was restored to an earlier time, before they start."`
	Erase      eraseCommand      `cmd:"" help:"Take a buyer's personal data out of the ledger."`
	Demo       demoCommand       `cmd:"" help:"Run everything on this machine: Postgres, three nodes, Caddy, a shop."`
	Rush       rushCommand       `cmd:"" help:"Send a crowd through the doors of a deployment and check what it bought."`
	Site       siteCommand       `cmd:"" help:"Serve the demo's shop."`
	Openapi    openapiCommand    `cmd:"" name:"openapi" help:"Print the API's contract."`
	Verify     verifyCommand     `cmd:"" name:"verify-draw" help:"Compute the draw of a waiting room again from what the room published."`
	Version    versionCommand    `cmd:"" help:"Print the version."`
	Sweep      sweepCommand      `cmd:"" hidden:"" help:"Wait for the demo to end and remove what it left."`
}

// console is where commands read and write; tests put their own in.
type console struct {
	out, err io.Writer
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := run(ctx, os.Args[1:], console{out: os.Stdout, err: os.Stderr})
	stop()
	os.Exit(code)
}

// run carries out one command line and gives the exit code.
func run(ctx context.Context, args []string, con console) int {
	var cli commands
	left := -1 // what kong wants to exit with after --help
	parser, err := kong.New(&cli,
		kong.Name("stockd"),
		kong.Description("Sells a scarce thing to a flood of people: never a seat twice."),
		kong.UsageOnError(),
		kong.Writers(con.out, con.err),
		kong.Exit(func(code int) { left = code }),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true}),
		kong.Bind(con),
		kong.BindTo(ctx, (*context.Context)(nil)),
	)
	if err != nil {
		panic(err) // the command line above is malformed: a bug that every test sees
	}
	if len(args) == 0 {
		args = []string{"--help"}
	}
	parsed, err := parser.Parse(args)
	if left >= 0 {
		return left
	}
	if err != nil {
		return report(con.err, failure.ByMisuse(fmt.Errorf("%w\nstockd --help lists the commands, stockd COMMAND --help their flags", err)))
	}
	return report(con.err, parsed.Run())
}

// report prints a failure and gives its exit code.
func report(w io.Writer, err error) int {
	if err == nil {
		return failure.Done
	}
	var f *failure.Error
	if !errors.As(err, &f) {
		f = &failure.Error{Code: failure.Failed, Err: err}
	}
	if f.Err != nil {
		fmt.Fprintf(w, "stockd: %v\n", err)
	}
	return f.Code
}
