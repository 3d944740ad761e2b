//go:build unix

package gcs

import (
	"fmt"
	"os"
	"path/filepath"
	"syscall"
)

// lockFolder locks a folder for as long as the file is open, or the process lives.
func lockFolder(name string) (*os.File, error) {
	file, err := os.OpenFile(filepath.Join(name, "lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		file.Close()
		return nil, fmt.Errorf("%s: %w", name, ErrInUse)
	}
	return file, nil
}
