//go:build unix

package main

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/gob"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"example.com/eventdriver/driver"
)

// Store keeps events and claims in a folder that the processes of one machine share: an event
// is a file below events/, the claim of a key one below claims/. Names are hashed, since keys
// may be longer than file names, and "x" and "X" may be one name.
//
// What a killed process had written is there. After a loss of power a file may be missing, since
// folders are not synced; and on a network file system neither link nor flock can be relied upon.
type Store struct{ folder string }

var _ driver.EventStore = (*Store)(nil)

// Open returns the store in a folder, which is made if it is not there.
func Open(folder string) (*Store, error) {
	return &Store{folder}, os.MkdirAll(filepath.Join(folder, "new"), 0o700)
}

// path is where something is kept, below the folder.
func (s *Store) path(kind string, names ...string) string {
	parts := []string{s.folder, kind}
	for _, name := range names {
		parts = append(parts, fmt.Sprintf("%x", sha256.Sum256([]byte(name))))
	}
	return filepath.Join(parts...)
}

// write writes value to a new file, and returns its name. It is not seen before it has its place.
func (s *Store) write(value any) (string, error) {
	f, err := os.CreateTemp(filepath.Join(s.folder, "new"), "")
	if err != nil {
		return "", err
	}
	return f.Name(), cmp.Or(gob.NewEncoder(f).Encode(value), f.Sync(), f.Close())
}

// read reads a file that write has written.
func read(path string, into any) error {
	content, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	if err := gob.NewDecoder(bytes.NewReader(content)).Decode(into); err != nil {
		return driver.Reject(driver.ReasonCorrupt, fmt.Errorf("%s: %w", path, err))
	}
	return nil
}

// Persist implements [driver.EventStore]. The first write wins, since a link to a name that is
// there fails.
func (s *Store) Persist(ctx context.Context, m driver.Message) error {
	if err := cmp.Or(ctx.Err(), m.Valid()); err != nil {
		return fmt.Errorf("persist key %q, source %q: %w", m.Key, m.Source, err)
	}
	place := s.path("events", m.Key, m.Source)
	file, err := s.write(m)
	defer os.Remove(file)
	err = cmp.Or(err, os.MkdirAll(filepath.Dir(place), 0o700))
	if err == nil {
		err = os.Link(file, place)
	}
	if !errors.Is(err, fs.ErrExist) {
		return err
	}
	kept, err := s.LookUp(ctx, m.Key, m.Source)
	if err == nil && !bytes.Equal(kept.Content, m.Content) {
		err = &driver.ConflictError{Stored: kept}
	}
	return err
}

// LookUp implements [driver.EventStore].
func (s *Store) LookUp(ctx context.Context, key, source string) (driver.Message, error) {
	var m driver.Message
	err := cmp.Or(ctx.Err(), driver.ValidName(key, source))
	if err == nil {
		err = read(s.path("events", key, source), &m)
	}
	if errors.Is(err, fs.ErrNotExist) {
		err = driver.ErrNotFound
	}
	if err != nil {
		return driver.Message{}, fmt.Errorf("look up key %q, source %q: %w", key, source, err)
	}
	return m, driver.Grow(ctx, len(m.Content))
}

// LookUpByKey implements [driver.EventStore].
func (s *Store) LookUpByKey(ctx context.Context, key string) ([]driver.Message, error) {
	if err := cmp.Or(ctx.Err(), driver.ValidName(key, "any")); err != nil {
		return nil, fmt.Errorf("look up key %q: %w", key, err)
	}
	files, err := filepath.Glob(filepath.Join(s.path("events", key), "*"))
	messages := make([]driver.Message, len(files))
	for i, file := range files {
		err = cmp.Or(err, read(file, &messages[i]), driver.Grow(ctx, len(messages[i].Content)))
	}
	slices.SortFunc(messages, func(a, b driver.Message) int { return cmp.Compare(a.Source, b.Source) })
	return messages, err
}

// ListSourcesByKey implements [driver.EventStore].
func (s *Store) ListSourcesByKey(ctx context.Context, key string) ([]string, error) {
	messages, err := s.LookUpByKey(ctx, key)
	var sources []string
	for _, m := range messages {
		sources = append(sources, m.Source)
	}
	return sources, err
}
