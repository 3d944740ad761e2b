package eventdriver

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"os"
	"slices"
	"sync"

	"github.com/GoogleCloudPlatform/functions-framework-go/functions"
	cloudevents "github.com/cloudevents/sdk-go/v2"

	"example.com/eventdriver/driver"
)

// EntryPoint is a function as Cloud Functions knows it: by a name, with which it is
// deployed. This module has one, [EventDriver]. A module of your own declares another, and
// registers it with the Functions Framework when the process starts:
//
//	var Orders = eventdriver.EntryPoint{
//		Name:     "Orders",
//		Defaults: map[string]string{"EVENT_SOURCES": "placed,paid,packed"},
//		Business: Business,
//	}
//
//	func init() { functions.HTTP(Orders.Name, Orders.Serve()) }
//
// The command eventdriver new writes such a module.
type EntryPoint struct {
	// Name is the name of the function in the Functions Framework: FUNCTION_TARGET.
	Name string
	// Defaults are values of settings, by their variables. The environment has precedence. A name that is
	// no setting's is an error when the function starts.
	Defaults map[string]string
	// Business returns the handler of joined events. It is called once, when the function
	// starts: read your own environment variables here. If it returns an error, the
	// function logs it and does not start.
	Business func() (driver.Handler, error)
}

// EventDriver is the entry point of this module, with the business of orders.go.
var EventDriver = EntryPoint{Name: "EventDriver", Business: func() (driver.Handler, error) { return business() }}

func init() {
	// Hosts that call one request at a time may use the CloudEvent signature.
	const cloudEvent = "EventDriverCloudEvent"
	function := EventDriver.once(EventDriver.Name, cloudEvent)
	functions.HTTP(EventDriver.Name, func(w http.ResponseWriter, r *http.Request) { function().ServeHTTP(w, r) })
	functions.CloudEvent(cloudEvent, func(ctx context.Context, e cloudevents.Event) error {
		return function().Receive(ctx, e)
	})
}

// Serve returns what to give to [functions.HTTP]: it answers events as [Function.ServeHTTP]
// does, with the settings of the environment. In a process that was started for this entry
// point, Serve checks the settings and calls Business, and ends the process if one of them is
// wrong. When SIGTERM comes, the process lets running events finish. In other processes,
// such as tests, neither the settings nor what Business needs have to be present.
func (e EntryPoint) Serve() http.HandlerFunc {
	function := e.once(e.Name)
	return func(w http.ResponseWriter, r *http.Request) { function().ServeHTTP(w, r) }
}

// once returns what opens the function at its first call. That is now, if the process was
// started for one of the names.
func (e EntryPoint) once(names ...string) func() *Function {
	started := slices.Contains(names, os.Getenv("FUNCTION_TARGET"))
	function := sync.OnceValue(func() *Function { return e.open(started) })
	if started {
		function().start()
	}
	return function
}

// open returns the function, which knows what is wrong with it.
func (e EntryPoint) open(started bool) *Function {
	config, err := e.Config(os.LookupEnv)
	if err != nil {
		err = fmt.Errorf("configuration: %w", err)
	}
	var logger *slog.Logger
	if started {
		logger = NewLogger(os.Stderr, config.LogLevel)
		slog.SetDefault(logger) // for the business handler and for libraries
		// By package log a process says why it ends, which must be seen at any level.
		slog.SetLogLoggerLevel(max(slog.LevelWarn, config.LogLevel))
	}
	handler, businessErr := e.OpenBusiness()
	f := newFunction(config, handler, errors.Join(err, businessErr))
	f.logger = logger
	return f
}

// Config returns what [ConfigFromEnv] does, with the defaults of the entry point.
func (e EntryPoint) Config(lookup func(name string) (string, bool)) (Config, error) {
	config, err := ConfigFromEnv(e.Lookup(lookup))
	return config, errors.Join(e.checkDefaults(), err)
}

// checkDefaults says which defaults nothing reads.
func (e EntryPoint) checkDefaults() error {
	var problems []error
	var known []string
	for _, s := range settings() {
		known = append(known, s.name)
	}
	for _, name := range slices.Sorted(maps.Keys(e.Defaults)) {
		if slices.Contains(known, name) {
			continue
		}
		problem := fmt.Sprintf("Defaults of %s: %q is not a setting", e.Name, name)
		if nearest, suspicious := nearestVariable(name, known); suspicious {
			problem += "; the one with the nearest name is " + nearest
		}
		problems = append(problems, errors.New(problem))
	}
	return errors.Join(problems...)
}

// Lookup returns a function that looks a variable up, and takes the entry point's default
// where it is not set.
func (e EntryPoint) Lookup(lookup func(name string) (string, bool)) func(name string) (string, bool) {
	return func(name string) (string, bool) {
		if value, set := lookup(name); set {
			return value, true
		}
		value, set := e.Defaults[name]
		return value, set
	}
}

// OpenBusiness calls Business. A panic is an error, and so is a handler that is nil.
func (e EntryPoint) OpenBusiness() (handler driver.Handler, err error) {
	err = driver.Guard(func() (err error) {
		if e.Business == nil {
			return errors.New("it is not set")
		}
		handler, err = e.Business()
		return err
	})
	if err == nil && handler == nil {
		err = errors.New("it returned no handler")
	}
	if err != nil {
		return nil, fmt.Errorf("Business of %s: %w", e.Name, err)
	}
	return handler, nil
}
