package eventdriver

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"os/signal"
	"sync"
	"syscall"
	"time"

	"github.com/GoogleCloudPlatform/functions-framework-go/functions"
	cloudevents "github.com/cloudevents/sdk-go/v2"

	"example.com/eventdriver/driver"
)

func init() {
	if deployed() {
		registered().start()
	}
	functions.HTTP("EventDriver", func(w http.ResponseWriter, r *http.Request) { registered().ServeHTTP(w, r) })
	functions.CloudEvent("EventDriverCloudEvent", func(ctx context.Context, e cloudevents.Event) error {
		return registered().Receive(ctx, e)
	})
}

// registered returns the function that the environment and orders.go describe. A test or
// a tool that imports this package never calls it: there, neither the settings nor what
// Business needs have to be present.
var registered = sync.OnceValue(func() *Function {
	config, err := ConfigFromEnv(os.LookupEnv)
	if err != nil {
		err = fmt.Errorf("configuration: %w", err)
	}
	var logger *slog.Logger
	if deployed() {
		logger = NewLogger(os.Stderr, config.LogLevel)
		slog.SetDefault(logger) // for the business handler and for libraries
	}
	handler, businessErr := OpenBusiness()
	f := newFunction(config, handler, errors.Join(err, businessErr))
	f.logger = logger
	return f
})

// OpenBusiness returns the handler of orders.go. A panic of [Business] is an error.
func OpenBusiness() (driver.Handler, error) { return openBusiness(business) }

func openBusiness(open func() (driver.Handler, error)) (handler driver.Handler, err error) {
	err = driver.Guard(func() (err error) {
		handler, err = open()
		return err
	})
	if err == nil && handler == nil {
		err = errors.New("it returned no handler")
	}
	if err != nil {
		return nil, fmt.Errorf("Business in orders.go: %w", err)
	}
	return handler, nil
}

// start prepares the process that the platform started, and ends it if a setting or
// Business is wrong.
func (f *Function) start() {
	if f.err != nil {
		f.log().Error("the function cannot start: " + f.err.Error())
		os.Exit(1)
	}
	for _, sentence := range UnknownVariables(os.Environ()) {
		f.log().Warn("unknown variable: " + sentence)
	}
	f.log().Info("the function starts", "eventStore", f.config.EventStore, "claimStore", f.config.ClaimStore)
	limitHeap(processMemory(), f.log())
	terminated := make(chan os.Signal, 1)
	signal.Notify(terminated, syscall.SIGTERM) // before the process listens
	go f.exitOn(terminated)
}

// deployed says whether the process was started to serve a function, rather than
// a test or a tool: the Functions Framework's FUNCTION_TARGET is set then.
func deployed() bool { return os.Getenv("FUNCTION_TARGET") != "" }

// inCloud says whether the process runs on Cloud Run, which sets K_SERVICE.
func inCloud() bool { return os.Getenv("K_SERVICE") != "" }

// Cloud Run kills an instance 10 seconds after SIGTERM. Most of that is for handlers;
// flushWithin is for net/http, which writes answers after their handlers returned.
const (
	drainWithin = 9 * time.Second
	flushWithin = 100 * time.Millisecond
)

// exitOn waits for the signal, lets running events finish, and ends the process. The
// framework would cut them off. New events are refused meanwhile.
func (f *Function) exitOn(terminated <-chan os.Signal) {
	<-terminated
	f.draining.Store(true)
	ctx, cancel := context.WithTimeout(context.Background(), drainWithin)
	defer cancel()
	if err := f.Drain(ctx); err != nil {
		f.log().Warn("the process ends while events are being handled; they will be delivered again",
			"events", f.active.Load())
	}
	time.Sleep(flushWithin)
	os.Exit(0)
}
