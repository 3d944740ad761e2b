// Package serve runs a function under the Functions Framework on one machine, with stand-ins for
// Cloud Storage and Eventarc. It is all of the command local, for modules that have a function of
// their own.
package serve

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"

	"example.com/eventdriver"
	"example.com/eventdriver/cmd/local/internal/pubsub"
)

// Main is the main function of a program that runs the entry point's function, as the command local
// describes. It reads the command line, and ends the process.
func Main(entry eventdriver.EntryPoint) {
	pubsub.RunEmulator() // if this is its process
	if id := os.Getenv(instanceVariable); id != "" {
		exitWith(runInstance(id, entry))
	}
	o, err := parse()
	if err != nil {
		fmt.Fprintln(os.Stderr, "local:", err)
		flag.Usage()
		os.Exit(2)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if o.demo {
		exitWith(tell(ctx, o))
	}
	exitWith(serve(ctx, o, entry))
}

func exitWith(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "local:", err)
		os.Exit(1)
	}
	os.Exit(0)
}

// options are those of the command line.
type options struct {
	addr, publishAddr, consoleAddr, store, data string
	instances                                   int
	demo, json, noConsole, pubsub               bool
}

// parse reads the command line.
func parse() (o options, err error) {
	flag.StringVar(&o.addr, "addr", "127.0.0.1:8080", "where the function listens")
	flag.StringVar(&o.publishAddr, "publish-addr", "127.0.0.1:8081", "where events are published: POST /publish/TOPIC?key=KEY")
	flag.StringVar(&o.store, "store", "gcs", "where the state is kept: memory, gcs or bigquery (after make emulators)")
	flag.StringVar(&o.data, "data", "", "a folder that keeps what the function stores, for the next run; with -store gcs")
	flag.StringVar(&o.consoleAddr, "console-addr", "127.0.0.1:8082", "where the console listens: a page that shows the keys")
	flag.BoolVar(&o.noConsole, "no-console", false, "serve no console")
	flag.BoolVar(&o.pubsub, "pubsub", false, "send events through Google's Pub/Sub emulator: at PUBSUB_EMULATOR_HOST, or started with gcloud")
	flag.IntVar(&o.instances, "instances", 1, "how many instances of the function run; 2 or more: each is a process")
	flag.BoolVar(&o.demo, "demo", false, "send orders, check that each is processed once, and exit")
	flag.BoolVar(&o.json, "json", false, "write the log in JSON, as the function does in the cloud")
	flag.Parse()
	if o.demo { // may run beside another
		unlessSet("addr", &o.addr)
		unlessSet("publish-addr", &o.publishAddr)
	}
	return o, o.check()
}

func (o options) check() error {
	stores := eventdriver.Stores()
	empty := ""
	flag.Visit(func(f *flag.Flag) {
		if f.Value.String() == "" { // of a shell's variable that is not set, as in -data "$DIR"
			empty = f.Name
		}
	})
	switch {
	case empty != "":
		return fmt.Errorf("-%s is empty: give it a value, or leave it out", empty)
	case flag.NArg() > 0:
		return fmt.Errorf("unexpected argument %q", flag.Arg(0))
	case !slices.Contains(stores, o.store):
		return fmt.Errorf("-store must be one of %s; it is %q", strings.Join(stores, ", "), o.store)
	case o.instances < 1:
		return errors.New("-instances must be 1 or more")
	case o.instances > 1 && o.store == eventdriver.StoreMemory:
		return errors.New("-instances must be 1 with -store memory: each process would have a memory of its own")
	case o.data != "" && (o.store != eventdriver.StoreGCS || os.Getenv("STORAGE_EMULATOR_HOST") != ""):
		return errors.New("-data is for the Cloud Storage that is part of this program: use -store gcs without STORAGE_EMULATOR_HOST")
	case o.data != "" && o.demo:
		return errors.New("-data is not for the demo, which begins afresh each time")
	}
	return nil
}

// unlessSet lets the system choose a port for a flag that was not given.
func unlessSet(name string, addr *string) {
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
	s := settings{here: make(map[string]string), fallback: entry.Lookup(os.LookupEnv), inherited: os.Environ()}
	p := newPrinter(os.Stderr, o.json)
	local, err := start(ctx, o, business, s, p)
	if err != nil {
		return err
	}
	if !o.noConsole {
		if err := local.startConsole(ctx); err != nil {
			return errors.Join(err, local.stop())
		}
	}
	local.warn()
	p.say(local.welcome())
	<-ctx.Done()
	return local.stop()
}
