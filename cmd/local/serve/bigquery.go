package serve

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"example.com/eventdriver"
	"example.com/eventdriver/stores/bqstore"
)

// startBigQuery starts a BigQuery unless there is one, makes the tables, and points the
// function at them.
func (l *local) startBigQuery(ctx context.Context) error {
	if os.Getenv("BIGQUERY_EMULATOR_HOST") == "" {
		if err := l.startBigQueryEmulator(ctx); err != nil {
			return fmt.Errorf("bigquery: %w", err)
		}
	}
	for name, value := range map[string]string{"BIGQUERY_PROJECT": "local-project", "BIGQUERY_DATASET": "local", "BIGQUERY_LOCATION": "EU"} {
		l.settings.setUnlessSet(name, value)
	}
	config, err := eventdriver.ConfigFromEnv(l.settings.lookup)
	if err != nil {
		return err
	}
	store, err := bqstore.New(ctx, bqstore.Config(config.Project, config.Dataset).WithLocation(config.Location))
	if err != nil {
		return err
	}
	defer store.Close()
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	return store.EnsureTables(ctx)
}

// startBigQueryEmulator starts the program that make emulators built last.
func (l *local) startBigQueryEmulator(ctx context.Context) error {
	programs, err := filepath.Glob(".cache/bqemulator/*/bqemulator")
	if err != nil || len(programs) == 0 {
		return errors.New("no emulator here: set BIGQUERY_EMULATOR_HOST to the address of one; " +
			"or, in the root of a clone of Event Driver, run make emulators (minutes, once)")
	}
	folder, err := os.MkdirTemp("", "bqemulator")
	if err != nil {
		return err
	}
	ready := filepath.Join(folder, "addr")
	emulator := exec.Command(newest(programs), "-ready", ready)
	emulator.Stderr = os.Stderr
	if err := emulator.Start(); err != nil {
		return err
	}
	l.closers = append(l.closers, func() error {
		_ = emulator.Process.Kill()
		_ = emulator.Wait() // it says that it was killed
		return os.RemoveAll(folder)
	})
	for range 300 {
		if addr, err := os.ReadFile(ready); err == nil {
			return l.setenv("BIGQUERY_EMULATOR_HOST", strings.TrimSpace(string(addr)))
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(100 * time.Millisecond):
		}
	}
	return errors.New("the emulator does not start")
}

// newest returns the file that was changed last.
func newest(names []string) (latest string) {
	var at time.Time
	for _, name := range names {
		if info, err := os.Stat(name); err == nil && info.ModTime().After(at) {
			latest, at = name, info.ModTime()
		}
	}
	return latest
}
