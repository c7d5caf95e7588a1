package main

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"strings"
	"syscall"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"ticketrush/ledger"
	"ticketrush/pass"
	"ticketrush/stockd/account"
	"ticketrush/stockd/node"
	"ticketrush/stockd/stripe"
)

type serveCommand struct {
	Config string `type:"path" env:"STOCKD_CONFIG" placeholder:"FILE" help:"The configuration, TOML. Every setting is also an environment variable: api_addr is STOCKD_API_ADDR."`
	Check  bool   `help:"Check the configuration, its files and Postgres, and end."`
}

// Help lists the settings, below the flags.
func (*serveCommand) Help() string {
	return "Settings: " + strings.Join(settingNames(), ", ") + ".\n\nSecrets stand in the files that the settings name, or in STOCKD_ROOM_KEYS, STOCKD_SECRETS, STOCKD_ACCOUNT_KEYS, STOCKD_STRIPE_KEY, STOCKD_STRIPE_WEBHOOK_SECRETS, STOCKD_INTERNAL_KEY and STOCKD_GOSSIP_KEY."
}

// secrets are what a node must keep to itself.
type secrets struct {
	dsn      string
	rooms    *pass.Keyring // nil: none
	tokens   *pass.Keyring
	accounts *account.Verifier // nil: none
	internal string
	gossip   []byte
	stripe   *stripe.Provider // nil: off
}

// Run is a node's life: check, listen, start, serve until it is told to stop, hand over.
func (s *serveCommand) Run(ctx context.Context, con console) error {
	environ := os.Environ()
	c, err := readConfig(s.Config, environ)
	if err != nil {
		return misuse(err)
	}
	host, err := os.Hostname()
	if err != nil {
		host = ""
	}
	c = c.withDefaults(host)
	if err := c.validate(environ); err != nil {
		return misuse(fmt.Errorf("the configuration is wrong:\n%w", err))
	}
	keys, err := c.secrets(environ)
	if err != nil {
		return err
	}
	if s.Check {
		db, err := openLedger(ctx, keys.dsn)
		if err != nil {
			return err
		}
		fmt.Fprintln(con.out, "the configuration is right, and Postgres answers")
		return db.Close()
	}
	return c.serve(ctx, keys, c.logger(con.err))
}

// secrets reads everything that is secret. A missing file refuses to start.
func (c config) secrets(environ []string) (s secrets, err error) {
	if s.dsn, err = c.dsn(); err != nil {
		return s, err
	}
	keyring := func(setting, path, variable string) (*pass.Keyring, error) {
		text, err := secret(setting, path, variable, environ)
		if err != nil || text == nil {
			return nil, err
		}
		ring, err := pass.ParseKeyring(text)
		if err != nil {
			return nil, misuse(fmt.Errorf("%s %s: %w; make a fresh file with `stockd keys new --out FILE`", setting, path, err))
		}
		return ring, nil
	}
	if s.rooms, err = keyring("room_keys_file", c.RoomKeysFile, "STOCKD_ROOM_KEYS"); err != nil {
		return s, err
	}
	if s.tokens, err = keyring("secrets_file", c.SecretsFile, "STOCKD_SECRETS"); err != nil {
		return s, err
	}
	accounts, err := secret("account_keys_file", c.AccountKeysFile, "STOCKD_ACCOUNT_KEYS", environ)
	if err != nil {
		return s, err
	}
	if accounts != nil {
		if s.accounts, err = account.NewVerifier(accounts, c.AccountIssuer, c.AccountAudience); err != nil {
			return s, misuse(fmt.Errorf("account_keys_file %s: %w", c.AccountKeysFile, err))
		}
	}
	if s.stripe, err = c.stripe(environ); err != nil {
		return s, err
	}
	internal, err := secret("internal_key_file", c.InternalKeyFile, "STOCKD_INTERNAL_KEY", environ)
	if err != nil {
		return s, err
	}
	s.internal = strings.TrimSpace(string(internal))
	gossip, err := secret("gossip_key_file", c.GossipKeyFile, "STOCKD_GOSSIP_KEY", environ)
	if err != nil || gossip == nil {
		return s, err
	}
	s.gossip, err = base64.StdEncoding.DecodeString(strings.TrimSpace(string(gossip)))
	if err != nil || len(s.gossip) != 32 {
		return s, misuse(fmt.Errorf("gossip_key_file %s: want 32 bytes in base64; make one with `stockd keys gossip --out FILE`", c.GossipKeyFile))
	}
	return s, nil
}

func (c config) logger(w io.Writer) *slog.Logger {
	var level slog.Level
	_ = level.UnmarshalText([]byte(c.LogLevel)) // validate has seen it
	options := &slog.HandlerOptions{Level: level}
	if c.LogFormat == "json" {
		return slog.New(slog.NewJSONHandler(w, options))
	}
	return slog.New(slog.NewTextHandler(w, options))
}

// nodeConfig is the part of the configuration that is the node's.
func (c config) nodeConfig(s secrets) node.Config {
	return node.Config{
		NodeID: c.Node, APIAddr: c.APIAdvertise, InternalAddr: c.InternalAdvertise, GossipAddr: c.GossipAddr, Join: c.Join, ClusterLabel: c.Cluster,
		GossipKey: s.gossip, InternalKey: s.internal, Postgres: s.dsn, SessionTTL: time.Duration(c.SessionTTL), Lanes: c.Lanes, Linger: time.Duration(c.Linger),
		BatchMax: c.BatchMax, QueueMax: c.QueueMax, QueueWait: time.Duration(c.QueueWait),
		BalanceAfter: time.Duration(c.BalanceAfter), MoveCooldown: time.Duration(c.MoveCooldown),
		HotRate: c.HotRate, HotStay: time.Duration(c.HotStay),
	}
}

// serve runs the node. Its ports open when the ledger has been read, for a client that finds an open port waits there, and before the node joins
// the others: a port that is taken must be found before anything is owned.
func (c config) serve(ctx context.Context, s secrets, log *slog.Logger) error {
	registry := prometheus.NewRegistry()
	registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	n, err := node.New(c.nodeConfig(s), log, registry)
	if err != nil {
		return misuse(fmt.Errorf("the configuration is wrong: %w", err))
	}
	if err := n.Open(ctx); err != nil {
		return startFailed(err, c.GossipAddr)
	}
	listeners, err := c.listen(ctx)
	if err != nil {
		return errors.Join(err, n.Close())
	}
	defer listeners[0].Close()
	defer listeners[1].Close()
	rooms, err := c.rooms(s, log, registry, n)
	if err != nil {
		return errors.Join(err, n.Close())
	}
	if err := n.Start(ctx); err != nil {
		rooms.rooms.Close()
		return startFailed(err, c.GossipAddr)
	}
	log.Info("the node runs", "node", c.Node, "version", version(), "api", c.APIAddr, "internal", c.InternalAddr, "gossip", c.GossipAddr)
	err = c.run(ctx, s, log, registry, n, rooms, listeners)
	log.Info("the node has stopped", "node", c.Node)
	return err
}

// listen opens the ports, the public one first.
func (c config) listen(ctx context.Context) (listeners [2]net.Listener, err error) {
	if listeners[0], err = listen(ctx, c.APIAddr, "api_addr (STOCKD_API_ADDR)"); err != nil {
		return listeners, err
	}
	if listeners[1], err = listen(ctx, c.InternalAddr, "internal_addr (STOCKD_INTERNAL_ADDR)"); err != nil {
		return listeners, errors.Join(err, listeners[0].Close())
	}
	return listeners, nil
}

// startFailed says what to do when a node does not start.
func startFailed(err error, gossip string) error {
	switch {
	case errors.Is(err, ledger.ErrUnavailable):
		return missing(fmt.Errorf("postgres: %w; start Postgres, or correct the setting postgres (STOCKD_POSTGRES)", err))
	case errors.Is(err, syscall.EADDRINUSE):
		return missing(fmt.Errorf("gossip_addr (STOCKD_GOSSIP_ADDR): another process has %s already; stop that process, or change gossip_addr (STOCKD_GOSSIP_ADDR)", gossip))
	}
	return missing(err)
}
