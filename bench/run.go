package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"

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

// build builds the programs into a folder that remove removes.
func (r *run) build(ctx context.Context) (remove func(), err error) {
	folder, err := os.MkdirTemp("", "bench")
	if err != nil {
		return nil, err
	}
	remove = func() { _ = os.RemoveAll(folder) }
	r.programs = make(map[string]string)
	for _, p := range [][]string{{"noop"}, {"decode"}, {"storage"}, {"function"}, {"clients"}, {"function", "nobigquery"}, {"clients", "nobigquery"}} {
		file, err := programs.Build(ctx, folder, p[0], p[1:]...)
		if err != nil {
			remove()
			return nil, err
		}
		r.programs[filepath.Base(file)] = file
	}
	return remove, nil
}
