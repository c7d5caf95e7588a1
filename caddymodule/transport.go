package caddymodule

import (
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/caddyserver/caddy/v2"

	"ticketrush/client"
)

func init() {
	caddy.RegisterModule(new(StockdTransport))
}

// StockdTransport sends each request to the node of stockd that owns what it is about. It follows changes of owners, tries again where that is
// harmless, and never shows a visitor which node it was: when all tries fail the answer is a problem document with status 503. A body may have
// 64 KiB; above that the answer is 413.
type StockdTransport struct {
	// Nodes and Key replace those of the app.
	StockdNodes

	client *client.Client
}

// CaddyModule returns the Caddy module information.
func (*StockdTransport) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "http.reverse_proxy.transport.stockd", New: func() caddy.Module { return new(StockdTransport) }}
}

// Provision finds out where stockd is. It dials nothing: the client does from the app's start on.
func (t *StockdTransport) Provision(ctx caddy.Context) error {
	module, err := ctx.App("waiting_room")
	if err != nil {
		return err
	}
	app := module.(*App)
	nodes := t.StockdNodes
	if len(nodes.Nodes) == 0 && app.Stockd != nil {
		nodes = *app.Stockd
	}
	cluster, err := app.clusterOf(nodes)
	if err != nil {
		return err
	}
	t.client = cluster.Client
	return nil
}

// resolve gives the nodes as host:port and the key's text.
func (n StockdNodes) resolve() (seeds []string, key string, err error) {
	if len(n.Nodes) == 0 {
		return nil, "", errors.New("stockd: no node is named; write `waiting_room { stockd http://… { key … } }` into the global options")
	}
	if n.Key == "" {
		return nil, "", errors.New("stockd: no key is named; write `stockd http://… { key {file./path/to/internal.key} }` into the global options")
	}
	if key, err = secretText(n.Key); err != nil {
		return nil, "", fmt.Errorf("stockd key: %w", err)
	}
	replacer := caddy.NewReplacer()
	for _, node := range n.Nodes {
		text, err := replacer.ReplaceOrErr(node, true, true)
		if err != nil {
			return nil, "", fmt.Errorf("stockd node %s: %w", node, err)
		}
		addr, ok := strings.CutPrefix(strings.TrimSuffix(text, "/"), "http://")
		if !ok {
			return nil, "", fmt.Errorf("stockd node %q: want http://host:port, the internal address of a node", text)
		}
		seeds = append(seeds, addr)
	}
	return seeds, strings.TrimSpace(key), nil
}

// RoundTrip hands over to the client.
func (t *StockdTransport) RoundTrip(r *http.Request) (*http.Response, error) {
	return t.client.RoundTrip(r)
}

var (
	_ caddy.Provisioner = (*StockdTransport)(nil)
	_ http.RoundTripper = (*StockdTransport)(nil)
)
