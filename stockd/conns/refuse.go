package conns

import (
	"fmt"
	"io"
	"net"
	"time"
)

const (
	farewellsMax   = 256                    // connections that are being told at the same time; more are closed without a word
	farewellWithin = 500 * time.Millisecond // for a client to read it
)

// refusal is the answer of a node that has no connection left. It is that of the API, word by word; nothing is read from the connection.
func refusal() []byte {
	const body = `{"type":"/problems/overloaded","title":"Too much at once","status":503,"detail":"This node has no connection left. Try again in a moment, or at another node.","retry_after_ms":1000}`
	return fmt.Appendf(nil, "HTTP/1.1 503 Service Unavailable\r\nContent-Type: application/problem+json\r\nContent-Length: %d\r\nCache-Control: no-store\r\n"+
		"Retry-After: 1\r\nX-Stockd-Retry-After-Ms: 1000\r\nConnection: close\r\n\r\n%s", len(body), body)
}

// refuse tells a client that there is no room, and gives it a moment to read that: closing at once, with its request unread, would reset the connection and
// take the answer away again.
func (l *Limit) refuse(c net.Conn) {
	select {
	case l.farewells <- struct{}{}:
	default:
		c.Close()
		return
	}
	go func() {
		defer func() { <-l.farewells }()
		defer c.Close()
		_ = c.SetDeadline(time.Now().Add(farewellWithin)) // one that cannot be told is closed all the same
		if _, err := c.Write(l.busy); err != nil {
			return
		}
		if tcp, ok := c.(*net.TCPConn); ok && tcp.CloseWrite() == nil {
			_, _ = io.CopyN(io.Discard, c, 64<<10)
		}
	}()
}
