package serve

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"os/signal"
	"sync"
	"syscall"
	"time"

	"example.com/eventdriver"
	"example.com/eventdriver/cmd/local/internal/fleet"
	"example.com/eventdriver/cmd/local/internal/trouble"
	"example.com/eventdriver/driver"
)

// Variables of the process of an instance.
const (
	instanceVariable = "LOCAL_INSTANCE" // its ID
	controlVariable  = "LOCAL_CONTROL"  // the URL of what this program serves to its instances
	demoVariable     = "LOCAL_DEMO"     // not empty: the business is the demo's
)

// startProcesses runs the instances as processes, and serves the function before them.
func (l *local) startProcesses(ctx context.Context) error {
	listener, err := listen("-addr", l.options.addr)
	if err != nil {
		return err
	}
	l.FunctionURL = "http://" + listener.Addr().String()
	control, err := l.startControl()
	if err != nil {
		return errors.Join(err, listener.Close())
	}
	program, err := os.Executable()
	if err != nil {
		return errors.Join(err, listener.Close())
	}
	environments := make(map[string][]string)
	for i := range l.options.instances {
		id := fmt.Sprint(i + 1)
		hosts, err := l.proxies(id)
		if err != nil {
			return errors.Join(err, listener.Close())
		}
		environment := append(l.settings.environment(), instanceVariable+"="+id, controlVariable+"="+control)
		if l.options.demo {
			environment = append(environment, demoVariable+"=yes")
		}
		for name, host := range hosts {
			environment = append(environment, name+"="+host)
		}
		environments[id] = environment
	}
	l.Fleet, err = fleet.Start(ctx, fleet.Config{
		Count:       l.options.instances,
		Command:     []string{program},
		Environment: func(id string) []string { return environments[id] },
		Log:         l.Records.Writer,
		Journal:     l.Records,
	})
	if err != nil {
		return errors.Join(err, listener.Close())
	}
	l.serve(listener, l.balance())
	return nil
}

// serve serves until everything stops.
func (l *local) serve(listener net.Listener, handler http.Handler) {
	server := &http.Server{Handler: handler, ReadHeaderTimeout: 10 * time.Second}
	var serving sync.WaitGroup
	serving.Go(func() { _ = server.Serve(listener) }) // until it is closed
	l.closers = append(l.closers, func() error {
		err := server.Close()
		serving.Wait()
		return err
	})
}

// startControl serves what the instances ask for, and returns its URL, which nobody else knows.
func (l *local) startControl() (string, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	secret := "/" + rand.Text()
	mux := http.NewServeMux()
	mux.Handle("POST "+secret+"/trouble", trouble.Serve(l.Troubles))
	if l.options.demo {
		mux.Handle("POST "+secret+"/acted", serveBusiness(l.business))
	}
	l.serve(listener, mux)
	return "http://" + listener.Addr().String() + secret, nil
}

// balance passes requests on to the instances that run, one after another.
func (l *local) balance() http.Handler {
	return &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			instance, _, err := l.Fleet.Route(r.In.Context())
			if err != nil {
				return // the client has gone
			}
			if to, err := url.Parse(instance); err == nil {
				r.SetURL(to)
			}
		},
		ErrorHandler: func(w http.ResponseWriter, _ *http.Request, err error) {
			http.Error(w, "the instance: "+err.Error(), http.StatusServiceUnavailable)
		},
	}
}

// runInstance is the process of an instance. It ends when the one that has started it does, or
// asks it to.
func runInstance(id string, entry eventdriver.EntryPoint) error {
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		os.Exit(1)
	}()
	slog.SetDefault(eventdriver.NewLogger(os.Stderr, slog.LevelDebug).With("instance", id))
	control := os.Getenv(controlVariable)
	if os.Getenv(demoVariable) != "" {
		entry = eventdriver.EntryPoint{Business: func() (driver.Handler, error) { return remoteBusiness(control + "/acted"), nil }}
	}
	business, err := entry.OpenBusiness()
	if err != nil {
		return err
	}
	config, err := entry.Config(os.LookupEnv)
	if err != nil {
		return err
	}
	f, err := eventdriver.New(config, trouble.Handler{Business: business, Asker: trouble.Remote(control + "/trouble")})
	if err != nil {
		return err
	}
	terminated := make(chan os.Signal, 1)
	signal.Notify(terminated, syscall.SIGTERM)
	failed := make(chan error, 1)
	go func() { failed <- serveFunction(f, "127.0.0.1:"+os.Getenv("PORT")) }() // it ends with the process
	select {
	case err := <-failed:
		return err
	case <-terminated:
	}
	ctx, cancel := context.WithTimeout(context.Background(), 9*time.Second)
	defer cancel()
	return errors.Join(f.Drain(ctx), f.Close())
}
