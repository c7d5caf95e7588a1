package chaos

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"regexp"
	"strconv"
	"sync"
)

// way is a direction of a connection to Postgres.
type way int

const (
	toServer way = iota
	toClient
)

// proxy stands between a node and Postgres. It can hold back what goes one way, break connections, and break one after a number of bytes.
type proxy struct {
	listener net.Listener
	running  sync.WaitGroup

	mu     sync.Mutex // guards what follows
	moved  *sync.Cond // something below has changed
	silent [2]bool    // held back, by way
	refuse bool       // new connections are closed at once
	closed bool
	target string // the server's socket
	links  map[*link]bool
	plan   *cut
}

// link is one connection through the proxy.
type link struct {
	ends [2]net.Conn // where what goes to the server comes from, and where it goes
	lane bool        // it has prepared the flush
	cut  *cut        // the plan that this connection carries out
}

// cut is a plan to break a connection in the middle of a flush: after n bytes of the request or of its answer; a negative n counts from the end
// of the request or of the part of the answer that is read at once.
type cut struct {
	way  way
	n    int
	done chan int // gets the length of what was cut, once
}

func newProxy(ctx context.Context) (*proxy, error) {
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	p := &proxy{listener: l, links: map[*link]bool{}}
	p.moved = sync.NewCond(&p.mu)
	p.running.Go(p.accept)
	return p, nil
}

var hostOf = regexp.MustCompile(`host=(\S+)`)

// dsn takes the server's connection string and gives the one that leads through the proxy.
func (p *proxy) dsn(direct string) string {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.target = hostOf.FindStringSubmatch(direct)[1] + "/.s.PGSQL.5432"
	addr := p.listener.Addr().(*net.TCPAddr)
	return hostOf.ReplaceAllString(direct, "host="+addr.IP.String()+" port="+strconv.Itoa(addr.Port))
}

func (p *proxy) accept() {
	for {
		client, err := p.listener.Accept()
		if err != nil {
			return // closed
		}
		p.running.Go(func() { p.serve(client) })
	}
}

func (p *proxy) serve(client net.Conn) {
	defer client.Close()
	p.mu.Lock()
	refuse, target := p.refuse || p.closed, p.target
	p.mu.Unlock()
	if refuse {
		return
	}
	server, err := new(net.Dialer).DialContext(context.Background(), "unix", target)
	if err != nil {
		return // Postgres is away: the node sees a connection that ends
	}
	l := &link{ends: [2]net.Conn{client, server}}
	p.mu.Lock()
	p.links[l] = true
	p.mu.Unlock()
	var both sync.WaitGroup
	both.Go(func() { p.pump(l, toServer) })
	both.Go(func() { p.pump(l, toClient) })
	both.Wait()
	p.mu.Lock()
	delete(p.links, l)
	p.mu.Unlock()
}

// chunk holds a whole flush, which the driver writes at once.
const chunk = 256 << 10

// pump carries one way until an end is closed, and then closes both.
func (p *proxy) pump(l *link, w way) {
	defer l.end()
	from, to := l.ends[w], l.ends[1-w]
	buffer := make([]byte, chunk)
	for {
		n, err := from.Read(buffer)
		if n > 0 {
			keep, live := p.pass(l, w, buffer[:n])
			if _, err := to.Write(buffer[:keep]); err != nil || !live {
				return
			}
		}
		if err != nil {
			return
		}
	}
}

func (l *link) end() {
	for _, c := range l.ends {
		if tcp, ok := c.(*net.TCPConn); ok {
			_ = tcp.SetLinger(0) // a reset, as when the path breaks; it is closed all the same
		}
		_ = c.Close()
	}
}

// flushMark is in the text of the statement that a lane prepares.
var flushMark = []byte("ledger.flush(")

// pass waits while the way is silent. It says how many bytes go on, and whether the connection lives after that.
func (p *proxy) pass(l *link, w way, data []byte) (keep int, live bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for p.silent[w] && p.links[l] && !p.closed {
		p.moved.Wait()
	}
	if !p.links[l] || p.closed {
		return 0, false
	}
	if w == toServer {
		l.lane = l.lane || data[0] == 'P' && bytes.Contains(data, flushMark)
		if p.plan != nil && l.lane && data[0] == 'B' { // a flush begins
			l.cut, p.plan = p.plan, nil
		}
	}
	if l.cut == nil || l.cut.way != w {
		return len(data), true
	}
	keep = l.cut.n
	if keep < 0 {
		keep += len(data)
	}
	keep = min(max(keep, 0), len(data))
	l.cut.done <- len(data)
	return keep, false
}

// cutNext arms a cut for the next flush. done gets the length of what was cut into.
func (p *proxy) cutNext(w way, n int) (done <-chan int) {
	c := &cut{way: w, n: n, done: make(chan int, 1)}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.plan = c
	return c.done
}

// disarm takes a plan back that no flush has met.
func (p *proxy) disarm() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.plan = nil
}

// silence holds back what goes these ways, until heal. Nothing is lost: it arrives late, as on a network that comes back.
func (p *proxy) silence(ways ...way) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, w := range ways {
		p.silent[w] = true
	}
}

// reject breaks all connections and takes no new ones, until heal.
func (p *proxy) reject() {
	p.mu.Lock()
	p.refuse = true
	p.mu.Unlock()
	p.breakAll()
}

// heal lets everything through again.
func (p *proxy) heal() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.silent, p.refuse = [2]bool{}, false
	p.moved.Broadcast()
}

// breakAll resets the connections there are.
func (p *proxy) breakAll() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for l := range p.links {
		l.end()
		delete(p.links, l)
	}
	p.moved.Broadcast()
}

func (p *proxy) close() {
	p.mu.Lock()
	p.closed = true
	p.mu.Unlock()
	_ = p.listener.Close()
	p.breakAll()
	p.running.Wait()
}

// String is where the proxy listens.
func (p *proxy) String() string { return fmt.Sprint(p.listener.Addr()) }
