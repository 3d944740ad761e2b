// Command storage is the stand-in for Cloud Storage in a process of its own, so that what it takes is
// not counted as anybody else's. Behind a proxy it delays requests and counts them; a POST to
// /take of the control address returns the counts.
package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"log"
	"net"
	"net/http"
	"time"

	"example.com/eventdriver/bench/bill"
	"example.com/eventdriver/bench/subject"
	"example.com/eventdriver/internal/fake/gcs"
)

func main() {
	addr := flag.String("addr", "127.0.0.1:0", "where the proxy listens")
	control := flag.String("control", "127.0.0.1:0", "where the counts are taken")
	delay := flag.Duration("delay", 20*time.Millisecond, "of each request")
	bucket := flag.String("bucket", "bench", "a bucket to make")
	objects := flag.Int("objects", 0, "how many objects are there before")
	flag.Parse()
	subject.EndWithParent()
	server, err := gcs.Start("127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	server.CreateBucket(*bucket)
	for n := range *objects {
		server.Put(*bucket, fmt.Sprintf("other/%d", n), []byte("{}"))
	}
	proxy, err := bill.New(server.URL, *delay)
	if err != nil {
		log.Fatal(err)
	}
	serveCounts(*control, proxy)
	listener, err := net.Listen("tcp", *addr)
	if err != nil {
		log.Fatal(err)
	}
	log.Fatal(http.Serve(listener, proxy))
}

func serveCounts(addr string, proxy *bill.Proxy) {
	listener, err := net.Listen("tcp", addr)
	if err != nil {
		log.Fatal(err)
	}
	take := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _ = json.NewEncoder(w).Encode(proxy.Take()) })
	go func() { log.Fatal(http.Serve(listener, take)) }()
}
