package demo

import (
	"errors"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestMain lets the test binary play the children of a demo.
func TestMain(m *testing.M) {
	switch os.Getenv("DEMO_TEST_PLAY") {
	case "":
		os.Exit(m.Run())
	case "sweep":
		if err := Sweep(os.Getenv("DEMO_TEST_DIR"), os.Stdin); err != nil {
			panic(err)
		}
	case "parent": // starts a child in a folder, says so, and waits to be killed
		f := folder(os.Getenv("DEMO_TEST_DIR"))
		if _, err := f.start(shell("lasting", "exec sleep 60 # "+string(f))); err != nil {
			panic(err)
		}
		os.Stdout.WriteString("started\n")
		_, _ = io.Copy(io.Discard, os.Stdin)
		select {}
	}
	os.Exit(0)
}

func shell(name, script string) spec {
	return spec{name: name, path: "/bin/sh", args: []string{"-c", script}, env: childEnv()}
}

func testFolder(t *testing.T) folder {
	t.Helper()
	f, err := newFolder()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = f.remove() })
	return f
}

// awaitEnd waits for a process to be gone.
func awaitEnd(t *testing.T, pid int) {
	t.Helper()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for range 2000 {
		if text, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat"); err != nil || strings.Contains(string(text), ") Z ") {
			return
		}
		<-tick.C
	}
	t.Fatalf("process %d still lives", pid)
}

func TestTakenPortsAreReplacedByTheNextFreeOnes(t *testing.T) {
	t.Parallel()
	taken := map[int]bool{8080: true, 7102: true, 7301: true}
	got, err := DefaultPorts(3).pick(func(port int) bool { return !taken[port] })
	if err != nil {
		t.Fatal(err)
	}
	if got.HTTP != 8081 || got.HTTPS != 8443 || got.Site != 7401 {
		t.Errorf("HTTP %d, HTTPS %d, site %d", got.HTTP, got.HTTPS, got.Site)
	}
	for name, c := range map[string][2][]int{
		"API": {got.API, {7101, 7103, 7104}}, "gossip": {got.Gossip, {7201, 7202, 7203}}, "internal": {got.Internal, {7302, 7303, 7304}},
	} {
		for i := range c[1] {
			if c[0][i] != c[1][i] {
				t.Errorf("%s ports are %v, want %v", name, c[0], c[1])
				break
			}
		}
	}
	if _, err := DefaultPorts(3).pick(func(int) bool { return false }); err == nil || !strings.Contains(err.Error(), "no free port from 8080") {
		t.Errorf("with no port free: %v", err)
	}
}

func TestAPortThatSomebodyListensOnIsNotFree(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if isFree(l.Addr().(*net.TCPAddr).Port) {
		t.Error("a TCP port with a listener is free")
	}
	u, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer u.Close()
	if isFree(u.LocalAddr().(*net.UDPAddr).Port) {
		t.Error("a UDP port with a listener is free")
	}
}

func TestADeadChildIsToldWithWhatItSaidLast(t *testing.T) {
	t.Parallel()
	d := &Demo{folder: testFolder(t), died: make(chan error, 1)}
	c, err := d.folder.start(shell("node-1", "seq 1 100; echo the disk is on fire >&2; exit 7"))
	if err != nil {
		t.Fatal(err)
	}
	d.watch(c)
	err = <-d.Died()
	for _, want := range []string{"node-1 has ended by itself", "exit status 7", "the disk is on fire", "100"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%v does not say %q", err, want)
		}
	}
	if strings.Contains(err.Error(), "\n50\n") {
		t.Error("it tells everything that the child ever said")
	}
}

func TestAChildThatIsStoppedIsNotTold(t *testing.T) {
	t.Parallel()
	d := &Demo{folder: testFolder(t), died: make(chan error, 1)}
	c, err := d.folder.start(shell("caddy", "exec sleep 60"))
	if err != nil {
		t.Fatal(err)
	}
	d.watch(c)
	if err := c.stop(10 * time.Second); err != nil {
		t.Error(err)
	}
	d.watching.Wait()
	select {
	case err := <-d.Died():
		t.Errorf("its end is told: %v", err)
	default:
	}
	if err := c.stop(time.Second); err != nil {
		t.Errorf("stopping it again: %v", err)
	}
}

func TestAStubbornChildIsKilled(t *testing.T) {
	t.Parallel()
	f := testFolder(t)
	c, err := f.start(shell("node-2", "trap '' TERM; echo no >&2; while :; do sleep 0.05; done"))
	if err != nil {
		t.Fatal(err)
	}
	tick := time.NewTicker(5 * time.Millisecond) // until the trap is set
	defer tick.Stop()
	for tail(c.log, 1) != "no" {
		<-tick.C
	}
	if err := c.stop(50 * time.Millisecond); err == nil || !strings.Contains(err.Error(), "was killed") {
		t.Errorf("stop: %v", err)
	}
	awaitEnd(t, c.process.Pid)
}

func TestAKilledDemoLeavesNeitherProcessNorFolder(t *testing.T) {
	t.Parallel()
	f := testFolder(t)
	sweeper := exec.Command(os.Args[0])
	sweeper.Env = append(os.Environ(), "DEMO_TEST_PLAY=sweep", "DEMO_TEST_DIR="+string(f))
	life, err := sweeper.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := sweeper.Start(); err != nil {
		t.Fatal(err)
	}
	parent := exec.Command(os.Args[0])
	parent.Env = append(os.Environ(), "DEMO_TEST_PLAY=parent", "DEMO_TEST_DIR="+string(f))
	keep, err := parent.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	defer keep.Close()
	out, err := parent.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := parent.Start(); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(out, make([]byte, len("started\n"))); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(f.path("pids", "lasting"))
	if err != nil {
		t.Fatal(err)
	}
	pid, err := strconv.Atoi(string(text))
	if err != nil {
		t.Fatal(err)
	}
	_ = parent.Process.Kill()
	_ = parent.Wait()
	_ = life.Close() // as the kernel does at the demo's end
	if err := sweeper.Wait(); err != nil {
		t.Error(err)
	}
	awaitEnd(t, pid)
	if _, err := os.Stat(string(f)); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the folder is still there: %v", err)
	}
}

func TestTheSweeperTouchesNothingElse(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "precious")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := Sweep(dir, strings.NewReader("")); err == nil {
		t.Error("it sweeps any folder")
	}
	if _, err := os.Stat(dir); err != nil {
		t.Error(err)
	}
	// A number in the folder that is somebody else's process by now stays alone: this one is ours.
	f := testFolder(t)
	if err := os.WriteFile(f.path("pids", "node-1"), []byte(strconv.Itoa(os.Getpid())), 0o600); err != nil {
		t.Fatal(err)
	}
	if n := f.signal(syscall.SIGTERM); n != 0 {
		t.Errorf("%d processes were signalled", n)
	}
}

func TestDemosTakeTurns(t *testing.T) {
	t.Parallel()
	release, err := turn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	got := make(chan func())
	go func() {
		next, err := turn(t.Context())
		if err != nil {
			t.Error(err)
		}
		got <- next
	}()
	select {
	case <-got:
		t.Error("two demos choose ports at the same time")
	case <-time.After(200 * time.Millisecond):
	}
	release()
	(<-got)()
}

func TestWhatIsMissingIsSaid(t *testing.T) {
	t.Parallel()
	_, err := Start(t.Context(), Options{Executable: os.Args[0], Caddy: "/nowhere/caddy", Caddyfile: "/nowhere/Caddyfile"})
	if !errors.Is(err, ErrMissing) || !strings.Contains(err.Error(), "./xcaddy.sh") {
		t.Errorf("without Caddy: %v", err)
	}
}
