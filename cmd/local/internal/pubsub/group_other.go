//go:build !unix

package pubsub

import (
	"os/exec"
	"syscall"
)

func ownGroup() *syscall.SysProcAttr { return nil }

func killGroup(c *exec.Cmd) { _ = c.Process.Kill() }
