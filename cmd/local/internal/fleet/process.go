package fleet

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"strconv"
	"syscall"
	"time"
)

// process is the process of an instance.
type process struct {
	url     string
	command *exec.Cmd
	stdin   io.Closer // ends with this process, and tells the instance so
	ended   chan struct{}
}

// endWithin is how long an instance may take to end when it is asked to.
const endWithin = 10 * time.Second

func startProcess(command, environment []string, log io.Writer) (*process, error) {
	port, err := freePort()
	if err != nil {
		return nil, err
	}
	p := &process{url: "http://127.0.0.1:" + port, ended: make(chan struct{})}
	p.command = exec.Command(command[0], command[1:]...)
	p.command.Env = append(environment, "PORT="+port)
	p.command.Stdout, p.command.Stderr = log, log
	p.command.SysProcAttr = attributes()
	p.command.WaitDelay = time.Second // a child of its own may have its log
	if p.stdin, err = p.command.StdinPipe(); err != nil {
		return nil, err
	}
	if err := p.command.Start(); err != nil {
		return nil, err
	}
	go func() {
		_ = p.command.Wait() // fate tells
		close(p.ended)
	}()
	return p, nil
}

// freePort returns a free port of 127.0.0.1 below 32768: the system gives outgoing connections
// ports from there up, so none of them takes it.
func freePort() (string, error) {
	const first, last = 20000, 32000
	var err error
	for range 100 {
		port := strconv.Itoa(first + rand.IntN(last-first))
		var listener net.Listener
		if listener, err = net.Listen("tcp", "127.0.0.1:"+port); err == nil {
			return port, listener.Close()
		}
	}
	return "", err
}

// up returns when the process takes connections.
func (p *process) up(ctx context.Context) error {
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for {
		connection, err := net.Dial("tcp", p.url[len("http://"):])
		if err == nil {
			return connection.Close()
		}
		select {
		case <-p.ended:
			return fmt.Errorf("it ended before it took connections: %s; see its log", p.fate())
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
	}
}

func (p *process) pid() int { return p.command.Process.Pid }

// fate says how a process has ended.
func (p *process) fate() string {
	<-p.ended
	return p.command.ProcessState.String()
}

func (p *process) signalKill() error {
	err := p.command.Process.Kill()
	if errors.Is(err, os.ErrProcessDone) {
		return nil
	}
	return err
}

// kill ends the process, and waits for that.
func (p *process) kill() {
	_ = p.signalKill() // it is gone already, if this fails
	<-p.ended
}

// terminate asks the process to end, and kills it if it doesn't.
func (p *process) terminate() {
	_ = p.thaw()
	_ = p.command.Process.Signal(syscall.SIGTERM)
	select {
	case <-p.ended:
	case <-time.After(endWithin):
		p.kill()
	}
}
