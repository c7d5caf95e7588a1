//go:build load

package api

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// wantedConnections is what a node has to bear.
const wantedConnections = 50_000

// The kinds of connections that are opened, one after the other.
var connectionKinds = []string{"kept alive", "kept alive", "half a head", "half a body", "stream"}

// holder is a process that opens connections to a node and keeps them: a process may not open as many files as are needed.
type holder struct {
	cmd *exec.Cmd
	in  io.WriteCloser
	out *bufio.Reader
}

// TestMain lets the test binary be a holder.
func TestMain(m *testing.M) {
	if addr := os.Getenv("LOAD_HOLDER"); addr != "" {
		holdConnections(addr)
		return
	}
	os.Exit(m.Run())
}

// holdConnections opens LOAD_COUNT connections from the address LOAD_FROM, says how many of them stand, and keeps them until its input ends. One that the node ends, because its
// head or body did not come in time, is opened again.
func holdConnections(addr string) {
	count, _ := strconv.Atoi(os.Getenv("LOAD_COUNT"))
	ctx, stop := context.WithCancel(context.Background())
	opened := make(chan bool, count)
	var all sync.WaitGroup
	for i := range count {
		all.Go(func() {
			for first := true; ctx.Err() == nil; first = false {
				ok := holdOne(ctx, addr, connectionKinds[i%len(connectionKinds)], func() {
					if first {
						opened <- true
					}
				})
				if !ok && first {
					opened <- false
					return
				}
			}
		})
		if i%64 == 63 { // no faster than the node accepts
			for range 64 {
				_ = <-opened
			}
		}
	}
	for range count % 64 {
		_ = <-opened
	}
	fmt.Println("open")
	_, _ = io.Copy(io.Discard, os.Stdin)
	stop()
	all.Wait()
}

// holdOne keeps one connection until it or ctx ends; stands is called when it is as it should be.
func holdOne(ctx context.Context, addr, kind string, stands func()) bool {
	dialer := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(os.Getenv("LOAD_FROM"))}, Timeout: 10 * time.Second}
	conn, err := dialer.DialContext(ctx, "tcp", addr)
	if err != nil {
		return false
	}
	defer conn.Close()
	end := context.AfterFunc(ctx, func() { conn.Close() })
	defer end()
	text, answers := "GET /v1/events/many HTTP/1.1\r\nHost: x\r\n\r\n", true
	switch kind {
	case "half a head":
		text, answers = "GET /v1/events/many HTTP/1.1\r\nHost:", false
	case "half a body":
		text, answers = "POST /v1/events/many/holds HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 60\r\n\r\n{", false
	case "stream":
		text = "GET /v1/events/many/availability/stream HTTP/1.1\r\nHost: x\r\n\r\n"
	}
	if _, err := io.WriteString(conn, text); err != nil {
		return false
	}
	buffer := make([]byte, 512)
	if answers {
		if _, err := conn.Read(buffer); err != nil {
			return false
		}
	}
	stands()
	for err == nil {
		_, err = conn.Read(buffer)
	}
	return true
}

func startHolder(t *testing.T, addr, from string, count int) *holder {
	t.Helper()
	h := &holder{cmd: exec.Command(os.Args[0])}
	h.cmd.Env = append(os.Environ(), "LOAD_HOLDER="+addr, "LOAD_FROM="+from, fmt.Sprintf("LOAD_COUNT=%d", count), "GOMEMLIMIT=2GiB")
	h.cmd.Stderr = os.Stderr
	out, err := h.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if h.in, err = h.cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	h.out = bufio.NewReader(out)
	if err := h.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { h.end() })
	return h
}

func (h *holder) end() {
	h.in.Close()
	_ = h.cmd.Wait()
}

// node is what a node says of itself.
type nodeNumbers struct {
	rss        int64 // bytes, of the process
	goroutines int
	open       int // connections
}

func (c *cluster) numbers(t *testing.T) (n nodeNumbers) {
	t.Helper()
	r, err := http.Get(c.nodes[0].String() + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	text, err := io.ReadAll(r.Body)
	if err != nil {
		t.Fatal(err)
	}
	value := func(name string) float64 {
		found := regexp.MustCompile(`(?m)^` + regexp.QuoteMeta(name) + ` (\S+)$`).FindSubmatch(text)
		if found == nil {
			t.Fatalf("/metrics lacks %s", name)
		}
		v, err := strconv.ParseFloat(string(found[1]), 64)
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	return nodeNumbers{int64(value("process_resident_memory_bytes")), int(value("go_goroutines")), int(value(`stockd_connections{listener="public"}`))}
}

// TestLoadConnections: as many connections as the machine lets one process have, up to 50,000, of all kinds that cost something and bring nothing: kept alive, half
// a head, half a body, streams. Holds go on meanwhile, and when they have gone the node is as it was.
func TestLoadConnections(t *testing.T) {
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		t.Fatal(err)
	}
	count := wantedConnections
	if limit.Max < wantedConnections+3500 {
		count = int(limit.Max) - 3500
		t.Logf("a process may open %d files here (ulimit -Hn): %d connections instead of %d", limit.Max, count, wantedConnections)
	}
	c := newCluster(t, 1, "STOCKD_STREAMS_MAX=20000")
	c.event("many", string(chartText()), "application/json", `"adult","child"`, e2ePrices)
	c.do(0, "POST", "/v1/events/many/holds", `{"items":[{"seat":"N-1-1"}]}`, c.visitor(1)).want(t, 201, "")
	before := c.numbers(t)
	begin := time.Now()
	var holders []*holder
	const each = 12_000
	for i := 0; i*each < count; i++ {
		holders = append(holders, startHolder(t, c.nodes[0].Host, fmt.Sprintf("127.0.0.%d", i+2), min(each, count-i*each)))
	}
	for _, h := range holders {
		if line, err := h.out.ReadString('\n'); err != nil || line != "open\n" {
			t.Fatalf("%q %v", line, err)
		}
	}
	opened := time.Since(begin)
	during := c.numbers(t)
	var took []time.Duration
	for i := range 200 {
		start := time.Now()
		h := c.do(0, "POST", "/v1/events/many/holds", `{"best_available":{"quantity":1}}`, c.visitor(10+i)).want(t, 201, "")
		took = append(took, time.Since(start))
		c.do(0, "DELETE", "/v1/holds/"+h.string("id"), "", holdToken(h)).want(t, 204, "")
	}
	busy := c.numbers(t)
	for _, h := range holders {
		h.end()
	}
	var after nodeNumbers
	c.until("the goroutines end", func() bool { after = c.numbers(t); return after.goroutines <= before.goroutines+10 })
	t.Logf("%d connections in %v: %d open; %.1f kB of memory (RSS) and %.2f goroutines each; 200 holds meanwhile, p50 %v p99 %v",
		count, opened.Round(time.Second), during.open, float64(max(during.rss, busy.rss)-before.rss)/1000/float64(count), float64(during.goroutines-before.goroutines)/float64(count), at(took, .5), at(took, .99))
	t.Logf("goroutines: %d before, %d during, %d after; RSS: %d MB before, %d MB during, %d MB after", before.goroutines, during.goroutines, after.goroutines, before.rss>>20, max(during.rss, busy.rss)>>20, after.rss>>20)
	if during.open < count*95/100 {
		t.Errorf("only %d of %d connections stand", during.open, count)
	}
}

// TestLoadManyInMemory: 50,000 connections on any machine, over pipes instead of sockets: everything of them but the kernel's part.
func TestLoadManyInMemory(t *testing.T) {
	w := newWorld(t)
	pipes := &pipeListener{conns: make(chan net.Conn), done: make(chan struct{})}
	server := &http.Server{Handler: w.server.handler(), ReadHeaderTimeout: 10 * time.Minute, IdleTimeout: 10 * time.Minute, MaxHeaderBytes: 16 << 10}
	go func() { _ = server.Serve(pipes) }()
	memory := func() uint64 {
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapInuse + m.StackInuse
	}
	before, mem := runtime.NumGoroutine(), memory()
	var clients []net.Conn
	for i := range wantedConnections {
		mine, theirs := net.Pipe()
		pipes.conns <- theirs
		clients = append(clients, mine)
		text := "GET /v1/events/demo HTTP/1.1\r\nHost: x\r\n\r\n"
		if i%5 > 1 {
			text = "GET /v1/events/demo HTTP/1.1\r\nHost:"
		}
		if _, err := io.WriteString(mine, text); err != nil {
			t.Fatal(err)
		}
		if i%5 <= 1 {
			r, err := http.ReadResponse(bufio.NewReader(mine), nil)
			if err != nil || r.StatusCode != 200 {
				t.Fatalf("%v %v", r, err)
			}
			_, _ = io.Copy(io.Discard, r.Body)
		}
	}
	during, used := runtime.NumGoroutine(), memory()
	w.hold(1, "N-1-1")
	for _, c := range clients {
		c.Close()
	}
	c := &cluster{t: t}
	c.until("the goroutines end", func() bool { return runtime.NumGoroutine() <= before+2 })
	each := float64(used-mem) / wantedConnections / 1000
	t.Logf("%d connections in memory: %.1f kB each, both ends together; goroutines: %d before, %d during, %d after", wantedConnections, each, before, during, runtime.NumGoroutine())
	if each > 40 {
		t.Errorf("%.1f kB for each connection, at most 40", each)
	}
	server.Close()
}

// pipeListener hands pipes to a server.
type pipeListener struct {
	conns chan net.Conn
	done  chan struct{}
	once  sync.Once
}

func (l *pipeListener) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.done:
		return nil, net.ErrClosed
	}
}

func (l *pipeListener) Close() error   { l.once.Do(func() { close(l.done) }); return nil }
func (l *pipeListener) Addr() net.Addr { return &net.UnixAddr{Name: strings.Repeat("x", 4)} }
