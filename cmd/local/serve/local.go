package serve

import (
	"context"
	"errors"
	"net/http"
	"sync"
	"time"

	"example.com/eventdriver"
	"example.com/eventdriver/cmd/local/internal/events"
	"example.com/eventdriver/cmd/local/internal/lab"
	"example.com/eventdriver/cmd/local/internal/pubsub"
	"example.com/eventdriver/cmd/local/internal/records"
	"example.com/eventdriver/cmd/local/internal/trouble"
	"example.com/eventdriver/driver"
	"example.com/eventdriver/internal/fake/eventarc"
)

const (
	// mostRecords is how many records of a run are kept.
	mostRecords = 20_000
	// sweepEvery is how often the function sweeps. In the cloud, Cloud Scheduler decides.
	sweepEvery = time.Minute
	// deliveryDeadline is that of the subscriptions that Eventarc makes.
	deliveryDeadline = 10 * time.Second
)

// local is everything that runs on this machine.
type local struct {
	lab.Lab
	options     options
	settings    settings
	business    driver.Handler        // of the one instance; processes have their own
	function    *eventdriver.Function // nil: the instances are processes
	eventarc    *eventarc.Eventarc
	pubsub      *pubsub.Bus // nil: eventarc alone brings the events
	publishAddr string
	consoleAddr string // empty: no console
	endConsole  func() error
	emulators   map[string]string // the addresses of the store's, by their variables
	parts       sync.WaitGroup    // what runs until endParts
	endParts    context.CancelFunc
	publisher   *http.Server
	closers     []func() error // called from the last to the first
}

// start starts everything; the deliveries end with ctx.
func start(ctx context.Context, o options, business driver.Handler, s settings, p *printer) (*local, error) {
	s.here["EVENT_STORE"] = o.store
	s.setUnlessSet("CLAIM_STORE", o.store) // the environment may name a bucket that is not on this machine
	l := &local{options: o, settings: s, business: business}
	l.Records = records.New(mostRecords, p.print)
	l.Troubles = trouble.New(l.Records)
	if err := l.startAll(ctx, p); err != nil {
		return nil, errors.Join(err, l.stop())
	}
	return l, nil
}

func (l *local) startAll(ctx context.Context, p *printer) (err error) {
	if err := l.startStore(ctx, l.options.store); err != nil {
		return err
	}
	l.noteEmulators()
	if l.options.pubsub {
		if err := l.startPubsub(ctx); err != nil {
			return err
		}
	}
	if l.options.instances > 1 {
		l.settings.setUnlessSet("LEASE", "20s") // so that what a killed instance held is soon taken over
	}
	if l.Config, err = eventdriver.ConfigFromEnv(l.settings.lookup); err != nil {
		return err
	}
	p.setLevel(l.Config.LogLevel)
	if l.options.store != eventdriver.StoreMemory { // opened before the function's, and past the troubles
		if err := l.openState(ctx); err != nil {
			return err
		}
	}
	if err := l.startInstances(ctx); err != nil {
		return err
	}
	parts, end := context.WithCancel(ctx)
	l.endParts = end
	if l.Config.JoinDeadline > 0 {
		l.parts.Go(func() { l.SweepEvery(parts, sweepEvery, l.sweepFailed) })
	}
	return l.startPublisher(ctx)
}

func (l *local) openState(ctx context.Context) (err error) {
	if l.State, err = eventdriver.OpenState(ctx, l.Config); err != nil {
		return err
	}
	l.closers = append(l.closers, l.State.Close)
	return nil
}

func (l *local) sweepFailed(err error) {
	l.Records.Add(records.Record{Kind: records.Log, Severity: "ERROR", Message: "the sweep failed",
		Attributes: map[string]any{"error": err.Error()}})
}

// startInstances starts the function, in this process or in several of its own.
func (l *local) startInstances(ctx context.Context) error {
	if l.options.instances > 1 {
		return l.startProcesses(ctx)
	}
	return l.startFunction(ctx)
}

func (l *local) startPublisher(ctx context.Context) error {
	listener, err := listen("-publish-addr", l.options.publishAddr)
	if err != nil {
		return err
	}
	l.publishAddr = listener.Addr().String()
	l.eventarc = eventarc.New(ctx, eventarc.Config{Route: l.Fleet.Route, Path: triggers(l.Config), Deadline: deliveryDeadline,
		OnSend: l.onSend, OnAnswer: l.onAnswer})
	bus, err := l.openBus(ctx)
	if err != nil {
		return errors.Join(err, listener.Close())
	}
	l.Events = events.New(bus, sources(l.Config), l.Records)
	l.publisher = &http.Server{Handler: publishHandler(l.Events), ReadHeaderTimeout: 10 * time.Second}
	go func() { _ = l.publisher.Serve(listener) }() // until stop
	return nil
}

// stop lets deliveries that are under way finish, then closes everything.
func (l *local) stop() error {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	var errs []error
	if l.endConsole != nil {
		errs = append(errs, l.endConsole())
	}
	if l.publisher != nil {
		errs = append(errs, l.publisher.Shutdown(ctx))
		l.eventarc.Wait()
	}
	if l.pubsub != nil {
		errs = append(errs, l.pubsub.Close())
	}
	if l.endParts != nil {
		l.endParts()
		l.parts.Wait()
	}
	if l.function != nil {
		errs = append(errs, l.function.Drain(ctx), l.function.Close())
	}
	if l.Fleet != nil {
		errs = append(errs, l.Fleet.Close())
	}
	for i := range l.closers {
		errs = append(errs, l.closers[len(l.closers)-1-i]())
	}
	return errors.Join(errs...)
}
