package eventdriver

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"testing"

	"example.com/eventdriver/internal/fake/bigquery"
	"example.com/eventdriver/internal/fake/gcs"
	"example.com/eventdriver/proof/instances"
)

// The tests here run the function as a process of its own.

// built is the folder of the program, once there is one.
var built string

// build returns the program: the one that FUNCTION_PROGRAM names, where
// deploy/build.sh has built it just as the buildpack does, or one of its own.
var build = sync.OnceValues(func() (program string, err error) {
	if program := os.Getenv("FUNCTION_PROGRAM"); program != "" {
		return program, nil
	}
	if built, err = os.MkdirTemp("", "eventdriver"); err != nil {
		return "", err
	}
	return instances.Build(context.Background(), built, instances.Program{})
})

// TestMain has the tests see none of the function's variables, so that what the user's
// shell has set for a deployment, or for make run, changes nothing here.
func TestMain(m *testing.M) {
	for _, name := range append(knownVariables(), "STORAGE_EMULATOR_HOST", "PUBSUB_EMULATOR_HOST", "PORT") {
		_ = os.Unsetenv(name) // it fails for no name that knownVariables has
	}
	code := bigquery.Main(m)
	if built != "" {
		_ = os.RemoveAll(built)
	}
	os.Exit(code)
}

// instance is a process of the function.
type instance struct {
	*instances.Process
	lines chan map[string]any // its log, closed when it has ended
}

// start starts the function with these variables, NAME=value, and nothing else of
// this process's.
func start(t *testing.T, variables ...string) instance {
	t.Helper()
	program, err := build()
	if err != nil {
		t.Fatal(err)
	}
	lines := make(chan map[string]any, 1<<20) // more than any test has: a process whose log nobody reads stops
	p, err := instances.Start(t.Context(), program, variables, instances.Lines(func(line []byte) {
		entry := map[string]any{"text": string(line)}
		_ = json.Unmarshal(line, &entry)
		lines <- entry
	}))
	if err != nil {
		t.Fatal(err)
	}
	go func() {
		<-p.Ended()
		close(lines)
	}()
	t.Cleanup(p.Kill)
	return instance{p, lines}
}

// orders returns the log lines of processed orders, once the process has ended.
func (p instance) orders() (orders []map[string]any) {
	for line := range p.lines {
		if line["message"] == instances.Acted {
			orders = append(orders, line)
		}
	}
	return orders
}

// warning returns the message of the next warning, or nothing if the process ends before.
func (p instance) warning() string {
	for line := range p.lines {
		if line["severity"] == "WARNING" {
			return fmt.Sprint(line["message"])
		}
	}
	return ""
}

// terminate ends a process as the platform does, and returns what it processed.
func (p instance) terminate(t *testing.T) []map[string]any {
	t.Helper()
	p.Terminate()
	orders := p.orders()
	if code := p.ExitCode(); code != 0 {
		t.Errorf("exit code %d after SIGTERM", code)
	}
	return orders
}

// The main that the buildpack writes says by package log why it ends.
func TestProcessSaysWhyItEndsAtAnyLevel(t *testing.T) {
	program, err := build()
	if err != nil {
		t.Fatal(err)
	}
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	_, port, err := net.SplitHostPort(taken.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	_, err = instances.Start(t.Context(), program, []string{"PORT=" + port, "LOG_LEVEL=error"}, nil)
	if err == nil || !strings.Contains(err.Error(), "address already in use") {
		t.Errorf("its log says nothing of the port: %v", err)
	}
}

func TestProcessNeedsOnlyTargetAndPort(t *testing.T) {
	p := start(t)
	for _, source := range []string{"event1", "event2", "event3", "event2"} {
		if status, answer := post(t, p.URL, source, "order-1", `{"n":1}`); !taken(status) {
			t.Errorf("%s: %d %s", source, status, answer)
		}
	}
	if orders := p.terminate(t); len(orders) != 1 || orders[0]["key"] != "order-1" || orders[0]["token"] != 1.0 {
		t.Errorf("log lines of orders: %v; want one, for order-1 with token 1", orders)
	}
}

func TestProcessLogsItsStores(t *testing.T) {
	p := start(t, "GCS_BUCKET=bucket", "CLAIM_STORE=memory")
	if line := <-p.lines; line["severity"] != "INFO" || line["eventStore"] != "gcs" || line["claimStore"] != "memory" {
		t.Errorf("first log line %v; want one that names both stores", line)
	}
}

func TestProcessWithBadConfigurationDoesNotStart(t *testing.T) {
	program, err := build()
	if err != nil {
		t.Fatal(err)
	}
	_, err = instances.Start(t.Context(), program, []string{"LEASE=soon", "GCS_BUCKET=", "EVENT_STORE=gcs"}, nil)
	if err == nil {
		t.Fatal("it started")
	}
	for _, want := range []string{"exit code 1\n", `"severity":"ERROR"`, "LEASE must be", "GCS_BUCKET must be"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%v\nwant %q in it", err, want)
		}
	}
}

func TestProcessWarnsOfMemoryInTheCloud(t *testing.T) {
	p := start(t, "K_SERVICE=orders", "GOMEMLIMIT=512MiB")
	post(t, p.URL, "event1", "order-1", `1`)
	if text := p.warning(); !strings.Contains(text, "GCS_BUCKET") {
		t.Errorf("first warning %q; want one that names GCS_BUCKET", text)
	}
}

// storageFor starts Cloud Storage and returns it with the variables for it.
func storageFor(t *testing.T) (*gcs.Server, []string) {
	t.Helper()
	storage := gcs.New(t, "bucket")
	return storage, []string{"STORAGE_EMULATOR_HOST=" + storage.Host(), "GCS_BUCKET=bucket", "LEASE=2s"}
}

func TestSIGTERMLetsRequestsFinish(t *testing.T) {
	storage, variables := storageFor(t)
	p := start(t, variables...)
	reached, release := make(chan struct{}, 10), make(chan struct{})
	storage.OnRequest(func(r gcs.Request) gcs.Fault {
		if r.Kind != gcs.Insert {
			return gcs.Fault{}
		}
		reached <- struct{}{}
		return gcs.Fault{Hold: release}
	})
	var status int
	var wait sync.WaitGroup
	wait.Go(func() { status, _ = post(t, p.URL, "event1", "order-1", `1`) })
	<-reached
	p.Terminate()
	for { // the signal takes a moment; GET needs no store
		response, err := http.Get(p.URL)
		if err != nil {
			t.Fatalf("the process ended, with a request under way: %v", err)
		}
		response.Body.Close()
		if response.StatusCode == http.StatusServiceUnavailable {
			break
		}
	}
	close(release)
	wait.Wait()
	<-p.Ended()
	if !taken(status) || p.ExitCode() != 0 {
		t.Errorf("answer %d, exit code %d; want the request to finish, then 0", status, p.ExitCode())
	}
}

// killAt sends the three events to an instance and kills it with SIGKILL when a
// request for an object with that name's end reaches Cloud Storage, which then
// either serves it (and nobody hears the answer) or never does. It returns what
// another instance did when the events were delivered again.
func killAt(t *testing.T, object string, served bool) (first, second []map[string]any) {
	t.Helper()
	storage, variables := storageFor(t)
	doomed := start(t, variables...)
	reached := make(chan struct{})
	var once sync.Once
	storage.OnRequest(func(r gcs.Request) gcs.Fault {
		hit := false
		if r.Kind == gcs.Insert && strings.HasSuffix(r.Object, object) {
			once.Do(func() { hit = true })
		}
		if !hit {
			return gcs.Fault{}
		}
		close(reached)
		if served {
			return gcs.Fault{Drop: true}
		}
		return gcs.Fault{Hold: make(chan struct{})} // until the client is gone
	})
	sources := []string{"event1", "event2", "event3"}
	var wait sync.WaitGroup
	wait.Go(func() {
		for _, source := range sources {
			if response, err := http.DefaultClient.Do(event(t, doomed.URL, source, "order-1", `1`)); err == nil { // the last one fails: the instance dies
				response.Body.Close()
			}
		}
	})
	<-reached
	doomed.Kill()
	wait.Wait()
	first = doomed.orders()

	other := start(t, variables...)
	for _, source := range sources {
		deliver(t, other.URL, source, "order-1", `1`)
	}
	return first, other.terminate(t)
}

func TestCrashBeforePersist(t *testing.T) {
	t.Parallel() // it waits for leases
	first, second := killAt(t, "/events/event3", false)
	if len(first) != 0 || len(second) != 1 || second[0]["token"].(float64) < 1 {
		t.Errorf("processed %v, then %v; want nothing, then once", first, second)
	}
}

func TestCrashAfterPersistBeforeClaim(t *testing.T) {
	t.Parallel() // it waits for leases
	first, second := killAt(t, "/claim", false)
	if len(first) != 0 || len(second) != 1 {
		t.Errorf("processed %v, then %v; want nothing, then once", first, second)
	}
}

func TestCrashHoldingTheClaim(t *testing.T) {
	t.Parallel() // it waits for leases
	first, second := killAt(t, "/claim", true)
	// Killed before it could ask again for the answer that it lost, it did nothing;
	// or else it acted, and may even have completed the key.
	again := len(second) == 1 && (len(first) == 0 || second[0]["token"] == first[0]["token"].(float64)+1)
	if !again && (len(first) != 1 || len(second) != 0) {
		t.Errorf("processed %v, then %v; want a run with the next token, unless the first had completed", first, second)
	}
}

// The one window: the effect happened, and nobody could note it. It happens again,
// and the greater token tells.
func TestCrashAfterTheEffectBeforeComplete(t *testing.T) {
	t.Parallel() // it waits for leases
	first, second := killAt(t, "/done", false)
	if len(first) != 1 || len(second) != 1 || second[0]["token"] != first[0]["token"].(float64)+1 {
		t.Errorf("processed %v, then %v; want one run, then another with the next token", first, second)
	}
}

func TestCrashAfterComplete(t *testing.T) {
	t.Parallel() // it waits for leases
	first, second := killAt(t, "/done", true)
	if len(first) != 1 || len(second) != 0 {
		t.Errorf("processed %v, then %v; want once, then never again", first, second)
	}
}
