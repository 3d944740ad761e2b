//go:build !unix

package fleet

import (
	"errors"
	"syscall"
)

var errNoSignals = errors.New("this system can't stop processes")

func (p *process) freeze() error { return errNoSignals }

func (p *process) thaw() error { return nil }

func attributes() *syscall.SysProcAttr { return nil }
