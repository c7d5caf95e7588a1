package client

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"sync"
	"time"

	"ticketrush/stockd/stock"
)

// Node is a node as others reach it.
type Node struct {
	ID       string `json:"node"`
	API      string `json:"api"`
	Internal string `json:"internal"`
}

// at is one of its addresses.
func (n Node) at(internal bool) string {
	if internal {
		return n.Internal
	}
	return n.API
}

// Route is one partition's owner: an index into the document's nodes.
type Route struct {
	Part  stock.PartitionID
	Epoch int64
	Node  int
}

// MarshalJSON writes [partition, epoch, node]: there are thousands of them.
func (r Route) MarshalJSON() ([]byte, error) {
	return json.Marshal([3]int64{int64(r.Part), r.Epoch, int64(r.Node)})
}

// UnmarshalJSON reads what MarshalJSON wrote.
func (r *Route) UnmarshalJSON(b []byte) error {
	var v [3]int64
	if err := json.Unmarshal(b, &v); err != nil {
		return err
	}
	if v[0] < 0 || v[0] >= stock.Partitions {
		return fmt.Errorf("partition %d does not exist", v[0])
	}
	*r = Route{stock.PartitionID(v[0]), v[1], int(v[2])}
	return nil
}

// RoutesDocument is the answer of GET /internal/v1/routes?since=VERSION: the living nodes, and the routes that changed after VERSION
// (all of them when the version is not known any more).
type RoutesDocument struct {
	Version string  `json:"version"`
	Nodes   []Node  `json:"nodes"`
	Routes  []Route `json:"routes"`
}

const routesMax = 4 << 20 // bytes of a document

// Routes is the table partition → owner. The higher epoch wins, so that late news never overwrites newer.
type Routes struct {
	mu      sync.RWMutex
	version string
	nodes   []Node        // alive, in order of id
	changed chan struct{} // closed at the next news
	parts   [stock.Partitions]struct {
		epoch int64
		node  Node
	}
}

// NewRoutes is an empty table.
func NewRoutes() *Routes { return &Routes{changed: make(chan struct{})} }

// news wakes those who watch. Called with mu held.
func (r *Routes) news() {
	close(r.changed)
	r.changed = make(chan struct{})
}

// overtaken says whether a request that was sent to addr should go elsewhere: its partition has another owner by now, or the node is not among
// the living any more. changed is closed when the answer may be another.
func (r *Routes) overtaken(addr string, k *call) (yes bool, changed <-chan struct{}) {
	r.mu.RLock()
	defer r.mu.RUnlock()
	if k.hasPart {
		if owner := r.parts[k.part].node.at(k.internal); owner != "" {
			return owner != addr, r.changed
		}
	}
	return !slices.ContainsFunc(r.nodes, func(n Node) bool { return n.at(k.internal) == addr }), r.changed
}

// Owner is where a partition's owner answers the API.
func (r *Routes) Owner(part stock.PartitionID) (addr string, epoch int64, ok bool) {
	if part >= stock.Partitions {
		return "", 0, false
	}
	node, epoch := r.owner(part)
	return node.API, epoch, node.API != ""
}

func (r *Routes) owner(part stock.PartitionID) (Node, int64) {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return r.parts[part].node, r.parts[part].epoch
}

// Nodes are the living nodes.
func (r *Routes) Nodes() []Node {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return slices.Clone(r.nodes)
}

// lives is whether a node is among the living.
func (r *Routes) lives(addr string, internal bool) bool {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return slices.ContainsFunc(r.nodes, func(n Node) bool { return n.at(internal) == addr })
}

// Version is the last document's.
func (r *Routes) Version() string {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return r.version
}

// Merge takes a document over. It gives the API addresses of the nodes that have claimed something since.
func (r *Routes) Merge(d *RoutesDocument) (claimed []string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.version, r.nodes = d.Version, slices.Clone(d.Nodes)
	defer r.news()
	for _, route := range d.Routes {
		p := &r.parts[route.Part]
		if route.Node < 0 || route.Node >= len(d.Nodes) || route.Epoch < p.epoch {
			continue
		}
		if node := d.Nodes[route.Node]; route.Epoch > p.epoch && !slices.Contains(claimed, node.API) {
			claimed = append(claimed, node.API)
		}
		p.epoch, p.node = route.Epoch, d.Nodes[route.Node]
	}
	return claimed
}

// hint takes over what a node said about a partition's owner, and says whether that was news. Of a node that is not known one address alone is
// known then; who needs the other asks any node.
func (r *Routes) hint(part stock.PartitionID, addr string, epoch int64, internal bool) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	p := &r.parts[part]
	if addr == "" || epoch < p.epoch || epoch == p.epoch && p.node.at(internal) != "" {
		return false
	}
	node := Node{API: addr}
	if internal {
		node = Node{Internal: addr}
	}
	if i := slices.IndexFunc(r.nodes, func(n Node) bool { return n.at(internal) == addr }); i >= 0 {
		node = r.nodes[i]
	}
	p.epoch, p.node = epoch, node
	r.news()
	return true
}

// Owner is where a partition's owner answers the API, as far as is known.
func (c *Client) Owner(part stock.PartitionID) (addr string, epoch int64, ok bool) {
	return c.routes.Owner(part)
}

// pollWait is how long a node may hold a poll when there is no news, and pollGrace how much later its answer may come. Together they are well under
// the life of a session: the node that is followed may be the one that freezes, and its stock has another owner then.
const (
	pollWait  = time.Second
	pollGrace = 500 * time.Millisecond
)

// follow keeps the routes up to date by a long poll on any node that answers.
func (c *Client) follow() {
	for at := 0; c.stopped.Err() == nil; {
		sources := c.sources()
		ctx, cancel := context.WithTimeout(c.stopped, pollWait+pollGrace)
		since := c.routes.Version()
		err := c.fetch(ctx, sources[at%len(sources)], since, pollWait)
		cancel()
		wait := time.Duration(0)
		if err != nil && c.stopped.Err() == nil {
			c.cfg.Log.Warn("the routes of stockd could not be fetched", "from", sources[at%len(sources)], "error", err)
			if at++; at%len(sources) == 0 {
				wait = 200 * time.Millisecond
			}
		} else if c.routes.Version() == since {
			wait = 20 * time.Millisecond // a node that does not hold the poll must not be asked in a spin
		}
		select {
		case <-c.stopped.Done():
		case <-time.After(wait):
		}
	}
}

// sources are the internal addresses to learn from: the seeds, and the living nodes.
func (c *Client) sources() []string {
	sources := slices.Clone(c.cfg.Seeds)
	for _, n := range c.routes.Nodes() {
		if n.Internal != "" && !slices.Contains(sources, n.Internal) {
			sources = append(sources, n.Internal)
		}
	}
	return sources
}

// learn fetches the routes once, from whoever answers.
func (c *Client) learn(ctx context.Context) {
	c.fetching.Lock()
	defer c.fetching.Unlock()
	if len(c.routes.Nodes()) > 0 {
		return
	}
	for _, source := range c.sources() {
		try, cancel := context.WithTimeout(ctx, time.Second)
		err := c.fetch(try, source, "", 0)
		cancel()
		if err == nil {
			return
		}
	}
}

func (c *Client) fetch(ctx context.Context, source, since string, wait time.Duration) error {
	query := url.Values{"since": {since}, "wait_ms": {fmt.Sprint(wait.Milliseconds())}}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, baseURL(source)+"/internal/v1/routes?"+query.Encode(), nil)
	if err != nil {
		return err
	}
	req.Header.Set(KeyHeader, c.cfg.InternalKey)
	resp, err := c.transport.RoundTrip(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("the node answered %s", resp.Status)
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, routesMax+1))
	if err != nil {
		return err
	}
	if len(body) > routesMax {
		return errors.New("the routes are too large")
	}
	var d RoutesDocument
	if err := json.Unmarshal(body, &d); err != nil {
		return fmt.Errorf("read the routes: %w", err)
	}
	for _, addr := range c.routes.Merge(&d) {
		c.nodes.worked(addr) // it lives: it has just claimed something
	}
	return nil
}
