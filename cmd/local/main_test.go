package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"example.com/eventdriver/internal/fake/bigquery"
	"example.com/eventdriver/internal/fake/gcs"
)

var binary string

func TestMain(m *testing.M) {
	folder, err := os.MkdirTemp("", "local")
	if err != nil {
		panic(err)
	}
	binary = filepath.Join(folder, "local")
	if output, err := exec.Command("go", "build", "-o", binary, ".").CombinedOutput(); err != nil {
		panic(fmt.Sprintf("%v: %s", err, output))
	}
	code := bigquery.Main(m)
	_ = os.RemoveAll(folder)
	os.Exit(code)
}

// command is the program with these variables, NAME=value, and none of this
// process's.
func command(t *testing.T, variables []string, args ...string) *exec.Cmd {
	t.Helper()
	c := exec.CommandContext(t.Context(), binary, args...)
	c.Env = append([]string{"HOME=" + t.TempDir()}, variables...)
	return c
}

func TestDemo(t *testing.T) {
	other := gcs.New(t)
	for _, c := range []struct {
		name      string
		variables []string
		args      []string
	}{
		{"gcs", nil, nil},
		{"memory", nil, []string{"-store", "memory"}},
		{"bigquery", []string{"BIGQUERY_EMULATOR_HOST=" + os.Getenv("BIGQUERY_EMULATOR_HOST"),
			"BIGQUERY_STORAGE_EMULATOR_HOST=" + os.Getenv("BIGQUERY_STORAGE_EMULATOR_HOST")}, []string{"-store", "bigquery"}},
		{"somebody else's emulator", []string{"STORAGE_EMULATOR_HOST=" + other.Host()}, nil},
		{"somebody else's emulator again", []string{"STORAGE_EMULATOR_HOST=" + other.Host(), "LOG_LEVEL=error", "DEAD_LETTER_TOPIC=projects/p/topics/letters", "OUTPUT_TOPIC=projects/p/topics/out"}, nil},
		{"somebody else's emulator, with scheme", []string{"STORAGE_EMULATOR_HOST=" + other.URL, "GCS_BUCKET=second"}, nil},
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
				var order struct{ Message, Key string }
				if err := json.Unmarshal([]byte(line), &order); err != nil || order.Message != "order processed" || seen[order.Key] {
					t.Errorf("line %s: %v; want one JSON line for each order", line, err)
				}
				seen[order.Key] = true
			}
			if len(seen) != 28 {
				t.Errorf("%d orders on standard output, want 28", len(seen))
			}
		})
	}
	if names, err := other.Names("local"); err != nil || len(names) == 0 {
		t.Errorf("the other emulator was not used: %d objects, %v", len(names), err)
	}
}

func TestServePublishAndStop(t *testing.T) {
	local := command(t, nil, "-addr", "127.0.0.1:0", "-publish-addr", "127.0.0.1:0")
	out, err := local.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	log, err := local.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := local.Start(); err != nil {
		t.Fatal(err)
	}
	url := ""
	for scanner := bufio.NewScanner(log); url == "" && scanner.Scan(); {
		if _, rest, ok := strings.Cut(scanner.Text(), "'http://"); ok {
			url, _, _ = strings.Cut("http://"+rest, "/publish")
		}
	}
	go func() { _, _ = io.Copy(io.Discard, log) }() // until the process ends
	for _, event := range []string{"event1", "event2", "event3", "event1"} {
		response, err := http.Post(url+"/publish/"+event+"?key=order-1", "application/json", strings.NewReader(`{"n":1}`))
		if err != nil {
			t.Fatal(err)
		}
		response.Body.Close()
		if response.StatusCode != http.StatusAccepted {
			t.Errorf("%s: %s", event, response.Status)
		}
	}
	scanner := bufio.NewScanner(out)
	if !scanner.Scan() || !strings.Contains(scanner.Text(), `"message":"order processed","key":"order-1","token":1`) {
		t.Errorf("standard output %q; want the processed order", scanner.Text())
	}
	if response, err := http.Get(url + "/"); err != nil || response.StatusCode != http.StatusNotFound {
		t.Errorf("a page that is none: %v, %v", response, err)
	}
	if err := local.Process.Signal(syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	for scanner.Scan() {
		t.Errorf("more on standard output: %s", scanner.Text())
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
		{nil, []string{"now"}, `unexpected argument "now"`},
		{[]string{"LEASE=soon"}, nil, "LEASE must be"},
	} {
		output, err := command(t, c.variables, c.args...).CombinedOutput()
		if err == nil || !strings.Contains(string(output), c.says) {
			t.Errorf("%v %v: %v, %s; want a failure that says %s", c.variables, c.args, err, output, c.says)
		}
	}
}
