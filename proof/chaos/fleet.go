package chaos

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync"
	"time"

	"example.com/eventdriver/internal/fake/proxy"
	"example.com/eventdriver/proof/instances"
)

// atOnce is how many deliveries an instance has at once. A paused instance keeps its
// deliveries and gets no more, and the others go on.
const atOnce = 10

// fleet is the instances of a round. Killed instances are replaced.
type fleet struct {
	ctx       context.Context // ends the starts and the waiting for an instance
	program   string
	variables []string
	logs      string
	name      string // what the instances' names begin with
	chronicle *chronicle
	tasks     sync.WaitGroup // starts, and watches over what was started

	mu      sync.Mutex
	changed *sync.Cond
	slots   []*slot
	ending  bool
	broken  []string // what instances did that they never should
}

// slot is the place of an instance, which its replacements take after it.
type slot struct {
	number  int
	store   *proxy.Proxy // between the instance and Cloud Storage
	started int
	current *instance // nil until it is up
}

// instance is a process that has come up.
type instance struct {
	name    string
	slot    *slot
	process *instances.Process
	log     io.Closer

	// These belong to the fleet's lock.
	busy    int // deliveries
	gone    bool
	stopped bool
}

// open starts instances, each with a connection of its own to the store.
func (f *fleet) open(ctx context.Context, instances int, store string) error {
	f.ctx, f.changed = ctx, sync.NewCond(&f.mu)
	for i := range instances {
		p, err := proxy.Start(store)
		if err != nil {
			f.end()
			return err
		}
		f.slots = append(f.slots, &slot{number: i + 1, store: p})
	}
	context.AfterFunc(ctx, func() {
		f.mu.Lock()
		defer f.mu.Unlock()
		f.changed.Broadcast()
	})
	for _, s := range f.slots {
		f.tasks.Go(func() { f.start(s) })
	}
	return nil
}

// start starts an instance in the slot and returns when it is up.
func (f *fleet) start(s *slot) {
	f.mu.Lock()
	s.started++
	name := fmt.Sprintf("%s-%d-%d", f.name, s.number, s.started)
	f.mu.Unlock()
	log, err := f.createLog(name)
	if err != nil {
		f.violated("%s: %v", name, err)
		return
	}
	variables := append([]string{"INSTANCE=" + name, "STORAGE_EMULATOR_HOST=" + s.store.Addr()}, f.variables...)
	started, err := instances.Start(f.ctx, f.program, variables, log)
	if err != nil {
		_ = log.Close()
		if f.ctx.Err() == nil {
			f.violated("%s: %v", name, err)
		}
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.ending {
		started.Kill() // nobody has sent it anything
		_ = log.Close()
		return
	}
	in := &instance{name: name, slot: s, process: started, log: log}
	s.current = in
	f.changed.Broadcast()
	f.tasks.Go(func() { f.watch(in) })
}

// createLog makes the file for an instance's log, if logs are kept.
func (f *fleet) createLog(name string) (io.WriteCloser, error) {
	if f.logs == "" {
		return discard{io.Discard}, nil
	}
	return os.Create(filepath.Join(f.logs, name+".log"))
}

type discard struct{ io.Writer }

func (discard) Close() error { return nil }

// watch replaces an instance that ends by itself.
func (f *fleet) watch(in *instance) {
	<-in.process.Ended()
	_ = in.log.Close() // for people who look into a failure
	if f.leave(in) {
		f.violated("%s ended by itself with exit code %d:\n%s", in.name, in.process.ExitCode(), in.process.Log())
		f.start(in.slot)
	}
}

// leave takes an instance out of the fleet; false: it is out.
func (f *fleet) leave(in *instance) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if in.gone || f.ending {
		return false
	}
	in.gone = true
	if in.slot.current == in {
		in.slot.current = nil
	}
	return true
}

// kill kills an instance and has another take its place; false: it is gone.
func (f *fleet) kill(in *instance, d deed) bool {
	if in == nil || !f.leave(in) {
		return false
	}
	f.chronicle.kill(in.name, d)
	killed := make(chan struct{})
	f.tasks.Go(func() {
		in.process.Kill()
		close(killed)
		f.start(in.slot)
	})
	<-killed
	return true
}

// pause stops an instance, and continues it in the background when until returns. When
// pause returns, nothing in the instance runs. false: the instance is gone, or stopped
// already.
func (f *fleet) pause(in *instance, d deed, until func(ended <-chan struct{})) bool {
	f.mu.Lock()
	if in == nil || in.gone || in.stopped || f.ending {
		f.mu.Unlock()
		return false
	}
	in.stopped = true
	f.mu.Unlock()
	over := f.chronicle.pause(in.name, d)
	in.process.Stop()
	f.tasks.Go(func() {
		until(in.process.Ended())
		in.process.Continue()
		over()
		f.mu.Lock()
		defer f.mu.Unlock()
		in.stopped = false
	})
	return true
}

// any returns an instance that is up, or nil.
func (f *fleet) any(random *rand.Rand) *instance {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.choose(random.IntN, func(*instance) bool { return true })
}

// named returns the instance of that name, or nil if it is gone.
func (f *fleet) named(name string) *instance {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.choose(rand.IntN, func(in *instance) bool { return in.name == name })
}

func (f *fleet) choose(intN func(int) int, fits func(*instance) bool) *instance {
	var fitting []*instance
	for _, s := range f.slots {
		if s.current != nil && fits(s.current) {
			fitting = append(fitting, s.current)
		}
	}
	if len(fitting) == 0 {
		return nil
	}
	return fitting[intN(len(fitting))]
}

// route chooses where the next event is delivered: any instance that is up, paused or
// not, and has fewer than atOnce deliveries.
func (f *fleet) route(ctx context.Context) (url string, done func(), err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for ctx.Err() == nil {
		in := f.choose(rand.IntN, func(in *instance) bool { return in.busy < atOnce })
		if in != nil {
			in.busy++
			return in.process.URL, func() {
				f.mu.Lock()
				defer f.mu.Unlock()
				in.busy--
				f.changed.Broadcast()
			}, nil
		}
		f.changed.Wait()
	}
	return "", nil, ctx.Err()
}

// endWithin is how long an instance may take to end after SIGTERM; it gives itself
// nine seconds.
const endWithin = time.Minute

// end asks all instances to end, and checks that they end in good order. All pauses must
// have ended.
func (f *fleet) end() {
	f.mu.Lock()
	f.ending = true
	var last []*instance
	for _, s := range f.slots {
		if s.current != nil {
			last = append(last, s.current)
			s.current = nil
		}
	}
	f.mu.Unlock()
	var ends sync.WaitGroup
	for _, in := range last {
		ends.Go(func() { f.terminate(in) })
	}
	ends.Wait()
	f.tasks.Wait()
	for _, s := range f.slots {
		_ = s.store.Close() // nothing is under way any more
	}
}

func (f *fleet) terminate(in *instance) {
	in.process.Terminate()
	select {
	case <-in.process.Ended():
		if code := in.process.ExitCode(); code != 0 {
			f.violated("%s ended with exit code %d after SIGTERM:\n%s", in.name, code, in.process.Log())
		}
	case <-time.After(endWithin):
		in.process.Kill()
		f.violated("%s did not end within %v after SIGTERM", in.name, endWithin)
	}
}

func (f *fleet) violated(format string, args ...any) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.broken = append(f.broken, fmt.Sprintf(format, args...))
}
