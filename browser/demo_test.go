//go:build browser

package browser

import (
	"bufio"
	"context"
	"encoding/json"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// place is where the demo listens, as its last line says.
type place struct {
	Ready    bool   `json:"ready"`
	Site     string `json:"site"`
	APIKey   string `json:"api_key"`
	Postgres string `json:"postgres"`
}

// readyMax is how long a demo may take to be ready on a machine that does other things too.
const readyMax = 2 * time.Minute

// startDemo runs the demo that was built, on ports of its own, and ends it with the test.
func startDemo(t *testing.T, flags ...string) place {
	t.Helper()
	stockd, err := filepath.Abs(filepath.Join("..", "bin", "stockd"))
	if err != nil {
		t.Fatal(err)
	}
	first := freePort(t)
	args := []string{"demo"}
	for i, name := range []string{"http", "https", "api", "gossip", "internal", "site"} {
		args = append(args, "--"+name+"-port", strconv.Itoa(first+10*i)) // wishes: the demo takes the next ones that are free
	}
	ctx, cancel := context.WithCancel(context.Background())
	cmd := exec.CommandContext(ctx, stockd, append(args, flags...)...)
	cmd.Dir = ".."
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = 30 * time.Second
	cmd.Stderr = os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // Ctrl-C reaches the demo through the test only, so that it ends in order
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatalf("%v: run `make browser`, which builds what this test runs", err)
	}
	ready := make(chan place, 1)
	read := make(chan struct{})
	go func() {
		defer close(read)
		defer close(ready)
		for lines := bufio.NewScanner(out); lines.Scan(); {
			var p place
			if json.Unmarshal(lines.Bytes(), &p) == nil && p.Ready {
				ready <- p
			}
		}
	}()
	t.Cleanup(func() {
		cancel()
		<-read
		_ = cmd.Wait() // it was interrupted, and says so
		if code := cmd.ProcessState.ExitCode(); code != 0 {
			t.Errorf("the demo ended with exit code %d", code)
		}
	})
	select {
	case p, ok := <-ready:
		if !ok {
			t.Fatal("the demo ended before it was ready")
		}
		p.Site = strings.TrimSuffix(p.Site, "/")
		return p
	case <-time.After(readyMax):
		t.Fatal("the demo is not ready")
	}
	return place{}
}

// freePort is where the demo begins to look: well below what the system gives out by itself, so that no connection sits on its ports.
func freePort(t *testing.T) int {
	t.Helper()
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return 10_000 + l.Addr().(*net.TCPAddr).Port%10_000
}

// header asks for a page as a browser without any state does, and gives the answer's headers.
func header(t *testing.T, url string) http.Header {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Accept", "text/html")
	r.Header.Set("Sec-Fetch-Dest", "document")
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	return answer.Header
}
