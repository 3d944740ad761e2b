//go:build unix

package pubsub

import (
	"os/exec"
	"syscall"
)

// ownGroup puts a process into a group of its own, which Ctrl-C does not reach.
func ownGroup() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }

// killGroup ends a process and those that it has started.
func killGroup(c *exec.Cmd) { _ = syscall.Kill(-c.Process.Pid, syscall.SIGKILL) }
