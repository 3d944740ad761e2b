// Package programs builds and runs what is measured as processes of their own.
package programs

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"example.com/eventdriver/bench/subject"
	"example.com/eventdriver/proof/instances"
)

// Build builds a program of this module into a file, as the deployments build the function, with these build
// tags, separated by commas, beside theirs.
func Build(ctx context.Context, file, program, tags string) error {
	build := exec.CommandContext(ctx, "go", "build", "-tags", "disable_grpc_modules,"+tags, "-ldflags", "-s -w",
		"-o", file, "example.com/eventdriver/bench/programs/"+program)
	if out, err := build.CombinedOutput(); err != nil {
		return fmt.Errorf("go build %s: %w\n%s", program, err, out)
	}
	return nil
}

// Process is a program that runs. Close it.
type Process struct {
	Addr    string    // where it listens
	Usage   string    // where it serves its usage
	Started time.Time // when it was started

	command *exec.Cmd
	stdin   io.Closer
	log     *os.File
}

// Start starts a program with these variables and arguments, and waits until it takes connections.
// addr is where it listens; empty: PORT says so, a free one. What it logs goes to a file in the
// folder of the program, as a log goes somewhere in the cloud, too.
func Start(ctx context.Context, file, addr string, variables []string, args ...string) (*Process, error) {
	p := &Process{Addr: addr}
	if addr == "" {
		port, err := instances.FreePort()
		if err != nil {
			return nil, err
		}
		p.Addr = "127.0.0.1:" + port
		variables = append(variables, "PORT="+port)
	}
	port, err := instances.FreePort()
	if err != nil {
		return nil, err
	}
	p.Usage = "127.0.0.1:" + port
	variables = append(variables, "FUNCTION_TARGET=EventDriver", subject.UsageAddr+"="+p.Usage)
	p.command = exec.Command(file, args...)
	p.command.Env = variables
	if p.stdin, err = p.command.StdinPipe(); err != nil {
		return nil, err
	}
	if p.log, err = os.Create(file + ".log"); err != nil {
		return nil, err
	}
	p.command.Stdout, p.command.Stderr = p.log, p.log
	p.Started = time.Now()
	if err := p.command.Start(); err != nil {
		return nil, err
	}
	if err := p.wait(ctx); err != nil {
		return nil, fmt.Errorf("%s: %w\n%s", filepath.Base(file), err, p.end())
	}
	return p, nil
}

// wait returns when the process takes connections.
func (p *Process) wait(ctx context.Context) error {
	for until := time.Now().Add(30 * time.Second); ; time.Sleep(500 * time.Microsecond) {
		connection, err := net.Dial("tcp", p.Addr)
		if err == nil {
			return connection.Close()
		}
		if time.Now().After(until) || ctx.Err() != nil {
			return err
		}
	}
}

// end ends the process, and returns the end of its log.
func (p *Process) end() []byte {
	p.Close()
	text, _ := os.ReadFile(p.log.Name())
	return bytes.TrimSpace(text[max(0, len(text)-4096):])
}

// Used returns what the process has used until now.
func (p *Process) Used(ctx context.Context) (u subject.Usage, err error) {
	return u, Get(ctx, p.Usage, &u)
}

// Get reads JSON from the root of an address.
func Get(ctx context.Context, addr string, into any) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+addr+"/", nil)
	if err != nil {
		return err
	}
	request.Close = true
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	return json.NewDecoder(answer.Body).Decode(into)
}

// Close ends the process and waits for it. It may be called again.
func (p *Process) Close() {
	_ = p.stdin.Close()
	_ = p.command.Process.Kill() // nothing of it is worth waiting for
	_ = p.command.Wait()
	_ = p.log.Close()
}
