//go:build linux || darwin

package conns

import "syscall"

// FilesMax is how many files this process may open, 0 when that is not known. The Go runtime raises the soft limit to the hard one at the start.
func FilesMax() uint64 {
	var limit syscall.Rlimit
	if syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit) != nil {
		return 0
	}
	return limit.Max
}
