package stranger

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"example.com/eventdriver/internal/repo/clone"
	"example.com/eventdriver/internal/repo/markdown"
	"example.com/eventdriver/internal/repo/prove"
)

// TestShownCommands runs the commands that the README and the tutorial show, in a copy of the clone and
// in their order, and compares what they print with what is shown. The word after the language of a
// block says what it is:
//
//   - sh: it is run, and must succeed;
//   - sh background: it runs on, until the next of these or the end of the document;
//   - sh cloud: it needs an account, and is left out;
//   - text: lines that the last commands, or the program in the background, print;
//   - go FILE: it is written into the file.
func TestShownCommands(t *testing.T) {
	prove.Only(t, "it runs the commands of the README and the tutorial, which build programs")
	for _, name := range []string{"README.md", "docs/tutorial.md"} {
		t.Run(name, func(t *testing.T) {
			for _, port := range []string{"8080", "8081", "8082"} {
				listener, err := net.Listen("tcp", "127.0.0.1:"+port)
				if err != nil {
					t.Skipf("the commands listen on %s, which is taken: %v", port, err)
				}
				listener.Close()
			}
			dir := filepath.Join(t.TempDir(), "eventdriver")
			if err := clone.Copy("../../..", dir); errors.Is(err, clone.ErrNoGit) {
				t.Skip(err)
			} else if err != nil {
				t.Fatal(err)
			}
			text, err := os.ReadFile(filepath.Join(dir, name))
			if err != nil {
				t.Fatal(err)
			}
			r := &reader{t: t, dir: dir}
			defer r.stop()
			for _, block := range markdown.Parse(string(text)).Blocks {
				r.follow(block)
			}
			if r.commands == 0 {
				t.Error("no block was run")
			}
		})
	}
}

// reader does what a document says.
type reader struct {
	t          *testing.T
	dir        string // where it is now
	printed    string // by the last commands
	background *exec.Cmd
	lines      chan string // of the background; closed at its end
	commands   int
}

func (r *reader) follow(b markdown.Block) {
	r.t.Helper()
	switch kind := strings.TrimSpace(b.Language + " " + b.Info); {
	case kind == "sh":
		r.run(b)
	case kind == "sh background":
		r.start(b)
	case kind == "sh cloud":
		r.t.Logf("line %d is left out: it needs an account", b.Line)
	case b.Language == "sh":
		r.t.Errorf("line %d: what is %s?", b.Line, kind)
	case kind == "text":
		r.expect(b)
	case b.Language == "go" && b.Info != "":
		if err := os.WriteFile(filepath.Join(r.dir, b.Info), []byte(b.Text), 0o644); err != nil {
			r.t.Fatal(err)
		}
	}
}

// shell returns a command with the variables of this process, but those of a deployment.
func (r *reader) shell(script string) *exec.Cmd {
	cmd := exec.CommandContext(r.t.Context(), "bash", "-euo", "pipefail", "-c", script)
	cmd.Dir = r.dir
	cmd.Env = slices.DeleteFunc(os.Environ(), func(variable string) bool {
		name, _, _ := strings.Cut(variable, "=")
		return name == prove.Variable || name == "STORAGE_EMULATOR_HOST" || strings.HasPrefix(name, "BIGQUERY_")
	})
	cmd.WaitDelay = 10 * time.Second
	return cmd
}

// run runs the commands of a block, and goes where they have gone.
func (r *reader) run(b markdown.Block) {
	r.t.Helper()
	r.commands++
	where := filepath.Join(r.t.TempDir(), "where")
	out, err := r.shell(b.Text + "\npwd >'" + where + "'").CombinedOutput()
	if err != nil {
		r.t.Fatalf("line %d: %v\n%s\n%s", b.Line, err, b.Text, out)
	}
	dir, err := os.ReadFile(where)
	if err != nil {
		r.t.Fatal(err)
	}
	r.dir, r.printed = strings.TrimSpace(string(dir)), string(out)
}

// start runs the program of a block until stop, and returns when it says that it listens.
func (r *reader) start(b markdown.Block) {
	r.t.Helper()
	r.stop()
	r.commands++
	cmd := r.shell("exec " + b.Text)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // go run starts another process
	out, err := cmd.StderrPipe()
	if err != nil {
		r.t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		r.t.Fatal(err)
	}
	r.background, r.lines = cmd, make(chan string, 10_000)
	go func(lines chan<- string) { // until the process ends, for which stop waits
		defer close(lines)
		for scanner := bufio.NewScanner(out); scanner.Scan(); {
			lines <- scanner.Text()
		}
	}(r.lines)
	r.await(b, "The function listens on")
}

// stop ends the program in the background as Ctrl-C does.
func (r *reader) stop() {
	if r.background == nil {
		return
	}
	if err := syscall.Kill(-r.background.Process.Pid, syscall.SIGINT); err != nil {
		r.t.Error(err)
	}
	for range r.lines { // to the end of the process
	}
	var exit *exec.ExitError
	if err := r.background.Wait(); err != nil && !errors.As(err, &exit) { // go run fails when it is interrupted
		r.t.Error(err)
	}
	r.background = nil
}

// expect looks for the lines of a block in what was printed.
func (r *reader) expect(b markdown.Block) {
	r.t.Helper()
	for line := range strings.Lines(b.Text) {
		line = strings.TrimSpace(line)
		if line != "" && !strings.Contains(same(r.printed), same(line)) {
			r.await(b, line)
		}
	}
}

// await waits until the program in the background has printed a line.
func (r *reader) await(b markdown.Block, line string) {
	r.t.Helper()
	if r.background == nil {
		r.t.Fatalf("line %d: %s\nis not in what was printed:\n%s", b.Line, line, r.printed)
	}
	var seen bytes.Buffer
	for timeout := time.After(5 * time.Minute); ; {
		select {
		case printed, more := <-r.lines:
			if !more {
				r.t.Fatalf("line %d: the program has ended, and did not print\n%s\nbut\n%s", b.Line, line, seen.String())
			}
			fmt.Fprintln(&seen, printed)
			if strings.Contains(same(printed), same(line)) {
				return
			}
		case <-timeout:
			r.t.Fatalf("line %d: the program does not print\n%s\nbut\n%s", b.Line, line, seen.String())
		}
	}
}

// differs is what differs from one time to the next: times, tokens, and how long a test took.
var differs = regexp.MustCompile(`\d\d:\d\d:\d\d|\b\d{13}\b|\b\d+\.\d+s\b|\(cached\)`)

func same(text string) string { return differs.ReplaceAllString(text, "…") }
