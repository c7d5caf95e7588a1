package pgdev

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"runtime"
	"strconv"
	"sync"
	"syscall"
	"time"

	_ "github.com/lib/pq" // the driver that readiness is asked with
)

// Options says where and how a server runs. The zero value is a fast throw-away server in a new temporary folder.
type Options struct {
	// Dir is the folder of the cluster and its socket; empty means a new temporary one, which Stop removes. A folder that holds a
	// cluster already is used as it is. Keep the path short: a socket's path may have 107 bytes.
	Dir string
	// Durable turns fsync on. Leave it off where a crash of the machine may lose everything anyway.
	Durable bool
	// MaxConnections bounds the server's connections; 0 means 100.
	MaxConnections int
	// Archive is a folder that gets each file of the server's log when it is full: with it and an older copy of the cluster the server can be
	// restored to any time since. Empty: none.
	Archive string
	// RestoreFrom is the archive that a copy of a cluster is brought forward with when it starts, and RestoreTo the time at which that ends; zero: at the
	// end of the archive. After it the server is a primary of a new timeline.
	RestoreFrom string
	RestoreTo   time.Time
	// Log gets what the server says; nil keeps only the last lines, for error messages.
	Log io.Writer
}

// Server is a running private Postgres.
type Server struct {
	options Options
	bin     string
	dir     string
	ours    bool // the folder is ours to remove
	cred    *syscall.Credential
	tail    *tail

	mu      sync.Mutex // guards what follows
	process *os.Process
	done    chan struct{} // closed when the process has ended
}

// startTimeout bounds how long a server may take until it answers.
const startTimeout = 30 * time.Second

// Start makes a cluster where there is none and starts its server. It returns when the server answers.
func Start(ctx context.Context, options Options) (*Server, error) {
	bin, err := binaries()
	if err != nil {
		return nil, err
	}
	s := &Server{options: options, bin: bin, dir: options.Dir, tail: &tail{}}
	if s.cred, err = credential(); err != nil {
		return nil, err
	}
	if err := s.makeDir(); err != nil {
		return nil, fmt.Errorf("make the folder of the private Postgres: %w", err)
	}
	if _, err := os.Stat(filepath.Join(s.data(), "PG_VERSION")); err != nil {
		if err := s.init(ctx); err != nil {
			s.remove()
			return nil, err
		}
	}
	if err := s.start(ctx); err != nil {
		s.remove()
		return nil, err
	}
	return s, nil
}

// credential is the user to run as: when we are root, postgres or nobody, for Postgres refuses root.
func credential() (*syscall.Credential, error) {
	if os.Geteuid() != 0 {
		return nil, nil
	}
	for _, name := range []string{"postgres", "nobody"} {
		u, err := user.Lookup(name)
		if err != nil {
			continue
		}
		uid, err1 := strconv.ParseUint(u.Uid, 10, 32)
		gid, err2 := strconv.ParseUint(u.Gid, 10, 32)
		if err1 == nil && err2 == nil {
			return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}, nil
		}
	}
	return nil, errors.New("a Postgres server does not run as root, and there is neither a user postgres nor nobody to run it as")
}

func (s *Server) data() string { return filepath.Join(s.dir, "data") }

func (s *Server) makeDir() error {
	if s.dir == "" {
		dir, err := os.MkdirTemp("", "trpg")
		if err != nil {
			return err
		}
		s.dir, s.ours = dir, true
	} else if err := os.MkdirAll(s.dir, 0o711); err != nil {
		return err
	}
	if err := os.MkdirAll(s.data(), 0o700); err != nil {
		return err
	}
	if s.cred == nil {
		return nil
	}
	// The server's user owns the cluster and the socket's folder; the caller is root and may read both.
	for _, dir := range []string{s.dir, s.data()} {
		if err := os.Chown(dir, int(s.cred.Uid), int(s.cred.Gid)); err != nil {
			return err
		}
	}
	return nil
}

func (s *Server) init(ctx context.Context) error {
	cmd := exec.CommandContext(ctx, filepath.Join(s.bin, "initdb"), "--pgdata", s.data(), "--username", "postgres", "--auth", "trust",
		"--encoding", "UTF8", "--locale", "C.UTF-8", "--no-sync")
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: s.cred}
	cmd.Dir = s.dir
	if out, err := cmd.CombinedOutput(); err != nil {
		if errors.Is(err, os.ErrPermission) {
			return s.forbidden()
		}
		return fmt.Errorf("initdb in %s: %w\n%s", s.data(), err, bytes.TrimSpace(out))
	}
	return nil
}

// forbidden explains why the server's user could not even start: it may not enter its own folder.
func (s *Server) forbidden() error {
	return fmt.Errorf("the private Postgres does not run as root but as an ordinary user, who may not enter %s: give it a folder whose parents everybody may enter", s.dir)
}

// arguments are the server's settings: a socket only, and durability as asked.
func (s *Server) arguments() []string {
	onOff := "off"
	if s.options.Durable {
		onOff = "on"
	}
	connections := s.options.MaxConnections
	if connections == 0 {
		connections = 100
	}
	args := []string{"-D", s.data()}
	if runtime.GOOS == "linux" {
		// After a crash the server syncs every file of the cluster one by one, which takes longer than all of the recovery.
		args = append(args, "-c", "recovery_init_sync_method=syncfs")
	}
	for _, setting := range append(s.recovery(), []string{
		"listen_addresses=", "unix_socket_directories=" + s.dir, "unix_socket_permissions=0777",
		"fsync=" + onOff, "full_page_writes=" + onOff, "synchronous_commit=on",
		"max_connections=" + strconv.Itoa(connections), "shared_buffers=256MB", "max_wal_size=2GB",
		"log_min_messages=warning", "log_destination=stderr", "logging_collector=off",
	}...) {
		args = append(args, "-c", setting)
	}
	return args
}

// recovery are the settings of the archive and of a restore.
func (s *Server) recovery() (settings []string) {
	if to := s.options.Archive; to != "" {
		settings = append(settings, "archive_mode=on", "archive_command=cp %p "+filepath.Join(to, "%f"))
	}
	if from := s.options.RestoreFrom; from != "" {
		settings = append(settings, "restore_command=cp "+filepath.Join(from, "%f")+" %p")
		if !s.options.RestoreTo.IsZero() {
			settings = append(settings, "recovery_target_action=promote", "recovery_target_time="+s.options.RestoreTo.UTC().Format("2006-01-02 15:04:05.999999-07"))
		}
	}
	return settings
}

// Copy copies the cluster of a stopped server to a folder that is not there yet, for Options.Dir of another one. With restore it is the copy that
// Options.RestoreFrom brings forward.
func (s *Server) Copy(ctx context.Context, to string, restore bool) error {
	_, done := s.current()
	select {
	case <-done:
	default:
		return errors.New("copy the private Postgres: stop it first")
	}
	if text, err := exec.CommandContext(ctx, "cp", "-a", s.dir, to).CombinedOutput(); err != nil { // -a: with its owner
		return fmt.Errorf("copy the private Postgres: %w: %s", err, text)
	}
	if !restore {
		return nil
	}
	return s.toRestore(to)
}

// Backup copies the cluster of a running server with pg_basebackup, as docs/operate.md has it, to a folder that is not there yet: the copy that
// Options.RestoreFrom brings forward.
func (s *Server) Backup(ctx context.Context, to string) error {
	if err := os.Mkdir(to, 0o711); err != nil {
		return fmt.Errorf("back up the private Postgres: %w", err)
	}
	if s.cred != nil {
		if err := os.Chown(to, int(s.cred.Uid), int(s.cred.Gid)); err != nil {
			return fmt.Errorf("back up the private Postgres: %w", err)
		}
	}
	cmd := exec.CommandContext(ctx, filepath.Join(s.bin, "pg_basebackup"), "--pgdata="+filepath.Join(to, "data"), "--checkpoint=fast", "--wal-method=stream", "--dbname="+s.DSN("postgres"))
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: s.cred}
	cmd.Dir = to
	if text, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("back up the private Postgres: %w: %s", err, bytes.TrimSpace(text))
	}
	return s.toRestore(to)
}

// toRestore has a copy be brought forward when it starts.
func (s *Server) toRestore(to string) error {
	signal := filepath.Join(to, "data", "recovery.signal")
	if err := os.WriteFile(signal, nil, 0o600); err != nil {
		return fmt.Errorf("copy the private Postgres: %w", err)
	}
	if s.cred == nil {
		return nil
	}
	return os.Chown(signal, int(s.cred.Uid), int(s.cred.Gid))
}

func (s *Server) start(ctx context.Context) error {
	started := make(chan error, 1)
	done := make(chan struct{})
	var process *os.Process
	go func() {
		// Pdeathsig is sent when the thread that forked ends: this goroutine keeps its thread until the server has ended.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		defer close(done)
		cmd := exec.CommandContext(context.WithoutCancel(ctx), filepath.Join(s.bin, "postgres"), s.arguments()...) // it outlives the start
		cmd.SysProcAttr = processAttributes(s.cred)
		cmd.Dir = s.dir
		cmd.Stdout, cmd.Stderr = s.tail, s.tail
		if s.options.Log != nil {
			w := io.MultiWriter(s.tail, s.options.Log)
			cmd.Stdout, cmd.Stderr = w, w
		}
		err := cmd.Start()
		process = cmd.Process
		started <- err
		if err == nil {
			_ = cmd.Wait() // how it ended is in the log
		}
	}()
	if err := <-started; err != nil {
		if errors.Is(err, os.ErrPermission) {
			return s.forbidden()
		}
		return fmt.Errorf("start %s/postgres: %w", s.bin, err)
	}
	s.mu.Lock()
	s.process, s.done = process, done
	s.mu.Unlock()
	if err := s.waitReady(ctx, done); err != nil {
		_ = process.Kill()
		<-done
		return err
	}
	return nil
}

// waitReady asks until the server answers or has ended.
func (s *Server) waitReady(ctx context.Context, done <-chan struct{}) error {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	db, err := sql.Open("postgres", s.DSN("postgres"))
	if err != nil {
		return err
	}
	defer db.Close()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for {
		if err = db.PingContext(ctx); err == nil {
			return nil
		}
		select {
		case <-done:
			return fmt.Errorf("the private Postgres in %s ended at its start; it said:\n%s", s.dir, s.tail)
		case <-ctx.Done():
			return fmt.Errorf("the private Postgres in %s does not answer: %w; it said:\n%s", s.dir, err, s.tail)
		case <-tick.C:
		}
	}
}

// DSN is the connection string of a database of the server.
func (s *Server) DSN(database string) string {
	return fmt.Sprintf("host=%s user=postgres dbname=%s sslmode=disable connect_timeout=5", s.dir, database)
}

// Dir is the folder of the cluster and its socket.
func (s *Server) Dir() string { return s.dir }

// Kill ends the server at once, as a crash would: every process of it, without a checkpoint.
func (s *Server) Kill() error {
	process, done := s.current()
	// The server leads its own process group; its children are in it.
	if err := syscall.Kill(-process.Pid, syscall.SIGKILL); err != nil && !errors.Is(err, syscall.ESRCH) {
		return err
	}
	<-done
	return nil
}

// Stop ends the server in an orderly way (fast shutdown) and removes the folder where Start made it.
func (s *Server) Stop() error {
	process, done := s.current()
	err := process.Signal(syscall.SIGINT)
	if errors.Is(err, os.ErrProcessDone) {
		err = nil
	}
	select {
	case <-done:
	case <-time.After(10 * time.Second):
		_ = syscall.Kill(-process.Pid, syscall.SIGKILL)
		<-done
	}
	s.remove()
	return err
}

// Restart ends the server (immediate shutdown: the next start recovers from the log, as after a crash) and starts it again.
func (s *Server) Restart(ctx context.Context) error {
	process, done := s.current()
	if err := process.Signal(syscall.SIGQUIT); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	<-done
	return s.Resume(ctx)
}

// Resume starts the server again after Kill.
func (s *Server) Resume(ctx context.Context) error {
	// A killed server leaves its lock files; the socket's would make the next start wait for nothing.
	_ = os.Remove(filepath.Join(s.data(), "postmaster.pid"))
	return s.start(ctx)
}

func (s *Server) current() (*os.Process, chan struct{}) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.process, s.done
}

func (s *Server) remove() {
	if s.ours {
		_ = os.RemoveAll(s.dir)
	}
}
