// Package serve runs a function under the Functions Framework on one machine, with stand-ins for
// Cloud Storage and Eventarc. It is all of the command local, for modules that have a function of
// their own.
package serve

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"time"

	"cloud.google.com/go/storage"
	"github.com/GoogleCloudPlatform/functions-framework-go/funcframework"
	"github.com/GoogleCloudPlatform/functions-framework-go/functions"

	"example.com/eventdriver"
	"example.com/eventdriver/driver"
	"example.com/eventdriver/internal/fake/eventarc"
	"example.com/eventdriver/internal/fake/gcs"
)

const target = "EventDriverLocal"

// Main is the main function of a program that runs the entry point's function, as the command local
// describes. It reads the command line, and ends the process.
func Main(entry eventdriver.EntryPoint) {
	var o options
	flag.StringVar(&o.addr, "addr", "127.0.0.1:8080", "where the function listens")
	flag.StringVar(&o.publishAddr, "publish-addr", "127.0.0.1:8081", "where events are published: POST /publish/TOPIC?key=KEY")
	flag.StringVar(&o.store, "store", "gcs", "where the state is kept: memory, gcs or bigquery (after make emulators)")
	flag.StringVar(&o.consoleAddr, "console-addr", "127.0.0.1:8082", "where the console listens: a page that shows the keys")
	flag.BoolVar(&o.noConsole, "no-console", false, "serve no console")
	demo := flag.Bool("demo", false, "send orders, check that each is processed once, and exit")
	flag.Parse()
	if flag.NArg() > 0 {
		fmt.Fprintf(os.Stderr, "local: unexpected argument %q\n", flag.Arg(0))
		flag.Usage()
		os.Exit(2)
	}
	if stores := eventdriver.Stores(); !slices.Contains(stores, o.store) {
		fmt.Fprintf(os.Stderr, "local: -store must be one of %s; it is %q\n", strings.Join(stores, ", "), o.store)
		os.Exit(2)
	}
	if *demo { // may run beside another
		o.unlessSet("addr", &o.addr)
		o.unlessSet("publish-addr", &o.publishAddr)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	run := func(ctx context.Context, o options) error { return serve(ctx, o, entry) }
	if *demo {
		run = tell
	}
	if err := run(ctx, o); err != nil {
		fmt.Fprintln(os.Stderr, "local:", err)
		os.Exit(1)
	}
}

type options struct {
	addr, publishAddr, consoleAddr, store string
	noConsole                             bool
}

// unlessSet lets the system choose a port for a flag that was not given.
func (o *options) unlessSet(name string, addr *string) {
	given := false
	flag.Visit(func(f *flag.Flag) { given = given || f.Name == name })
	if !given {
		*addr = "127.0.0.1:0"
	}
}

// serve runs the user's function until it is interrupted.
func serve(ctx context.Context, o options, entry eventdriver.EntryPoint) error {
	business, err := entry.OpenBusiness()
	if err != nil {
		return err
	}
	local, err := start(ctx, o, business, settings{here: make(map[string]string), fallback: entry.Lookup(os.LookupEnv)})
	if err != nil {
		return err
	}
	if !o.noConsole {
		if err := local.startConsole(ctx, o); err != nil {
			return errors.Join(err, local.stop())
		}
	}
	for _, sentence := range eventdriver.UnknownVariables(os.Environ()) {
		slog.Warn("unknown variable: " + sentence)
	}
	fmt.Fprintf(os.Stderr, "The function listens on http://%s, and what you publish is delivered to it:\n\n", local.functionAddr)
	for _, source := range local.sources {
		fmt.Fprintf(os.Stderr, "  curl -d '{}' 'http://%s/publish/%s?key=order-1'\n", local.publishAddr, url.PathEscape(source))
	}
	fmt.Fprintln(os.Stderr)
	if local.consoleAddr != "" {
		fmt.Fprintf(os.Stderr, "The console is at http://%s/\n\n", local.consoleAddr)
	}
	<-ctx.Done()
	return local.stop()
}

// local is everything that runs on this machine.
type local struct {
	function                  *eventdriver.Function
	eventarc                  *eventarc.Eventarc
	settings                  settings
	sources                   []string
	functionAddr, publishAddr string
	consoleAddr               string // "": there is none
	endConsole                func() error
	publisher                 *http.Server
	endSweeps                 func() // waits for the one that is under way
	closers                   []func() error
}

// start starts everything; the deliveries end with ctx.
func start(ctx context.Context, o options, business driver.Handler, s settings) (*local, error) {
	s.here["EVENT_STORE"] = o.store
	s.setUnlessSet("CLAIM_STORE", o.store) // the environment may name a bucket that is not on this machine
	l := &local{settings: s}
	err := l.startStore(ctx, o.store)
	if err == nil {
		err = l.startAll(ctx, o, business)
	}
	if err != nil {
		return nil, errors.Join(err, l.stop())
	}
	return l, nil
}

// startStore starts the store with that name, unless it runs already.
func (l *local) startStore(ctx context.Context, name string) error {
	switch name {
	case eventdriver.StoreGCS:
		return l.startStorage(ctx)
	case eventdriver.StoreBigQuery:
		return l.startBigQuery(ctx)
	}
	return nil
}

// startAll starts everything that needs the store.
func (l *local) startAll(ctx context.Context, o options, business driver.Handler) error {
	config, err := eventdriver.ConfigFromEnv(l.settings.lookup)
	if err != nil {
		return err
	}
	slog.SetDefault(eventdriver.NewLogger(os.Stderr, config.LogLevel))
	if l.function, err = eventdriver.New(config, business); err != nil {
		return err
	}
	if err := l.startFunction(o.addr); err != nil {
		return err
	}
	l.sources = config.Sources
	if config.JoinDeadline > 0 {
		l.startSweeps(ctx)
	}
	return l.startPublisher(ctx, o.publishAddr, config)
}

// settings are the function's variables: those that are set here, and for all others the
// values of fallback.
type settings struct {
	here     map[string]string
	fallback func(name string) (string, bool)
}

func (s settings) lookup(name string) (string, bool) {
	if value, set := s.here[name]; set {
		return value, true
	}
	return s.fallback(name)
}

// setUnlessSet sets the variable unless it has a value, and returns its value.
func (s settings) setUnlessSet(name, value string) string {
	if set, _ := s.lookup(name); set != "" {
		return set
	}
	s.here[name] = value
	return value
}

// startStorage starts a Cloud Storage unless there is one, makes the bucket, and points the
// function at them.
func (l *local) startStorage(ctx context.Context) error {
	if os.Getenv("STORAGE_EMULATOR_HOST") == "" {
		fake, err := gcs.Start("127.0.0.1:0")
		if err != nil {
			return fmt.Errorf("cloud storage: %w", err)
		}
		l.closers = append(l.closers, fake.Close)
		if err := os.Setenv("STORAGE_EMULATOR_HOST", fake.Host()); err != nil {
			return err
		}
	}
	name := l.settings.setUnlessSet("GCS_BUCKET", "local")
	client, err := storage.NewClient(ctx)
	if err != nil {
		return fmt.Errorf("cloud storage at %s: %w", os.Getenv("STORAGE_EMULATOR_HOST"), err)
	}
	defer client.Close()
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	bucket := client.Bucket(name)
	_, err = bucket.Attrs(ctx)
	if errors.Is(err, storage.ErrBucketNotExist) {
		err = bucket.Create(ctx, "local", nil)
	}
	if err != nil {
		return fmt.Errorf("bucket %s at %s: %w", name, os.Getenv("STORAGE_EMULATOR_HOST"), err)
	}
	return nil
}

// startFunction serves the function as the Functions Framework does in the cloud.
func (l *local) startFunction(addr string) error {
	host, port, err := freePort(addr)
	if err != nil {
		return fmt.Errorf("-addr: %w", err)
	}
	functions.HTTP(target, l.function.ServeHTTP)
	if err := os.Setenv("FUNCTION_TARGET", target); err != nil {
		return err
	}
	go func() { // it ends with the process: the framework has no way to stop it
		err := funcframework.StartHostPort(host, port)
		fmt.Fprintln(os.Stderr, "local: the function's server ended:", err)
		os.Exit(1)
	}()
	l.functionAddr = net.JoinHostPort(host, port)
	return listening(l.functionAddr)
}

// listening returns when a server listens on addr.
func listening(addr string) error {
	for range 500 {
		connection, err := net.Dial("tcp", addr)
		if err == nil {
			return connection.Close()
		}
		time.Sleep(10 * time.Millisecond)
	}
	return fmt.Errorf("the function's server does not come up on %s", addr)
}

// freePort splits addr, and replaces port 0 by a free one, since the framework does not
// say which port it took. It fails if the port is taken.
func freePort(addr string) (host, port string, err error) {
	listener, err := net.Listen("tcp", addr)
	if err != nil {
		return "", "", err
	}
	defer listener.Close()
	return net.SplitHostPort(listener.Addr().String())
}

func (l *local) startPublisher(ctx context.Context, addr string, config eventdriver.Config) error {
	listener, err := net.Listen("tcp", addr)
	if err != nil {
		return fmt.Errorf("-publish-addr: %w", err)
	}
	l.publishAddr = listener.Addr().String()
	l.eventarc = eventarc.New(ctx, eventarc.Config{Route: eventarc.Fixed("http://" + l.functionAddr + "/"),
		Path: triggers(config), OnFailure: logFailure})
	l.publisher = &http.Server{Handler: publishHandler(l.eventarc), ReadHeaderTimeout: 10 * time.Second}
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
	if l.endSweeps != nil {
		l.endSweeps()
	}
	if l.function != nil {
		errs = append(errs, l.function.Drain(ctx), l.function.Close())
	}
	for _, closer := range l.closers {
		errs = append(errs, closer())
	}
	return errors.Join(errs...)
}
