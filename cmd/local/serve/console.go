package serve

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"

	"example.com/eventdriver/cmd/local/internal/console"
	"example.com/eventdriver/cmd/local/internal/records"
	"example.com/eventdriver/operate/letters"
)

// startConsole serves the console until endConsole is called.
func (l *local) startConsole(ctx context.Context) error {
	addr := l.options.consoleAddr
	if !console.IsLoopback(addr) {
		return fmt.Errorf("-console-addr must be an address of this machine's loopback, as 127.0.0.1:8082 is; it is %q", addr)
	}
	keys, err := l.Keys()
	changes, err2 := l.Changes()
	letterBox, err3 := l.Letters()
	if err := errors.Join(err, err2, err3); err != nil {
		l.Records.Add(records.Record{Kind: records.Log, Severity: "WARNING", Message: "there is no console: this store can't be looked at"})
		return nil
	}
	listener, err := net.Listen("tcp", addr)
	if err != nil {
		return fmt.Errorf("-console-addr: %w", err)
	}
	l.consoleAddr = listener.Addr().String()
	c := console.New(console.Config{
		Keys:    keys,
		Change:  changes,
		Events:  l.State.Events,
		Letters: letterBox,
		Sender:  letters.Function{URL: l.FunctionURL, Client: &http.Client{Timeout: 10 * time.Minute}},
		Sources: l.Config.Sources,
		Store:   l.options.store,
	})
	ctx, cancel := context.WithCancel(ctx)
	ended := make(chan error, 1)
	go func() { ended <- c.Serve(ctx, listener) }()
	l.endConsole = func() error {
		cancel()
		return <-ended
	}
	return nil
}
