//go:build !linux && !darwin

package conns

// FilesMax is how many files this process may open, 0 when that is not known.
func FilesMax() uint64 { return 0 }
