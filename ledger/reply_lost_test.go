package ledger_test

import (
	"errors"
	"io"
	"net"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"ticketrush/ledger"
)

// cutter stands between a lane and the server and can lose what the server answers.
type cutter struct {
	server string
	armed  atomic.Bool
}

// startCutter listens in a folder of its own and returns a connection string through it.
func startCutter(t *testing.T, dsn string) (*cutter, string) {
	t.Helper()
	host := strings.TrimPrefix(strings.Fields(dsn)[0], "host=")
	c := &cutter{server: filepath.Join(host, ".s.PGSQL.5432")}
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
			go c.serve(client)
		}
	}()
	return c, strings.Replace(dsn, "host="+host, "host="+dir, 1)
}

func (c *cutter) serve(client net.Conn) {
	defer client.Close()
	server, err := net.Dial("unix", c.server)
	if err != nil {
		return
	}
	defer server.Close()
	go func() {
		_, _ = io.Copy(server, client)
		server.Close()
	}()
	buffer := make([]byte, 64<<10)
	for {
		n, err := server.Read(buffer)
		if err != nil || c.armed.CompareAndSwap(true, false) {
			return // armed: the server has answered, so it has committed; nobody hears it
		}
		if _, err := client.Write(buffer[:n]); err != nil {
			return
		}
	}
}

// The server commits and its answer is lost. The batch that is sent again finds itself applied, with the outcomes of then, also the refusals;
// and a refusal stays one although it would fit by now.
func TestReplyLost(t *testing.T) {
	t.Parallel()
	cut, dsn := startCutter(t, database(t).DSN)
	b := newBench(t, dsn)
	buyer := uuidOf("buyer")
	id, h := b.hold(seatID(0), seatID(1))
	_, over := b.hold(seatID(2), seatID(3))
	f := b.batch(limited(keyed(h), buyer, 3), limited(keyed(over), buyer, 3))
	cut.armed.Store(true)
	if _, err := b.lane.Flush(f); !errors.Is(err, ledger.ErrUnknown) {
		t.Fatalf("a lost answer gives %v, want ErrUnknown", err)
	}
	b.exec(`UPDATE ledger.quota SET n = 0`)
	b.openLane()
	for range 2 {
		results, err := b.lane.Flush(f)
		if err != nil || !results[0].Resent {
			t.Fatalf("sent again: %+v, %v", results, err)
		}
		b.want(results[0].Outcomes, applied, overLimit(1, 2))
	}
	b.exec(`UPDATE ledger.quota SET n = 2`)
	b.seq[testPart] = f.Works[0].Seq
	b.ver[seatID(0)], b.ver[seatID(1)] = 1, 1
	b.want(b.flush(limited(b.op(release, id, held, available, seatID(0), seatID(1)), buyer, 3)), applied)
	b.wantClean()
}

// The answer of a batch is lost, and the partition has another owner when it is sent again: what was applied still says so, by its batch id; what
// was not is fenced for ever.
func TestReplyLostThenTakenOver(t *testing.T) {
	t.Parallel()
	cut, dsn := startCutter(t, database(t).DSN)
	b := newBench(t, dsn)
	_, h := b.hold(seatID(0))
	f := b.batch(h)
	cut.armed.Store(true)
	if _, err := b.lane.Flush(f); !errors.Is(err, ledger.ErrUnknown) {
		t.Fatalf("a lost answer gives %v, want ErrUnknown", err)
	}
	never := *f
	never.Batch = uuidOf("never sent before")
	b.exec(`UPDATE ledger.sess SET dead = true`)
	b.claim("n2")
	_, g := b.hold(seatID(1))
	b.want(b.flush(g), applied) // the successor goes on with the next number
	results, err := b.lane.Flush(f)
	if err != nil || !results[0].Resent {
		t.Fatalf("the applied batch, sent again: %+v, %v", results, err)
	}
	if results, err = b.lane.Flush(&never); err != nil || !results[0].Fenced {
		t.Fatalf("the same numbers with another batch id: %+v, %v; want fenced", results, err)
	}
	b.wantClean()
}
