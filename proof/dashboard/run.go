package dashboard

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"sync"
	"time"

	"example.com/eventdriver/driver/convert"
	"example.com/eventdriver/internal/fake/eventarc"
	"example.com/eventdriver/internal/fake/gcs"
	"example.com/eventdriver/internal/fake/otlp"
	"example.com/eventdriver/proof/instances"
)

// Options say what is recorded.
type Options struct {
	For     time.Duration // how long
	Rate    float64       // orders a second
	Metrics []string
	Say     func(line string)
}

const (
	orders = "orders"
	slots  = 3 // instances at once
	begins = "the business begins"
)

// run is a run that is being recorded.
type run struct {
	Options
	began     time.Time
	folder    string // of the program
	program   string
	storage   *gcs.Server
	collector *otlp.Server
	eventarc  *eventarc.Eventarc
	recorder  *recorder

	mu        sync.Mutex
	processes [slots]*instances.Process
	started   int
	waits     chan<- *instances.Process // for the next run of the business, if not nil
}

// Record has three instances of the function join orders, most of which are complete within seconds. Some events come
// late, twice, or never, some can't be read. Requests to the storage fail, the business fails, instances are killed
// and stopped while they hold a key, and for a while large events take the memory.
func Record(ctx context.Context, o Options) (recorded *Recording, err error) {
	r := &run{Options: o, recorder: newRecorder()}
	ctx, cancel := context.WithCancel(ctx)
	defer func() {
		cancel()
		err = errors.Join(err, r.close())
	}()
	if err := r.start(ctx); err != nil {
		return nil, err
	}
	if err := r.load(ctx); err != nil {
		return nil, err
	}
	about := fmt.Sprintf("%d instances of the function, %v orders a second for %v, with duplicates, failures, "+
		"late and missing events; instances are killed and stopped.", slots, o.Rate, o.For)
	return r.recorder.recording(about, time.Since(r.began).Seconds()), nil
}

func (r *run) start(ctx context.Context) (err error) {
	if r.folder, err = os.MkdirTemp("", "dashboard"); err != nil {
		return err
	}
	program := instances.Program{Business: "proof/dashboard/business/business.go"}
	if r.program, err = instances.Build(ctx, r.folder, program); err != nil {
		return err
	}
	if r.storage, err = gcs.Start("127.0.0.1:0"); err != nil {
		return err
	}
	r.storage.CreateBucket(orders)
	r.storage.OnRequest(func(gcs.Request) gcs.Fault {
		switch rand.IntN(600) {
		case 0:
			return gcs.Fault{Drop: true}
		case 1, 2:
			return gcs.Fault{Status: http.StatusServiceUnavailable} // which its client repeats
		case 3:
			return gcs.Fault{Status: http.StatusForbidden} // which it does not
		}
		return gcs.Fault{Delay: rand.N(20 * time.Millisecond)}
	})
	if r.collector, err = otlp.Start(); err != nil {
		return err
	}
	for slot := range slots {
		if err := r.startInstance(ctx, slot); err != nil {
			return err
		}
	}
	r.eventarc = eventarc.New(ctx, eventarc.Config{
		FirstBackoff: time.Second, LongestBackoff: 20 * time.Second, Deadline: 10 * time.Second,
		Route: func(context.Context) (string, func(), error) { return r.any().URL, func() {}, nil },
		Path:  convert.SourcePath})
	r.began = time.Now()
	return nil
}

func (r *run) startInstance(ctx context.Context, slot int) error {
	r.mu.Lock()
	r.started++
	name := fmt.Sprint("instance", r.started)
	r.mu.Unlock()
	variables := []string{"GCS_BUCKET=" + orders, "STORAGE_EMULATOR_HOST=" + r.storage.Host(),
		"LEASE=10s", "JOIN_DEADLINE=8m", "GOMEMLIMIT=160MiB",
		"OTEL_EXPORTER_OTLP_ENDPOINT=" + r.collector.URL, "OTEL_TRACES_EXPORTER=none",
		"OTEL_METRIC_EXPORT_INTERVAL=30000", "OTEL_RESOURCE_ATTRIBUTES=service.instance.id=" + name}
	lines := instances.Lines(func(line []byte) { r.line(slot, line) })
	p, err := instances.Start(ctx, r.program, variables, lines)
	if err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.processes[slot] = p
	return nil
}

// line takes a line of an instance's log.
func (r *run) line(slot int, line []byte) {
	if !bytes.Contains(line, []byte(begins)) {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.waits != nil && r.processes[slot] != nil {
		r.waits <- r.processes[slot]
		r.waits = nil
	}
}

// any returns one of the instances.
func (r *run) any() *instances.Process {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.processes[rand.IntN(slots)]
}

// acting returns an instance whose business has just begun to run, and so holds a key.
func (r *run) acting(ctx context.Context) (*instances.Process, error) {
	acts := make(chan *instances.Process, 1)
	r.mu.Lock()
	r.waits = acts
	r.mu.Unlock()
	select {
	case p := <-acts:
		return p, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// close ends all that still runs.
func (r *run) close() error {
	for _, p := range r.processes {
		if p != nil {
			p.Kill()
		}
	}
	if r.eventarc != nil {
		r.eventarc.Wait()
	}
	if r.collector != nil {
		r.collector.Close()
	}
	var err error
	if r.storage != nil {
		err = r.storage.Close()
	}
	return errors.Join(err, os.RemoveAll(r.folder))
}
