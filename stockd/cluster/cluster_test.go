package cluster

import (
	"bytes"
	"fmt"
	"log/slog"
	"net"
	"strings"
	"testing"
	"time"

	"ticketrush/client"
)

func freeAddr(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

var key = bytes.Repeat([]byte{7}, KeySize)

func start(t *testing.T, id, bind string, join []string, change func(*Config)) *Cluster {
	t.Helper()
	cfg := Config{Self: client.Node{ID: id, API: id + ":1", Internal: id + ":2"}, Bind: bind, Join: join, Key: key, RejoinEvery: 200 * time.Millisecond}
	if change != nil {
		change(&cfg)
	}
	c, err := Start(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

// await waits until a node sees exactly these members.
func await(t *testing.T, c *Cluster, want string) {
	t.Helper()
	timeout := time.After(2 * time.Minute) // tells only what hangs
	for {
		var got []string
		for _, m := range c.Members() {
			got = append(got, m.ID+"="+m.API)
		}
		if strings.Join(got, " ") == want {
			return
		}
		select {
		case <-c.Changed():
		case <-timeout:
			t.Fatalf("members are %v, want %s", got, want)
		}
	}
}

func TestNodesFindEachOtherLeaveAndComeBack(t *testing.T) {
	t.Parallel()
	seeds := []string{freeAddr(t), freeAddr(t), freeAddr(t)}
	var nodes []*Cluster
	for i, addr := range seeds {
		nodes = append(nodes, start(t, fmt.Sprintf("n%d", i), addr, seeds, nil))
	}
	all := "n0=n0:1 n1=n1:1 n2=n2:1"
	for _, n := range nodes {
		await(t, n, all)
	}
	if err := nodes[1].Leave(2 * time.Second); err != nil {
		t.Error(err)
	}
	nodes[1].Close()
	await(t, nodes[0], "n0=n0:1 n2=n2:1")
	// A crash, and at once a new process under the same id and address.
	nodes[2].Close()
	again := start(t, "n2", seeds[2], seeds, func(c *Config) { c.Self.API = "n2:9" })
	await(t, again, "n0=n0:1 n2=n2:9")
	await(t, nodes[0], "n0=n0:1 n2=n2:9")
}

// Who says that it leaves is counted out before the gossip says so; its next run is another one.
func TestWhoSaysGoodbyeIsGone(t *testing.T) {
	t.Parallel()
	seeds := []string{freeAddr(t), freeAddr(t)}
	first, second := start(t, "a", seeds[0], seeds, nil), start(t, "b", seeds[1], seeds, nil)
	await(t, first, "a=a:1 b=b:1")
	first.Gone("b", second.Started()-1) // an earlier run
	first.Gone("x", second.Started())
	await(t, first, "a=a:1 b=b:1")
	first.Gone("b", second.Started())
	await(t, first, "a=a:1")
	if err := second.Leave(2 * time.Second); err != nil {
		t.Error(err)
	}
	second.Close()
	again := start(t, "b", seeds[1], seeds, func(c *Config) { c.Self.API = "b:2" })
	await(t, first, "a=a:1 b=b:2")
	await(t, again, "a=a:1 b=b:2")
}

func TestSeedsAreJoinedAgain(t *testing.T) {
	t.Parallel()
	seeds := []string{freeAddr(t), freeAddr(t)}
	first := start(t, "a", seeds[0], seeds, nil)
	await(t, first, "a=a:1")
	second := start(t, "b", seeds[1], nil, nil) // knows nobody
	await(t, second, "a=a:1 b=b:1")
}

func TestOtherKeysAndLabelsStayOut(t *testing.T) {
	t.Parallel()
	seeds := []string{freeAddr(t)}
	first := start(t, "a", seeds[0], nil, nil)
	key := start(t, "b", freeAddr(t), seeds, func(c *Config) { c.Key = bytes.Repeat([]byte{8}, KeySize) })
	label := start(t, "c", freeAddr(t), seeds, func(c *Config) { c.Label = "another" })
	await(t, key, "b=b:1")
	await(t, label, "c=c:1")
	await(t, first, "a=a:1")
}

func TestBadConfig(t *testing.T) {
	t.Parallel()
	good := func() Config { return Config{Self: client.Node{ID: "a"}, Bind: freeAddr(t), Key: key} }
	for want, change := range map[string]func(*Config){
		"needs a key":          func(c *Config) { c.Bind, c.Key = "0.0.0.0:7946", nil },
		"has 16 bytes":         func(c *Config) { c.Key = c.Key[:16] },
		"not host:port":        func(c *Config) { c.Bind = "nowhere" },
		"seed \"x\"":           func(c *Config) { c.Join = []string{"x"} },
		"node id is empty":     func(c *Config) { c.Self.ID = "" },
		"bytes of gossip meta": func(c *Config) { c.Self.API = strings.Repeat("x", 600) },
	} {
		cfg := good()
		change(&cfg)
		if c, err := Start(cfg); err == nil {
			c.Close()
			t.Errorf("%s: accepted", want)
		} else if !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", want, err)
		}
	}
	taken := start(t, "a", freeAddr(t), nil, nil)
	if _, err := Start(Config{Self: client.Node{ID: "b"}, Bind: taken.cfg.Bind, Key: key}); err == nil || !strings.Contains(err.Error(), taken.cfg.Bind) {
		t.Errorf("a taken port: %v", err)
	}
}

func TestLogLines(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	w := &logWriter{slog.New(slog.NewTextHandler(&out, nil))}
	fmt.Fprintln(w, "2026/01/02 03:04:05 [ERR] memberlist: a failure")
	if !strings.Contains(out.String(), `level=ERROR msg="a failure"`) {
		t.Error(out.String())
	}
}

func TestSuspectForIsHowLongAMemberMayObject(t *testing.T) {
	t.Parallel()
	for configured, want := range map[time.Duration]time.Duration{0: 900 * time.Millisecond, 100 * time.Millisecond: 900 * time.Millisecond, time.Minute: time.Minute} {
		s := (&Cluster{cfg: Config{Bind: "127.0.0.1:0", SuspectFor: configured, Log: slog.New(slog.DiscardHandler)}}).settings()
		if got := time.Duration(s.SuspicionMult) * s.ProbeInterval; got != want { // memberlist's formula for up to ten members
			t.Errorf("%v: %v, want %v", configured, got, want)
		}
	}
}
