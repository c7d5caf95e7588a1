package conns

import (
	"container/list"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// newcomerGrace is how long a connection may take to its first request before it counts as silent.
const newcomerGrace = time.Second

// Limit bounds the connections of one server. It is safe for concurrent use.
type Limit struct {
	most int
	busy []byte // what a connection over the limit is told
	now  func() time.Time

	mu   sync.Mutex
	open int // guarded by mu
	// silent are those that have said nothing, by what they are, the oldest first; guarded by mu.
	silent [kinds]list.List // of *conn

	farewells        chan struct{} // a place in it is a refused connection that is still being told
	closed, refused  prometheus.Counter
	openNow, silents prometheus.GaugeFunc
}

// The kinds of silent connections.
const (
	newcomer = iota // has not asked for anything yet
	kept            // between two requests
	kinds
)

// conn is one connection; its place in the list of silent ones is guarded by the limit's mutex.
type conn struct {
	net.Conn
	limit *Limit
	since time.Time     // from when on it may be closed for a new one
	at    *list.Element // in the list of its kind; nil: it is at work
	kind  int
	gone  bool
}

// New bounds the connections of server by most, at least 1. It sets server.ConnState. name labels the metrics; reg may be nil.
func New(most int, server *http.Server, name string, reg prometheus.Registerer) *Limit {
	l := &Limit{most: most, busy: refusal(), now: time.Now, farewells: make(chan struct{}, farewellsMax)}
	labels := prometheus.Labels{"listener": name}
	gauge := func(name, help string, read func() int) prometheus.GaugeFunc {
		return prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help, ConstLabels: labels}, func() float64 {
			l.mu.Lock()
			defer l.mu.Unlock()
			return float64(read())
		})
	}
	l.openNow = gauge("stockd_connections", "Open connections.", func() int { return l.open })
	l.silents = gauge("stockd_connections_silent", "Those of them that are kept alive between requests, or have not asked for anything yet.", func() int { return l.silent[newcomer].Len() + l.silent[kept].Len() })
	l.closed = prometheus.NewCounter(prometheus.CounterOpts{Name: "stockd_connections_closed_total", Help: "Silent connections that were closed for new ones, at the limit.", ConstLabels: labels})
	l.refused = prometheus.NewCounter(prometheus.CounterOpts{Name: "stockd_connections_refused_total", Help: "Connections that were refused because all were at work.", ConstLabels: labels})
	bound := prometheus.NewGauge(prometheus.GaugeOpts{Name: "stockd_connections_max", Help: "The limit of open connections.", ConstLabels: labels})
	bound.Set(float64(most))
	if reg != nil {
		reg.MustRegister(l.openNow, l.silents, l.closed, l.refused, bound)
	}
	server.ConnState = l.state
	return l
}

// Listen is inner with the limit. Only the server that was given to New may serve it.
func (l *Limit) Listen(inner net.Listener) net.Listener { return &listener{inner, l} }

type listener struct {
	net.Listener
	limit *Limit
}

// Accept waits for the next connection that may stay.
func (l *listener) Accept() (net.Conn, error) {
	for {
		inner, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		if c := l.limit.admit(inner); c != nil {
			return c, nil
		}
	}
}

// admit takes a connection in, or refuses it and returns nil.
func (l *Limit) admit(inner net.Conn) net.Conn {
	l.mu.Lock()
	var victim *conn
	if l.open >= l.most {
		if victim = l.oldest(); victim == nil {
			l.mu.Unlock()
			l.refused.Inc()
			l.refuse(inner)
			return nil
		}
		l.forget(victim)
	}
	l.open++
	c := &conn{Conn: inner, limit: l}
	l.hush(c, newcomer, newcomerGrace)
	l.mu.Unlock()
	if victim != nil {
		l.closed.Inc()
		victim.Conn.Close()
	}
	return c
}

// oldest is the connection to close for a new one, nil when each is at work or has just come. Called with mu held.
func (l *Limit) oldest() (found *conn) {
	until := l.now()
	for i := range l.silent {
		if first := l.silent[i].Front(); first != nil {
			if c := first.Value.(*conn); !c.since.After(until) {
				found, until = c, c.since
			}
		}
	}
	return found
}

// hush puts a connection among the silent ones of a kind. Called with mu held.
func (l *Limit) hush(c *conn, kind int, grace time.Duration) {
	if !c.gone && c.at == nil {
		c.kind, c.since = kind, l.now().Add(grace)
		c.at = l.silent[kind].PushBack(c)
	}
}

// forget takes a connection off the books. Called with mu held.
func (l *Limit) forget(c *conn) {
	if !c.gone {
		c.gone = true
		l.open--
		l.speak(c)
	}
}

// speak takes a connection from the silent ones. Called with mu held.
func (l *Limit) speak(c *conn) {
	if c.at != nil {
		l.silent[c.kind].Remove(c.at)
		c.at = nil
	}
}

// state follows what the server tells of its connections.
func (l *Limit) state(nc net.Conn, state http.ConnState) {
	c, ours := nc.(*conn)
	if !ours {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	switch state {
	case http.StateActive:
		l.speak(c)
	case http.StateIdle:
		l.hush(c, kept, 0)
	case http.StateHijacked, http.StateClosed:
		l.forget(c)
	case http.StateNew:
	}
}

// Close closes the connection and makes room for another.
func (c *conn) Close() error {
	c.limit.mu.Lock()
	c.limit.forget(c)
	c.limit.mu.Unlock()
	return c.Conn.Close()
}

// CloseWrite ends the sending side, which net/http does so that a client can still read an answer that came before its body was read.
func (c *conn) CloseWrite() error {
	if tcp, ok := c.Conn.(*net.TCPConn); ok {
		return tcp.CloseWrite()
	}
	return nil
}
