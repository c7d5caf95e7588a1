package caddymodule

import (
	"bufio"
	"bytes"
	"io"
	"net"
	"net/http"
	"net/http/httputil"
	"strconv"
	"strings"
	"testing"
)

// wire is a kept connection that sends one request over and over, at less cost than net/http's client: a load generator that takes most of the CPU
// would make everything look equal.
type wire struct {
	tb     testing.TB
	conn   net.Conn
	in     *bufio.Reader
	text   []byte
	status int
}

// text is the request as it goes over the wire.
func (r *rival) text(host string) string { return r.head + "Host: " + host + "\r\n\r\n" + r.body }

func readRequest(tb testing.TB, text string) *http.Request {
	tb.Helper()
	r, err := http.ReadRequest(bufio.NewReader(strings.NewReader(text)))
	if err != nil {
		tb.Fatal(err)
	}
	r.RemoteAddr = "127.0.0.1:4711"
	return r
}

type readCloser struct{ *strings.Reader }

func (readCloser) Close() error { return nil }

func dial(tb testing.TB, url string, r *rival) *wire {
	tb.Helper()
	host := strings.TrimPrefix(url, "http://")
	conn, err := net.Dial("tcp", host)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { conn.Close() })
	return &wire{tb: tb, conn: conn, in: bufio.NewReaderSize(conn, 32<<10), text: []byte(r.text(host)), status: r.status}
}

// answer sends the request once, and gives the status and the bytes of the body.
func (c *wire) answer() (status, size int) {
	if _, err := c.conn.Write(c.text); err != nil {
		c.tb.Error(err)
		return 0, 0
	}
	size = -1 // chunked
	for {
		h, err := c.in.ReadSlice('\n')
		if err != nil {
			c.tb.Error(err)
			return 0, 0
		}
		if status == 0 {
			status, _ = strconv.Atoi(string(h[9:12]))
		} else if n, ok := bytes.CutPrefix(h, []byte("Content-Length: ")); ok {
			size, _ = strconv.Atoi(string(bytes.TrimSpace(n)))
		} else if len(h) == 2 {
			break
		}
	}
	if status != c.status {
		c.tb.Errorf("answered with %d, want %d", status, c.status)
	}
	if size >= 0 {
		_, _ = c.in.Discard(size)
		return status, size
	}
	n, _ := io.Copy(io.Discard, httputil.NewChunkedReader(c.in))
	_, _ = c.in.Discard(2) // the end of the last chunk
	return status, int(n)
}
