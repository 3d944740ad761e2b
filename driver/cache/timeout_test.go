package cache

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"
)

// A timeout is as the standard library's, whether somebody waits for its end or only asks.
func TestTimeoutEnds(t *testing.T) {
	for name, c := range map[string]struct {
		do   func(cancelParent, cancel func())
		want error
	}{
		"not yet":                   {func(_, _ func()) { time.Sleep(time.Second - 1) }, nil},
		"when its time is up":       {func(_, _ func()) { time.Sleep(time.Second) }, context.DeadlineExceeded},
		"when it is canceled":       {func(_, cancel func()) { cancel() }, context.Canceled},
		"canceled, then time is up": {func(_, cancel func()) { cancel(); time.Sleep(time.Second) }, context.Canceled},
		"with its parent":           {func(parent, _ func()) { parent() }, context.Canceled},
	} {
		for _, waits := range []bool{false, true} {
			synctest.Test(t, func(t *testing.T) {
				parent, cancelParent := context.WithCancel(t.Context())
				ctx := withTimeout(parent, time.Second)
				defer ctx.stop()
				var child context.Context = ctx
				if waits {
					var stop func()
					child, stop = context.WithCancel(ctx)
					defer stop()
				}
				c.do(cancelParent, ctx.stop)
				synctest.Wait()
				if err := ctx.Err(); !errors.Is(err, c.want) {
					t.Errorf("%s, waits %v: %v", name, waits, err)
				}
				if err := child.Err(); !errors.Is(err, c.want) {
					t.Errorf("%s, waits %v: a child: %v", name, waits, err)
				}
				if c.want != nil {
					<-ctx.Done()
				}
				if err := ctx.Err(); !errors.Is(err, c.want) {
					t.Errorf("%s, waits %v: %v in the end", name, waits, err)
				}
				select {
				case <-ctx.Done():
					if c.want == nil {
						t.Errorf("%s, waits %v: it is done", name, waits)
					}
				default:
				}
			})
		}
	}
}

func TestTimeoutEndsWithTheEarlierDeadline(t *testing.T) {
	parent, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	want, _ := parent.Deadline()
	ctx := withTimeout(parent, time.Hour)
	defer ctx.stop()
	if end, ok := ctx.Deadline(); !ok || !end.Equal(want) {
		t.Errorf("it ends at %v, want %v", end, want)
	}
}
