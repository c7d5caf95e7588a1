package demo

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/google/uuid"

	"ticketrush/ledger"
	"ticketrush/pass"
)

// migrate makes the schema, and an API key for ops.
func (d *Demo) migrate(ctx context.Context) error {
	if _, err := ledger.Migrate(ctx, d.DSN()); err != nil {
		return err
	}
	db, err := ledger.Open(ctx, d.DSN(), ledger.Options{})
	if err != nil {
		return err
	}
	defer db.Close()
	var raw [24]byte
	_, _ = rand.Read(raw[:]) // never fails
	d.apiKey = "trk_" + base64.RawURLEncoding.EncodeToString(raw[:])
	return db.APIKeyInsert(ctx, ledger.APIKey{ID: uuid.New(), Name: "demo", Person: "the demo", Scopes: []string{"ops", "sell"}}, d.apiKey)
}

// writeKeys makes the files of keys and secrets that nodes and Caddy share.
func (d *Demo) writeKeys() error {
	random := func() ([]byte, error) {
		var raw [32]byte
		_, _ = rand.Read(raw[:]) // never fails
		return []byte(base64.StdEncoding.EncodeToString(raw[:]) + "\n"), nil
	}
	var errs []error
	for name, text := range map[string]func() ([]byte, error){
		"room.keys": pass.NewKeysFile, "secrets.keys": pass.NewKeysFile, "internal.key": random, "gossip.key": random,
	} {
		body, err := text()
		errs = append(errs, err, os.WriteFile(d.folder.path("keys", name), body, 0o600))
	}
	return errors.Join(errs...)
}

// startNode writes a node's configuration and runs it.
func (d *Demo) startNode(i int) (*child, error) {
	name := "node-" + strconv.Itoa(i+1)
	var join []string
	for j, addr := range d.addresses(d.ports.Gossip) {
		if j != i {
			join = append(join, strconv.Quote(addr))
		}
	}
	quote := strconv.Quote
	key := func(name string) string { return quote(d.folder.path("keys", name)) }
	settings := map[string]string{
		"node": quote(name), "api_addr": quote(d.at(i, d.ports.API)), "internal_addr": quote(d.at(i, d.ports.Internal)),
		"gossip_addr": quote(d.at(i, d.ports.Gossip)), "join": "[" + strings.Join(join, ", ") + "]",
		"postgres":       quote(d.options.NodeDSN(i, d.DSN())),
		"room_keys_file": key("room.keys"), "secrets_file": key("secrets.keys"), "internal_key_file": key("internal.key"), "gossip_key_file": key("gossip.key"),
		// Everybody pays with a click, and the crowd of a rush comes from one address.
		"lanes":   "1", // three nodes, their ledger and the crowd share one machine: fewer and larger batches
		"sandbox": "true", "reads_per_second": "1000.0", "payment_deadline": quote("5m"),
	}
	maps.Copy(settings, d.options.NodeSettings)
	text := "# Written by stockd demo.\n"
	for _, setting := range slices.Sorted(maps.Keys(settings)) {
		text += setting + " = " + settings[setting] + "\n"
	}
	path := d.folder.path(name + ".toml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		return nil, err
	}
	line := append(slices.Clone(d.options.NodePrefix(i)), d.options.NodeExecutable(i), "serve", "--config", path)
	return d.folder.start(spec{name: name, path: line[0], args: line[1:], env: childEnv()})
}

// startCaddy runs Caddy with the project's Caddyfile, which takes its ports and files from the environment.
func (d *Demo) startCaddy() (*child, error) {
	var nodes []string
	for _, addr := range d.addresses(d.ports.Internal) {
		nodes = append(nodes, "http://"+addr)
	}
	env := append(childEnv(),
		"HOME="+d.folder.path("caddy"), "XDG_DATA_HOME="+d.folder.path("caddy"), "XDG_CONFIG_HOME="+d.folder.path("caddy"),
		"CADDY_ADMIN=unix/"+d.folder.path("caddy", "admin.sock")+"|0220",
		"HTTP_PORT="+strconv.Itoa(d.ports.HTTP), "HTTPS_PORT="+strconv.Itoa(d.ports.HTTPS),
		"ROOM_KEYS_FILE="+d.folder.path("keys", "room.keys"), "INTERNAL_KEY_FILE="+d.folder.path("keys", "internal.key"),
		"SITE="+local(d.ports.Site), "STOCKD_NODES="+strings.Join(nodes, " "),
		"ROOM_RATE="+strconv.Itoa(d.options.Rate), "ROOM_MAX_ACTIVE="+strconv.Itoa(d.options.MaxActive),
	)
	return d.folder.start(spec{
		name: "caddy", path: d.options.Caddy, env: env,
		args: []string{"run", "--config", d.options.Caddyfile, "--adapter", "caddyfile", "--pidfile", d.folder.path("caddy.pid")},
	})
}

// childEnv is the environment of children: where programs are, and nothing that could change what they do.
func childEnv() (env []string) {
	for _, name := range []string{"PATH", "TMPDIR", "TZ", "GOMAXPROCS", "GOCOVERDIR"} {
		if value, ok := os.LookupEnv(name); ok {
			env = append(env, name+"="+value)
		}
	}
	return env
}
