package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"ticketrush/stockd/demo"
)

// started is a writer that tells when the demo's line of JSON has come.
type started struct {
	mu   sync.Mutex
	text bytes.Buffer
	line chan demo.Ready
}

func (s *started) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.text.Write(p)
	var ready demo.Ready
	for line := range bytes.Lines(p) {
		if json.Unmarshal(line, &ready) == nil && ready.Ready {
			s.line <- ready
		}
	}
	return len(p), nil
}

// runDemo starts a demo without an edge; Ctrl-C is the end of its context.
func runDemo(ctx context.Context, t *testing.T) (ready chan demo.Ready, ended chan int, errs *bytes.Buffer) {
	t.Helper()
	out := &started{line: make(chan demo.Ready, 1)}
	errs, ended = new(bytes.Buffer), make(chan int, 1)
	go func() { ended <- run(ctx, []string{"demo", "--no-edge", "--nodes", "2"}, console{out: out, err: errs}) }()
	return out.line, ended, errs
}

func TestTwoDemosSideBySideLeaveNothingBehind(t *testing.T) {
	_ = t.TempDir()                       // the test's own folder is made now, outside of what is looked at below
	short, err := os.MkdirTemp("", "two") // a socket's path may have 107 bytes
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(short)
	if err := os.Chmod(short, 0o711); err != nil {
		t.Fatal(err)
	}
	t.Setenv("TMPDIR", short)
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	one, oneEnded, oneErrs := runDemo(ctx, t)
	two, twoEnded, twoErrs := runDemo(ctx, t)
	var ready [2]demo.Ready
	for range ready {
		select {
		case ready[0] = <-one:
			one = nil
		case ready[1] = <-two:
			two = nil
		case code := <-oneEnded:
			t.Fatalf("the first demo ended with %d: %s", code, oneErrs)
		case code := <-twoEnded:
			t.Fatalf("the second demo ended with %d: %s", code, twoErrs)
		}
	}
	if ready[0].API[0] == ready[1].API[0] || ready[0].Postgres == ready[1].Postgres {
		t.Errorf("they share ports or a ledger: %v and %v", ready[0], ready[1])
	}
	for _, r := range ready {
		key := write(t, "key", r.APIKey+"\n")
		code, out, errs := stockd(t, "event", "show", r.Event, "--url", r.API[1], "--api-key-file", key)
		if code != 0 || !strings.Contains(out, "places: ") || !strings.Contains(out, "on_sale") {
			t.Errorf("event show: %d: %s%s", code, out, errs)
		}
	}
	r := ready[0]
	key := write(t, "key", r.APIKey+"\n")
	code, out, errs := stockd(t, "rush", "--url", r.API[0], "--event", r.Event, "--room=-", "--api-key-file", key, "--fans", "25", "--arrive", "1s", "--think", "20ms", "--visits", "1", "--late", "0",
		"--report", filepath.Join(t.TempDir(), "report.html"))
	if code != 0 || !strings.Contains(out, "\noversold 0\nlost 0\n") {
		t.Errorf("rush: %d:\n%s%s", code, out, errs)
	}
	t.Setenv("STOCKD_POSTGRES", r.Postgres)
	if code, out, errs := stockd(t, "reconcile", "--event", r.Event); code != 0 || !strings.Contains(out, "everything adds up") {
		t.Errorf("reconcile: %d:\n%s%s", code, out, errs)
	}
	for _, change := range []string{"pause", "open", "close"} {
		if code, _, errs := stockd(t, "event", change, r.Event, "--url", r.API[0], "--api-key-file", key); code != 0 {
			t.Errorf("event %s: %d: %s", change, code, errs)
		}
	}
	stop()
	if code := <-oneEnded; code != 0 {
		t.Errorf("the first demo: exit code %d: %s", code, oneErrs)
	}
	if code := <-twoEnded; code != 0 {
		t.Errorf("the second demo: exit code %d: %s", code, twoErrs)
	}
	if left, err := os.ReadDir(short); err != nil || len(left) > 0 {
		t.Errorf("they left %v behind, %v", left, err)
	}
	for _, r := range ready {
		if resp, err := http.Get(r.API[0] + "/healthz"); err == nil {
			resp.Body.Close()
			t.Errorf("%s still answers", r.API[0])
		}
	}
}

func TestADemoThatIsEndedBeforeItIsReadyLeavesNothingBehind(t *testing.T) {
	short, err := os.MkdirTemp("", "early")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(short)
	if err := os.Chmod(short, 0o711); err != nil {
		t.Fatal(err)
	}
	t.Setenv("TMPDIR", short)
	ctx, stop := context.WithCancel(t.Context())
	seen := &until{text: "nodes", then: stop}
	var out bytes.Buffer
	if code := run(ctx, []string{"demo", "--no-edge", "--nodes", "1"}, console{out: &out, err: seen}); code == 0 {
		t.Error("exit code 0")
	}
	if left, err := os.ReadDir(short); err != nil || len(left) > 0 {
		t.Errorf("it left %v behind, %v", left, errors.Join(err))
	}
}

// until does something once a text was written.
type until struct {
	text string
	then func()
}

func (u *until) Write(p []byte) (int, error) {
	if bytes.Contains(p, []byte(u.text)) {
		u.then()
	}
	return len(p), nil
}
