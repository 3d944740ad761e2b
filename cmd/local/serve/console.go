package serve

import (
	"context"
	"fmt"

	"example.com/eventdriver/cmd/local/internal/console"
	"example.com/eventdriver/cmd/local/internal/records"
)

// startConsole serves the console until endConsole is called.
func (l *local) startConsole(ctx context.Context) error {
	addr := l.options.consoleAddr
	if !console.IsLoopback(addr) {
		return fmt.Errorf("-console-addr must be an address of this machine's loopback, as 127.0.0.1:8082 is; it is %q", addr)
	}
	c, err := console.New(&l.Lab, l.options.store)
	if err != nil {
		l.Records.Add(records.Record{Kind: records.Log, Severity: "WARNING", Message: "there is no console: " + err.Error()})
		return nil
	}
	listener, err := listen("-console-addr", addr)
	if err != nil {
		return err
	}
	l.consoleAddr = listener.Addr().String()
	ctx, cancel := context.WithCancel(ctx)
	ended := make(chan error, 1)
	go func() { ended <- c.Serve(ctx, listener) }()
	l.endConsole = func() error {
		cancel()
		return <-ended
	}
	return nil
}
