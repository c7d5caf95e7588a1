package order_test

import (
	"bufio"
	"encoding/binary"
	"io"
	"net"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// reaper stands between a process and its ledger, and kills the process at a statement: before the ledger hears of it, or when the ledger has answered and
// the process has not heard.
type reaper struct {
	socket string // of the server

	mu    sync.Mutex
	kill  func()
	at    int  // the statement to kill at, counted from arm; 0: none
	after bool // kill when it has been answered
	seen  int
	fired bool
}

// startReaper listens in a folder of its own, and returns a connection string through it.
func startReaper(t *testing.T, dsn string) (*reaper, string) {
	t.Helper()
	host := strings.TrimPrefix(strings.Fields(dsn)[0], "host=")
	r := &reaper{socket: filepath.Join(host, ".s.PGSQL.5432")}
	dir := t.TempDir()
	listener, err := net.Listen("unix", filepath.Join(dir, ".s.PGSQL.5432"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
	go func() {
		for {
			client, err := listener.Accept()
			if err != nil {
				return
			}
			go r.serve(client)
		}
	}()
	return r, strings.Replace(dsn, "host="+host, "host="+dir, 1)
}

// arm begins to count.
func (r *reaper) arm(at int, after bool, kill func()) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.at, r.after, r.kill, r.seen, r.fired = at, after, kill, 0, false
}

// disarm stops it, and says whether it has killed, and how many statements it has seen.
func (r *reaper) disarm() (fired bool, seen int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.at = 0
	return r.fired, r.seen
}

// statement counts one. now: kill before it is sent; then: when it is answered.
func (r *reaper) statement() (now, then bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.seen++
	due := r.at != 0 && !r.fired && r.seen == r.at
	return due && !r.after, due && r.after
}

func (r *reaper) fire() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.fired = true
	r.kill()
}

func (r *reaper) serve(client net.Conn) {
	defer client.Close()
	server, err := net.Dial("unix", r.socket)
	if err != nil {
		return
	}
	defer server.Close()
	var marked sync.Map // set while the answer of the statement to kill at is on its way
	go func() {
		defer client.Close()
		_ = frames(bufio.NewReader(server), false, func(kind byte, frame []byte) error {
			if _, due := marked.Load(true); due && kind == 'Z' { // ready for the next: the statement has been answered
				r.fire()
				return io.EOF
			}
			_, err := client.Write(frame)
			return err
		})
	}()
	_ = frames(bufio.NewReader(client), true, func(kind byte, frame []byte) error {
		if kind == 'S' || kind == 'Q' { // the end of an extended query, or a simple one
			now, then := r.statement()
			if now {
				r.fire()
				return io.EOF
			}
			if then {
				marked.Store(true, true)
			}
		}
		_, err := server.Write(frame)
		return err
	})
}

// frames reads the messages of Postgres's protocol; the first of a client has no kind.
func frames(from *bufio.Reader, client bool, each func(kind byte, frame []byte) error) error {
	for first := client; ; first = false {
		head := make([]byte, 5)
		if first {
			head = head[:4]
		}
		if _, err := io.ReadFull(from, head); err != nil {
			return err
		}
		size := binary.BigEndian.Uint32(head[len(head)-4:])
		frame := make([]byte, len(head)+int(size)-4)
		copy(frame, head)
		if _, err := io.ReadFull(from, frame[len(head):]); err != nil {
			return err
		}
		kind := byte(0)
		if !first {
			kind = head[0]
		}
		if err := each(kind, frame); err != nil {
			return err
		}
	}
}
