package charts

import (
	"io"
	"os"
)

// CanWrite returns an error for the first of the files that can't be written, and
// makes those that are not there. Empty names are left out.
func CanWrite(names ...string) error {
	for _, name := range names {
		if name == "" {
			continue
		}
		file, err := os.OpenFile(name, os.O_CREATE|os.O_WRONLY, 0o644)
		if err != nil {
			return err
		}
		if err := file.Close(); err != nil {
			return err
		}
	}
	return nil
}

// WriteFile writes a file anew, unless its name is empty.
func WriteFile(name string, content func(io.Writer) error) error {
	if name == "" {
		return nil
	}
	file, err := os.Create(name)
	if err != nil {
		return err
	}
	if err := content(file); err != nil {
		_ = file.Close()
		return err
	}
	return file.Close()
}
