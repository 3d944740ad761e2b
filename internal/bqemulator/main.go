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
	"errors"
	"flag"
	"fmt"
	"log"
	"net"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

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
	listener, err := net.Listen("tcp", addr)
	if err != nil {
		return err
	}
	if err := announce(listener.Addr().String(), ready); err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	web := &http.Server{Handler: &wrapper{emulator: emulator, next: emulator.Handler}, ReadHeaderTimeout: 10 * time.Second}
	go func() {
		<-ctx.Done()
		_ = web.Close()
	}()
	if err := web.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
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
