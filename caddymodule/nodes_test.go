package caddymodule

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"ticketrush/client"
	"ticketrush/ledger"
	"ticketrush/ledger/pgdev"
	"ticketrush/ledger/reconcile"
	"ticketrush/pass"
	"ticketrush/stockd/node"
	"ticketrush/stockd/rooms"
)

const nodesKey = "0123456789abcdef"

// nodes are real nodes of stockd in this process, with a real Postgres, and the files by which edges find them.
type nodes struct {
	t        *testing.T
	dsn      string
	keys     []byte
	gossip   []string
	internal []string
	all      []*stockdNode
}

type stockdNode struct {
	*node.Node
	server *http.Server
	dead   bool
}

// newNodes prepares n nodes; start starts one.
func newNodes(t *testing.T, n int) *nodes {
	t.Helper()
	c := &nodes{t: t, all: make([]*stockdNode, n)}
	c.dsn = pgdev.Test(t, "edges", func(ctx context.Context, dsn string) error {
		_, err := ledger.Migrate(ctx, dsn)
		return err
	}).DSN
	var err error
	if c.keys, err = pass.NewKeysFile(); err != nil {
		t.Fatal(err)
	}
	for range n {
		c.gossip = append(c.gossip, fmt.Sprintf("127.0.0.1:%d", freePort(t)))
		c.internal = append(c.internal, fmt.Sprintf("127.0.0.1:%d", freePort(t)))
	}
	return c
}

// global is the part of an edge's global options that names the nodes.
func (c *nodes) global(e *edge, name string) string {
	keys, key := e.write("room.keys", string(c.keys)), e.write("internal.key", nodesKey)
	text := "waiting_room {\n keys " + keys + "\n edge " + name + "\n stockd"
	for _, addr := range c.internal {
		text += " http://" + addr
	}
	return text + " {\n key " + key + "\n }\n }"
}

func (c *nodes) start(i int) {
	c.t.Helper()
	listener, err := net.Listen("tcp", c.internal[i])
	if err != nil {
		c.t.Fatal(err)
	}
	keys, err := pass.ParseKeyring(c.keys)
	if err != nil {
		c.t.Fatal(err)
	}
	registry, log := prometheus.NewRegistry(), slog.New(slog.DiscardHandler)
	n := &stockdNode{}
	n.Node, err = node.New(node.Config{
		NodeID: fmt.Sprintf("n%d", i), APIAddr: "127.0.0.1:9", InternalAddr: c.internal[i], GossipAddr: c.gossip[i], Join: c.gossip,
		GossipKey: bytes.Repeat([]byte{1}, 32), InternalKey: nodesKey, Postgres: c.dsn, AllowNoFsync: true, BalanceAfter: 500 * time.Millisecond,
		MoveCooldown: time.Second, Lanes: 1,
	}, log, registry)
	if err != nil {
		c.t.Fatal(err)
	}
	if err := n.Open(context.Background()); err != nil {
		c.t.Fatal(err)
	}
	r, err := rooms.New(rooms.Config{Node: n.Node, Keys: keys, Log: log, Registry: registry})
	if err != nil {
		c.t.Fatal(err)
	}
	n.Attach(r)
	if err := n.Start(context.Background()); err != nil {
		c.t.Fatal(err)
	}
	n.server = &http.Server{Handler: n.InternalHandler()}
	go func() { _ = n.server.Serve(listener) }()
	c.all[i] = n
	c.t.Cleanup(n.kill)
}

// kill ends a node as a crash does.
func (n *stockdNode) kill() {
	if !n.dead {
		n.dead = true
		n.server.Close()
		n.Kill()
	}
}

// ownerOf waits until a living node owns a room.
func (c *nodes) ownerOf(e *edge, name string) (owner *stockdNode) {
	c.t.Helper()
	e.until("a node owns "+name, func() bool {
		for _, n := range c.all {
			if n != nil && !n.dead && n.Promising() && n.Local(client.PartitionOfRoom(name)) {
				owner = n
				return true
			}
		}
		return false
	})
	return owner
}

// reconcile counts what does not add up in the ledger.
func (c *nodes) reconcile() (breaks int, err error) {
	for _, n := range c.all {
		if n == nil || n.dead {
			continue
		}
		report, err := reconcile.Run(context.Background(), n.Ledger(), reconcile.Options{})
		if err != nil {
			return 0, err
		}
		for _, check := range report.Checks {
			breaks += len(check.Breaks)
		}
		return breaks, nil
	}
	return 0, errors.New("no node lives")
}
