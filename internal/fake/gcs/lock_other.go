//go:build !unix

package gcs

import (
	"os"
	"path/filepath"
)

// lockFolder does not lock here: do not start two programs on one folder.
func lockFolder(name string) (*os.File, error) {
	return os.OpenFile(filepath.Join(name, "lock"), os.O_CREATE|os.O_RDWR, 0o600)
}
