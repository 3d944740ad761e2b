// Command function is an instance of the function as the tests of whole processes
// run it: the main that Google's buildpack generates, on 127.0.0.1. It ends when
// its standard input does, so that none outlives whoever started it. Where
// METRICS_ADDR is set, it serves what Go's runtime knows of the process there.
package main

import (
	"encoding/json"
	"io"
	"log"
	"net/http"
	"os"
	"runtime"

	"github.com/GoogleCloudPlatform/functions-framework-go/funcframework"

	_ "example.com/eventdriver"
	"example.com/eventdriver/proof/instances"
)

func main() {
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		os.Exit(1)
	}()
	if addr := os.Getenv(instances.MetricsAddr); addr != "" {
		go func() { log.Fatal(http.ListenAndServe(addr, http.HandlerFunc(metrics))) }()
	}
	if err := funcframework.StartHostPort("127.0.0.1", os.Getenv("PORT")); err != nil {
		log.Fatal(err)
	}
}

// metrics answers with the process's numbers after a garbage collection, so that the
// heap is what is in use.
func metrics(w http.ResponseWriter, _ *http.Request) {
	runtime.GC()
	var memory runtime.MemStats
	runtime.ReadMemStats(&memory)
	_ = json.NewEncoder(w).Encode(instances.Metrics{Goroutines: runtime.NumGoroutine(), Heap: memory.HeapAlloc})
}
