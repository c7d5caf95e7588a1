package caddymodule

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2"
)

// edgeConfig names the file with the configuration of a Caddy that this test binary is to be.
const edgeConfig = "TICKETRUSH_TEST_EDGE"

func TestMain(m *testing.M) {
	path := os.Getenv(edgeConfig)
	if path == "" {
		os.Exit(m.Run())
	}
	text, err := os.ReadFile(path)
	if err == nil {
		err = caddy.Load(text, true)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	_, _ = io.Copy(io.Discard, os.Stdin) // ends with whoever started it
	if err := caddy.Stop(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// process is an edge that is a process of its own, as several edges of one room are.
type process struct {
	*edge
	cmd   *exec.Cmd
	stdin io.Closer
}

const processGlobals = `{
	admin ADMIN
	persist_config off
	storage file_system DIR/storage
	grace_period 1s
	log {
		output file DIR/caddy.log
		level INFO
	}
	%s
}
`

// newProcess prepares an edge that is started by start.
func newProcess(t *testing.T) *process {
	t.Helper()
	return &process{edge: newEdge(t)}
}

// start runs the edge until the test ends, or kill.
func (p *process) start(global, site string) {
	p.t.Helper()
	text, err := p.adapt(fmt.Sprintf(processGlobals, global) + "HTTP {\n" + site + "\n}\n")
	if err != nil {
		p.t.Fatal(err)
	}
	path := p.write("caddy.json", string(text))
	p.cmd = exec.Command(os.Args[0])
	p.cmd.Env = append(os.Environ(), edgeConfig+"="+path, "HOME="+p.dir, "XDG_DATA_HOME="+p.dir, "XDG_CONFIG_HOME="+p.dir)
	p.cmd.Stderr = os.Stderr
	if p.stdin, err = p.cmd.StdinPipe(); err != nil {
		p.t.Fatal(err)
	}
	if err := p.cmd.Start(); err != nil {
		p.t.Fatal(err)
	}
	cmd, stdin := p.cmd, p.stdin
	p.t.Cleanup(func() {
		stdin.Close()
		_ = cmd.Wait() // an error is that of kill
	})
	p.until("the edge answers", func() bool {
		resp, err := http.Get(p.http + "/")
		if err == nil {
			resp.Body.Close()
		}
		return err == nil
	})
}

// ready waits until the edge has met the room's owner.
func (p *process) ready() {
	p.t.Helper()
	p.until("the edge has met the room's owner", func() bool {
		return p.fan().get("/.wr/v1/demo/frontier").StatusCode == http.StatusOK
	})
}

// kill ends the edge as a crash does.
func (p *process) kill() {
	p.t.Helper()
	if err := p.cmd.Process.Kill(); err != nil {
		p.t.Fatal(err)
	}
	_ = p.cmd.Wait()
}

// logged counts the lines of its log that have all of these texts.
func (p *process) logged(texts ...string) (n int) {
	p.t.Helper()
	text, err := os.ReadFile(filepath.Join(p.dir, "caddy.log"))
	if err != nil {
		p.t.Fatal(err)
	}
lines:
	for line := range strings.Lines(string(text)) {
		for _, want := range texts {
			if !strings.Contains(line, want) {
				continue lines
			}
		}
		n++
	}
	return n
}
