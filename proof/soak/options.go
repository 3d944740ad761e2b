// Package soak runs the function at a fixed rate for minutes. It checks that the
// function's use of the system does not grow, and that the function leaves nothing when
// it ends. proof/chaos.md says how. Nothing that is deployed imports it.
package soak

import (
	"errors"
	"fmt"
	"time"
)

// Options configure a run. Start from [Default].
type Options struct {
	For   time.Duration // how long
	Rate  float64       // orders a second, of three events and a late duplicate
	Every time.Duration // the time between two samples of the process
	Store string        // gcs or memory
	Say   func(line string)
}

// The stores.
const (
	GCS    = "gcs"
	Memory = "memory"
)

// Default returns the options of a run of five minutes.
func Default() Options {
	return Options{For: 5 * time.Minute, Rate: 10, Every: time.Second, Store: GCS, Say: func(string) {}}
}

// Check returns an error that names each wrong option and says what it should be.
func (o Options) Check() error {
	var errs []error
	wrong := func(ok bool, flag, want string, is any) {
		if !ok {
			errs = append(errs, fmt.Errorf("-%s must be %s; it is %v", flag, want, is))
		}
	}
	wrong(o.For >= 4*time.Second, "for", "4s or more", o.For)
	wrong(o.Rate >= 0.1 && o.Rate <= 1000, "rate", "from 0.1 to 1000", o.Rate)
	wrong(o.Every >= 50*time.Millisecond && o.Every <= o.For/16, "every", "from 50ms to a sixteenth of -for", o.Every)
	wrong(o.Store == GCS || o.Store == Memory, "store", "gcs or memory", fmt.Sprintf("%q", o.Store))
	return errors.Join(errs...)
}
