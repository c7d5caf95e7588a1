package caddymodule

import (
	"bytes"
	"fmt"
	"io/fs"
	"net/http"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"
	"golang.org/x/mod/sumdb/note"

	"ticketrush/room/draw"
	"ticketrush/room/openlog"
)

// logFiles reads a room's log as anybody can.
type logFiles struct {
	e      *edge
	change func(path string, text []byte) []byte // nil: as it is
}

// Read implements openlog.Source.
func (l logFiles) Read(path string) ([]byte, error) {
	a := l.e.fan().get("/.wr/v1/demo/log/" + path)
	switch {
	case a.StatusCode == http.StatusNotFound:
		return nil, fs.ErrNotExist
	case a.StatusCode != http.StatusOK:
		return nil, fmt.Errorf("%s answers %d %s", path, a.StatusCode, a.text)
	}
	if l.change != nil {
		return l.change(path, []byte(a.text)), nil
	}
	return []byte(a.text), nil
}

// key gives the room's key as it is published.
func (l logFiles) key() note.Verifier {
	l.e.t.Helper()
	v, err := note.NewVerifier(strings.TrimSpace(l.e.fan().get("/.wr/v1/demo/log/key").text))
	if err != nil {
		l.e.t.Fatal(err)
	}
	return v
}

// keep gives the checkpoint of now.
func (l logFiles) keep() openlog.Checkpoint {
	l.e.t.Helper()
	text, err := l.Read("checkpoint")
	if err != nil {
		l.e.t.Fatal(err)
	}
	c, err := openlog.OpenCheckpoint(text, l.key())
	if err != nil {
		l.e.t.Fatal(err)
	}
	return c
}

// verify reads the whole log once it has an entry of this kind: a checkpoint is kept for a second.
func (l logFiles) verify(last openlog.Kind, o openlog.Options) (report *openlog.Report) {
	l.e.t.Helper()
	o.Key = l.key()
	l.e.until("the log has what was done", func() bool {
		var err error
		if report, err = openlog.Verify(l, o); err != nil {
			l.e.t.Fatal(err)
		}
		return report.Kinds[last] > 0
	})
	return report
}

// roomLife takes a room through everything that its log is to tell, but for what comes late, and gives the published draw. Somebody verifies it at the other
// edge meanwhile. When the lobby is full, open is called, so that the sale opens soon.
func roomLife(t *testing.T, e, other *edge, open func()) *draw.Header {
	t.Helper()
	ops := func(action, body string) answer {
		t.Helper()
		a := e.ops("POST", "/waiting_room/rooms/demo/"+action, body)
		if a.StatusCode != http.StatusOK {
			t.Fatalf("%s: %d %s", action, a.StatusCode, a.text)
		}
		return a
	}
	fans := make([]*fan, 6)
	for i := range fans {
		fans[i] = e.fan()
		if p := fans[i].join().json(t); p["in_draw"] != true {
			t.Fatalf("in the lobby: %v", p)
		}
	}
	open()
	e.until("the draw is done", func() bool { return fans[0].get("/.wr/v1/demo/place").json(t)["rank"] != "0" })
	e.until("three are inside", func() bool {
		for _, f := range fans {
			f.claim()
		}
		return e.ops("GET", "/waiting_room/rooms/demo", "").json(t)["inside"] == 3.0
	})
	ops("pause", `{"reason":"the bank is away"}`)
	ops("resume", `{"reason":"it is back"}`)
	ops("rate", `{"rate":150,"reason":"the bank is slow"}`)
	e.fan().join()
	e.until("somebody waits", func() bool { return e.ops("GET", "/waiting_room/rooms/demo", "").json(t)["waiting"].(float64) > 0 })
	ops("frontier", `{"open":2,"reason":"by hand"}`)
	ops("passthrough", `{"reason":"the room is in the way"}`)
	ops("enforce", `{"reason":"it is not"}`)
	codes := ops("codes", `{"count":2,"reason":"the fan club"}`).json(t)["codes"].([]any)
	if a := e.fan().do("POST", "/.wr/v1/demo/join", fmt.Sprintf(`{"code":%q}`, codes[0])); a.StatusCode != 200 {
		t.Fatalf("a code: %d %s", a.StatusCode, a.text)
	}
	ops("revoke_code", fmt.Sprintf(`{"code":%q,"reason":"it was sold on"}`, codes[1]))
	file, err := draw.NewFileReader(strings.NewReader(e.fan().get("/.wr/v1/demo/log/draw").text))
	if err != nil {
		t.Fatal(err)
	}
	if file.Header.Log == nil {
		t.Fatal("the published draw does not name the log")
	}
	verifyDraw(t, other)
	ops("edition", `{"reason":"once more"}`)
	return &file.Header
}

// holds looks for everything in a log.
func holds(t *testing.T, r *openlog.Report) {
	t.Helper()
	for _, c := range r.Checks {
		if c.Err != nil || c.Skipped {
			t.Errorf("%s: %s: %v (skipped: %v)", c.Step, c.Text, c.Err, c.Skipped)
		}
	}
	want := map[openlog.Kind]int64{
		openlog.KindSchedule: 1, openlog.KindCommit: 2, openlog.KindSeal: 1, openlog.KindDraw: 1, openlog.KindPause: 1, openlog.KindResume: 1, openlog.KindRate: 2, openlog.KindPassthrough: 1,
		openlog.KindEnforce: 1, openlog.KindCodes: 1, openlog.KindGrant: 1, openlog.KindCodeRevoked: 1, openlog.KindEdition: 1,
	}
	for kind, n := range want {
		if r.Kinds[kind] < n {
			t.Errorf("%d entries of %s, want %d", r.Kinds[kind], kind, n)
		}
	}
	if r.Kinds[openlog.KindFrontier] == 0 {
		t.Error("no move of the frontier")
	}
}

// verifyDraw runs the command as a fan does.
func verifyDraw(t *testing.T, e *edge) {
	t.Helper()
	key := strings.TrimSpace(e.fan().get("/.wr/v1/demo/log/key").text)
	out, err := exec.CommandContext(t.Context(), "go", "run", "ticketrush/stockd", "verify-draw", "--key", key, e.http+"/.wr/v1/demo/").CombinedOutput()
	if err != nil {
		t.Errorf("verify-draw: %v", err)
	}
	t.Logf("%s", out)
}

// TestTheLogTellsARoomsLife checks the log of an edge that owns its room, over a restart, and finds what was changed in it.
func TestTheLogTellsARoomsLife(t *testing.T) {
	e := newEdge(t)
	e.mustLoad("", opening(line, time.Hour))
	log := logFiles{e: e}
	first := log.keep()
	var site string
	header := roomLife(t, e, e, func() {
		site = opening(line, 6*time.Second)
		e.mustLoad("", site)
	})
	kept := log.keep()
	report := log.verify(openlog.KindEdition, openlog.Options{Seen: []openlog.Checkpoint{first}, Draw: header})
	holds(t, report)

	for name, change := range map[string]func(string, []byte) []byte{
		"another reason":  func(_ string, b []byte) []byte { return bytes.Replace(b, []byte("by hand"), []byte("by rate"), 1) },
		"a larger seal":   func(_ string, b []byte) []byte { return bytes.Replace(b, []byte(`"count":6`), []byte(`"count":7`), 1) },
		"another message": func(_ string, b []byte) []byte { return bytes.Replace(b, []byte("fan club"), []byte("fun club"), 1) },
	} {
		tampered, err := openlog.Verify(logFiles{e, change}, openlog.Options{Key: log.key(), Draw: header})
		if err != nil || tampered.OK() {
			t.Errorf("%s: not found, %v", name, err)
		}
	}
	for _, path := range []string{"tile/9/000", "tile/entries/999", "tile/entries/000.p/999", "tile/../checkpoint", "secret", "tile/"} {
		if a := e.fan().get("/.wr/v1/demo/log/" + path); a.StatusCode != http.StatusNotFound {
			t.Errorf("%s: %d %s", path, a.StatusCode, a.text)
		}
	}
	for path, cache := range map[string]string{"checkpoint": "max-age=1,", "key": "max-age=300", openlog.EntriesPath(0, 1): "immutable"} {
		if a := e.fan().get("/.wr/v1/demo/log/" + path); a.StatusCode != 200 || !strings.Contains(a.Header.Get("Cache-Control"), cache) {
			t.Errorf("%s: %d %v", path, a.StatusCode, a.Header)
		}
	}
	if a := e.ops("POST", "/waiting_room/rooms/demo/pause", `{"reason":"`+strings.Repeat("x", 301)+`"}`); a.StatusCode != http.StatusBadRequest {
		t.Errorf("a long reason: %d %s", a.StatusCode, a.text)
	}

	// Another process goes on with it.
	if err := caddy.Stop(); err != nil {
		t.Fatal(err)
	}
	e.mustLoad("", site)
	e.mustLoad("", strings.Replace(site, "rate 200", "rate 200\n\t\tends "+time.Now().Add(time.Hour).UTC().Format(time.RFC3339), 1))
	// The beginning, the opening that came nearer, and now an end; nothing for the restart.
	schedules := func() int64 { return log.verify(openlog.KindSchedule, openlog.Options{}).Kinds[openlog.KindSchedule] }
	e.until("the log has the new end", func() bool { return schedules() > 2 })
	if n := schedules(); n != 3 {
		t.Errorf("two reloads and a restart wrote %d schedules", n)
	}
	if a := e.ops("POST", "/waiting_room/rooms/demo/end", `{"reason":"that was it"}`); a.StatusCode != 200 {
		t.Fatalf("end: %d %s", a.StatusCode, a.text)
	}
	holds(t, log.verify(openlog.KindEnd, openlog.Options{Seen: []openlog.Checkpoint{first, kept}, Draw: header}))
}

// TestTheLogOutlivesItsOwner checks the log of a room at stockd, at two edges, over the end of its node.
func TestTheLogOutlivesItsOwner(t *testing.T) {
	p := &pair{t: t, nodes: newNodes(t, 2), a: newProcess(t), b: newProcess(t)}
	p.nodes.start(0)
	p.nodes.start(1)
	site := opening(line, 25*time.Second)
	for name, e := range map[string]*process{"a": p.a, "b": p.b} {
		e.start(p.nodes.global(e.edge, name), site)
		e.ready()
	}
	log := logFiles{e: p.a.edge}
	first := log.keep()
	header := roomLife(t, p.a.edge, p.b.edge, func() {})
	kept := log.keep()
	owner := p.nodes.ownerOf(p.a.edge, "demo")
	owner.kill()
	if got := p.a.fan().get("/.wr/v1/demo/log/" + openlog.EntriesPath(0, int(kept.Size))); got.StatusCode != 200 && got.StatusCode != 503 {
		t.Errorf("the log without an owner: %d %s", got.StatusCode, got.text)
	}
	if p.nodes.ownerOf(p.a.edge, "demo") == owner {
		t.Fatal("the dead node owns the room")
	}
	p.b.until("the new owner takes a change", func() bool {
		return p.b.ops("POST", "/waiting_room/rooms/demo/end", `{"reason":"that was it"}`).StatusCode == 200
	})
	for _, e := range []*process{p.a, p.b} {
		holds(t, logFiles{e: e.edge}.verify(openlog.KindEnd, openlog.Options{Seen: []openlog.Checkpoint{first, kept}, Draw: header}))
	}
	problems, err := p.nodes.reconcile()
	if err != nil || problems != 0 {
		t.Errorf("the ledger's check of its rooms: %d, %v", problems, err)
	}
}
