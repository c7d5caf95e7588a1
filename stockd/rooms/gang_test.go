package rooms_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"ticketrush/client"
	"ticketrush/ledger"
	"ticketrush/ledger/pgdev"
	"ticketrush/pass"
	"ticketrush/room"
	"ticketrush/stockd/node"
	"ticketrush/stockd/rooms"
	"ticketrush/stockd/stock"
)

const (
	internalKey = "0123456789abcdef"
	// patience is how long anything may take; it only tells what hangs, and says nothing about speed.
	patience = 4 * time.Minute
)

// gang is some nodes of one cluster in this process, each with its rooms.
type gang struct {
	t     testing.TB
	dsn   string
	keys  *pass.Keyring
	seeds []string // of the gossip
	nodes []*member
}

type member struct {
	*node.Node
	rooms    *rooms.Rooms
	registry *prometheus.Registry
	internal string
	server   *http.Server
	dead     bool
}

func freeAddr(t testing.TB) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

func database(t testing.TB) string {
	t.Helper()
	return pgdev.Test(t, "rooms", func(ctx context.Context, dsn string) error {
		_, err := ledger.Migrate(ctx, dsn)
		return err
	}).DSN
}

func testLog(name string) *slog.Logger {
	if os.Getenv("NODE_TEST_LOG") == "" {
		return slog.New(slog.DiscardHandler)
	}
	return slog.New(slog.NewTextHandler(os.Stderr, nil)).With("test", name)
}

func newGang(t testing.TB, dsn string, nodes int) *gang {
	t.Helper()
	text, err := pass.NewKeysFile()
	if err != nil {
		t.Fatal(err)
	}
	g := &gang{t: t, dsn: dsn}
	if g.keys, err = pass.ParseKeyring(text); err != nil {
		t.Fatal(err)
	}
	for range nodes {
		g.seeds = append(g.seeds, freeAddr(t))
	}
	for i := range nodes {
		g.start(i)
	}
	g.settle(nodes)
	return g
}

// start starts node number i, or starts it again.
func (g *gang) start(i int) *member {
	g.t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		g.t.Fatal(err)
	}
	m := &member{registry: prometheus.NewRegistry(), internal: listener.Addr().String()}
	log := testLog(g.t.Name()).With("node", fmt.Sprintf("n%d", i))
	m.Node, err = node.New(node.Config{
		NodeID: fmt.Sprintf("n%d", i), APIAddr: "127.0.0.1:9", InternalAddr: m.internal, GossipAddr: g.seeds[i], Join: g.seeds, GossipKey: bytes.Repeat([]byte{1}, 32),
		InternalKey: internalKey, Postgres: g.dsn, AllowNoFsync: true, BalanceAfter: 500 * time.Millisecond, MoveCooldown: time.Second, Lanes: 1,
	}, log, m.registry)
	if err != nil {
		g.t.Fatal(err)
	}
	if err := m.Open(context.Background()); err != nil {
		g.t.Fatal(err)
	}
	m.rooms, err = rooms.New(rooms.Config{Node: m.Node, Keys: g.keys, Log: log, Registry: m.registry})
	if err != nil {
		g.t.Fatal(err)
	}
	m.Attach(m.rooms)
	if err := m.Start(context.Background()); err != nil {
		g.t.Fatal(err)
	}
	m.server = &http.Server{Handler: m.InternalHandler()}
	go func() { _ = m.server.Serve(listener) }()
	g.nodes = append(g.nodes, m)
	g.t.Cleanup(m.kill)
	return m
}

// kill ends a node as a crash does.
func (m *member) kill() {
	if !m.dead {
		m.dead = true
		m.server.Close()
		m.Kill()
	}
}

// stop ends it in order.
func (m *member) stop(t testing.TB) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := m.Stop(ctx); err != nil {
		t.Error(err)
	}
	m.dead = true
	m.server.Close()
}

func (g *gang) alive() (alive []*member) {
	for _, m := range g.nodes {
		if !m.dead {
			alive = append(alive, m)
		}
	}
	return alive
}

// until polls a condition.
func until(t testing.TB, what string, ok func() bool) {
	t.Helper()
	deadline := time.NewTimer(patience)
	tick := time.NewTicker(10 * time.Millisecond)
	defer deadline.Stop()
	defer tick.Stop()
	for !ok() {
		select {
		case <-tick.C:
		case <-deadline.C:
			t.Fatalf("%s did not happen within %v", what, patience)
		}
	}
}

// settle waits until each of n living nodes sees the others and has what it should have.
func (g *gang) settle(n int) {
	g.t.Helper()
	until(g.t, "balance", func() bool {
		alive := g.alive()
		served := 0
		for _, m := range alive {
			s := m.Status()
			served += s.Serving
			if len(s.Members) != n || len(m.Ready()) > 0 || !s.Balanced() {
				return false
			}
		}
		return len(alive) == n && served == stock.Partitions
	})
}

// client is a client of the cluster, as an edge has one.
func (g *gang) client() *client.Client {
	g.t.Helper()
	var seeds []string
	for _, m := range g.alive() {
		seeds = append(seeds, m.internal)
	}
	c, err := client.New(client.Config{Seeds: seeds, InternalKey: internalKey})
	if err != nil {
		g.t.Fatal(err)
	}
	c.Start()
	g.t.Cleanup(c.Close)
	return c
}

// ownerOf is the node that runs a room.
func (g *gang) ownerOf(name string) *member {
	g.t.Helper()
	var found *member
	until(g.t, "an owner of "+name, func() bool {
		for _, m := range g.alive() {
			if m.Promising() && m.Local(client.PartitionOfRoom(name)) {
				found = m
				return true
			}
		}
		return false
	})
	return found
}

// enter enters a room and waits until it is open.
func (g *gang) enter(c *client.Client, name string, set room.Settings) *client.Room {
	g.t.Helper()
	r := c.Room(name)
	until(g.t, "the room "+name+" is entered", func() bool {
		_, err := r.Enter(g.t.Context(), set)
		if err != nil && !errors.Is(err, errNotReady) {
			g.t.Fatal(err)
		}
		return err == nil
	})
	until(g.t, "the room "+name, func() bool {
		state, err := r.Describe(g.t.Context())
		if err != nil && !errors.Is(err, errNotReady) {
			g.t.Fatal(err)
		}
		return err == nil && state.NotReady == ""
	})
	return r
}

// ownServer is a Postgres that a test may break.
func ownServer(t testing.TB) (*pgdev.Server, string) {
	t.Helper()
	server, err := pgdev.Start(t.Context(), pgdev.Options{Durable: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := server.Stop(); err != nil {
			t.Error(err)
		}
	})
	dsn := server.DSN("postgres")
	if _, err := ledger.Migrate(t.Context(), dsn); err != nil {
		t.Fatal(err)
	}
	return server, dsn
}
