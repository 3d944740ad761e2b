// Package subject is what the measured programs share: each is an HTTP function under the
// Functions Framework, as Google's buildpack would build it, and serves beside that what it has
// used of the machine.
package subject

import (
	"encoding/json"
	"io"
	"log"
	"net/http"
	"os"
	"runtime"
	"strconv"
	"strings"
	"syscall"

	"github.com/GoogleCloudPlatform/functions-framework-go/funcframework"
)

// UsageAddr is the variable that names the address at which a program serves its [Usage].
const UsageAddr = "USAGE_ADDR"

// Usage is what a process has used since it began.
type Usage struct {
	CPU     float64 // seconds, of all threads
	PeakRSS int64   // bytes
	Mallocs uint64  // objects
	Bytes   uint64  // allocated
}

// Self returns the usage of this process.
func Self() Usage {
	var r syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &r); err != nil {
		panic(err) // it takes no arguments that can be wrong
	}
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return Usage{seconds(r.Utime) + seconds(r.Stime), peak(r), m.Mallocs, m.TotalAlloc}
}

// peak is the most memory that this program has had. On Linux, Maxrss counts what the parent had when it
// started this process, too.
func peak(r syscall.Rusage) int64 {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return int64(r.Maxrss) // in bytes on macOS
	}
	for line := range strings.Lines(string(status)) {
		if value, ok := strings.CutPrefix(line, "VmHWM:"); ok {
			kB, _ := strconv.ParseInt(strings.Fields(value)[0], 10, 64)
			return kB << 10
		}
	}
	return 0
}

func seconds(t syscall.Timeval) float64 { return float64(t.Sec) + float64(t.Usec)/1e6 }

// Serve serves the function on 127.0.0.1, until standard input ends.
func Serve() {
	EndWithParent()
	if err := funcframework.StartHostPort("127.0.0.1", os.Getenv("PORT")); err != nil {
		log.Fatal(err)
	}
}

// EndWithParent ends this process when its standard input does, and serves its usage.
func EndWithParent() {
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		os.Exit(0)
	}()
	addr := os.Getenv(UsageAddr)
	if addr == "" {
		return
	}
	mux := http.NewServeMux()
	mux.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) { _ = json.NewEncoder(w).Encode(Self()) })
	profiles(mux)
	go func() { log.Fatal(http.ListenAndServe(addr, mux)) }()
}
