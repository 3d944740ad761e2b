//go:build unix && !linux

package fleet

import "syscall"

// attributes put the process into a group of its own, so that Ctrl-C reaches this program
// alone, which then ends it in good order. When this program is killed, the end of its
// standard input ends the process. The system wakes one that is frozen, since its group is
// orphaned then.
func attributes() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }
