//go:build unix

// Command folderstore joins events with a store of its own, a folder of files: see [Store]. Run
// it as
//
//	go run ./examples/folderstore
package main

import (
	"context"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"example.com/eventdriver/driver"
	"example.com/eventdriver/driver/cache"
	"example.com/eventdriver/driver/joiner"
)

func main() {
	folder, err := os.MkdirTemp("", "folderstore")
	if err == nil {
		defer os.RemoveAll(folder)
		err = run(context.Background(), os.Stdout, folder)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// run delivers three events, the last twice, each to a pipeline of its own, as if each came to
// another process. Then it shows what is in the folder.
func run(ctx context.Context, out io.Writer, folder string) error {
	for _, m := range []driver.Message{
		{Key: "order-1", Source: "event2", Content: []byte(`{"street":"Main St"}`)},
		{Key: "order-1", Source: "event1", Content: []byte(`{"item":"book"}`)},
		{Key: "order-1", Source: "event3", Content: []byte(`{"paid":12}`)},
		{Key: "order-1", Source: "event3", Content: []byte(`{"paid":12}`)},
	} {
		store, err := Open(folder)
		if err != nil {
			return err
		}
		p := driver.New(
			joiner.New(joiner.MatchAll("event1", "event2", "event3"), store),
			cache.New(store),
			driver.HandlerFunc(func(_ context.Context, in driver.Message, _ driver.Next) error {
				_, err := fmt.Fprintf(out, "  ship %s: %s\n", in.Key, in.Content)
				return err
			}))
		fmt.Fprintf(out, "%s of %s\n", m.Source, m.Key)
		if err := p.Process(ctx, m); err != nil {
			return err
		}
	}
	fmt.Fprintln(out, "the folder:")
	return filepath.WalkDir(folder, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		name, err := filepath.Rel(folder, path)
		parts := strings.Split(name, "/") // hashes, but for the first
		fmt.Fprintf(out, "  %s/%.8s…/%.8s…%s\n", parts[0], parts[1], parts[2], filepath.Ext(name))
		return err
	})
}
