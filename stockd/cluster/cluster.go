package cluster

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/hashicorp/memberlist"

	"ticketrush/client"
)

// KeySize is the length of the gossip key: AES-256.
const KeySize = 32

// Config sets up a Cluster.
type Config struct {
	// Self is this node: its id and where others reach it.
	Self client.Node
	// Bind is the gossip address, host:port; UDP and TCP.
	Bind string
	// Join are gossip addresses of some nodes; its own may be among them.
	Join []string
	// Label keeps clusters apart that reach each other by mistake. Default "ticketrush".
	Label string
	// Key encrypts the gossip. Required unless Bind is on loopback.
	Key []byte
	// RejoinEvery is how often missing seeds are tried. Default 5 s.
	RejoinEvery time.Duration
	// SuspectFor is how long a member that does not answer may object before it counts as gone. Default 900 ms. Longer keeps members on machines that
	// stall; a crash is noticed that much later.
	SuspectFor time.Duration
	// Log gets memberlist's words too.
	Log *slog.Logger
}

// Member is a living node.
type Member struct {
	client.Node
	Gossip  string    // address
	Started time.Time // two of the same id: the one that started later counts
	Away    bool      // it says that it cannot own anything now
}

// Cluster is a running membership.
type Cluster struct {
	cfg      Config
	list     *memberlist.Memberlist
	started  int64
	meta     atomic.Pointer[[]byte]
	poke     chan struct{} // by the delegates; room for one
	seenMu   sync.Mutex
	seen     map[string]memberlist.Node // alive, by name: copies, for memberlist changes its own under a lock that only delegates run under
	gone     map[string]int64           // id → the run (started, Unix ms) that has said goodbye; with seenMu
	changed  chan struct{}
	members  atomic.Pointer[[]Member]
	stop     chan struct{}
	stopOnce sync.Once
	done     sync.WaitGroup
}

// meta is what a node tells about itself.
type meta struct {
	ID       string `json:"id"`
	API      string `json:"api"`
	Internal string `json:"int"`
	Started  int64  `json:"at"` // Unix ms
	Away     bool   `json:"away,omitempty"`
}

// Validate finds all that is wrong with the configuration.
func (cfg Config) Validate() error {
	var problems []error
	host, _, err := net.SplitHostPort(cfg.Bind)
	if err != nil {
		problems = append(problems, fmt.Errorf("gossip address %q is not host:port: %w", cfg.Bind, err))
	}
	ip := net.ParseIP(host)
	loopback := host == "localhost" || ip != nil && ip.IsLoopback()
	switch n := len(cfg.Key); {
	case n == 0 && !loopback:
		problems = append(problems, fmt.Errorf("gossip on %s needs a key of %d bytes: without one anybody who reaches it can join and evict nodes", cfg.Bind, KeySize))
	case n != 0 && n != KeySize:
		problems = append(problems, fmt.Errorf("the gossip key has %d bytes, it needs %d", n, KeySize))
	}
	if cfg.Self.ID == "" {
		problems = append(problems, errors.New("the node id is empty"))
	}
	for _, seed := range cfg.Join {
		if _, _, err := net.SplitHostPort(seed); err != nil {
			problems = append(problems, fmt.Errorf("gossip seed %q is not host:port: %w", seed, err))
		}
	}
	return errors.Join(problems...)
}

// Start listens, joins who is there, and keeps at it. It does not fail because no seed answers: somebody has to be first.
func Start(cfg Config) (*Cluster, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	if cfg.RejoinEvery <= 0 {
		cfg.RejoinEvery = 5 * time.Second
	}
	c := &Cluster{
		cfg: cfg, started: time.Now().UnixMilli(), poke: make(chan struct{}, 1), changed: make(chan struct{}, 1), stop: make(chan struct{}),
		seen: map[string]memberlist.Node{}, gone: map[string]int64{},
	}
	if n := len(c.describe(true)); n > memberlist.MetaMaxSize {
		return nil, fmt.Errorf("node id and addresses take %d bytes of gossip metadata, at most %d: shorten them", n, memberlist.MetaMaxSize)
	}
	c.describe(false)
	c.members.Store(&[]Member{})
	var err error
	if c.list, err = memberlist.Create(c.settings()); err != nil {
		if strings.Contains(err.Error(), syscall.EADDRINUSE.Error()) { // memberlist keeps the text only
			err = fmt.Errorf("%w: %w", syscall.EADDRINUSE, err)
		}
		return nil, fmt.Errorf("listen for gossip on %s: %w", cfg.Bind, err)
	}
	c.rejoin()
	c.gather()
	c.done.Go(c.watch)
	c.done.Go(c.heal)
	return c, nil
}

// describe sets what this node tells about itself.
func (c *Cluster) describe(away bool) []byte {
	text, err := json.Marshal(meta{c.cfg.Self.ID, c.cfg.Self.API, c.cfg.Self.Internal, c.started, away})
	if err != nil {
		panic(err) // strings, a number and a boolean
	}
	c.meta.Store(&text)
	return text
}

// awayTimeout bounds how long the news waits to be sent.
const awayTimeout = time.Second

// SetAway tells the others that this node cannot own anything now although it lives, or that it can again.
func (c *Cluster) SetAway(away bool) error {
	c.describe(away)
	return c.list.UpdateNode(awayTimeout)
}

// settings is memberlist for a local network where noticing a death in about a second matters.
func (c *Cluster) settings() *memberlist.Config {
	host, port, _ := net.SplitHostPort(c.cfg.Bind) // validated
	s := memberlist.DefaultLANConfig()
	suffix := make([]byte, 4)
	_, _ = rand.Read(suffix) // never fails
	s.Name = c.cfg.Self.ID + "-" + hex.EncodeToString(suffix)
	s.BindAddr, s.AdvertiseAddr = host, host
	s.BindPort, _ = strconv.Atoi(port)
	s.AdvertisePort = s.BindPort
	if ip := net.ParseIP(host); ip == nil || ip.IsUnspecified() {
		s.AdvertiseAddr = "" // memberlist finds one
	}
	s.Label = c.cfg.Label
	if s.Label == "" {
		s.Label = "ticketrush"
	}
	s.SecretKey = c.cfg.Key
	s.GossipVerifyIncoming, s.GossipVerifyOutgoing = true, true
	s.ProbeInterval, s.ProbeTimeout = 300*time.Millisecond, 150*time.Millisecond
	s.SuspicionMult, s.SuspicionMaxTimeoutMult = max(3, int(c.cfg.SuspectFor/s.ProbeInterval)), 4
	s.GossipInterval, s.GossipNodes = 50*time.Millisecond, 4
	s.PushPullInterval = 15 * time.Second
	s.TCPTimeout = 2 * time.Second
	s.DeadNodeReclaimTime = time.Second
	s.Delegate, s.Events, s.Conflict = c, c, c
	s.Logger, s.LogOutput = nil, &logWriter{c.cfg.Log}
	return s
}

// Members are the living nodes in order of id, this one among them until it leaves.
func (c *Cluster) Members() []Member { return *c.members.Load() }

// Changed has something in it when Members may have changed.
func (c *Cluster) Changed() <-chan struct{} { return c.changed }

// Leave says goodbye, so that the others need not find out. Close comes after it.
func (c *Cluster) Leave(timeout time.Duration) error {
	if err := c.list.Leave(timeout); err != nil {
		return fmt.Errorf("leave the cluster: %w", err)
	}
	return nil
}

// Started is when this run of the node began, as the others know it (Unix ms).
func (c *Cluster) Started() int64 { return c.started }

// Gone counts out a run of a node that says itself that it leaves: sooner than the gossip, which takes a round or two.
func (c *Cluster) Gone(id string, started int64) {
	c.seenMu.Lock()
	c.gone[id] = max(c.gone[id], started)
	c.seenMu.Unlock()
	select {
	case c.poke <- struct{}{}:
	default:
	}
}

// Close stops everything. Without Leave before it, it looks like a crash to the others.
func (c *Cluster) Close() {
	c.stopOnce.Do(func() {
		close(c.stop)
		if err := c.list.Shutdown(); err != nil {
			c.cfg.Log.Warn("gossip did not shut down cleanly", "error", err)
		}
	})
	c.done.Wait()
}

// watch takes the members over whenever a delegate saw a change.
func (c *Cluster) watch() {
	for {
		select {
		case <-c.stop:
			return
		case <-c.poke:
			c.gather()
		}
	}
}

func (c *Cluster) gather() {
	c.seenMu.Lock()
	seen, gone := slices.Collect(maps.Values(c.seen)), maps.Clone(c.gone)
	c.seenMu.Unlock()
	var members []Member
	for _, n := range seen {
		var m meta
		if err := json.Unmarshal(n.Meta, &m); err != nil || m.ID == "" {
			c.cfg.Log.Warn("a member tells nothing about itself", "name", n.Name, "error", err)
			continue
		}
		if m.Started <= gone[m.ID] {
			continue
		}
		members = append(members, Member{client.Node{ID: m.ID, API: m.API, Internal: m.Internal}, n.Address(), time.UnixMilli(m.Started), m.Away})
	}
	slices.SortFunc(members, func(a, b Member) int {
		if by := strings.Compare(a.ID, b.ID); by != 0 {
			return by
		}
		return b.Started.Compare(a.Started)
	})
	members = slices.CompactFunc(members, func(a, b Member) bool { return a.ID == b.ID })
	c.members.Store(&members)
	select {
	case c.changed <- struct{}{}:
	default:
	}
}

// heal joins missing seeds again: after a partition that was longer than memberlist remembers, nobody else would.
func (c *Cluster) heal() {
	tick := time.NewTicker(c.cfg.RejoinEvery)
	defer tick.Stop()
	for {
		select {
		case <-c.stop:
			return
		case <-tick.C:
			c.rejoin()
		}
	}
}

func (c *Cluster) rejoin() {
	var missing []string
	for _, seed := range c.cfg.Join {
		if seed != c.cfg.Bind && !slices.ContainsFunc(c.Members(), func(m Member) bool { return m.Gossip == seed }) {
			missing = append(missing, seed)
		}
	}
	if len(missing) == 0 {
		return
	}
	if n, err := c.list.Join(missing); n == 0 {
		c.cfg.Log.Info("no gossip seed answers", "seeds", missing, "error", err)
	}
}

// note takes a change over. It runs under memberlist's lock: memory only, no call back, no waiting.
func (c *Cluster) note(n *memberlist.Node, alive bool) {
	c.seenMu.Lock()
	if alive {
		c.seen[n.Name] = memberlist.Node{Name: n.Name, Addr: slices.Clone(n.Addr), Port: n.Port, Meta: slices.Clone(n.Meta)}
	} else {
		delete(c.seen, n.Name)
		var m meta
		if err := json.Unmarshal(n.Meta, &m); err == nil && m.Started <= c.gone[m.ID] {
			delete(c.gone, m.ID) // the gossip knows now
		}
	}
	c.seenMu.Unlock()
	select {
	case c.poke <- struct{}{}:
	default:
	}
}

// NotifyJoin says that a node is alive, NotifyLeave that it is not, NotifyUpdate that it tells something else about itself.
func (c *Cluster) NotifyJoin(n *memberlist.Node)   { c.note(n, true) }
func (c *Cluster) NotifyLeave(n *memberlist.Node)  { c.note(n, false) }
func (c *Cluster) NotifyUpdate(n *memberlist.Node) { c.note(n, true) }

// NotifyConflict says that two nodes use one name.
func (c *Cluster) NotifyConflict(existing, other *memberlist.Node) {
	c.cfg.Log.Error("two nodes use one gossip name", "name", existing.Name, "address", existing.Address(), "other", other.Address())
}

// NodeMeta is this node's metadata.
func (c *Cluster) NodeMeta(int) []byte { return *c.meta.Load() }

// The rest of memberlist's Delegate is not used: gossip carries membership only.
func (c *Cluster) NotifyMsg([]byte)                {}
func (c *Cluster) GetBroadcasts(int, int) [][]byte { return nil }
func (c *Cluster) LocalState(bool) []byte          { return nil }
func (c *Cluster) MergeRemoteState([]byte, bool)   {}

// logWriter turns memberlist's lines into records: "2006/01/02 15:04:05 [WARN] memberlist: text".
type logWriter struct{ log *slog.Logger }

var _ io.Writer = (*logWriter)(nil)

func (w *logWriter) Write(line []byte) (int, error) {
	text := strings.TrimSpace(string(line))
	level := slog.LevelInfo
	for tag, l := range map[string]slog.Level{"[DEBUG]": slog.LevelDebug, "[INFO]": slog.LevelInfo, "[WARN]": slog.LevelWarn, "[ERR]": slog.LevelError} {
		if _, after, ok := strings.Cut(text, tag); ok {
			level, text = l, strings.TrimSpace(after)
			break
		}
	}
	w.log.Log(context.Background(), level, strings.TrimPrefix(text, "memberlist: "), "from", "memberlist")
	return len(line), nil
}
