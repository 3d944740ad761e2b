// Package eventdriver is a Cloud Function that acts once, when several events
// about the same thing have all arrived.
//
// Importing it registers two functions with the Functions Framework, set up from
// the environment (see [ConfigFromEnv]):
//
//   - EventDriver, the one to deploy: an HTTP function that Eventarc's triggers
//     and Pub/Sub's push subscriptions call.
//   - EventDriverCloudEvent, the same with the CloudEvent signature, for hosts
//     that call it one request at a time. The framework passes all requests to
//     such functions through one channel of the CloudEvents SDK, and under
//     concurrent requests some hang forever (cloudevents/sdk-go issues 1224 and
//     1332): do not use it on Cloud Run, where an instance serves many at once.
//
// The business is in orders.go, the file to replace. A module of its own declares an
// [EntryPoint] instead, and leaves these two alone. The packages under driver and
// stores hold the parts of the function.
package eventdriver

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	cloudevents "github.com/cloudevents/sdk-go/v2"

	"example.com/eventdriver/driver"
	"example.com/eventdriver/driver/admission"
	"example.com/eventdriver/driver/convert"
)

// Function answers events. It opens its stores when the first event arrives, and
// keeps them open. Create it with [New]. It is safe for concurrent use.
type Function struct {
	config   Config
	business driver.Handler
	err      error        // what is wrong with the configuration or with Business
	memory   int64        // bytes that the process may take; 0: as many as there are
	logger   *slog.Logger // nil: slog.Default(), when needed

	mu       sync.Mutex
	opened   atomic.Pointer[parts]
	active   atomic.Int64 // events that are being handled
	draining atomic.Bool  // the process is shutting down
}

// New returns a function that joins events as config says, and gives the joined
// ones to business. The error says what is wrong with config, or that business is nil.
func New(config Config, business driver.Handler) (*Function, error) {
	if err := config.Validate(); err != nil {
		return nil, err
	}
	if business == nil {
		return nil, errors.New("the business handler is nil")
	}
	return newFunction(config, business, nil), nil
}

func newFunction(config Config, business driver.Handler, err error) *Function {
	return &Function{config: config, business: business, err: err, memory: processMemory()}
}

// log returns where all of the function's parts log.
func (f *Function) log() *slog.Logger { return driver.Logger(f.logger) }

var errDraining = errors.New("this instance is shutting down: deliver the event again")

// ServeHTTP answers one event: a CloudEvent in binary or structured form, or a
// message that Pub/Sub pushed. POST of /sweep without an event is [Function.Sweep]. A 2xx
// status acknowledges it; after any other the platform delivers it again. [convert.ToHTTPHandler] lists the statuses.
func (f *Function) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f.active.Add(1)
	defer f.active.Add(-1)
	if f.draining.Load() {
		turnAway(w, http.StatusServiceUnavailable, errDraining.Error())
		return
	}
	ctx := withTrace(r)
	parts, err := f.open(ctx)
	if err != nil {
		f.log().ErrorContext(ctx, "the function could not be set up, the event will be delivered again", "error", err)
		turnAway(w, http.StatusInternalServerError, err.Error())
		return
	}
	ctx = parts.observer.arrive(ctx, r.Header)
	defer f.idle(ctx, parts)
	if isSweep(r) {
		parts.sweeper.serveSweep(w, r.WithContext(ctx))
		return
	}
	if ctx != r.Context() {
		r = r.WithContext(ctx)
	}
	parts.serveHTTP.ServeHTTP(w, r)
}

// turnAway answers a request whose body nobody reads, and closes the connection: the
// server would wait for the rest of the body for as long as the client likes.
func turnAway(w http.ResponseWriter, status int, text string) {
	connection, until := http.NewResponseController(w), time.Now().Add(convert.DefaultClientTimeout)
	_ = errors.Join(connection.SetReadDeadline(until), connection.SetWriteDeadline(until)) // not every server can
	w.Header().Set("Connection", "close")
	http.Error(w, text, status)
}

// Receive handles one event; nil acknowledges it.
func (f *Function) Receive(ctx context.Context, event cloudevents.Event) error {
	f.active.Add(1)
	defer f.active.Add(-1)
	if f.draining.Load() {
		return errDraining
	}
	parts, err := f.open(ctx)
	if err != nil {
		f.log().ErrorContext(ctx, "the function could not be set up, the event will be delivered again", "error", err)
		return err
	}
	ctx = parts.observer.arrive(ctx, nil)
	defer f.idle(ctx, parts)
	return parts.receive(ctx, event)
}

// idle has the observer send what it has, if the event that ends now is the last that is handled: the
// process may be without CPU once it is answered.
func (f *Function) idle(ctx context.Context, parts *parts) {
	if f.active.Load() == 1 {
		parts.observer.idle(ctx)
	}
}

// DeadLetters returns the store of the function's dead letters. It opens the stores
// if they are not open yet.
func (f *Function) DeadLetters(ctx context.Context) (driver.DeadLetterStore, error) {
	parts, err := f.open(ctx)
	if err != nil {
		return nil, err
	}
	return parts.stores.deadLetters, nil
}

// Drain waits until no event is being handled, or returns the context's error.
// Handlers that still run though their request has ended count, too.
func (f *Function) Drain(ctx context.Context) error {
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for f.busy() {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
	}
	return nil
}

func (f *Function) busy() bool {
	parts := f.opened.Load()
	return f.active.Load() > 0 || parts != nil && parts.pipeline.Abandoned() > 0
}

// Close closes the stores. Call it after [Function.Drain]: another event opens them
// again.
func (f *Function) Close() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if parts := f.opened.Swap(nil); parts != nil {
		ctx, cancel := context.WithTimeout(context.Background(), telemetryWithin)
		defer cancel()
		return errors.Join(parts.stores.close(), parts.observer.shutdown(ctx))
	}
	return nil
}

// parts is what an open function consists of.
type parts struct {
	observer  observer
	stores    stores
	pipeline  *driver.Pipeline
	sweeper   *sweeper
	serveHTTP http.Handler
	receive   func(context.Context, cloudevents.Event) error
}

// open returns the parts. The first call makes them; if it fails, the next event
// tries again.
func (f *Function) open(ctx context.Context) (*parts, error) {
	if parts := f.opened.Load(); parts != nil {
		return parts, nil
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if parts := f.opened.Load(); parts != nil {
		return parts, nil
	}
	if f.err != nil {
		return nil, f.err
	}
	var parts *parts
	err := driver.Guard(func() (err error) {
		parts, err = f.assemble(context.WithoutCancel(ctx))
		return err
	})
	if err != nil {
		return nil, err
	}
	f.opened.Store(parts)
	return parts, nil
}

func (f *Function) assemble(ctx context.Context) (*parts, error) {
	input, err := f.config.input()
	if err != nil {
		return nil, err
	}
	observer := openTelemetry(ctx, f.config, f.logger)
	parts, err := f.observedBy(ctx, observer, input)
	if err != nil {
		stop(ctx, observer)
	}
	return parts, err
}

// stop stops an observer that has seen nothing, and does not wait for a collector that hangs: events
// wait for the next attempt to open the stores.
func stop(ctx context.Context, o observer) {
	ctx, cancel := context.WithTimeout(ctx, flushWithin)
	defer cancel()
	_ = o.shutdown(ctx)
}

func (f *Function) observedBy(ctx context.Context, observer observer, input convert.InputConverter) (*parts, error) {
	stores, err := openStores(ctx, f.config, observer)
	if err != nil {
		return nil, err
	}
	pipeline, err := newPipeline(f.config, stores, f.business, f.logger, observer)
	if err != nil {
		return nil, errors.Join(err, stores.close())
	}
	if f.config.uses(StoreMemory) && inCloud() {
		f.log().WarnContext(ctx, "EVENT_STORE or CLAIM_STORE is memory: "+
			"each instance has its own, and forgets it when it ends. "+
			"Orders WILL be lost and doubled. Set GCS_BUCKET.")
	}
	gate := admission.New(eventMemory(f.memory))
	if largest := convert.LargestBody(gate); largest < f.config.BodyLimit {
		f.log().WarnContext(ctx, "BODY_LIMIT is more than the memory is enough for: "+
			"larger bodies are cut and dead-lettered. Give the function more memory.",
			"limit", f.config.BodyLimit, "largest", largest)
	}
	opts := []convert.Option{convert.Admission(gate), convert.BodyLimit(f.config.BodyLimit), convert.Logger(f.logger),
		convert.ConverterReturns()}
	if f.config.DeadLetters {
		opts = append(opts, convert.DeadLetters(observer.stores(f.config, stores).deadLetters), convert.MaxAge(f.config.MaxEventAge))
	}
	if err := observer.inFlight(gate); err != nil {
		return nil, errors.Join(err, stores.close())
	}
	processor := observer.processor(pipeline)
	opts = append(opts, observer.options()...)
	return &parts{
		observer:  observer,
		stores:    stores,
		pipeline:  pipeline,
		sweeper:   newSweeper(f.config, stores, processor, gate, f.logger, observer.waiting()),
		serveHTTP: convert.ToHTTPHandler(input, processor, opts...),
		receive:   convert.ToCloudFunction(input, processor, opts...),
	}, nil
}
