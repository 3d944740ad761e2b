package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"example.com/eventdriver"
	"example.com/eventdriver/operate/change"
	"example.com/eventdriver/operate/deployed"
	"example.com/eventdriver/operate/keys"
)

// function is the one whose state the commands look at.
type function struct {
	config eventdriver.Config
	url    string // of the service; "": unknown
	state  *eventdriver.State
	google *deployed.Google // nil: no service is named
}

// settingsWithin bounds reading the service's settings.
const settingsWithin = time.Minute

// open calls use with the function, whose stores are open meanwhile. ctx ends with the command: use bounds
// what it does.
func (g *globals) open(ctx context.Context, use func(function) error) error {
	if err := g.check(); err != nil {
		return err
	}
	if g.endpoint != "" && g.target.Service == "" {
		return errors.New("--endpoint serves the APIs that are asked about --service: name that, or leave it out. What " +
			"stands in for a store or for Pub/Sub is named by STORAGE_EMULATOR_HOST, BIGQUERY_EMULATOR_HOST or " +
			"PUBSUB_EMULATOR_HOST")
	}
	f, err := g.settings(ctx)
	if err != nil {
		return fails(err)
	}
	if f.state, err = eventdriver.OpenState(ctx, f.config); err != nil {
		return fails(err)
	}
	err = use(f)
	if closing := f.state.Close(); closing != nil {
		return errors.Join(err, fails(closing))
	}
	return err
}

// settings returns the function's: of the service, or of this process's environment.
func (g *globals) settings(ctx context.Context) (f function, err error) {
	variables := g.variables()
	if g.target.Service != "" {
		if f.google, err = deployed.Connect(ctx, g.endpoint); err != nil {
			return f, err
		}
		within, cancel := context.WithTimeout(ctx, settingsWithin)
		defer cancel()
		if variables, f.url, err = f.google.Variables(within, g.target); err != nil {
			return f, err
		}
	}
	if f.config, err = deployed.ConfigOf(g.target.Service, variables); err != nil {
		return f, fmt.Errorf("the function's settings are wrong, and doctor says more: %w", err)
	}
	return f, nil
}

// keys returns what looks at the function's keys.
func (f function) keys() (keys.Function, error) {
	store, err := f.state.Inspector()
	if err != nil {
		return keys.Function{}, fails(err)
	}
	return keys.Function{Store: store, Join: f.config.Join()}, nil
}

// lookAt calls look with what looks at the function's keys, and a context that ends within a time.
func (g *globals) lookAt(ctx context.Context, within time.Duration, look func(context.Context, keys.Function) error) error {
	return g.open(ctx, func(f function) error {
		k, err := f.keys()
		if err != nil {
			return err
		}
		ctx, cancel := context.WithTimeout(ctx, within)
		defer cancel()
		return look(ctx, k)
	})
}

// changes returns what changes the function's keys, by an account, and waits so long for deliveries
// that are under way.
func (f function) changes(by string, settle time.Duration) (change.Keys, error) {
	store, err := f.state.Inspector()
	if err != nil {
		return change.Keys{}, err
	}
	return change.Keys{Claims: f.state.Claims, Events: f.state.Events, Store: store, Scope: f.config.Join().Scope, By: by, Settle: settle}, nil
}
