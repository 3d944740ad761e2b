// Command bqemulator serves bigquery-emulator on this machine, for tests and the
// local run. It is a module of its own, so that nobody who builds the function
// ever builds the emulator; its Makefile target is emulators.
//
//	bqemulator -ready FILE    serve on free ports; FILE then holds the address
//
// It differs from the emulator's own program in three ways: it listens on
// 127.0.0.1 only, it makes every project that it is asked about, and it answers a
// second job with the same ID as BigQuery does (409, reason "duplicate"), where
// the emulator says 400.
package main

import (
	"context"
	"flag"
	"fmt"
	"log"
	"net"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"

	"github.com/goccy/bigquery-emulator/server"
)

func main() {
	addr := flag.String("addr", "127.0.0.1:0", "where to listen")
	ready := flag.String("ready", "", "a file to write the address to, once it listens")
	flag.Parse()
	if err := run(*addr, *ready); err != nil {
		log.Fatal("bqemulator: ", err)
	}
}

func run(addr, ready string) error {
	host, _, err := net.SplitHostPort(addr)
	if err != nil || !net.ParseIP(host).IsLoopback() {
		return fmt.Errorf("-addr %s: must be an address of this machine, such as 127.0.0.1:9050", addr)
	}
	emulator, err := server.New(server.TempStorage)
	if err != nil {
		return err
	}
	defer emulator.Close()
	emulator.Handler = &wrapper{emulator: emulator, next: emulator.Handler}
	announced := make(chan error, 1)
	emulator.SetListenCallback(func(addr, _ string) { announced <- announce(addr, ready) })
	ended := make(chan error, 1)
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	go func() { ended <- emulator.Serve(ctx, addr, "127.0.0.1:0") }()
	for {
		select {
		case err := <-announced:
			if err != nil {
				return err
			}
		case err := <-ended:
			return err
		case <-ctx.Done():
			return nil
		}
	}
}

// announce says where the emulator listens. The file appears in one step, so
// that whoever waits for it never reads half of it.
func announce(addr, file string) error {
	if file == "" {
		fmt.Println(addr)
		return nil
	}
	part := filepath.Join(filepath.Dir(file), "."+filepath.Base(file))
	if err := os.WriteFile(part, []byte(addr), 0o600); err != nil {
		return err
	}
	return os.Rename(part, file)
}
