package main

import (
	"context"
	"errors"
	"fmt"

	"example.com/eventdriver"
	"example.com/eventdriver/operate/deployed"
	"example.com/eventdriver/operate/keys"
)

// function is the one whose state the commands look at.
type function struct {
	config eventdriver.Config
	state  *eventdriver.State
}

// open reads the function's settings and opens its stores. The caller closes the state.
func (g *globals) open(ctx context.Context) (function, error) {
	if err := g.check(); err != nil {
		return function{}, err
	}
	config, err := g.config(ctx)
	if err != nil {
		return function{}, fails(err)
	}
	state, err := eventdriver.OpenState(ctx, config)
	if err != nil {
		return function{}, fails(err)
	}
	return function{config, state}, nil
}

// config returns the function's: of the service, or of this process's environment.
func (g *globals) config(ctx context.Context) (eventdriver.Config, error) {
	variables := g.variables()
	if g.target.Service != "" {
		google, err := deployed.Connect(ctx, g.endpoint)
		if err != nil {
			return eventdriver.Config{}, err
		}
		if variables, err = google.Variables(ctx, g.target); err != nil {
			return eventdriver.Config{}, err
		}
	}
	config, err := deployed.ConfigOf(g.target.Service, variables)
	if err != nil {
		return config, fmt.Errorf("the function's settings are wrong, and doctor says more: %w", err)
	}
	return config, nil
}

// keys returns what looks at the function's keys.
func (f function) keys() (keys.Function, error) {
	store, err := f.state.Inspector()
	if err != nil {
		return keys.Function{}, fails(err)
	}
	return keys.Function{Store: store, Join: f.config.Join()}, nil
}

// lookAt calls look with what looks at the function's keys.
func (g *globals) lookAt(ctx context.Context, look func(keys.Function) error) error {
	f, err := g.open(ctx)
	if err != nil {
		return err
	}
	k, err := f.keys()
	if err == nil {
		err = look(k)
	}
	if closing := f.state.Close(); closing != nil {
		return errors.Join(err, fails(closing))
	}
	return err
}
