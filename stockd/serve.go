package main

import (
	"context"
	"fmt"
	"os"
	"strings"

	"ticketrush/stockd/config"
	"ticketrush/stockd/failure"
	"ticketrush/stockd/serve"
)

type serveCommand struct {
	Config string `type:"path" env:"STOCKD_CONFIG" placeholder:"FILE" help:"The configuration, TOML. Every setting is also an environment variable: api_addr is STOCKD_API_ADDR."`
	Check  bool   `help:"Check the configuration, its files and Postgres, and end."`
}

// Help lists the settings, below the flags.
func (*serveCommand) Help() string {
	return "Settings: " + strings.Join(config.Names(), ", ") + ".\n\nSecrets stand in the files that the settings name, or in STOCKD_ROOM_KEYS, STOCKD_SECRETS, STOCKD_ACCOUNT_KEYS, STOCKD_STRIPE_KEY, STOCKD_STRIPE_WEBHOOK_SECRETS, STOCKD_INTERNAL_KEY and STOCKD_GOSSIP_KEY."
}

// Run is a node's life: check, listen, start, serve until it is told to stop, hand over.
func (s *serveCommand) Run(ctx context.Context, con console) error {
	environ := os.Environ()
	c, err := config.Read(s.Config, environ)
	if err != nil {
		return failure.ByMisuse(err)
	}
	host, err := os.Hostname()
	if err != nil {
		host = ""
	}
	c = c.WithDefaults(host)
	if err := c.Validate(environ); err != nil {
		return failure.ByMisuse(fmt.Errorf("the configuration is wrong:\n%w", err))
	}
	keys, err := c.Secrets(environ)
	if err != nil {
		return err
	}
	if s.Check {
		db, err := openLedger(ctx, keys.DSN)
		if err != nil {
			return err
		}
		fmt.Fprintln(con.out, "the configuration is right, and Postgres answers")
		return db.Close()
	}
	return serve.Run(ctx, c, keys, c.Logger(con.err))
}
