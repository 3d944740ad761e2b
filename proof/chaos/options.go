// Package chaos runs instances of the function as processes of their own against
// one Cloud Storage, kills them, stops them, cuts their connections, and checks
// that no order is lost and none is processed twice. proof/chaos.md says what is
// run, and what its figures mean. Nothing that is deployed imports it.
package chaos

import (
	"errors"
	"fmt"
	"time"
)

// Options configure a run. Start from [Default].
type Options struct {
	Seed      uint64 `json:"seed"`      // of all choices; the moments depend on the machine
	Orders    int    `json:"orders"`    // in all
	PerRound  int    `json:"per_round"` // orders that share a bucket
	Instances int    `json:"instances"`
	// Rate is how many orders are published in a second, at most; 0: as many as get
	// through. With a rate, the harm to each order does not depend on the machine's speed.
	Rate float64 `json:"rate"`
	// For is the time after which no new round begins, even if not all orders have come;
	// 0: no limit.
	For Duration `json:"for"`

	// Each of these happens about once in that time; 0: never.
	KillEvery  Duration `json:"kill_every"`
	PauseEvery Duration `json:"pause_every"`
	CutEvery   Duration `json:"cut_every"`
	SlowEvery  Duration `json:"slow_every"`

	// Lease is the function's LEASE.
	Lease Duration `json:"lease"`
	// Duplicates is how many more times an event is delivered, on average.
	Duplicates float64 `json:"duplicates"`
	// Lose is the share of the store's requests whose answer is lost, and also the share
	// that is refused.
	Lose float64 `json:"lose"`
	// Fail is the share of the business's runs that fail, every third of them by a panic.
	Fail float64 `json:"fail"`
	// Long is the share of its runs that last longer than the lease.
	Long float64 `json:"long"`

	// Logs is a folder for the instances' logs; empty: they are not kept.
	Logs string `json:"-"`
	// Replace are files of the module that are compiled from others, beside business.go.
	Replace map[string]string `json:"-"`
	// Say, if not nil, is called with the progress of the run.
	Say func(line string) `json:"-"`
}

// Duration is a length of time that is "1.5s" in JSON.
type Duration time.Duration

// MarshalText implements [encoding.TextMarshaler].
func (d Duration) MarshalText() ([]byte, error) { return []byte(time.Duration(d).String()), nil }

// Default returns the options of a run of 10,000 orders.
func Default() Options {
	return Options{
		Orders:     10_000,
		PerRound:   200,
		Instances:  4,
		Rate:       40,
		KillEvery:  Duration(2 * time.Second),
		PauseEvery: Duration(3 * time.Second),
		CutEvery:   Duration(5 * time.Second),
		SlowEvery:  Duration(7 * time.Second),
		Lease:      Duration(2 * time.Second),
		Duplicates: 0.3,
		Lose:       0.003,
		Fail:       0.02,
		Long:       0.002,
	}
}

// shortest is the shortest allowed time between two harms of a kind. A process takes
// about that long to start.
const shortest = 50 * time.Millisecond

// Check returns an error that names each wrong option and says what it should be.
func (o Options) Check() error {
	var errs []error
	wrong := func(ok bool, flag, want string, is any) {
		if !ok {
			errs = append(errs, fmt.Errorf("-%s must be %s; it is %v", flag, want, is))
		}
	}
	wrong(o.Orders >= 1, "orders", "1 or more", o.Orders)
	wrong(o.PerRound >= 1 && o.PerRound <= 5000, "per-round", "from 1 to 5000, as the stand-in for Cloud Storage slows down", o.PerRound)
	wrong(o.Instances >= 1 && o.Instances <= 50, "instances", "from 1 to 50", o.Instances)
	wrong(o.Rate >= 0 && o.Rate <= 1000, "rate", "from 0 to 1000", o.Rate)
	wrong(o.For >= 0, "for", "0 or more", time.Duration(o.For))
	for _, e := range []struct {
		flag string
		d    Duration
	}{{"kill-every", o.KillEvery}, {"pause-every", o.PauseEvery}, {"cut-every", o.CutEvery}, {"slow-every", o.SlowEvery}} {
		wrong(e.d == 0 || time.Duration(e.d) >= shortest, e.flag, fmt.Sprintf("%v or more, or 0 for never", shortest), time.Duration(e.d))
	}
	wrong(time.Duration(o.Lease) >= 2*time.Second && time.Duration(o.Lease) <= time.Minute, "lease",
		"from 2s, which is the function's least, to 1m", time.Duration(o.Lease))
	wrong(o.Duplicates >= 0 && o.Duplicates <= 20, "duplicates", "from 0 to 20", o.Duplicates)
	wrong(o.Lose >= 0 && o.Lose <= 0.2, "lose", "from 0 to 0.2", o.Lose)
	wrong(o.Fail >= 0 && o.Fail <= 0.9, "fail", "from 0 to 0.9", o.Fail)
	wrong(o.Long >= 0 && o.Long <= 0.5, "long", "from 0 to 0.5", o.Long)
	return errors.Join(errs...)
}
