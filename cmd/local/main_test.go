package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"net"
	"net/http"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"example.com/eventdriver/internal/fake/bigquery"
	"example.com/eventdriver/internal/fake/gcs"
	"example.com/eventdriver/proof/instances"
)

var binary string

func TestMain(m *testing.M) {
	folder, err := os.MkdirTemp("", "local")
	if err != nil {
		panic(err)
	}
	if binary, err = instances.Build(context.Background(), folder, instances.Program{Package: "cmd/local"}); err != nil {
		panic(err)
	}
	code := bigquery.Main(m)
	_ = os.RemoveAll(folder)
	os.Exit(code)
}

// command is the program with these variables, NAME=value, and none of this
// process's.
func command(t *testing.T, variables []string, args ...string) *exec.Cmd {
	t.Helper()
	// A test that waits in vain fails, and one on a slow emulator does not: there a lease may run out, too.
	within := 5 * time.Minute
	if bigquery.OnEmulator() {
		within = 15 * time.Minute
	}
	ctx, cancel := context.WithTimeout(t.Context(), within)
	t.Cleanup(cancel)
	c := exec.CommandContext(ctx, binary, args...)
	c.Env = append([]string{"HOME=" + t.TempDir()}, variables...)
	return c
}

func TestDemo(t *testing.T) {
	other, bigquery := gcs.New(t), []string{"BIGQUERY_EMULATOR_HOST=" + os.Getenv("BIGQUERY_EMULATOR_HOST")}
	for _, c := range []struct {
		name      string
		variables []string
		args      []string
	}{
		{"gcs", nil, nil},
		{"memory", nil, []string{"-store", "memory"}},
		{"processes", nil, []string{"-instances", "2"}},
		{"bigquery", bigquery, []string{"-store", "bigquery"}},
		{"bigquery again", bigquery, []string{"-store", "bigquery"}},
		{"somebody else's emulator", []string{"STORAGE_EMULATOR_HOST=" + other.Host()}, nil},
		{"somebody else's emulator again", []string{"STORAGE_EMULATOR_HOST=" + other.Host()}, nil},
		{"somebody else's emulator, with scheme", []string{"STORAGE_EMULATOR_HOST=" + other.URL}, nil},
		{"settings of a deployment", []string{"EVENT_SOURCES=paid,packed", "ERASE_SOURCES=paid",
			"SOURCE_ALIASES=paid:payments", "KEY_POINTER=/id", "GCS_BUCKET=of-the-deployment", "GCS_FOLDER=orders",
			"EVENT_STORE=redis", "CLAIM_STORE=memory", "STORE_TIMEOUT=1ns", "LEASE=soon", "BODY_LIMIT=1",
			"DEAD_LETTERS=off", "LOG_LEVEL=error", "DEAD_LETTER_TOPIC=projects/p/topics/letters", "OUTPUT_TOPIC=projects/p/topics/out"}, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			demo := command(t, c.variables, append([]string{"-demo"}, c.args...)...)
			var log bytes.Buffer
			demo.Stderr = &log
			output, err := demo.Output()
			if err != nil {
				t.Fatalf("%v\n%s\n%s", err, output, log.String())
			}
			lines := strings.Split(strings.TrimSpace(string(output)), "\n")
			const want = "demo: 28 orders, 28 processed once, 0 lost, 0 doubled, 2 dead-lettered"
			if last := lines[len(lines)-1]; last != want {
				t.Errorf("last line %q, want %q", last, want)
			}
			seen := make(map[string]bool)
			for _, line := range lines[:len(lines)-1] {
				_, line, _ = strings.Cut(line, " ") // the time
				line = instance.ReplaceAllString(line, "")
				if key, what, _ := strings.Cut(line, " "); strings.HasPrefix(what, "order processed") {
					if seen[key] {
						t.Errorf("%s was processed twice", key)
					}
					seen[key] = true
				}
			}
			if len(seen) != 28 {
				t.Errorf("%d orders on standard output, want 28\n%s", len(seen), output)
			}
		})
	}
	if names, err := other.Names("local"); err != nil || len(names) == 0 {
		t.Errorf("the other emulator was not used: %d objects, %v", len(names), err)
	}
}

// instance is what a line says of the process that has written it.
var instance = regexp.MustCompile(`^\[\d+\] `)

// TestServePublishAndStop also listens on all addresses, which is IPv6 where there is that.
func TestServePublishAndStop(t *testing.T) {
	local := command(t, []string{"EVENT_SOURCES=paid,packed"}, "-json",
		"-addr", ":0", "-publish-addr", "127.0.0.1:0", "-console-addr", "127.0.0.1:0")
	log, err := local.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := local.Start(); err != nil {
		t.Fatal(err)
	}
	url := ""
	lines := bufio.NewScanner(log)
	for url == "" && lines.Scan() {
		if _, rest, ok := strings.Cut(lines.Text(), "'http://"); ok {
			url, _, _ = strings.Cut("http://"+rest, "/publish/paid")
		}
	}
	for _, event := range []string{"paid", "packed", "paid"} {
		response, err := http.Post(url+"/publish/"+event+"?key=order-1", "application/json", strings.NewReader(`{"n":1}`))
		if err != nil {
			t.Fatal(err)
		}
		response.Body.Close()
		if response.StatusCode != http.StatusAccepted {
			t.Errorf("%s: %s", event, response.Status)
		}
	}
	line := `"message":"` + instances.Acted + `","key":"order-1","token":1`
	acted := 0
	for acted == 0 && lines.Scan() {
		acted += strings.Count(lines.Text(), line)
	}
	if response, err := http.Get(url + "/"); err != nil || response.StatusCode != http.StatusNotFound {
		t.Errorf("a page that does not exist: %v, %v", response, err)
	}
	if err := local.Process.Signal(syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	for lines.Scan() { // to the end of the process
		acted += strings.Count(lines.Text(), line)
	}
	if acted != 1 {
		t.Errorf("the business acted %d times, want once", acted)
	}
	if err := local.Wait(); err != nil {
		t.Errorf("after an interrupt: %v", err)
	}
}

func TestMistakesAreNamed(t *testing.T) {
	busy, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer busy.Close()
	for _, c := range []struct {
		variables []string
		args      []string
		says      string
	}{
		{nil, []string{"-store", "redis"}, "-store must be one of memory, gcs, bigquery"},
		{nil, []string{"-addr", busy.Addr().String()}, "-addr"},
		{nil, []string{"-addr", "127.0.0.1:0", "-publish-addr", busy.Addr().String()}, "-publish-addr"},
		{nil, []string{"-instances", "0"}, "-instances must be 1 or more"},
		{nil, []string{"-instances", "2", "-store", "memory"}, "each process would have a memory of its own"},
		{nil, []string{"-demo", "-pubsub"}, "needs gcloud, which is not installed"}, // there is no PATH
		{nil, []string{"-data", "here", "-store", "memory"}, "-data is for the Cloud Storage"},
		{nil, []string{"-data", ""}, "-data is empty"},
		{nil, []string{"-addr", ""}, "-addr is empty"},
		{nil, []string{"now"}, `unexpected argument "now"`},
		{nil, []string{"-addr", "127.0.0.1:0", "-publish-addr", "127.0.0.1:0", "-console-addr", "0.0.0.0:0"}, "loopback"},
		{nil, []string{"-addr", "127.0.0.1:0", "-publish-addr", "127.0.0.1:0", "-console-addr", busy.Addr().String()}, "-console-addr"},
		{[]string{"LEASE=soon"}, nil, "LEASE must be"},
	} {
		output, err := command(t, c.variables, c.args...).CombinedOutput()
		if err == nil || !strings.Contains(string(output), c.says) {
			t.Errorf("%v %v: %v, %s; want a failure that says %s", c.variables, c.args, err, output, c.says)
		}
	}
}

// served is a local run that is under way.
type served struct {
	*exec.Cmd
	lines   *bufio.Scanner
	publish string // the URL to publish to
	said    []string
}

// serving starts the program, and returns when it says where to publish.
func serving(t *testing.T, variables []string, args ...string) *served {
	t.Helper()
	args = append([]string{"-addr", "127.0.0.1:0", "-publish-addr", "127.0.0.1:0", "-no-console"}, args...)
	s := &served{Cmd: command(t, variables, args...)}
	log, err := s.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Start(); err != nil {
		t.Fatal(err)
	}
	s.lines = bufio.NewScanner(log)
	line := s.until(t, "'http://")
	_, rest, _ := strings.Cut(line, "'http://")
	s.publish, _, _ = strings.Cut("http://"+rest, "/publish/")
	return s
}

// until reads the log to the line with a text, and returns that.
func (s *served) until(t *testing.T, text string) string {
	t.Helper()
	for s.lines.Scan() {
		s.said = append(s.said, s.lines.Text())
		if strings.Contains(s.lines.Text(), text) {
			return s.lines.Text()
		}
	}
	t.Fatalf("the program ended before it said %q:\n%s", text, strings.Join(s.said, "\n"))
	return ""
}

func (s *served) post(t *testing.T, topic, key string) {
	t.Helper()
	response, err := http.Post(s.publish+"/publish/"+topic+"?key="+key, "application/json", strings.NewReader(`{}`))
	if err != nil {
		t.Fatal(err)
	}
	response.Body.Close()
	if response.StatusCode != http.StatusAccepted {
		t.Errorf("%s: %s", topic, response.Status)
	}
}

// end interrupts the program, reads its log to the end and waits for it.
func (s *served) end(t *testing.T) {
	t.Helper()
	if err := s.Process.Signal(syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	for s.lines.Scan() {
		s.said = append(s.said, s.lines.Text())
	}
	if err := s.Wait(); err != nil {
		t.Errorf("after an interrupt: %v", err)
	}
}

// What a run has stored is there in the next, also when the first was killed.
func TestDataIsKept(t *testing.T) {
	folder := t.TempDir()
	variables := []string{"EVENT_SOURCES=paid,packed"}
	first := serving(t, variables, "-data", folder)
	first.post(t, "paid", "order-1")
	first.until(t, "order-1 paid kept, waiting for packed")
	if err := first.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = first.Wait() // it was killed

	second := serving(t, variables, "-data", folder)
	second.post(t, "packed", "order-1")
	second.until(t, "order-1 packed processed")
	second.end(t)

	third := serving(t, variables, "-data", folder)
	third.post(t, "paid", "order-1")
	third.until(t, "order-1 paid processed")
	third.end(t)
	if all := strings.Join(append(second.said, third.said...), "\n"); strings.Count(all, instances.Acted) != 1 {
		t.Errorf("want the business to act once:\n%s", all)
	}
}

// When the program is killed, no process of an instance is left, not even a frozen one.
func TestNoInstanceOutlivesTheProgram(t *testing.T) {
	local := serving(t, nil, "-instances", "2")
	found := regexp.MustCompile(`process (\d+) at http://(\S+)`).FindAllStringSubmatch(strings.Join(local.said, "\n"), -1)
	if len(found) != 2 {
		t.Fatalf("%q, want two processes", found)
	}
	frozen, err := strconv.Atoi(found[0][1])
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(syscall.Kill(frozen, syscall.SIGSTOP), local.Process.Kill()); err != nil {
		t.Fatal(err)
	}
	_ = local.Wait() // it was killed
	for _, instance := range found {
		for tick := range time.Tick(10 * time.Millisecond) { // until nobody listens
			connection, err := net.Dial("tcp", instance[2])
			if err != nil {
				break
			}
			connection.Close()
			if deadline, _ := t.Deadline(); !deadline.IsZero() && tick.Add(time.Minute).After(deadline) {
				t.Fatalf("process %s is still there", instance[1])
			}
		}
	}
}

// An interrupt ends the instances in good order.
func TestInstancesEndWithTheProgram(t *testing.T) {
	local := serving(t, []string{"EVENT_SOURCES=paid"}, "-instances", "2")
	local.post(t, "paid", "order-1")
	local.until(t, "order-1 paid processed")
	local.end(t)
}

// The log is for people, and what it prints at the start fits the settings.
func TestLogIsForPeople(t *testing.T) {
	local := serving(t, []string{"EVENT_SOURCES=placed,paid", "GCS_FOLDER=shop"})
	local.post(t, "paid", "order-1")
	local.until(t, "order-1 paid kept, waiting for placed")
	local.end(t)
	said := strings.Join(local.said, "\n")
	for _, part := range []string{"/publish/placed?key=order-1'", "/publish/paid?key=order-1'",
		"EVENT_SOURCES=placed,paid EVENT_STORE=gcs GCS_BUCKET=local GCS_FOLDER=shop STORAGE_EMULATOR_HOST=",
		"go run example.com/eventdriver/cmd/eventdriver letters list"} {
		if !strings.Contains(said, part) {
			t.Errorf("the log lacks %s:\n%s", part, said)
		}
	}
	if strings.Contains(said, "\x1b") || strings.Contains(said, `"message"`) {
		t.Errorf("colour, or JSON, in a file:\n%s", said)
	}
}
