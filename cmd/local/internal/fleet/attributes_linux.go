package fleet

import "syscall"

// attributes put the process into a group of its own, so that Ctrl-C reaches this program
// alone, which then ends it in good order. When this program is killed, the system kills the
// process, frozen or not.
func attributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}
