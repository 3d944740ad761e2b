package instances

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"runtime"
	"strconv"
	"strings"
)

// MetricsAddr is the variable that names the address at which a process serves its
// [Metrics].
const MetricsAddr = "METRICS_ADDR"

// Metrics are figures of a process from Go's runtime.
type Metrics struct {
	Goroutines int
	Heap       uint64 // bytes in use after a garbage collection
}

// Usage is what a process uses of the system at a moment.
type Usage struct {
	Metrics
	RSS         int64 // bytes of memory
	Files       int   // open files, connections among them
	Connections int   // open sockets
}

// Usage asks the system, and the process itself at metricsAddr. It needs Linux's /proc.
func (p *Process) Usage(ctx context.Context, metricsAddr string) (u Usage, err error) {
	if u.Metrics, err = metrics(ctx, metricsAddr); err != nil {
		return u, err
	}
	if u.RSS, err = p.rss(); err != nil {
		return u, err
	}
	folder := fmt.Sprintf("/proc/%d/fd", p.PID())
	files, err := os.ReadDir(folder)
	if err != nil {
		return u, err
	}
	for _, file := range files {
		u.Files++
		if target, err := os.Readlink(folder + "/" + file.Name()); err == nil && strings.HasPrefix(target, "socket:") {
			u.Connections++
		}
	}
	return u, nil
}

// CanMeasure returns an error on systems where Usage does not work.
func CanMeasure() error {
	if _, err := os.Stat("/proc/self/status"); err != nil {
		return fmt.Errorf("memory and open files are read from Linux's /proc, which is not here (%s)", runtime.GOOS)
	}
	return nil
}

func metrics(ctx context.Context, addr string) (m Metrics, err error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+addr+"/", nil)
	if err != nil {
		return m, err
	}
	request.Close = true // so that the connection does not count as one of the function's
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		return m, err
	}
	defer answer.Body.Close()
	return m, json.NewDecoder(answer.Body).Decode(&m)
}

func (p *Process) rss() (int64, error) { return p.status("VmRSS:") }

// PeakRSS returns the most memory that the process has had, in bytes. It needs Linux's
// /proc, and the process to be there.
func (p *Process) PeakRSS() (int64, error) { return p.status("VmHWM:") }

// status reads a number of kB.
func (p *Process) status(field string) (int64, error) {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.PID()))
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(status)) {
		if value, ok := strings.CutPrefix(line, field); ok {
			kB, err := strconv.ParseInt(strings.Fields(value)[0], 10, 64)
			return kB << 10, err
		}
	}
	return 0, fmt.Errorf("the process has no %s any more", field)
}

// state returns the letter with which /proc shows the process; 'T' is stopped.
func (p *Process) state() (letter byte, known bool) {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", p.PID()))
	if err != nil {
		return 0, false
	}
	// The program's name, in parentheses, is before it, and may hold anything.
	_, rest, found := bytes.Cut(stat[max(0, bytes.LastIndexByte(stat, ')')):], []byte(") "))
	if !found || len(rest) == 0 {
		return 0, false
	}
	return rest[0], true
}
