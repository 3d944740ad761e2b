package serve

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"os"
	"strings"
	"time"

	"github.com/GoogleCloudPlatform/functions-framework-go/funcframework"
	"github.com/GoogleCloudPlatform/functions-framework-go/functions"

	"example.com/eventdriver"
	"example.com/eventdriver/cmd/local/internal/fleet"
	"example.com/eventdriver/cmd/local/internal/trouble"
)

const target = "EventDriverLocal"

// startFunction serves the function in this process, as its only instance.
func (l *local) startFunction(ctx context.Context) (err error) {
	if err := l.useProxies("1"); err != nil {
		return err
	}
	slog.SetDefault(eventdriver.NewLogger(l.Records.Writer("1"), slog.LevelDebug))
	if l.function, err = eventdriver.New(l.Config, trouble.Handler{Business: l.business, Asker: l.Troubles}); err != nil {
		return err
	}
	if l.State == nil {
		if l.State, err = l.function.State(ctx); err != nil {
			return err
		}
	}
	addr, err := freePort(l.options.addr)
	if err != nil {
		return err
	}
	l.FunctionURL = "http://" + addr
	l.Fleet = fleet.Single(l.FunctionURL)
	go func() { // it ends with the process: the framework has no way to stop it
		fmt.Fprintln(os.Stderr, "local: the function's server ended:", serveFunction(l.function, addr))
		os.Exit(1)
	}()
	return listening(addr)
}

// useProxies has this process's stores ask the emulators by proxies.
func (l *local) useProxies(id string) error {
	hosts, err := l.proxies(id)
	if err != nil {
		return err
	}
	for name, host := range hosts {
		if err := l.setenv(name, host); err != nil {
			return err
		}
	}
	return nil
}

// serveFunction serves the function as the Functions Framework does in the cloud.
func serveFunction(f *eventdriver.Function, addr string) error {
	functions.HTTP(target, f.ServeHTTP)
	if err := os.Setenv("FUNCTION_TARGET", target); err != nil {
		return err
	}
	colon := strings.LastIndexByte(addr, ':')
	return funcframework.StartHostPort(addr[:colon], addr[colon+1:]) // an IPv6 host stays in its brackets
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
