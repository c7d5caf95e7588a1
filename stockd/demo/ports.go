package demo

import (
	"context"
	"fmt"
	"net"
	"strconv"
)

// Ports are where everything listens. Start takes them as wishes: a taken one is replaced by the next that is free.
type Ports struct {
	HTTP, HTTPS           int   // Caddy
	API, Gossip, Internal []int // one per node
	Site                  int
}

// DefaultPorts are the ports that the demo has where nothing else runs.
func DefaultPorts(nodes int) Ports {
	run := func(first int) (list []int) {
		for i := range nodes {
			list = append(list, first+i)
		}
		return list
	}
	return Ports{HTTP: 8080, HTTPS: 8443, API: run(7101), Gossip: run(7201), Internal: run(7301), Site: 7401}
}

// portTries bounds the search for a free port.
const portTries = 500

// pick replaces every port that is taken. free says whether one can be had.
func (p Ports) pick(free func(port int) bool) (Ports, error) {
	given := map[int]bool{}
	var failed error
	next := func(wish int) int {
		for port := wish; port < wish+portTries && port <= 65535; port++ {
			if !given[port] && free(port) {
				given[port] = true
				return port
			}
		}
		if failed == nil {
			failed = fmt.Errorf("no free port from %d to %d: end what listens there, or name other ports", wish, min(wish+portTries, 65536)-1)
		}
		return 0
	}
	each := func(list []int) (out []int) {
		for _, wish := range list {
			out = append(out, next(wish))
		}
		return out
	}
	out := Ports{HTTP: next(p.HTTP), HTTPS: next(p.HTTPS), API: each(p.API), Gossip: each(p.Gossip), Internal: each(p.Internal), Site: next(p.Site)}
	return out, failed
}

// isFree says whether nobody listens on a port, over TCP and UDP, on any address.
func isFree(port int) bool {
	var lc net.ListenConfig
	ctx := context.Background()
	for _, host := range []string{"", "127.0.0.1"} {
		l, err := lc.Listen(ctx, "tcp", net.JoinHostPort(host, strconv.Itoa(port)))
		if err != nil {
			return false
		}
		_ = l.Close()
	}
	u, err := lc.ListenPacket(ctx, "udp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
	if err != nil {
		return false
	}
	_ = u.Close()
	return true
}

const loopback = "127.0.0.1"

// local is a loopback address.
func local(port int) string { return net.JoinHostPort(loopback, strconv.Itoa(port)) }

// at is the address of one of a node's ports.
func (d *Demo) at(node int, ports []int) string {
	return net.JoinHostPort(d.options.NodeHosts[node], strconv.Itoa(ports[node]))
}

// addresses are those of one kind of port, of all nodes.
func (d *Demo) addresses(ports []int) (list []string) {
	for node := range ports {
		list = append(list, d.at(node, ports))
	}
	return list
}
