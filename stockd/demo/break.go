package demo

import (
	"context"
	"fmt"
	"os"
	"strings"
	"syscall"

	"ticketrush/client"
	"ticketrush/ledger/pgdev"
)

// Nodes is how many nodes the demo runs.
func (d *Demo) Nodes() int { return d.options.Nodes }

// KillNode ends a node at once, as a crash of its machine would. StartNode brings it back.
func (d *Demo) KillNode(i int) error {
	c := d.node(i)
	c.stopped.Store(true)
	if err := c.process.Kill(); err != nil {
		return fmt.Errorf("kill %s: %w", c.name, err)
	}
	<-c.done
	return nil
}

// SignalNode sends a node a signal that does not end it: SIGSTOP, SIGCONT.
func (d *Demo) SignalNode(i int, sig syscall.Signal) error {
	c := d.node(i)
	if err := c.process.Signal(sig); err != nil {
		return fmt.Errorf("%v to %s: %w", sig, c.name, err)
	}
	return nil
}

// StopNode asks a node to end, which hands its stock over, and waits until it has.
func (d *Demo) StopNode(i int) error {
	c := d.node(i)
	if err := c.stop(stopMax); err != nil {
		return err
	}
	if c.state != nil {
		return c.died()
	}
	return nil
}

// StartNode runs a node again that was killed or stopped. It does not wait until it is ready.
func (d *Demo) StartNode(i int) error {
	c, err := d.startNode(i)
	if err != nil {
		return err
	}
	d.mu.Lock()
	d.nodes[i] = c
	d.mu.Unlock()
	d.watch(c)
	return nil
}

func (d *Demo) node(i int) *child {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.nodes[i]
}

// WaitNode waits until a node says that it should get traffic.
func (d *Demo) WaitNode(ctx context.Context, i int) error {
	return answers(ctx, "http://"+d.at(i, d.ports.API)+"/readyz")
}

// Postgres is the ledger's server.
func (d *Demo) Postgres() *pgdev.Server { return d.postgres }

// Client is the configuration of a client of the nodes, as the edge has it.
func (d *Demo) Client() (client.Config, error) {
	key, err := os.ReadFile(d.folder.path("keys", "internal.key"))
	return client.Config{Seeds: d.addresses(d.ports.Internal), InternalKey: strings.TrimSpace(string(key))}, err
}
