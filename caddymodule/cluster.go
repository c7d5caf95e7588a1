package caddymodule

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"strings"
	"unicode"

	"github.com/caddyserver/caddy/v2"

	"ticketrush/client"
)

// pooledClients holds the clients of stockd by their configuration, so that routes and connections survive a reload.
var pooledClients = caddy.NewUsagePool()

// pooledClient ends with the last configuration that uses it.
type pooledClient struct{ *client.Client }

// Destruct ends the client; requests under way end by themselves.
func (c pooledClient) Destruct() error {
	c.Close()
	return nil
}

// cluster is stockd as a configuration names it.
type cluster struct {
	*client.Client
	id string // the same for the same nodes and key; it does not hold the secret
}

// clusterOf gives the client of some nodes, until the app's Cleanup. It dials nothing: the client does from the app's start on.
func (a *App) clusterOf(nodes StockdNodes) (*cluster, error) {
	seeds, key, err := nodes.resolve()
	if err != nil {
		return nil, err
	}
	id := fmt.Sprintf("%x", sha256.Sum256([]byte(strings.Join(append(seeds, key), "\x00"))))
	value, _, err := pooledClients.LoadOrNew(id, func() (caddy.Destructor, error) {
		c, err := client.New(client.Config{Seeds: seeds, InternalKey: key, Log: a.ctx.Slogger()})
		return pooledClient{c}, err
	})
	if err != nil {
		return nil, err
	}
	a.pooled = append(a.pooled, id)
	c := &cluster{value.(pooledClient).Client, id}
	a.clients = append(a.clients, c.Client)
	return c, nil
}

// findOwner finds out who owns the rooms of this configuration.
func (a *App) findOwner() (err error) {
	if a.Stockd == nil || a.cluster != nil {
		return nil
	}
	if a.Keys == "" {
		return errors.New("waiting_room: with stockd, which owns the rooms, name the `keys` file that stockd has as well (room_keys_file); " +
			"a key that this edge makes for itself is good nowhere else")
	}
	a.cluster, err = a.clusterOf(*a.Stockd)
	return err
}

// edgeNameMax bounds the name of an edge, bytes.
const edgeNameMax = 64

// edgeName gives this edge's name among those of its rooms: the one that is configured, else one that only this data directory of Caddy has.
func edgeName(given string) (string, error) {
	if given != "" {
		name, err := caddy.NewReplacer().ReplaceOrErr(given, true, true)
		if err != nil {
			return "", fmt.Errorf("waiting_room edge: %w", err)
		}
		if name == "" || len(name) > edgeNameMax || strings.ContainsFunc(name, func(c rune) bool { return !unicode.IsPrint(c) }) {
			return "", fmt.Errorf("waiting_room edge %q: want 1 to %d printable bytes", name, edgeNameMax)
		}
		return name, nil
	}
	id, err := caddy.InstanceID()
	if err != nil {
		return "", fmt.Errorf("waiting_room: a name for this edge: %w; give one with `edge`", err)
	}
	name, err := os.Hostname()
	if err != nil {
		name = "edge"
	}
	digits := id.String()[:8]
	return fmt.Sprintf("%.*s-%s", edgeNameMax-1-len(digits), name, digits), nil
}
