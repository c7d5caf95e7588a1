// Package serve is a node as a process: it puts the parts together, serves them, and takes them down in order. The ports are the parts as the API sees them.
package serve

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"syscall"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"ticketrush/ledger"
	"ticketrush/stockd/config"
	"ticketrush/stockd/failure"
	"ticketrush/stockd/node"
)

// nodeConfig is the part of the configuration that is the node's.
func nodeConfig(c config.Config, s config.Secrets) node.Config {
	return node.Config{
		NodeID: c.Node, APIAddr: c.APIAdvertise, InternalAddr: c.InternalAdvertise, GossipAddr: c.GossipAddr, Join: c.Join, ClusterLabel: c.Cluster,
		GossipKey: s.Gossip, InternalKey: s.Internal, Postgres: s.DSN, SessionTTL: time.Duration(c.SessionTTL), Lanes: c.Lanes, Linger: time.Duration(c.Linger),
		BatchMax: c.BatchMax, QueueMax: c.QueueMax, QueueWait: time.Duration(c.QueueWait),
		BalanceAfter: time.Duration(c.BalanceAfter), MoveCooldown: time.Duration(c.MoveCooldown),
		HotRate: c.HotRate, HotStay: time.Duration(c.HotStay),
	}
}

// Run runs a node. Its ports open when the ledger has been read, for a client that finds an open port waits there, and before the node joins
// the others: a port that is taken must be found before anything is owned.
func Run(ctx context.Context, c config.Config, s config.Secrets, log *slog.Logger) error {
	registry := prometheus.NewRegistry()
	registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	n, err := node.New(nodeConfig(c, s), log, registry)
	if err != nil {
		return failure.ByMisuse(fmt.Errorf("the configuration is wrong: %w", err))
	}
	if err := n.Open(ctx); err != nil {
		return startFailed(err, c.GossipAddr)
	}
	listeners, err := listenAll(ctx, c)
	if err != nil {
		return errors.Join(err, n.Close())
	}
	defer listeners[0].Close()
	defer listeners[1].Close()
	rooms, err := newWaiting(c, s, log, registry, n)
	if err != nil {
		return errors.Join(err, n.Close())
	}
	if err := n.Start(ctx); err != nil {
		rooms.rooms.Close()
		return startFailed(err, c.GossipAddr)
	}
	log.Info("the node runs", "node", c.Node, "version", Version(), "api", c.APIAddr, "internal", c.InternalAddr, "gossip", c.GossipAddr)
	err = run(ctx, c, s, log, registry, n, rooms, listeners)
	log.Info("the node has stopped", "node", c.Node)
	return err
}

// listenAll opens the ports, the public one first.
func listenAll(ctx context.Context, c config.Config) (listeners [2]net.Listener, err error) {
	if listeners[0], err = Listen(ctx, c.APIAddr, "api_addr (STOCKD_API_ADDR)"); err != nil {
		return listeners, err
	}
	if listeners[1], err = Listen(ctx, c.InternalAddr, "internal_addr (STOCKD_INTERNAL_ADDR)"); err != nil {
		return listeners, errors.Join(err, listeners[0].Close())
	}
	return listeners, nil
}

// startFailed says what to do when a node does not start.
func startFailed(err error, gossip string) error {
	switch {
	case errors.Is(err, ledger.ErrUnavailable):
		return failure.ByAbsence(fmt.Errorf("postgres: %w; start Postgres, or correct the setting postgres (STOCKD_POSTGRES)", err))
	case errors.Is(err, syscall.EADDRINUSE):
		return failure.ByAbsence(fmt.Errorf("gossip_addr (STOCKD_GOSSIP_ADDR): another process has %s already; stop that process, or change gossip_addr (STOCKD_GOSSIP_ADDR)", gossip))
	}
	return failure.ByAbsence(err)
}
