// Command bqemulator serves bigquery-emulator on this machine, for tests and the
// local run. It is a module of its own, so that nobody who builds the function
// ever builds the emulator; its Makefile target is emulators.
//
//	bqemulator -ready FILE    serve on a free port; FILE then holds the address
//
// It differs from the emulator's own program:
//
//   - It listens on 127.0.0.1 only.
//   - Each project that it is asked about becomes an emulator of its own.
//   - It answers a second job with the same ID as BigQuery does (409, reason
//     "duplicate"), where the emulator says 400.
//   - It keeps the emulator's answers about finished jobs and deletes the jobs, since the
//     emulator reads all of them for each request.
//   - It decodes the bytes of tabledata.insertAll.
package main

import (
	"context"
	"flag"
	"fmt"
	"log"
	"net"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
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
	api, err := net.Listen("tcp", addr)
	if err != nil {
		return err
	}
	all := &projects{}
	defer all.close()
	ended := make(chan error, 1)
	go func() { ended <- http.Serve(api, &wrapper{projects: all}) }() // on this machine, for tests
	if err := announce(api.Addr().String()+"\n", ready); err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	select {
	case err := <-ended:
		return err
	case <-ctx.Done():
		return nil
	}
}

// announce says where the emulator listens. The file appears in one step, so
// that whoever waits for it never reads half of it.
func announce(addr, file string) error {
	if file == "" {
		fmt.Print(addr)
		return nil
	}
	part := filepath.Join(filepath.Dir(file), "."+filepath.Base(file))
	if err := os.WriteFile(part, []byte(addr), 0o600); err != nil {
		return err
	}
	return os.Rename(part, file)
}
