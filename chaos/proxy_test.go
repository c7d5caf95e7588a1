package chaos

import (
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// echo is a server on a socket that gives back what it gets.
func echo(t *testing.T) (dsn string) {
	t.Helper()
	dir, err := os.MkdirTemp("", "echo") // a socket's path may have 107 bytes
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	l, err := net.Listen("unix", filepath.Join(dir, ".s.PGSQL.5432"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				_, _ = io.Copy(c, c)
			}()
		}
	}()
	return "host=" + dir + " user=x"
}

// through is a connection through a new proxy.
func through(t *testing.T) (*proxy, net.Conn) {
	t.Helper()
	p, err := newProxy(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.close)
	if dsn := p.dsn(echo(t)); !strings.Contains(dsn, "host=127.0.0.1 port=") || !strings.HasSuffix(dsn, " user=x") {
		t.Errorf("the way through the proxy is %q", dsn)
	}
	c, err := net.Dial("tcp", p.listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	_ = c.SetDeadline(time.Now().Add(20 * time.Second))
	return p, c
}

// say sends a text and wants it back.
func say(t *testing.T, c net.Conn, text string) {
	t.Helper()
	if _, err := io.WriteString(c, text); err != nil {
		t.Fatal(err)
	}
	got := make([]byte, len(text))
	if _, err := io.ReadFull(c, got); err != nil || string(got) != text {
		t.Fatalf("%q %v, want %q", got, err, text)
	}
}

func TestFlushesAreCutAfterTheBytesAskedFor(t *testing.T) {
	t.Parallel()
	const prepare, flush = "P: SELECT ledger.flush($1)", "B0123456789"
	for _, c := range []struct {
		way  way
		n    int
		want int // bytes that come back
	}{{toClient, 0, 0}, {toClient, 4, 4}, {toClient, -1, len(flush) - 1}, {toClient, 1000, len(flush)}, {toServer, 0, 0}} {
		p, conn := through(t)
		say(t, conn, "B is no flush on a connection that has prepared none")
		say(t, conn, prepare)
		say(t, conn, flush)
		done := p.cutNext(c.way, c.n)
		say(t, conn, "X is no flush")
		if _, err := io.WriteString(conn, flush); err != nil {
			t.Fatal(err)
		}
		if length := <-done; length != len(flush) {
			t.Errorf("way %d after %d: %d bytes were cut into", c.way, c.n, length)
		}
		got, err := io.ReadAll(conn)
		if c.way == toClient && c.n != 0 && len(got) == 0 && err != nil {
			continue // the reset has overtaken the bytes
		}
		if len(got) != c.want && err == nil {
			t.Errorf("way %d after %d: %q came back, %v", c.way, c.n, got, err)
		}
	}
}

func TestSilenceHoldsBackAndHealLetsThrough(t *testing.T) {
	t.Parallel()
	p, conn := through(t)
	say(t, conn, "hello")
	p.silence(toClient)
	if _, err := io.WriteString(conn, "are you there?"); err != nil {
		t.Fatal(err)
	}
	_ = conn.SetReadDeadline(time.Now().Add(50 * time.Millisecond))
	if n, err := conn.Read(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Fatalf("%d bytes, %v: it is not silent", n, err)
	}
	p.heal()
	_ = conn.SetReadDeadline(time.Now().Add(20 * time.Second))
	got := make([]byte, len("are you there?"))
	if _, err := io.ReadFull(conn, got); err != nil || string(got) != "are you there?" {
		t.Fatalf("%q %v", got, err)
	}
	p.reject()
	if _, err := conn.Read(got); err == nil {
		t.Error("the connection lives on")
	}
	again, err := net.Dial("tcp", p.listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer again.Close()
	if _, err := again.Read(got); err == nil {
		t.Error("a new connection is served")
	}
}
