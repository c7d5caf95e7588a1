//go:build !linux

package demo

import "syscall"

// attributes puts a child into a process group of its own. Here nothing ends it when this process is killed; the sweeper does.
func attributes() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }

// sessionAttributes puts a child into a session of its own, where no signal of a terminal reaches it.
func sessionAttributes() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setsid: true} }
