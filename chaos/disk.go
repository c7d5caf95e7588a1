package chaos

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
)

// disk is a small file system of its own for Postgres, in memory, that can be filled to the last byte. It needs the right to mount.
type disk struct{ dir string }

// diskSize holds a run's rows and log; what is free is taken away by the fault itself.
const diskSize = "3g"

func newDisk() (*disk, error) {
	dir, err := os.MkdirTemp("", "trdisk")
	if err != nil {
		return nil, err
	}
	if out, err := exec.Command("mount", "-t", "tmpfs", "-o", "size="+diskSize+",mode=0711", "ticketrush-chaos", dir).CombinedOutput(); err != nil { //nolint:noctx // at once
		return nil, errors.Join(fmt.Errorf("%w: mount a small disk: %w: %s", errNotHere, err, out), os.Remove(dir))
	}
	return &disk{dir: dir}, nil
}

func (d *disk) path(name string) string { return filepath.Join(d.dir, name) }

// fill takes all space that is left.
func (d *disk) fill() error {
	f, err := os.Create(d.path("ballast"))
	if err != nil {
		return err
	}
	defer f.Close()
	block := make([]byte, 1<<20)
	for len(block) > 0 {
		if _, err := f.Write(block); err != nil {
			block = block[:len(block)/2]
		}
	}
	return nil
}

// relieve gives it back.
func (d *disk) relieve() error { return os.Remove(d.path("ballast")) }

func (d *disk) close() error {
	if out, err := exec.Command("umount", d.dir).CombinedOutput(); err != nil { //nolint:noctx // at once
		return fmt.Errorf("umount %s: %w: %s", d.dir, err, out)
	}
	return os.Remove(d.dir)
}
