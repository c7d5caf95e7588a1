// Command cmd is `make chaos`: it breaks a real deployment under load and exits with 0 only when every promise was kept.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"

	"ticketrush/chaos"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := run(ctx)
	stop()
	os.Exit(code)
}

func run(ctx context.Context) int {
	o := chaos.Options{Out: os.Stderr}
	var faults string
	flag.StringVar(&o.Stockd, "stockd", "bin/stockd", "the program of the nodes")
	flag.StringVar(&o.Before, "before", "", "the program of the nodes in the version before, for the fault upgrade; scripts/before.sh REF builds it")
	flag.StringVar(&o.Caddy, "caddy", "bin/caddy", "the edge, as ./xcaddy.sh builds it; empty: the client that it is made of plays its part")
	flag.StringVar(&o.Caddyfile, "caddyfile", "Caddyfile", "the edge's configuration")
	flag.IntVar(&o.Seconds, "seconds", 60, "how long the crowd buys at least: the faults are made again until then")
	flag.IntVar(&o.Buyers, "buyers", 96, "how many clients buy at the same time")
	flag.IntVar(&o.Rate, "rate", 4000, "how many operations begin per second at most")
	flag.IntVar(&o.Gentle, "gentle", 400, "the same for faults that are planned")
	flag.StringVar(&faults, "faults", "", "which faults, separated by commas; empty: all")
	flag.StringVar(&o.Logs, "logs", "", "a folder that gets what nodes, edge and Postgres said; it may not be there yet")
	list := flag.Bool("list", false, "list the faults and end")
	flag.Parse()
	if *list {
		for _, f := range chaos.Faults() {
			fmt.Printf("%-15s %s\n", f.Name, f.About)
		}
		return 0
	}
	if faults != "" {
		o.Faults = strings.Split(faults, ",")
	}
	var err error
	for _, path := range []*string{&o.Stockd, &o.Before, &o.Caddy, &o.Caddyfile} {
		if *path == "" {
			continue
		}
		if *path, err = filepath.Abs(*path); err != nil {
			fmt.Fprintln(os.Stderr, "chaos:", err)
			return 1
		}
	}
	r, err := chaos.Run(ctx, o)
	if r != nil {
		r.Write(os.Stdout)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "chaos:", err)
		return 1
	}
	if !r.OK() {
		return 1
	}
	return 0
}
