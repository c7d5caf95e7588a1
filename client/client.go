package client

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"
)

// Config sets up a Client. The zero value of each optional setting means its default.
type Config struct {
	// Seeds are internal addresses (host:port) of some nodes. At least one; the others are learnt from it.
	Seeds []string
	// InternalKey is the cluster's shared key for the internal listener. May be empty on loopback.
	InternalKey string
	// DialTimeout bounds a connection attempt. Default 100 ms: nodes are near.
	DialTimeout time.Duration
	// ReadWait bounds the time to the first byte of a read's first try. Default 1 s; later tries get twice that. A short one makes a busy node
	// busier: what it works on is asked for again. (300 ms turned a burst into a collapse: a read was carried out a dozen times.)
	ReadWait time.Duration
	// WriteWait is the same for writes, which may wait in their owner's queue. Default 5 s.
	WriteWait time.Duration
	// Budget bounds all tries of a request together, until its headers arrive. Default 12 s.
	Budget time.Duration
	// Tries is the most times that a request is sent. Default 64: while a partition moves it is asked for every 20 ms.
	Tries int
	// EjectFor is how long a node is left out after a failed dial or a reset. Default 1 s.
	EjectFor time.Duration
	// Log gets what goes wrong with the routes. Default: nowhere.
	Log *slog.Logger
}

// BodyMax is the largest request body.
const BodyMax = 64 << 10

// KeyHeader carries the internal key.
const KeyHeader = "X-Stockd-Internal-Key"

// Client is an http.RoundTripper to the owners. It is safe for concurrent use.
type Client struct {
	cfg       Config
	transport *http.Transport
	routes    *Routes
	nodes     nodes

	fetching sync.Mutex // one fetch of the routes outside the poll at a time
	start    sync.Once
	stop     context.CancelFunc
	stopped  context.Context
	done     sync.WaitGroup
}

// New makes a client. It dials nothing and starts nothing; Start begins to follow the routes.
func New(cfg Config) (*Client, error) {
	var problems []error
	if len(cfg.Seeds) == 0 {
		problems = append(problems, errors.New("no seeds: name the internal address of at least one node"))
	}
	for _, s := range cfg.Seeds {
		if _, _, err := net.SplitHostPort(s); err != nil {
			problems = append(problems, fmt.Errorf("seed %q is not host:port: %w", s, err))
		}
	}
	for _, d := range []struct {
		at  *time.Duration
		def time.Duration
	}{{&cfg.DialTimeout, 100 * time.Millisecond}, {&cfg.ReadWait, time.Second}, {&cfg.WriteWait, 5 * time.Second}, {&cfg.Budget, 12 * time.Second}, {&cfg.EjectFor, time.Second}} {
		if *d.at < 0 {
			problems = append(problems, fmt.Errorf("a timeout is negative: %v", *d.at))
		}
		if *d.at == 0 {
			*d.at = d.def
		}
	}
	if cfg.Tries <= 0 {
		cfg.Tries = 64
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	if err := errors.Join(problems...); err != nil {
		return nil, fmt.Errorf("stockd client: %w", err)
	}
	c := &Client{cfg: cfg, routes: NewRoutes(), transport: &http.Transport{
		DialContext:         (&net.Dialer{Timeout: cfg.DialTimeout, KeepAlive: 15 * time.Second}).DialContext,
		MaxIdleConnsPerHost: 256,
		IdleConnTimeout:     90 * time.Second,
		DisableCompression:  true, // what the node sends is passed on as it is
	}}
	c.nodes.eject = cfg.EjectFor
	c.stopped, c.stop = context.WithCancel(context.Background())
	return c, nil
}

// Start follows the routes until Close. Without it they are fetched when a request needs them.
func (c *Client) Start() {
	c.start.Do(func() {
		c.done.Go(c.follow)
	})
}

// Close ends the following of routes and drops idle connections. Requests under way go on.
func (c *Client) Close() {
	c.stop()
	c.done.Wait()
	c.transport.CloseIdleConnections()
}

// Routes is what the client knows of the owners.
func (c *Client) Routes() *Routes { return c.routes }

func baseURL(addr string) string {
	if strings.Contains(addr, "://") {
		return strings.TrimSuffix(addr, "/")
	}
	return "http://" + addr
}
