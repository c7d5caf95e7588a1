package demo

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// sweeper is the child that outlives the demo by a moment. It waits for its standard input to end, which the kernel closes with the demo.
type sweeper struct {
	cmd  *exec.Cmd
	life io.Closer
}

// startSweeper runs `stockd sweep FOLDER`.
func startSweeper(executable string, f folder) (*sweeper, error) {
	cmd := exec.Command(executable, "sweep", string(f)) //nolint:noctx // it must outlive us
	cmd.SysProcAttr, cmd.Env, cmd.Dir = sessionAttributes(), childEnv(), os.TempDir()
	life, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start the sweeper: %w", err)
	}
	return &sweeper{cmd: cmd, life: life}, nil
}

// stop lets the sweeper do its work and waits for it.
func (s *sweeper) stop() error {
	return errors.Join(s.life.Close(), s.cmd.Wait())
}

// sweepWait bounds how long children may take that were told to end.
const sweepWait = 20 * time.Second

// Sweep waits for life to end, then for the processes of a demo's folder, and removes the folder. It is what `stockd sweep` does.
func Sweep(dir string, life io.Reader) error {
	if !strings.HasPrefix(filepath.Base(dir), folderPrefix) {
		return fmt.Errorf("%s is not the folder of a demo", dir)
	}
	_, _ = io.Copy(io.Discard, life) // its end is all that counts
	f := folder(dir)
	if _, err := os.Stat(dir); errors.Is(err, os.ErrNotExist) {
		return nil
	}
	until := time.Now().Add(sweepWait)
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	const look = syscall.Signal(0) // asks only whether it lives
	for sig := syscall.SIGTERM; f.signal(sig) > 0 && time.Now().Before(until); sig = look {
		<-tick.C
	}
	for f.signal(syscall.SIGKILL) > 0 {
		<-tick.C
	}
	return f.remove()
}

// signal sends a signal to all processes of the folder that live and gives their number. Postgres gets the one that ends it without waiting for clients.
func (f folder) signal(sig syscall.Signal) (alive int) {
	send := func(file string, sig syscall.Signal) {
		text, err := os.ReadFile(file)
		if err != nil {
			return
		}
		line, _, _ := bytes.Cut(text, []byte("\n"))
		pid, err := strconv.Atoi(string(bytes.TrimSpace(line)))
		if err != nil || pid <= 1 || !f.owns(pid) {
			return
		}
		if syscall.Kill(pid, sig) == nil {
			alive++
		}
	}
	files, _ := filepath.Glob(f.path("pids", "*")) // the only error is a bad pattern
	for _, file := range files {
		send(file, sig)
	}
	if sig == syscall.SIGTERM {
		sig = syscall.SIGINT
	}
	send(f.path("pg", "data", "postmaster.pid"), sig)
	return alive
}

// owns says whether a process is one of the folder's: a number may have gone to somebody else's since. Every child has the folder in its command line.
func (f folder) owns(pid int) bool {
	line, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
	if errors.Is(err, os.ErrNotExist) {
		_, err := os.Stat("/proc/self") // where there is no /proc, the number has to do
		return err != nil
	}
	return bytes.Contains(line, []byte(f))
}
