// Package lab is all of a local run that can be looked at and changed: for the console.
package lab

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync"
	"time"

	"example.com/eventdriver"
	"example.com/eventdriver/cmd/local/internal/events"
	"example.com/eventdriver/cmd/local/internal/fleet"
	"example.com/eventdriver/cmd/local/internal/records"
	"example.com/eventdriver/cmd/local/internal/trouble"
	"example.com/eventdriver/driver"
	"example.com/eventdriver/operate/change"
	"example.com/eventdriver/operate/keys"
	"example.com/eventdriver/operate/letters"
)

// Lab is a local run. Its fields are set before it is used, and are not changed. They and its
// methods are safe for concurrent use.
type Lab struct {
	Config      eventdriver.Config // the function's settings
	FunctionURL string             // where the function takes events, whichever instance does

	Records  *records.Journal
	Troubles *trouble.Troubles
	Fleet    *fleet.Fleet
	Events   *events.Publisher
	// State is what the function keeps. It is read past the troubles of the store.
	State *eventdriver.State
	// LetterBox has the function's letters; nil: the store of the events has them.
	LetterBox driver.LetterBox

	sweeps sync.Mutex
	next   time.Time
}

// Keys returns what looks at the function's keys.
func (l *Lab) Keys() (keys.Function, error) {
	store, err := l.State.Inspector()
	return keys.Function{Store: store, Join: l.Config.Join()}, err
}

// Changes returns what changes them.
func (l *Lab) Changes() (change.Keys, error) {
	store, err := l.State.Inspector()
	return change.Keys{Claims: l.State.Claims, Events: l.State.Events, Store: store, Scope: l.Config.Join().Scope, By: "console",
		Settle: change.Settle}, err
}

// Letters returns the function's dead letters.
func (l *Lab) Letters() (driver.LetterBox, error) {
	if l.LetterBox != nil {
		return l.LetterBox, nil
	}
	box, can := l.State.DeadLetters.(driver.LetterBox)
	if !can {
		return nil, fmt.Errorf("the letters in a %T can't be listed", l.State.DeadLetters)
	}
	return box, nil
}

// Sender sends letters to the function again.
func (l *Lab) Sender() letters.Sender {
	return letters.Function{URL: l.FunctionURL, Client: http.DefaultClient}
}

// Sweep has the function sweep now.
func (l *Lab) Sweep(ctx context.Context) (report eventdriver.SweepReport, err error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, l.FunctionURL+"/sweep", nil)
	if err != nil {
		return report, err
	}
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		return report, err
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	switch {
	case err != nil:
		return report, err
	case answer.StatusCode != http.StatusOK:
		return report, errors.New(string(text))
	}
	return report, json.Unmarshal(text, &report)
}

// NextSweep returns when the clock has the function sweep next; zero: it never does.
func (l *Lab) NextSweep() time.Time {
	l.sweeps.Lock()
	defer l.sweeps.Unlock()
	return l.next
}

// SweepEvery has the function sweep by the clock until the context ends. What fails is given to
// failed.
func (l *Lab) SweepEvery(ctx context.Context, pause time.Duration, failed func(error)) {
	tick := time.NewTicker(pause)
	defer tick.Stop()
	for {
		l.sweeps.Lock()
		l.next = time.Now().Add(pause)
		l.sweeps.Unlock()
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		if _, err := l.Sweep(ctx); err != nil && ctx.Err() == nil {
			failed(err)
		}
	}
}
