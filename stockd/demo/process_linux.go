package demo

import "syscall"

// attributes puts a child into a process group of its own, and has it asked to end when this process ends in any way.
func attributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGTERM}
}

// sessionAttributes puts a child into a session of its own, where no signal of a terminal reaches it.
func sessionAttributes() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setsid: true} }
