package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"example.com/eventdriver/bench/programs"
)

// run is one run of the bench.
type run struct {
	out      io.Writer
	quick    bool
	rounds   int
	programs map[string]string // their files, by name
}

func (r *run) say(format string, args ...any) { fmt.Fprintf(r.out, format+"\n", args...) }

// The builds of the function, and of the bare one, by their files: as the deployments build them, and with what the
// tags leave out.
const (
	asDeployed        = "function-nobigquery-notelemetry"
	withTelemetry     = "function-nobigquery"
	withBigQuery      = "function-notelemetry"
	bareAsDeployed    = "clients-nobigquery-notelemetry"
	bareWithTelemetry = "clients-nobigquery"
	bareWithBigQuery  = "clients-notelemetry"
)

// build builds the programs into a folder that remove removes.
func (r *run) build(ctx context.Context) (remove func(), err error) {
	folder, err := os.MkdirTemp("", "bench")
	if err != nil {
		return nil, err
	}
	remove = func() { _ = os.RemoveAll(folder) }
	r.programs = make(map[string]string)
	names := []string{"noop", "decode", "storage", asDeployed, withTelemetry, withBigQuery,
		bareAsDeployed, bareWithTelemetry, bareWithBigQuery}
	for _, name := range names {
		program, tags, _ := strings.Cut(name, "-")
		file := filepath.Join(folder, name)
		if err := programs.Build(ctx, file, program, strings.ReplaceAll(tags, "-", ",")); err != nil {
			remove()
			return nil, err
		}
		r.programs[name] = file
	}
	return remove, nil
}
