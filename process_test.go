package eventdriver

import (
	"bufio"
	"encoding/json"
	"errors"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"example.com/eventdriver/internal/gcsfake"
)

// The tests here run the function as a process of its own, with a main like the
// one that Google's buildpack generates.
const generatedMain = `package main

import (
	"log"
	"os"

	_ "example.com/eventdriver"
	"github.com/GoogleCloudPlatform/functions-framework-go/funcframework"
)

func main() {
	if err := funcframework.StartHostPort("127.0.0.1", os.Getenv("PORT")); err != nil {
		log.Fatal(err)
	}
}
`

// built is the folder of the binary, once there is one.
var built string

// build returns the program: the one that FUNCTION_PROGRAM names, where
// deploy/build.sh has built it just as the buildpack does, or one of its own.
var build = sync.OnceValues(func() (string, error) {
	if program := os.Getenv("FUNCTION_PROGRAM"); program != "" {
		return program, nil
	}
	folder, err := os.MkdirTemp("", "eventdriver")
	if err != nil {
		return "", err
	}
	built = folder
	source, binary := filepath.Join(folder, "main.go"), filepath.Join(folder, "function")
	if err := os.WriteFile(source, []byte(generatedMain), 0o600); err != nil {
		return "", err
	}
	output, err := exec.Command("go", "build", "-o", binary, source).CombinedOutput()
	if err != nil {
		return "", errors.New(err.Error() + ": " + string(output))
	}
	return binary, nil
})

func TestMain(m *testing.M) {
	code := m.Run()
	if built != "" {
		_ = os.RemoveAll(built)
	}
	os.Exit(code)
}

// process is an instance of the function.
type process struct {
	url     string
	command *exec.Cmd
	lines   chan map[string]any // its log
	ended   chan struct{}       // closed when the process has ended
}

// instance starts the function as a process with these variables, NAME=value, and
// nothing else of this process's.
func instance(t *testing.T, variables ...string) *process {
	t.Helper()
	binary, err := build()
	if err != nil {
		t.Fatal(err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := listener.Addr().String()
	listener.Close()
	_, port, _ := net.SplitHostPort(addr)

	p := &process{url: "http://" + addr + "/", lines: make(chan map[string]any, 1000), ended: make(chan struct{})}
	p.command = exec.Command(binary)
	p.command.Env = append([]string{"FUNCTION_TARGET=EventDriver", "PORT=" + port}, variables...)
	log, err := p.command.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := p.command.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		defer close(p.ended)
		for scanner := bufio.NewScanner(log); scanner.Scan(); {
			line := map[string]any{"text": scanner.Text()}
			_ = json.Unmarshal(scanner.Bytes(), &line)
			p.lines <- line
		}
		_ = p.command.Wait()
		close(p.lines)
	}()
	t.Cleanup(func() {
		_ = p.command.Process.Kill()
		<-p.ended
	})
	return p
}

// up waits until the instance takes connections.
func (p *process) up(t *testing.T) *process {
	t.Helper()
	for range 500 {
		select {
		case <-p.ended:
			t.Fatal("the process ended before it took connections")
		default:
		}
		if connection, err := net.Dial("tcp", strings.Trim(strings.TrimPrefix(p.url, "http://"), "/")); err == nil {
			connection.Close()
			return p
		}
		<-time.After(20 * time.Millisecond) // there is no event to wait for
	}
	t.Fatal("the process takes no connections")
	return nil
}

// orders returns the log lines of processed orders, once the process has ended.
func (p *process) orders(t *testing.T) (orders []map[string]any) {
	t.Helper()
	<-p.ended
	for line := range p.lines {
		if line["message"] == "order processed" {
			orders = append(orders, line)
		}
	}
	return orders
}

func TestProcessNeedsOnlyTargetAndPort(t *testing.T) {
	p := instance(t).up(t)
	for _, source := range []string{"event1", "event2", "event3", "event2"} {
		if status, answer := post(t, p.url, source, "order-1", `{"n":1}`); status != http.StatusNoContent {
			t.Errorf("%s: %d %s", source, status, answer)
		}
	}
	if err := p.command.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if orders := p.orders(t); len(orders) != 1 || orders[0]["key"] != "order-1" || orders[0]["token"] != 1.0 {
		t.Errorf("log lines of orders: %v; want one, for order-1 with token 1", orders)
	}
	if code := p.command.ProcessState.ExitCode(); code != 0 {
		t.Errorf("exit code %d after SIGTERM", code)
	}
}

func TestProcessWithBadConfigurationDoesNotStart(t *testing.T) {
	p := instance(t, "LEASE=soon", "GCS_BUCKET=", "EVENT_STORE=gcs")
	<-p.ended
	if code := p.command.ProcessState.ExitCode(); code != 1 {
		t.Errorf("exit code %d, want 1", code)
	}
	line := <-p.lines
	message, _ := line["message"].(string)
	if line["severity"] != "ERROR" || !strings.Contains(message, "LEASE must be") || !strings.Contains(message, "GCS_BUCKET must name") {
		t.Errorf("log %v; want an error that names LEASE and GCS_BUCKET", line)
	}
}

func TestProcessWarnsOfMemoryInTheCloud(t *testing.T) {
	p := instance(t, "K_SERVICE=orders").up(t)
	post(t, p.url, "event1", "order-1", `1`)
	if line := <-p.lines; line["severity"] != "WARNING" || !strings.Contains(line["message"].(string), "GCS_BUCKET") {
		t.Errorf("first log line %v; want a warning that names GCS_BUCKET", line)
	}
}

// storageFor starts Cloud Storage and returns it with the variables for it.
func storageFor(t *testing.T) (*gcsfake.Server, []string) {
	t.Helper()
	storage := gcsfake.New(t, "bucket")
	return storage, []string{"STORAGE_EMULATOR_HOST=" + storage.Host(), "GCS_BUCKET=bucket", "LEASE=2s"}
}

func TestSIGTERMLetsRequestsFinish(t *testing.T) {
	storage, variables := storageFor(t)
	p := instance(t, variables...).up(t)
	reached, release := make(chan struct{}, 10), make(chan struct{})
	storage.OnRequest(func(r gcsfake.Request) gcsfake.Fault {
		if r.Kind != gcsfake.Insert {
			return gcsfake.Fault{}
		}
		reached <- struct{}{}
		return gcsfake.Fault{Hold: release}
	})
	var status int
	var wait sync.WaitGroup
	wait.Go(func() { status, _ = post(t, p.url, "event1", "order-1", `1`) })
	<-reached
	if err := p.command.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	for { // the signal takes a moment; GET needs no store
		response, err := http.Get(p.url)
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
	<-p.ended
	if status != http.StatusNoContent || p.command.ProcessState.ExitCode() != 0 {
		t.Errorf("answer %d, exit code %d; want the request to finish, then 0", status, p.command.ProcessState.ExitCode())
	}
}

// killAt sends the three events to an instance and kills it with SIGKILL when a
// request for an object with that name's end reaches Cloud Storage, which then
// either serves it (and nobody hears the answer) or never does. It returns what
// another instance did when the events were delivered again.
func killAt(t *testing.T, object string, served bool) (first, second []map[string]any) {
	t.Helper()
	storage, variables := storageFor(t)
	doomed := instance(t, variables...).up(t)
	reached := make(chan struct{})
	var once sync.Once
	storage.OnRequest(func(r gcsfake.Request) gcsfake.Fault {
		hit := false
		if r.Kind == gcsfake.Insert && strings.HasSuffix(r.Object, object) {
			once.Do(func() { hit = true })
		}
		if !hit {
			return gcsfake.Fault{}
		}
		close(reached)
		if served {
			return gcsfake.Fault{Drop: true}
		}
		return gcsfake.Fault{Hold: make(chan struct{})} // until the client is gone
	})
	sources := []string{"event1", "event2", "event3"}
	var wait sync.WaitGroup
	wait.Go(func() {
		for _, source := range sources {
			if response, err := http.DefaultClient.Do(event(t, doomed.url, source, "order-1", `1`)); err == nil { // the last one fails: the instance dies
				response.Body.Close()
			}
		}
	})
	<-reached
	if err := doomed.command.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	wait.Wait()
	first = doomed.orders(t)

	other := instance(t, variables...).up(t)
	for _, source := range sources {
		deliver(t, other.url, source, "order-1", `1`)
	}
	if err := other.command.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	return first, other.orders(t)
}

func TestCrashBeforePersist(t *testing.T) {
	first, second := killAt(t, "/events/event3", false)
	if len(first) != 0 || len(second) != 1 || second[0]["token"] != 1.0 {
		t.Errorf("processed %v, then %v; want nothing, then once with token 1", first, second)
	}
}

func TestCrashAfterPersistBeforeClaim(t *testing.T) {
	first, second := killAt(t, "/claim", false)
	if len(first) != 0 || len(second) != 1 {
		t.Errorf("processed %v, then %v; want nothing, then once", first, second)
	}
}

func TestCrashHoldingTheClaim(t *testing.T) {
	first, second := killAt(t, "/claim", true)
	// Killed before it could ask again for the answer that it lost, it did nothing;
	// or else it acted, and may even have completed the key.
	again := len(second) == 1 && second[0]["token"] == 2.0
	if !again && (len(first) != 1 || len(second) != 0) {
		t.Errorf("processed %v, then %v; want a run with token 2, unless the first had completed", first, second)
	}
}

// The one window: the effect happened, and nobody could note it. It happens again,
// and the greater token tells.
func TestCrashAfterTheEffectBeforeComplete(t *testing.T) {
	first, second := killAt(t, "/done", false)
	if len(first) != 1 || len(second) != 1 || first[0]["token"] != 1.0 || second[0]["token"] != 2.0 {
		t.Errorf("processed %v, then %v; want token 1, then token 2", first, second)
	}
}

func TestCrashAfterComplete(t *testing.T) {
	first, second := killAt(t, "/done", true)
	if len(first) != 1 || len(second) != 0 {
		t.Errorf("processed %v, then %v; want once, then never again", first, second)
	}
}
