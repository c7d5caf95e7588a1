package pgdev

import "syscall"

// processAttributes runs the server as cred, in a process group of its own, and ends it (fast shutdown) when we end in any way.
func processAttributes(cred *syscall.Credential) *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Credential: cred, Setpgid: true, Pdeathsig: syscall.SIGINT}
}
