package chaos

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
)

// spaces put each node into a network namespace of its own, joined by a router in another. What the router drops is gone without a word, one way
// or both, as on a network that is broken: no error tells either side. Postgres' socket is a file and is not cut.
//
//	node 1 ── 10.213.1.0/30 ──┐
//	node 2 ── 10.213.2.0/30 ──┼── router ── 10.213.9.0/30 ── this machine: Caddy, the crowd
//	node 3 ── 10.213.3.0/30 ──┘
type spaces struct {
	name string // begins the names of the namespaces
	undo [][]string
}

const (
	network  = "10.213."
	outside  = 9 // the number of this machine's own line to the router
	ruleBase = 100
)

// newSpaces makes them. It needs the right to.
func newSpaces(ctx context.Context) (s *spaces, err error) {
	s = &spaces{name: "trc" + strconv.Itoa(os.Getpid()%10000)}
	defer func() {
		if err != nil {
			err = errors.Join(fmt.Errorf("%w: make network namespaces: %w", errNotHere, err), s.close())
		}
	}()
	router := s.name + "r"
	if err := s.make(ctx, router); err != nil {
		return s, err
	}
	for i := 1; i <= nodes; i++ {
		if err := s.make(ctx, s.node(i)); err != nil {
			return s, err
		}
		if err := s.connect(ctx, i, s.node(i), router); err != nil {
			return s, err
		}
	}
	if err := s.connect(ctx, outside, "", router); err != nil {
		return s, err
	}
	return s, ip(ctx, "netns", "exec", router, "sysctl", "-qw", "net.ipv4.ip_forward=1")
}

func (s *spaces) node(i int) string { return s.name + strconv.Itoa(i) }

func (s *spaces) make(ctx context.Context, name string) error {
	if err := ip(ctx, "netns", "add", name); err != nil {
		return err
	}
	s.undo = append(s.undo, []string{"netns", "del", name})
	return ip(ctx, "-n", name, "link", "set", "lo", "up")
}

// connect draws a line from a namespace, or from this machine, to the router.
func (s *spaces) connect(ctx context.Context, i int, from, router string) error {
	near, far := fmt.Sprintf("%sv%d", s.name, i), fmt.Sprintf("%sw%d", s.name, i)
	if err := ip(ctx, "link", "add", near, "type", "veth", "peer", "name", far); err != nil {
		return err
	}
	s.undo = append(s.undo, []string{"link", "del", near})
	lines := [][]string{
		{"link", "set", far, "netns", router},
		{"-n", router, "addr", "add", fmt.Sprintf("%s%d.1/30", network, i), "dev", far},
		{"-n", router, "link", "set", far, "up"},
	}
	if from == "" {
		lines = append(lines,
			[]string{"addr", "add", host(i) + "/30", "dev", near}, []string{"link", "set", near, "up"},
			[]string{"route", "add", network + "0.0/16", "via", fmt.Sprintf("%s%d.1", network, i)})
	} else {
		lines = append(lines,
			[]string{"link", "set", near, "netns", from},
			[]string{"-n", from, "addr", "add", host(i) + "/30", "dev", near}, []string{"-n", from, "link", "set", near, "up"},
			[]string{"-n", from, "route", "add", "default", "via", fmt.Sprintf("%s%d.1", network, i)})
	}
	for _, line := range lines {
		if err := ip(ctx, line...); err != nil {
			return err
		}
	}
	return nil
}

func host(i int) string { return fmt.Sprintf("%s%d.2", network, i) }

// hosts are the nodes' addresses.
func (s *spaces) hosts() (list []string) {
	for i := 1; i <= nodes; i++ {
		list = append(list, host(i))
	}
	return list
}

// prefix runs a node's command line in its namespace.
func (s *spaces) prefix(node int) []string { return []string{"ip", "netns", "exec", s.node(node + 1)} }

// drop loses what goes from one node to another, without a word.
func (s *spaces) drop(ctx context.Context, from, to int) error {
	return ip(ctx, "-n", s.name+"r", "rule", "add", "pref", strconv.Itoa(ruleBase+10*from+to), "from", host(from+1), "to", host(to+1), "blackhole")
}

// restore lets it through again.
func (s *spaces) restore(ctx context.Context, from, to int) error {
	return ip(ctx, "-n", s.name+"r", "rule", "del", "pref", strconv.Itoa(ruleBase+10*from+to))
}

func (s *spaces) close() error {
	var errs []error
	for i := len(s.undo) - 1; i >= 0; i-- {
		if err := ip(context.Background(), s.undo[i]...); err != nil && !strings.Contains(err.Error(), "Cannot find device") { // it went with its namespace
			errs = append(errs, err)
		}
	}
	s.undo = nil
	return errors.Join(errs...)
}

func ip(ctx context.Context, args ...string) error {
	if out, err := exec.CommandContext(ctx, "ip", args...).CombinedOutput(); err != nil {
		return fmt.Errorf("ip %s: %w: %s", strings.Join(args, " "), err, out)
	}
	return nil
}
