// Package project writes the folder of a function of one's own: a module with a handler, its test, a
// program that runs it on one machine, Terraform and continuous integration. The library is in it as
// source, so that Google's buildpack can build the folder wherever it is.
//
// What is written is made of the folder template, which is a real package of this module: it is compiled
// and tested here.
package project

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// Write writes the project into dir, which must be empty or missing. It writes all of it or nothing.
func Write(ctx context.Context, dir string, p Plan) (err error) {
	dir, err = filepath.Abs(dir)
	if err != nil {
		return err
	}
	if err := checkEmpty(dir); err != nil {
		return err
	}
	lib, err := findLibrary(ctx)
	if err != nil {
		return err
	}
	if err := lib.checkModule(p.Module); err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(dir), 0o755); err != nil {
		return err
	}
	made, err := os.MkdirTemp(filepath.Dir(dir), "."+filepath.Base(dir)+"-*")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(made)) }()
	if err := p.writeTemplate(made, lib.module); err != nil {
		return err
	}
	if err := lib.copyTo(made, p); err != nil {
		return err
	}
	return moveTo(dir, made)
}

// checkEmpty returns an error unless dir is missing or empty.
func checkEmpty(dir string) error {
	entries, err := os.ReadDir(dir)
	switch {
	case errors.Is(err, os.ErrNotExist):
		return nil
	case err != nil:
		return fmt.Errorf("%s is no folder that can be written to: %w", dir, err)
	case len(entries) > 0:
		return fmt.Errorf("%s is not empty: name a folder that is not there yet", dir)
	}
	return nil
}

// moveTo gives the folder made the name dir. If that is there, it is empty, and may be somebody's
// working directory: so it stays, and is filled.
func moveTo(dir, made string) error {
	if err := os.Chmod(made, 0o755); err != nil {
		return err
	}
	entries, err := os.ReadDir(made)
	if err != nil {
		return err
	}
	if _, err := os.Stat(dir); errors.Is(err, os.ErrNotExist) {
		return os.Rename(made, dir)
	}
	for i, entry := range entries {
		if err := os.Rename(filepath.Join(made, entry.Name()), filepath.Join(dir, entry.Name())); err != nil {
			for _, moved := range entries[:i] {
				err = errors.Join(err, os.RemoveAll(filepath.Join(dir, moved.Name())))
			}
			return err
		}
	}
	return nil
}

// write writes a file, with the folders above it.
func write(name string, text []byte, mode os.FileMode) error {
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		return err
	}
	return os.WriteFile(name, text, mode)
}
