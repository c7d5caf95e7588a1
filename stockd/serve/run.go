package serve

import (
	"context"
	"crypto/sha256"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"ticketrush/stockd/admin"
	"ticketrush/stockd/api"
	"ticketrush/stockd/config"
	"ticketrush/stockd/conns"
	"ticketrush/stockd/node"
)

// internalConnections bounds the internal listener: a node keeps at most 256 to another, an edge a few, and one for each claim that waits for the owner of its
// room (client bounds those).
const internalConnections = 8000

// run serves until ctx ends or a listener fails, and then takes everything down: the orders' workers stop, the node hands its stock over while
// requests are still answered and forwarded, then the listeners close, and last the ledger.
func run(ctx context.Context, c config.Config, s config.Secrets, log *slog.Logger, registry *prometheus.Registry, n *node.Node, rooms *waiting, listeners [2]net.Listener) error {
	ctx, failed := context.WithCancelCause(ctx)
	defer failed(nil)
	port := &nodePort{Node: n}
	port.status = newStatus(port, rooms.rooms, registry).read
	orders, err := newOrders(c, s, log, registry, n)
	if err != nil {
		return errors.Join(err, stopNode(n, time.Duration(c.DrainTimeout)))
	}
	public := NewServer(api.New(api.Config{
		Node: port, Orders: orders.port, RoomKeys: s.Rooms, Log: log, Registry: registry, Sandbox: orders.sandbox, Admin: admin.Handler(), Finance: newBooks(n.Ledger()), Now: n.Now,
		Accounts: s.Accounts, AccountRequired: c.AccountRequired, Pseudonyms: s.Tokens.Derive("stockd/pseudonyms", sha256.Size),
		ReadsPerSecond: c.ReadsPerSecond, StreamsMax: c.StreamsMax, TrustedProxies: c.Proxies(),
		Gate: rooms.gate, GateBegan: rooms.began,
		Retry: func(ctx context.Context, id int64) (int64, error) { return n.Ledger().OutboxRetry(ctx, id, n.Now()) },
	}))
	internal := NewServer(n.InternalHandler()) // its long polls end with their client
	most, warning := conns.Within(c.ConnectionsMax, conns.FilesMax())
	if warning != "" {
		log.Warn(warning)
	}
	listeners[0] = conns.New(most, public, "public", registry).Listen(listeners[0])
	listeners[1] = conns.New(internalConnections, internal, "internal", registry).Listen(listeners[1])
	var serving sync.WaitGroup
	for server, l := range map[*http.Server]net.Listener{public: listeners[0], internal: listeners[1]} {
		server.ErrorLog = slog.NewLogLogger(log.Handler(), slog.LevelDebug) // clients that went away
		serving.Go(func() {
			if err := server.Serve(l); !errors.Is(err, http.ErrServerClosed) {
				failed(err)
			}
		})
	}
	orders.service.Start()
	<-ctx.Done()
	var errs []error
	if cause := context.Cause(ctx); !errors.Is(cause, context.Canceled) {
		errs = append(errs, cause)
	}
	log.Info("handing over")
	orders.service.Stop()
	// In this order, so that whoever is being answered still has a ledger to read.
	errs = append(errs, handOff(n, time.Duration(c.DrainTimeout)), closeServers(public, internal))
	serving.Wait()
	return errors.Join(append(errs, stopNode(n, time.Duration(c.DrainTimeout)))...)
}

// handOff hands the node's stock over.
func handOff(n *node.Node, within time.Duration) error {
	ctx, cancel := context.WithTimeout(context.Background(), within)
	defer cancel()
	return n.HandOff(ctx)
}

// stopNode ends the node.
func stopNode(n *node.Node, within time.Duration) error {
	ctx, cancel := context.WithTimeout(context.Background(), within)
	defer cancel()
	return n.Stop(ctx)
}

// closeServers lets requests finish for a moment; streams are cut.
func closeServers(servers ...*http.Server) error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	var errs []error
	for _, server := range servers {
		if server.Shutdown(ctx) != nil {
			errs = append(errs, server.Close())
		}
	}
	return errors.Join(errs...)
}
