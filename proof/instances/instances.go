package instances

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// Process is an instance of the function. Its methods are safe for concurrent use.
type Process struct {
	URL string // where it takes events

	command *exec.Cmd
	stdin   io.Closer
	log     *log
	ended   chan struct{}
}

// attempts is how often a start is tried, in case another takes the port.
const attempts = 5

// Start starts a program that [Build] has built, and waits until it takes connections. Its
// environment is these variables, NAME=value, and none of this process's. Its log is
// copied to copyTo, unless that is nil; a write that fails is ignored.
func Start(ctx context.Context, program string, variables []string, copyTo io.Writer) (*Process, error) {
	var errs []error
	for range attempts {
		p, err := launch(program, variables, copyTo)
		if err != nil {
			return nil, err
		}
		err = p.up(ctx)
		if err == nil {
			return p, nil
		}
		p.Kill()
		errs = append(errs, err)
		if ctx.Err() != nil || !strings.Contains(p.Log(), "address already in use") {
			break
		}
	}
	return nil, errors.Join(errs...)
}

func launch(program string, variables []string, copyTo io.Writer) (*Process, error) {
	port, err := FreePort()
	if err != nil {
		return nil, err
	}
	p := &Process{URL: "http://127.0.0.1:" + port + "/", log: &log{copyTo: copyTo}, ended: make(chan struct{})}
	p.command = exec.Command(program)
	p.command.Env = append([]string{"FUNCTION_TARGET=EventDriver", "PORT=" + port}, variables...)
	p.command.Stdout, p.command.Stderr = p.log, p.log
	if p.stdin, err = p.command.StdinPipe(); err != nil {
		return nil, err
	}
	if err := p.command.Start(); err != nil {
		return nil, err
	}
	go func() {
		_ = p.command.Wait() // ExitCode tells
		close(p.ended)
	}()
	return p, nil
}

// up returns when the process takes connections.
func (p *Process) up(ctx context.Context) error {
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for {
		connection, err := net.Dial("tcp", strings.Trim(strings.TrimPrefix(p.URL, "http:"), "/"))
		if err == nil {
			return connection.Close()
		}
		select {
		case <-p.ended:
			return fmt.Errorf("the function ended before it took connections: exit code %d\n%s", p.ExitCode(), p.Log())
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
	}
}

// PID returns the process's number.
func (p *Process) PID() int { return p.command.Process.Pid }

// Kill ends the process with SIGKILL, stopped or not, and waits until it is gone.
func (p *Process) Kill() {
	_ = p.command.Process.Kill() // gone already, if this fails
	<-p.ended
}

// Stop stops the process with SIGSTOP. When it returns, none of its threads runs.
func (p *Process) Stop() {
	_ = p.command.Process.Signal(syscall.SIGSTOP)
	for range 1000 { // the signal may take a moment to reach a thread
		if state, known := p.state(); !known || state == 'T' {
			return
		}
		select {
		case <-p.ended:
			return
		case <-time.After(time.Millisecond):
		}
	}
}

// Continue lets a stopped process go on, with SIGCONT.
func (p *Process) Continue() { _ = p.command.Process.Signal(syscall.SIGCONT) }

// Terminate asks the process to end, with SIGTERM, as Cloud Run does.
func (p *Process) Terminate() { _ = p.command.Process.Signal(syscall.SIGTERM) }

// Ended is closed when the process has ended.
func (p *Process) Ended() <-chan struct{} { return p.ended }

// ExitCode returns the exit code of a process that has ended; -1: a signal ended it.
func (p *Process) ExitCode() int {
	<-p.ended
	return p.command.ProcessState.ExitCode()
}

// Log returns the end of what the process has logged.
func (p *Process) Log() string { return p.log.String() }

// FreePort returns a free port of 127.0.0.1 below 32768. The system gives outgoing
// connections ports from there up, so none of them takes it. This process gets each port
// once, until it had all: what connects to it would take another instance for the one that
// is about to listen.
func FreePort() (string, error) {
	const first, last = 20000, 32000
	var err error
	for range 100 {
		port := strconv.Itoa(first + int(nextPort.Add(1)%(last-first)))
		var listener net.Listener
		if listener, err = net.Listen("tcp", "127.0.0.1:"+port); err == nil {
			return port, listener.Close()
		}
	}
	return "", err
}

// nextPort begins anywhere, since other processes need ports, too.
var nextPort atomic.Uint32

func init() { nextPort.Store(rand.Uint32N(1 << 20)) }

// log keeps the end of what is written to it.
type log struct {
	copyTo io.Writer

	mu  sync.Mutex
	end []byte
}

const logEnd = 16 << 10

// Write implements io.Writer.
func (l *log) Write(text []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.copyTo != nil {
		_, _ = l.copyTo.Write(text)
	}
	l.end = append(l.end, text...)
	if len(l.end) > 2*logEnd {
		l.end = bytes.Clone(l.end[len(l.end)-logEnd:])
	}
	return len(text), nil
}

func (l *log) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return string(l.end)
}

// Lines returns a writer that calls line with each whole line that is written to it,
// one at a time, without the line's end.
func Lines(line func([]byte)) io.Writer { return &lines{line: line} }

type lines struct {
	line func([]byte)

	mu   sync.Mutex
	rest []byte // a line that has not ended
}

// Write implements io.Writer.
func (l *lines) Write(text []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.rest = append(l.rest, text...)
	for {
		line, rest, found := bytes.Cut(l.rest, []byte("\n"))
		if !found {
			return len(text), nil
		}
		l.line(line)
		l.rest = rest
	}
}
