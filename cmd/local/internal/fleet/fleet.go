// Package fleet runs the instances of the function in a local run: one in this process, or
// several as processes of their own, which can be killed, frozen and started again.
package fleet

import (
	"context"
	"errors"
	"fmt"
	"io"
	"runtime"
	"slices"
	"strconv"
	"sync"
	"time"

	"example.com/eventdriver/cmd/local/internal/records"
)

// State is how an instance is.
type State string

// The states.
const (
	Starting State = "starting"
	Running  State = "running"
	Frozen   State = "frozen" // it does nothing, and nobody tells others so
	Dead     State = "dead"   // it is started again after a moment
)

// Instance describes one of the instances.
type Instance struct {
	ID    string    `json:"id"`
	PID   int       `json:"pid,omitempty"` // 0: there is no process
	State State     `json:"state"`
	Since time.Time `json:"since"` // it is in this state
}

// Errors of changes to instances.
var (
	ErrOneProcess = errors.New("the only instance is this program: run with -instances 3 to have processes")
	ErrUnknown    = errors.New("there is no such instance")
)

// restartAfter is how long an instance that has ended stays dead.
const restartAfter = 3 * time.Second

// Config says how instances are run as processes.
type Config struct {
	Count int
	// Command and Environment start an instance, which serves the function on 127.0.0.1 at
	// the port in the variable PORT. It must end when its standard input ends.
	Command     []string
	Environment func(id string) []string // NAME=value; the last of a name counts
	Log         func(id string) io.Writer
	Journal     *records.Journal
}

// Fleet is all instances. Make one with [Start] or [Single]; it is safe for concurrent use.
type Fleet struct {
	config  Config
	stop    context.CancelFunc
	running sync.WaitGroup

	mu      sync.Mutex
	members []*member
	next    int           // of the members, to route to
	changed chan struct{} // closed when a state changes
}

// member is one instance.
type member struct {
	Instance
	url     string
	process *process      // nil: it has not started
	wake    chan struct{} // starts a dead one at once
}

// Single returns a fleet of one instance that is no process of its own, and listens at url.
func Single(url string) *Fleet {
	one := &member{Instance: Instance{ID: "1", State: Running, Since: time.Now()}, url: url}
	return &Fleet{stop: func() {}, members: []*member{one}, changed: make(chan struct{})}
}

// Start starts instances as processes. It returns when all of them take connections, or an
// error if one of them does not.
func Start(ctx context.Context, config Config) (*Fleet, error) {
	ctx, stop := context.WithCancel(ctx)
	f := &Fleet{config: config, stop: stop, changed: make(chan struct{})}
	first := make(chan error, config.Count)
	for i := range config.Count {
		m := &member{Instance: Instance{ID: strconv.Itoa(i + 1), State: Starting, Since: time.Now()}, wake: make(chan struct{}, 1)}
		f.members = append(f.members, m)
	}
	for _, m := range f.members {
		f.running.Go(func() { f.keepRunning(ctx, m, first) })
	}
	var errs []error
	for range config.Count {
		errs = append(errs, <-first)
	}
	if err := errors.Join(errs...); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

// Close ends the processes, in good order where they allow it, and waits for them.
func (f *Fleet) Close() error {
	f.stop()
	f.running.Wait()
	return nil
}

// keepRunning starts an instance whenever it has ended, until the context does. What became
// of the first start goes to first.
func (f *Fleet) keepRunning(ctx context.Context, m *member, first chan<- error) {
	runtime.LockOSThread() // see attributes: the process ends with the thread that has started it
	p, err := f.launch(ctx, m)
	first <- err
	for {
		if err == nil {
			f.watch(ctx, m, p)
		} else {
			f.set(m, Dead, nil, fmt.Sprintf("instance %s does not start: %v", m.ID, err))
		}
		select {
		case <-time.After(restartAfter):
		case <-m.wake:
		case <-ctx.Done():
			return
		}
		p, err = f.launch(ctx, m)
	}
}

// launch starts the process of an instance, and returns when it takes connections.
func (f *Fleet) launch(ctx context.Context, m *member) (*process, error) {
	f.set(m, Starting, nil, "")
	p, err := startProcess(f.config.Command, f.config.Environment(m.ID), f.config.Log(m.ID))
	if err != nil {
		return nil, err
	}
	if err := p.up(ctx); err != nil {
		p.kill()
		return nil, fmt.Errorf("instance %s: %w", m.ID, err)
	}
	f.set(m, Running, p, fmt.Sprintf("instance %s runs: process %d at %s", m.ID, p.pid(), p.url))
	return p, nil
}

// watch returns when the process has ended.
func (f *Fleet) watch(ctx context.Context, m *member, p *process) {
	select {
	case <-p.ended:
		f.set(m, Dead, nil, fmt.Sprintf("instance %s has ended: %s", m.ID, p.fate()))
	case <-ctx.Done():
		p.terminate()
		f.set(m, Dead, nil, "")
	}
}

// set changes the state of an instance, and notes why unless there is nothing to say.
func (f *Fleet) set(m *member, state State, p *process, why string) {
	f.mu.Lock()
	m.State, m.Since, m.process, m.PID, m.url = state, time.Now(), p, 0, ""
	if p != nil {
		m.PID, m.url = p.pid(), p.url
	}
	f.announce()
	f.mu.Unlock()
	f.note(m.ID, why)
}

func (f *Fleet) note(id, why string) {
	if why != "" {
		f.config.Journal.Add(records.Record{Kind: records.Instance, Instance: id, Severity: "INFO", Message: why})
	}
}

// announce is called with the lock.
func (f *Fleet) announce() {
	close(f.changed)
	f.changed = make(chan struct{})
}

// Instances returns how the instances are.
func (f *Fleet) Instances() []Instance {
	f.mu.Lock()
	defer f.mu.Unlock()
	all := make([]Instance, len(f.members))
	for i, m := range f.members {
		all[i] = m.Instance
	}
	return all
}

// Route returns the URL of an instance that runs, one after another, and waits until there is
// one. It is the Route of eventarc.Config.
func (f *Fleet) Route(ctx context.Context) (url string, done func(), err error) {
	for {
		url, changed := f.pick()
		if url != "" {
			return url, func() {}, nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return "", nil, ctx.Err()
		}
	}
}

func (f *Fleet) pick() (url string, changed <-chan struct{}) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for range f.members {
		m := f.members[f.next]
		if f.next = (f.next + 1) % len(f.members); m.State == Running {
			return m.url, nil
		}
	}
	return "", f.changed
}

// At returns the ID of the instance that listens at url; "": none does.
func (f *Fleet) At(url string) (id string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if i := slices.IndexFunc(f.members, func(m *member) bool { return m.url == url }); i >= 0 {
		return f.members[i].ID
	}
	return ""
}

// Kill ends an instance's process at once, in the middle of what it does.
func (f *Fleet) Kill(id string) error {
	return f.change(id, "killed", Running, Frozen, func(m *member) error {
		m.State = Dead
		return m.process.signalKill()
	})
}

// Freeze stops an instance's process. What it had begun, it goes on with after Thaw.
func (f *Fleet) Freeze(id string) error {
	return f.change(id, "frozen", Running, Running, func(m *member) error {
		m.State = Frozen
		return m.process.freeze()
	})
}

// Thaw lets a frozen process go on.
func (f *Fleet) Thaw(id string) error {
	return f.change(id, "thawed", Frozen, Frozen, func(m *member) error {
		m.State = Running
		return m.process.thaw()
	})
}

// Start starts an instance that is dead, without waiting for its time.
func (f *Fleet) Start(id string) error {
	return f.change(id, "started", Dead, Dead, func(m *member) error {
		select {
		case m.wake <- struct{}{}:
		default: // it was told already
		}
		return nil
	})
}

// change changes an instance that is in one of two states.
func (f *Fleet) change(id, what string, one, other State, how func(*member) error) error {
	f.mu.Lock()
	i := slices.IndexFunc(f.members, func(m *member) bool { return m.ID == id })
	if i < 0 {
		f.mu.Unlock()
		return fmt.Errorf("instance %q: %w", id, ErrUnknown)
	}
	m := f.members[i]
	if f.config.Count == 0 {
		f.mu.Unlock()
		return ErrOneProcess
	}
	if m.State != one && m.State != other {
		f.mu.Unlock()
		return fmt.Errorf("instance %s is %s, so it can't be %s", id, m.State, what)
	}
	err := how(m)
	m.Since = time.Now()
	f.announce()
	f.mu.Unlock()
	if err != nil {
		return fmt.Errorf("instance %s can't be %s: %w", id, what, err)
	}
	f.note(id, fmt.Sprintf("instance %s was %s", id, what))
	return nil
}
