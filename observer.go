package eventdriver

import (
	"context"
	"net/http"
	"time"

	"google.golang.org/api/option"

	"example.com/eventdriver/driver"
	"example.com/eventdriver/driver/admission"
	"example.com/eventdriver/driver/convert"
	"example.com/eventdriver/publish"
)

// observer is what shows in traces and metrics what the function does. It wraps what the function is
// made of. The build tag notelemetry leaves all but [unobserved] out of the program.
type observer interface {
	// arrive returns the context of a delivery; options has the adapters tell how it ended.
	arrive(ctx context.Context, header http.Header) context.Context
	options() []convert.Option
	processor(convert.Processor) convert.Processor
	handlers([]driver.Handler) []driver.Handler
	business(driver.Handler) driver.Handler
	stores(Config, stores) stores
	output() []publish.Option
	inFlight(*admission.Gate) error
	waiting() waitingJoins
	// client returns the options of a client of one of Google's services, storage or bigquery, with
	// these scopes.
	client(ctx context.Context, service string, scopes ...string) ([]option.ClientOption, error)
	// idle is called before an answer after which no event is being handled.
	idle(context.Context)
	shutdown(context.Context) error
}

// waitingJoins are told of the joins that a sweep through all keys finds waiting.
type waitingJoins interface {
	Begin()
	Add(missing []string, age time.Duration)
	End()
}

type nobodyWaits struct{}

func (nobodyWaits) Begin()                      {}
func (nobodyWaits) Add([]string, time.Duration) {}
func (nobodyWaits) End()                        {}

// unobserved is the observer of a function that shows nothing.
type unobserved struct{}

func (unobserved) arrive(ctx context.Context, _ http.Header) context.Context { return ctx }
func (unobserved) options() []convert.Option                                 { return nil }
func (unobserved) processor(p convert.Processor) convert.Processor           { return p }
func (unobserved) handlers(handlers []driver.Handler) []driver.Handler       { return handlers }
func (unobserved) business(h driver.Handler) driver.Handler                  { return h }
func (unobserved) stores(_ Config, s stores) stores                          { return s }
func (unobserved) output() []publish.Option                                  { return nil }
func (unobserved) inFlight(*admission.Gate) error                            { return nil }
func (unobserved) waiting() waitingJoins                                     { return nobodyWaits{} }
func (unobserved) idle(context.Context)                                      {}
func (unobserved) shutdown(context.Context) error                            { return nil }
func (unobserved) client(context.Context, string, ...string) ([]option.ClientOption, error) {
	return nil, nil
}
