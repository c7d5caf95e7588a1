package demo

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"sync/atomic"
	"syscall"
	"time"
)

// child is a process that the demo runs and watches.
type child struct {
	name    string
	log     string // path of what it says
	process *os.Process
	done    chan struct{} // closed when it has ended
	state   error         // how it ended; read it after done
	stopped atomic.Bool   // we asked it to end
}

// spec says what a child runs.
type spec struct {
	name string
	path string
	args []string
	env  []string // complete: nothing is inherited
}

// start runs a child. What it says goes into the folder's log, its process id into the folder for the sweeper.
func (f folder) start(s spec) (*child, error) {
	log, err := os.OpenFile(f.path("log", s.name+".log"), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return nil, err
	}
	c := &child{name: s.name, log: log.Name(), done: make(chan struct{})}
	started := make(chan error, 1)
	go func() {
		// The signal of the parent's death is sent when the thread that forked ends: this goroutine keeps its thread until the child has ended.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		defer close(c.done)
		defer log.Close()
		cmd := exec.Command(s.path, s.args...) //nolint:noctx // stop ends it, in the demo's order
		cmd.Env, cmd.Dir, cmd.Stdout, cmd.Stderr, cmd.SysProcAttr = s.env, string(f), log, log, attributes()
		err := cmd.Start()
		c.process = cmd.Process
		started <- err
		if err == nil {
			c.state = cmd.Wait()
		}
	}()
	if err := <-started; err != nil {
		return nil, fmt.Errorf("start %s (%s): %w", s.name, s.path, err)
	}
	pid := strconv.Itoa(c.process.Pid)
	if err := os.WriteFile(f.path("pids", s.name), []byte(pid), 0o600); err != nil {
		return nil, errors.Join(err, c.stop(0))
	}
	return c, nil
}

// died describes an end that nobody asked for, with the last that the child said.
func (c *child) died() error {
	how := "with exit code 0"
	if c.state != nil {
		how = c.state.Error()
	}
	return fmt.Errorf("%s has ended by itself (%s); it said:\n%s", c.name, how, tail(c.log, tailLines))
}

// stop asks a child to end, and ends it when it does not within grace.
func (c *child) stop(grace time.Duration) error {
	c.stopped.Store(true)
	if err := c.process.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	timer := time.NewTimer(grace)
	defer timer.Stop()
	select {
	case <-c.done:
		return nil
	case <-timer.C:
	}
	_ = c.process.Kill()
	<-c.done
	return fmt.Errorf("%s did not end within %v and was killed; it said:\n%s", c.name, grace, tail(c.log, tailLines))
}

const (
	tailLines = 20
	tailBytes = 16 << 10
)

// tail gives the last lines of a file.
func tail(path string, lines int) string {
	f, err := os.Open(path)
	if err != nil {
		return err.Error()
	}
	defer f.Close()
	if info, err := f.Stat(); err == nil && info.Size() > tailBytes {
		_, _ = f.Seek(-tailBytes, io.SeekEnd) // from the start is good enough when this fails
	}
	text, err := io.ReadAll(io.LimitReader(f, tailBytes))
	if err != nil {
		return err.Error()
	}
	text = bytes.TrimRight(text, "\n")
	if len(text) == 0 {
		return "(nothing)"
	}
	all := bytes.Split(text, []byte("\n"))
	return string(bytes.Join(all[max(0, len(all)-lines):], []byte("\n")))
}

// folder is where a demo keeps everything.
type folder string

// folderPrefix begins the name of every demo's folder; the sweeper removes nothing else.
const folderPrefix = "ticketrush-demo-"

// newFolder makes a folder. Others may pass through it, because Postgres may run as another user, and read nothing in it.
func newFolder() (folder, error) {
	dir, err := os.MkdirTemp("", folderPrefix)
	if err != nil {
		return "", err
	}
	f := folder(dir)
	if err := os.Chmod(dir, 0o711); err != nil {
		return "", errors.Join(err, f.remove())
	}
	for _, sub := range []string{"log", "pids", "keys", "caddy"} {
		if err := os.Mkdir(f.path(sub), 0o700); err != nil {
			return "", errors.Join(err, f.remove())
		}
	}
	return f, nil
}

func (f folder) path(parts ...string) string {
	return filepath.Join(append([]string{string(f)}, parts...)...)
}

func (f folder) remove() error { return os.RemoveAll(string(f)) }
