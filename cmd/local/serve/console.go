package serve

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"

	"example.com/eventdriver"
	"example.com/eventdriver/cmd/local/internal/console"
	"example.com/eventdriver/driver"
	"example.com/eventdriver/operate/change"
	"example.com/eventdriver/operate/keys"
	"example.com/eventdriver/operate/letters"
)

// startConsole serves the console until endConsole is called.
func (l *local) startConsole(ctx context.Context, o options) error {
	if !console.IsLoopback(o.consoleAddr) {
		return fmt.Errorf("-console-addr must be an address of this machine's loopback, as 127.0.0.1:8082 is; it is %q", o.consoleAddr)
	}
	config, err := eventdriver.ConfigFromEnv(l.settings.lookup)
	if err != nil {
		return err
	}
	state, err := l.openState(ctx, config)
	if err != nil {
		return fmt.Errorf("console: %w", err)
	}
	inspector, err := state.Inspector()
	letterBox, can := state.DeadLetters.(driver.LetterBox)
	if err != nil || !can {
		slog.Warn("there is no console: this store can't be looked at")
		return nil
	}
	listener, err := net.Listen("tcp", o.consoleAddr)
	if err != nil {
		return fmt.Errorf("-console-addr: %w", err)
	}
	l.consoleAddr = listener.Addr().String()
	c := console.New(console.Config{
		Keys:    keys.Function{Store: inspector, Join: config.Join()},
		Change:  change.Keys{Claims: state.Claims, Store: inspector, Scope: config.Join().Scope, By: "console"},
		Events:  state.Events,
		Letters: letterBox,
		Sender:  letters.Function{URL: "http://" + l.functionAddr, Client: &http.Client{Timeout: 10 * time.Minute}},
		Sources: config.Sources,
		Store:   o.store,
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

// openState opens what the function keeps. A store in memory is the function's own.
func (l *local) openState(ctx context.Context, config eventdriver.Config) (*eventdriver.State, error) {
	if config.EventStore != eventdriver.StoreMemory {
		state, err := eventdriver.OpenState(ctx, config)
		if err == nil {
			l.closers = append([]func() error{state.Close}, l.closers...) // before the server of the store
		}
		return state, err
	}
	box, err := l.function.DeadLetters(ctx)
	if err != nil {
		return nil, err
	}
	events, hasEvents := box.(driver.EventStore)
	claims, hasClaims := box.(driver.ClaimStore)
	if !hasEvents || !hasClaims {
		return nil, errors.New("the store in memory can't be looked at while dead letters go to a topic")
	}
	return &eventdriver.State{Events: events, Claims: claims, DeadLetters: box}, nil
}
