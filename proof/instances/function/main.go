// Command function is an instance of the function for tests of whole processes: the main
// that Google's buildpack generates, on 127.0.0.1. It ends when its standard input does,
// so that it does not outlive its parent. If METRICS_ADDR is set, it serves figures of
// Go's runtime there.
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

// metrics answers with the figures of the process after a garbage collection, so that the
// heap has only what is in use.
func metrics(w http.ResponseWriter, _ *http.Request) {
	runtime.GC()
	var memory runtime.MemStats
	runtime.ReadMemStats(&memory)
	_ = json.NewEncoder(w).Encode(instances.Metrics{Goroutines: runtime.NumGoroutine(), Heap: memory.HeapAlloc})
}
