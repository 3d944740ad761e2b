// Command bqemulator serves bigquery-emulator on this machine, for tests and the
// local run. It is a module of its own, so that nobody who builds the function
// ever builds the emulator; its Makefile target is emulators.
//
//	bqemulator -ready FILE    serve on free ports; FILE then holds the addresses,
//	                          a line each: that of the API, and that of the Storage
//	                          Write API
//
// It differs from the emulator's own program:
//
//   - It listens on 127.0.0.1 only.
//   - Each project that it is asked about becomes an emulator of its own.
//   - It answers a second job with the same ID as BigQuery does (409, reason
//     "duplicate"), where the emulator says 400.
//   - It keeps the emulator's answers about finished jobs and deletes the jobs, since the
//     emulator reads all of them for each request.
//   - It takes any number of appends at once.
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

	"cloud.google.com/go/bigquery/storage/apiv1/storagepb"
	"google.golang.org/grpc"
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
	appending, err := net.Listen("tcp", net.JoinHostPort(host, "0"))
	if err != nil {
		return err
	}
	all := &projects{}
	defer all.close()
	ended := make(chan error, 2)
	front := grpc.NewServer(grpc.MaxRecvMsgSize(maxAppend))
	storagepb.RegisterBigQueryWriteServer(front, &appends{projects: all})
	go func() { ended <- front.Serve(appending) }()
	go func() { ended <- http.Serve(api, &wrapper{projects: all}) }() // on this machine, for tests
	if err := announce(api.Addr().String()+"\n"+appending.Addr().String()+"\n", ready); err != nil {
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
func announce(addrs, file string) error {
	if file == "" {
		fmt.Print(addrs)
		return nil
	}
	part := filepath.Join(filepath.Dir(file), "."+filepath.Base(file))
	if err := os.WriteFile(part, []byte(addrs), 0o600); err != nil {
		return err
	}
	return os.Rename(part, file)
}
