//go:build !linux

package pgdev

import "syscall"

// processAttributes runs the server as cred, in a process group of its own. Here nothing ends it when we are killed: Stop does.
func processAttributes(cred *syscall.Credential) *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Credential: cred, Setpgid: true}
}
