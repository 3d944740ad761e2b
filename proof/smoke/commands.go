package smoke

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"time"
)

// endWithin is how long a command that was interrupted may take to end: Terraform finishes what it has begun, and
// writes its state.
const endWithin = 10 * time.Minute

// terraform runs a command of Terraform's in the trial's folder.
func (t *trial) terraform(ctx context.Context, args ...string) error {
	args = append([]string{"-chdir=" + t.folder}, args...)
	t.say("+ %s", shown("terraform", args))
	if t.DryRun {
		return nil
	}
	return t.run(ctx, t.Out, "terraform", args...)
}

// read shows a command and runs it, unless this is a dry run, and returns what it prints.
func (t *trial) read(ctx context.Context, name string, args ...string) (string, error) {
	t.say("+ %s", shown(name, args))
	if t.DryRun {
		return "", nil
	}
	return t.execute(ctx, name, args...)
}

// execute runs a command, and returns what it prints.
func (t *trial) execute(ctx context.Context, name string, args ...string) (string, error) {
	var out bytes.Buffer
	err := t.run(ctx, &out, name, args...)
	return out.String(), err
}

// run runs a command. An interruption is passed on, once: the command is in a process group of its own, and does not get
// that of the terminal.
func (t *trial) run(ctx context.Context, out io.Writer, name string, args ...string) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	command := exec.CommandContext(ctx, name, args...)
	command.Dir, command.Stdout, command.Stderr = t.Root, out, t.Out
	command.Env = append(os.Environ(), "TF_IN_AUTOMATION=1", "CLOUDSDK_CORE_DISABLE_PROMPTS=1")
	command.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	command.Cancel = func() error { return command.Process.Signal(os.Interrupt) }
	command.WaitDelay = endWithin
	err := command.Run()
	if errors.Is(err, exec.ErrNotFound) {
		return fmt.Errorf("%s is not installed: %w", name, err)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", shown(name, args), err)
	}
	return nil
}

var plain = regexp.MustCompile(`^[-A-Za-z0-9_./:=,@%+]+$`)

// shown returns a command as a shell takes it.
func shown(name string, args []string) string {
	words := []string{name}
	for _, arg := range args {
		if !plain.MatchString(arg) {
			arg = "'" + strings.ReplaceAll(arg, "'", `'\''`) + "'"
		}
		words = append(words, arg)
	}
	return strings.Join(words, " ")
}

// shared is a writer for several at once.
type shared struct {
	mu sync.Mutex
	to io.Writer
}

// Write implements io.Writer.
func (s *shared) Write(text []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.to.Write(text)
}
