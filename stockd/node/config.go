package node

import (
	"errors"
	"fmt"
	"net"
	"time"

	"ticketrush/client"
	"ticketrush/stockd/cluster"
	"ticketrush/stockd/owner"
)

// Config sets up a Node. Zero values of what is not marked as required mean the default.
type Config struct {
	// NodeID is this node's name, the same over restarts. Required.
	NodeID string
	// APIAddr and InternalAddr are where others reach the public API and the internal listener, host:port. Required.
	APIAddr, InternalAddr string
	// GossipAddr is where gossip is bound, host:port. Required.
	GossipAddr string
	// Join are gossip addresses of other nodes. Empty: a cluster of one, until others join this node.
	Join []string
	// ClusterLabel keeps clusters apart. Default "ticketrush".
	ClusterLabel string
	// GossipKey has 32 bytes. Required unless GossipAddr is on loopback.
	GossipKey []byte
	// SuspectFor is how long a node that does not answer may object before it counts as gone. Default 900 ms.
	SuspectFor time.Duration
	// InternalKey authenticates calls to the internal listener. Required, at least 16 characters, unless InternalAddr is on loopback.
	InternalKey string
	// Postgres is the ledger's connection string. Required.
	Postgres string
	// AllowNoFsync accepts a Postgres that may lose commits in a crash. For tests only.
	AllowNoFsync bool

	// SessionTTL is after how long without a sign of life the stock is taken over. Default 3 s.
	SessionTTL time.Duration
	// Lanes, Linger, BatchMax, QueueMax and QueueWait are those of owner.Config: 2, none, 128, 256, 2 s.
	Lanes     int
	Linger    time.Duration
	BatchMax  int
	QueueMax  int
	QueueWait time.Duration
	// BalanceAfter and MoveCooldown say when partitions with stock move for balance. Default 10 s and 60 s.
	BalanceAfter time.Duration
	MoveCooldown time.Duration
	// HotRate and HotStay say which partitions stay where they are in a rush, and for how long. Default 50 operations/s and 5 min.
	HotRate int
	HotStay time.Duration
	// FlushGiveUp is after how long without an answer a lane's connection is closed; its batch is then sent again. Default 5 s.
	FlushGiveUp time.Duration
}

const internalKeyMin = 16

func (cfg *Config) owner() owner.Config {
	return owner.Config{
		Node: cfg.NodeID, SessionTTL: cfg.SessionTTL, Lanes: cfg.Lanes, Linger: cfg.Linger, BatchMax: cfg.BatchMax, QueueMax: cfg.QueueMax,
		QueueWait: cfg.QueueWait, BalanceAfter: cfg.BalanceAfter, MoveCooldown: cfg.MoveCooldown, HotRate: cfg.HotRate, HotStay: cfg.HotStay,
	}
}

func (cfg *Config) cluster() cluster.Config {
	return cluster.Config{
		Self: client.Node{ID: cfg.NodeID, API: cfg.APIAddr, Internal: cfg.InternalAddr}, Bind: cfg.GossipAddr, Join: cfg.Join,
		Label: cfg.ClusterLabel, Key: cfg.GossipKey, SuspectFor: cfg.SuspectFor,
	}
}

// validate finds all that is wrong, and fills in the defaults that the node itself needs.
func (cfg *Config) validate() error {
	var problems []error
	for _, a := range []struct{ name, addr string }{{"API", cfg.APIAddr}, {"internal", cfg.InternalAddr}} {
		if host, _, err := net.SplitHostPort(a.addr); err != nil {
			problems = append(problems, fmt.Errorf("the %s address %q is not host:port: %w", a.name, a.addr, err))
		} else if host == "" || net.ParseIP(host).IsUnspecified() {
			problems = append(problems, fmt.Errorf("the %s address %q does not tell others where to go: name a host", a.name, a.addr))
		}
	}
	if host, _, err := net.SplitHostPort(cfg.InternalAddr); err == nil {
		ip := net.ParseIP(host)
		loopback := host == "localhost" || ip != nil && ip.IsLoopback()
		switch n := len(cfg.InternalKey); {
		case n == 0 && !loopback:
			problems = append(problems, fmt.Errorf("the internal listener on %s needs an internal key of at least %d characters", cfg.InternalAddr, internalKeyMin))
		case n != 0 && n < internalKeyMin:
			problems = append(problems, fmt.Errorf("the internal key has %d characters, it needs at least %d", n, internalKeyMin))
		}
	}
	if cfg.Postgres == "" {
		problems = append(problems, errors.New("the Postgres connection string is empty"))
	}
	if err := cfg.cluster().Validate(); err != nil {
		problems = append(problems, err)
	}
	if cfg.SessionTTL == 0 {
		cfg.SessionTTL = 3 * time.Second
	}
	if cfg.QueueWait == 0 {
		cfg.QueueWait = 2 * time.Second
	}
	if cfg.FlushGiveUp == 0 {
		cfg.FlushGiveUp = 5 * time.Second
	}
	if cfg.Lanes == 0 {
		cfg.Lanes = 2
	}
	return errors.Join(problems...)
}
