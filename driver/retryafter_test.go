package driver_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"example.com/eventdriver/driver"
)

func TestRetryAfter(t *testing.T) {
	cause := errors.New("too many requests")
	after := func(d time.Duration) error { return driver.RetryAfter(cause, d) }
	for _, c := range []struct {
		name string
		err  error
		want time.Duration
	}{
		{"nil", nil, 0},
		{"of nil", driver.RetryAfter(nil, time.Minute), 0},
		{"plain", cause, 0},
		{"a minute", after(time.Minute), time.Minute},
		{"wrapped", fmt.Errorf("ship: %w", after(time.Minute)), time.Minute},
		{"the longest", after(driver.LongestPause), driver.LongestPause},
		{"a far future", after(1000 * time.Hour), driver.LongestPause},
		{"at once", after(0), 0},
		{"in the past", after(-time.Hour), 0},
		{"the outermost counts", driver.RetryAfter(after(time.Minute), time.Second), time.Second},
		{"the outermost counts, though it asks for none", driver.RetryAfter(after(time.Minute), 0), 0},
		{"of joined errors, the first that asks", errors.Join(cause, after(time.Second), after(time.Minute)), time.Second},
		{"a permanent error", driver.RetryAfter(driver.Permanent(cause), time.Minute), 0},
		{"made permanent", driver.Permanent(after(time.Minute)), 0},
		{"joined with a permanent error", errors.Join(after(time.Minute), driver.Permanent(cause)), 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := driver.RetryAfterOf(c.err); got != c.want {
				t.Errorf("%v, want %v", got, c.want)
			}
			if c.err != nil && c.name != "plain" && !errors.Is(c.err, cause) {
				t.Error("the cause is hidden")
			}
		})
	}
	if driver.RetryAfter(nil, time.Minute) != nil {
		t.Error("RetryAfter(nil) is not nil")
	}
	if !driver.IsPermanent(driver.RetryAfter(driver.Permanent(cause), time.Minute)) {
		t.Error("a permanent error is not permanent any more")
	}
	if after(time.Minute).Error() != cause.Error() {
		t.Error("the text has changed")
	}
}

// TestRetryAfterGoesThroughAPipeline: what a handler asks for is what the pipeline's failure says, from
// branches and typed handlers, too.
func TestRetryAfterGoesThroughAPipeline(t *testing.T) {
	fails := func(err error) driver.Handler {
		return driver.HandlerFunc(func(context.Context, driver.Message, driver.Next) error { return err })
	}
	cause := errors.New("busy")
	after := func(d time.Duration) driver.Handler { return fails(driver.RetryAfter(cause, d)) }
	fine := driver.HandlerFunc(func(ctx context.Context, in driver.Message, next driver.Next) error { return next.Call(ctx, in) })
	typed := driver.JSON(func(context.Context, string, struct{}) error { return driver.RetryAfter(cause, time.Minute) })
	for _, c := range []struct {
		name      string
		handler   driver.Handler
		want      time.Duration
		permanent bool
	}{
		{"one", after(time.Minute), time.Minute, false},
		{"typed", typed, time.Minute, false},
		{"branches: the longest", driver.Parallel(after(time.Second), after(time.Minute), fine), time.Minute, false},
		{"branches: one says nothing", driver.Parallel(after(time.Second), fails(cause)), time.Second, false},
		{"branches: one is permanent", driver.Parallel(fails(driver.Permanent(cause)), after(time.Second)), time.Second, false},
		{"branches: all are permanent", driver.Parallel(fails(driver.Permanent(cause)), fails(driver.RetryAfter(driver.Permanent(cause), time.Hour))),
			0, true},
		{"branches in branches", driver.Parallel(fine, driver.Parallel(after(time.Minute), after(time.Second))), time.Minute, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			err := driver.New(c.handler).Process(t.Context(), driver.Message{Key: "k", Source: "s", Content: []byte("{}")})
			if got := driver.RetryAfterOf(err); got != c.want || driver.IsPermanent(err) != c.permanent || !errors.Is(err, cause) {
				t.Errorf("%v of %v, permanent %v; want %v", got, err, driver.IsPermanent(err), c.want)
			}
		})
	}
}
