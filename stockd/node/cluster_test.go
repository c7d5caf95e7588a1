package node

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/prometheus/client_golang/prometheus"

	"ticketrush/ledger"
	"ticketrush/ledger/pgdev"
	"ticketrush/ledger/reconcile"
	"ticketrush/stockd/chart"
	"ticketrush/stockd/stock"
)

// hall is a chart of sections with seats, and one area.
func hall(sections, rows, seats int) []byte {
	c := chart.Chart{
		Format: chart.Format, Name: "hall", Width: 1000, Height: 1000, Focal: chart.Point{X: 500, Y: 0},
		Categories: []chart.Category{{Name: "A", Color: "#aa0000"}, {Name: "B", Color: "#00aa00"}},
		Areas:      []chart.Area{{ID: "floor", Name: "Floor", Category: "B", Capacity: 50, Polygon: [][2]float64{{0, 0}, {100, 0}, {100, 50}}}},
	}
	for s := range sections {
		section := chart.Section{ID: fmt.Sprintf("S%d", s), Name: fmt.Sprintf("Section %d", s), Category: "A"}
		for r := range rows {
			row := chart.Row{Name: fmt.Sprint(r + 1)}
			for i := range seats {
				row.Seats = append(row.Seats, chart.Seat{Name: fmt.Sprint(i + 1), X: float64(s*60 + i), Y: float64(100 + r)})
			}
			section.Rows = append(section.Rows, row)
		}
		c.Sections = append(c.Sections, section)
	}
	text, err := c.Encode()
	if err != nil {
		panic(err)
	}
	return text
}

const (
	// sessionTTL of the nodes here is longer than a machine that is busy with other tests, or with the race detector, keeps a node from renewing
	// its session. A crash costs that much time.
	sessionTTL = 10 * time.Second
	// patience is how long anything may take; it only tells what hangs, and says nothing about speed.
	patience = 4 * time.Minute
)

// gang is some nodes of one cluster in this process.
type gang struct {
	t     testing.TB
	dsn   string
	seeds []string
	nodes []*member
	mu    sync.Mutex
	// suspectFor is long where nobody dies: a node that a busy machine keeps from answering would count as gone for a moment.
	suspectFor time.Duration
	lanes      int // 0: the default
}

type member struct {
	*Node
	server *http.Server
	dead   bool
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
	return pgdev.Test(t, "node", func(ctx context.Context, dsn string) error {
		_, err := ledger.Migrate(ctx, dsn)
		return err
	}).DSN
}

func testLog() *slog.Logger {
	if os.Getenv("NODE_TEST_LOG") == "" {
		return slog.New(slog.DiscardHandler)
	}
	return slog.New(slog.NewTextHandler(os.Stderr, nil))
}

func newGang(t testing.TB, dsn string, nodes int) *gang {
	t.Helper()
	return begin(&gang{t: t, dsn: dsn}, nodes)
}

// newCalmGang is for tests in which nobody dies and that want to see nothing move.
func newCalmGang(t testing.TB, dsn string, nodes int) *gang {
	t.Helper()
	return begin(&gang{t: t, dsn: dsn, suspectFor: patience}, nodes)
}

func begin(g *gang, nodes int) *gang {
	t := g.t
	t.Helper()
	for range nodes {
		g.seeds = append(g.seeds, freeAddr(t))
	}
	for i := range nodes {
		g.start(fmt.Sprintf("n%d", i), g.seeds[i])
	}
	g.settle(nodes)
	return g
}

func (g *gang) config(id, gossip, internal string) Config {
	return Config{
		NodeID: id, APIAddr: "127.0.0.1:9", InternalAddr: internal, GossipAddr: gossip, Join: g.seeds, GossipKey: bytes.Repeat([]byte{1}, 32),
		InternalKey: "0123456789abcdef", Postgres: g.dsn, AllowNoFsync: true, BalanceAfter: 500 * time.Millisecond, MoveCooldown: time.Second,
		SessionTTL: sessionTTL, SuspectFor: g.suspectFor, Lanes: g.lanes,
	}
}

func (g *gang) start(id, gossip string) *member {
	g.t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		g.t.Fatal(err)
	}
	n, err := New(g.config(id, gossip, listener.Addr().String()), testLog(), prometheus.NewRegistry())
	if err != nil {
		g.t.Fatal(err)
	}
	if err := n.Start(context.Background()); err != nil {
		g.t.Fatal(err)
	}
	m := &member{Node: n, server: &http.Server{Handler: n.InternalHandler()}}
	go func() { _ = m.server.Serve(listener) }()
	g.mu.Lock()
	g.nodes = append(g.nodes, m)
	g.mu.Unlock()
	g.t.Cleanup(m.kill)
	return m
}

func (m *member) kill() {
	if !m.dead {
		m.dead = true
		m.server.Close()
		m.Kill()
	}
}

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

func (g *gang) alive() []*member {
	var alive []*member
	for _, m := range g.nodes {
		if !m.dead {
			alive = append(alive, m)
		}
	}
	return alive
}

// until polls a condition of the cluster.
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

// putOnSale makes an event out of a hall.
func (g *gang) putOnSale(slug string, sections, rows, seats int) *Event {
	g.t.Helper()
	ctx := g.t.Context()
	n := g.alive()[0]
	info, _, err := n.CreateChart(ctx, "", slug, hall(sections, rows, seats))
	if err != nil {
		g.t.Fatal(err)
	}
	e, err := n.CreateEvent(ctx, NewEvent{
		ChartID: info.ID, Slug: slug, Name: "A concert", StartsAt: time.Now().Add(24 * time.Hour), Currency: "EUR", OnSale: true,
		Types: []string{"adult"}, Tiers: []Tier{{Category: 0, Face: 5000, Fee: 200}, {Category: 1, Face: 3000, Fee: 200}}, HoldTTL: 5 * time.Minute,
	})
	if err != nil {
		g.t.Fatal(err)
	}
	return e
}

// newHold asks for seats under a key of its own.
func newHold(e *Event, segment stock.SegmentNo, quantity int32) stock.Command {
	request := stock.Request{Scope: uuid.New(), Key: uuid.New(), Fingerprint: uuid.New()}
	return stock.Command{
		Kind: stock.KindHold, Event: e.Number, Segment: segment, Request: request, Ask: stock.Ask{Quantity: quantity},
		TTL: e.HoldTTL.Milliseconds(), MaxTTL: e.MaxTTL.Milliseconds(),
		Hold: stock.NewCoordinatedID(stock.PartitionOf(e.Number, segment), request.Scope, request.Key, "hold"),
	}
}

func releaseOf(hold stock.Command) stock.Command {
	return stock.Command{Kind: stock.KindRelease, Hold: hold.Hold, Request: stock.Request{Scope: hold.Request.Scope, Key: uuid.New(), Fingerprint: uuid.New()}}
}

// ask runs a command as a client does: what asks to be tried again is tried again, after a pause, so that a crowd of those who were sent away does
// not take the nodes the time to serve them.
func (g *gang) ask(m *member, cmd stock.Command) (a stock.Answer, err error) {
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); {
		a, err = m.Do(g.t.Context(), cmd)
		var moving *ErrMoving
		if !errors.As(err, &moving) && !errors.Is(err, ErrLedgerAway) && !errors.Is(err, ErrOverloaded) {
			break
		}
		select {
		case <-time.After(20 * time.Millisecond):
		case <-g.t.Context().Done():
			return a, err
		}
	}
	return a, err
}

// must runs a command and wants it done.
func (g *gang) must(m *member, cmd stock.Command) stock.Answer {
	g.t.Helper()
	a, err := g.ask(m, cmd)
	if err != nil {
		g.t.Fatalf("%s: kind %d: %v", m.ID(), cmd.Kind, err)
	}
	if a.Code != stock.CodeOK && a.Code != stock.CodeReplay {
		g.t.Fatalf("%s: kind %d was answered with code %d", m.ID(), cmd.Kind, a.Code)
	}
	return a
}

// reconcile wants the ledger to agree with itself.
func (g *gang) reconcile() {
	g.t.Helper()
	db, err := ledger.Open(g.t.Context(), g.dsn, ledger.Options{AllowNoFsync: true})
	if err != nil {
		g.t.Fatal(err)
	}
	defer db.Close()
	report, err := reconcile.Run(g.t.Context(), db, reconcile.Options{})
	if err != nil {
		g.t.Fatal(err)
	}
	if !report.OK {
		g.t.Errorf("the ledger does not reconcile: %+v", report)
	}
}
