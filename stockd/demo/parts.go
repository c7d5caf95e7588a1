package demo

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"os"
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
	for j, port := range d.ports.Gossip {
		if j != i {
			join = append(join, strconv.Quote(local(port)))
		}
	}
	key := func(name string) string { return d.folder.path("keys", name) }
	text := fmt.Sprintf(`# Written by stockd demo.
node = %q
api_addr = %q
internal_addr = %q
gossip_addr = %q
join = [%s]
postgres = %q
room_keys_file = %q
secrets_file = %q
internal_key_file = %q
gossip_key_file = %q
# Everybody pays with a click, and the crowd of a rush comes from one address.
sandbox = true
reads_per_second = 1000.0
payment_deadline = "5m"
`, name, local(d.ports.API[i]), local(d.ports.Internal[i]), local(d.ports.Gossip[i]), strings.Join(join, ", "), d.DSN(),
		key("room.keys"), key("secrets.keys"), key("internal.key"), key("gossip.key"))
	path := d.folder.path(name + ".toml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		return nil, err
	}
	return d.folder.start(spec{name: name, path: d.options.Executable, args: []string{"serve", "--config", path}, env: childEnv()})
}

// startCaddy runs Caddy with the project's Caddyfile, which takes its ports and files from the environment.
func (d *Demo) startCaddy() (*child, error) {
	var nodes []string
	for _, port := range d.ports.Internal {
		nodes = append(nodes, "http://"+local(port))
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
