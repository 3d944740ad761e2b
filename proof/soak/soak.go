package soak

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync/atomic"
	"time"

	"example.com/eventdriver/driver/convert"
	"example.com/eventdriver/internal/fake/eventarc"
	"example.com/eventdriver/internal/fake/proxy"
	"example.com/eventdriver/proof/instances"
)

// soak is a run.
type soak struct {
	options  Options
	folder   string // of the program
	program  string
	metrics  string // where the function serves its metrics
	orders   *orders
	storage  *storage
	proxy    *proxy.Proxy // to the current storage
	function *instances.Process
	target   atomic.Pointer[instances.Process] // the one that events go to
	eventarc *eventarc.Eventarc
	underWay chan struct{} // deliveries

	published int // events
	report    *Report
}

// Run runs the function as the options say, and reports. An error means that the run
// could not be made; faults of the function are in the report.
func Run(ctx context.Context, o Options) (report *Report, err error) {
	if err := errors.Join(o.Check(), instances.CanMeasure()); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(ctx)
	s := &soak{options: o, orders: newOrders(), underWay: make(chan struct{}, atOnce), report: &Report{Options: o}}
	defer func() {
		cancel()
		err = errors.Join(err, s.close())
	}()
	if err := s.start(ctx); err != nil {
		return nil, err
	}
	if err := s.load(ctx); err != nil {
		return nil, err
	}
	if err := s.shutDown(ctx); err != nil {
		return nil, err
	}
	s.report.Curves = Judge(s.report.Samples, o.For)
	s.report.Orders, s.report.Processed, s.report.Doubled = s.orders.sum()
	s.report.Deliveries = s.eventarc.Deliveries()
	s.report.OK = s.report.Passed()
	return s.report, nil
}

// start starts all that is needed.
func (s *soak) start(ctx context.Context) (err error) {
	if s.folder, err = os.MkdirTemp("", "soak"); err != nil {
		return err
	}
	if s.program, err = instances.Build(ctx, s.folder, instances.Program{}); err != nil {
		return err
	}
	if s.storage, err = newStorage(); err != nil {
		return err
	}
	if s.proxy, err = proxy.Start(s.storage.now.Host()); err != nil {
		return err
	}
	port, err := instances.FreePort()
	if err != nil {
		return err
	}
	s.metrics = "127.0.0.1:" + port
	variables := []string{instances.MetricsAddr + "=" + s.metrics}
	if s.options.Store == GCS {
		variables = append(variables, "GCS_BUCKET="+bucket, "STORAGE_EMULATOR_HOST="+s.proxy.Addr())
	}
	if s.function, err = instances.Start(ctx, s.program, variables, instances.Lines(s.orders.line)); err != nil {
		return err
	}
	s.target.Store(s.function)
	s.eventarc = eventarc.New(ctx, eventarc.Config{LongestBackoff: time.Second, Route: s.route, Path: convert.SourcePath})
	return nil
}

// atOnce is how many deliveries there are at once. It bounds the goroutines and
// connections that the function needs, however busy the machine is.
const atOnce = 4

// route leads to the function, and waits while atOnce deliveries are under way.
func (s *soak) route(ctx context.Context) (url string, done func(), err error) {
	select {
	case s.underWay <- struct{}{}:
		return s.target.Load().URL, func() { <-s.underWay }, nil
	case <-ctx.Done():
		return "", nil, ctx.Err()
	}
}

// load publishes orders at the rate, and samples the process meanwhile.
func (s *soak) load(ctx context.Context) error {
	start := time.Now()
	look := time.NewTicker(s.options.Every)
	defer look.Stop()
	publish := time.NewTicker(time.Duration(float64(time.Second) / s.options.Rate))
	defer publish.Stop()
	for n := 0; ; {
		select {
		case <-ctx.Done():
			return errors.New("interrupted")
		case <-s.function.Ended():
			return fmt.Errorf("the function ended by itself, with exit code %d:\n%s", s.function.ExitCode(), s.function.Log())
		case <-publish.C:
			ready, err := s.ready(n)
			if err != nil {
				return err
			}
			if ready {
				s.publish(n)
				n++
			}
		case <-look.C:
			usage, err := s.function.Usage(ctx, s.metrics)
			if err != nil {
				return err
			}
			s.report.Samples = append(s.report.Samples, Sample{At: time.Since(start), Usage: usage})
		}
		if passed := time.Since(start); passed >= s.options.For {
			answered := float64(s.eventarc.Acknowledged()) / float64(max(1, s.published))
			s.report.Rate = float64(n) * answered / passed.Seconds()
			return nil
		}
	}
}

// The stand-in for Cloud Storage slows down with the number of objects, and then more
// goroutines and connections of the function wait for it. So an empty one replaces it
// after renewAfter orders, when nothing is under way.
const renewAfter = 300

// ready says whether the order with that number can come. It can't while the storage is
// full and in use.
func (s *soak) ready(n int) (bool, error) {
	if s.options.Store != GCS || n/renewAfter == s.storage.renewed {
		return true, nil
	}
	if s.eventarc.Acknowledged() < s.published {
		return false, nil
	}
	return true, s.storage.renew(s.proxy)
}

// publish publishes the order with that number, and the last event of an earlier one once
// more. The store in memory keeps all that it has ever seen. So with that store the same
// orders come again: from the second quarter on all are duplicates, and nothing is added.
func (s *soak) publish(n int) {
	if s.options.Store == Memory {
		s.publishOrder(fmt.Sprintf("order-%d", n%max(1, int(s.options.Rate*s.options.For.Seconds()/5))))
		return
	}
	const late = 10
	s.publishOrder(fmt.Sprintf("order-%d", n))
	if n%renewAfter >= late { // in the same storage
		earlier := fmt.Sprintf("order-%d", n-late)
		s.publishEvent("event3", earlier)
	}
}

func (s *soak) publishOrder(name string) {
	s.orders.expect(name)
	for _, topic := range []string{"event1", "event2", "event3"} {
		s.publishEvent(topic, name)
	}
}

func (s *soak) publishEvent(topic, name string) {
	s.published++
	s.eventarc.Publish(topic, name, content(name))
}

func content(name string) []byte {
	return fmt.Appendf(nil, `{"order":%q,"text":"%0400d"}`, name, 7)
}

// shutDown ends the function with SIGTERM while events are coming, and checks what it
// leaves.
func (s *soak) shutDown(ctx context.Context) error {
	s.options.Say("SIGTERM, while events are coming")
	for n := range 20 {
		s.publishOrder(fmt.Sprintf("last-order-%d", n))
	}
	asked := time.Now()
	s.function.Terminate()
	select {
	case <-s.function.Ended():
	case <-time.After(time.Minute):
		return errors.New("the function did not end within a minute after SIGTERM")
	case <-ctx.Done():
		return errors.New("interrupted")
	}
	s.report.EndedAfter = time.Since(asked).Seconds()
	s.report.ExitCode = s.function.ExitCode()
	if s.options.Store == Memory {
		s.orders.forgive() // their state is gone with the memory
		return nil
	}
	var err error
	s.report.OpenClaims, err = s.storage.openClaims()
	return errors.Join(err, s.finish(ctx))
}

// finish lets another instance process what the first one could not.
func (s *soak) finish(ctx context.Context) error {
	last, err := instances.Start(ctx, s.program, []string{"GCS_BUCKET=" + bucket, "STORAGE_EMULATOR_HOST=" + s.proxy.Addr()}, instances.Lines(s.orders.line))
	if err != nil {
		return err
	}
	s.target.Store(last)
	s.eventarc.Wait()
	last.Terminate()
	<-last.Ended()
	return nil
}

// close ends everything that still runs.
func (s *soak) close() error {
	var errs []error
	if s.function != nil {
		s.function.Kill()
	}
	if s.eventarc != nil {
		s.eventarc.Wait()
	}
	if s.proxy != nil {
		errs = append(errs, s.proxy.Close())
	}
	if s.storage != nil {
		errs = append(errs, s.storage.now.Close())
	}
	return errors.Join(append(errs, os.RemoveAll(s.folder))...)
}
