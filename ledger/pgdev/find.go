package pgdev

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
)

// ErrNoServer says that no Postgres server binary was found. Its text tells how to get one.
var ErrNoServer = errors.New("no Postgres server found: looked for initdb and postgres in $PGBIN, in PATH, in /usr/lib/postgresql/*/bin and in Homebrew's folders; " +
	"install it (Debian: apt-get install postgresql; macOS: brew install postgresql) or set PGBIN to the folder of its binaries")

// binaries is the folder with initdb and postgres.
func binaries() (string, error) {
	var candidates []string
	if dir := os.Getenv("PGBIN"); dir != "" {
		if !hasServer(dir) {
			return "", fmt.Errorf("PGBIN is %s, but initdb and postgres are not both there", dir)
		}
		return dir, nil
	}
	if p, err := exec.LookPath("initdb"); err == nil {
		if target, err := filepath.EvalSymlinks(p); err == nil {
			candidates = append(candidates, filepath.Dir(target))
		}
		candidates = append(candidates, filepath.Dir(p))
	}
	candidates = append(candidates, newestFirst("/usr/lib/postgresql/*/bin")...)
	candidates = append(candidates, newestFirst("/opt/homebrew/opt/postgresql*/bin")...)
	for _, dir := range candidates {
		if hasServer(dir) {
			return dir, nil
		}
	}
	return "", ErrNoServer
}

// Tool is the path of a program that comes with the server, such as pg_dump or psql. The error says that it is not there.
func Tool(name string) (string, error) {
	dir, err := binaries()
	if err != nil {
		return "", err
	}
	path := filepath.Join(dir, name)
	if _, err := os.Stat(path); err != nil {
		return exec.LookPath(name)
	}
	return path, nil
}

func hasServer(dir string) bool {
	for _, name := range []string{"initdb", "postgres"} {
		if info, err := os.Stat(filepath.Join(dir, name)); err != nil || info.IsDir() {
			return false
		}
	}
	return true
}

// newestFirst expands a pattern whose star is a version and orders by it, the highest first.
func newestFirst(pattern string) []string {
	dirs, _ := filepath.Glob(pattern) // the only error is a bad pattern
	slices.SortFunc(dirs, func(a, b string) int { return version(b) - version(a) })
	return dirs
}

func version(dir string) int {
	n, _ := strconv.Atoi(filepath.Base(filepath.Dir(dir))) // not a number counts as 0: last
	return n
}
