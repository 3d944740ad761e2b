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
	why := errors.New("why")
	ended := func(cause error) error { // what Err returns
		if cause == why {
			return context.Canceled
		}
		return cause
	}
	for name, c := range map[string]struct {
		do   func(cancelParent func(), cancel context.CancelCauseFunc)
		want error
	}{
		"not yet":                   {func(func(), context.CancelCauseFunc) { time.Sleep(time.Second - 1) }, nil},
		"when its time is up":       {func(func(), context.CancelCauseFunc) { time.Sleep(time.Second) }, context.DeadlineExceeded},
		"when it is canceled":       {func(_ func(), cancel context.CancelCauseFunc) { cancel(nil) }, context.Canceled},
		"canceled, then time is up": {func(_ func(), cancel context.CancelCauseFunc) { cancel(nil); time.Sleep(time.Second) }, context.Canceled},
		"canceled for a reason":     {func(_ func(), cancel context.CancelCauseFunc) { cancel(why); cancel(nil) }, why},
		"canceled, then a reason":   {func(_ func(), cancel context.CancelCauseFunc) { cancel(nil); cancel(why) }, context.Canceled},
		"with its parent":           {func(parent func(), _ context.CancelCauseFunc) { parent() }, context.Canceled},
	} {
		for _, waits := range []bool{false, true} {
			synctest.Test(t, func(t *testing.T) {
				parent, cancelParent := context.WithCancel(t.Context())
				ctx := withDeadline(parent, time.Now().Add(time.Second))
				defer ctx.cancel(nil)
				var child context.Context = ctx
				if waits {
					var stop func()
					child, stop = context.WithCancel(ctx)
					defer stop()
				}
				c.do(cancelParent, ctx.cancel)
				synctest.Wait()
				for _, of := range []context.Context{ctx, child} {
					if err := context.Cause(of); err != c.want {
						t.Errorf("%s, waits %v: the cause of %T is %v", name, waits, of, err)
					}
					if err := of.Err(); err != ended(c.want) {
						t.Errorf("%s, waits %v: %T: %v", name, waits, of, err)
					}
				}
				if c.want != nil {
					<-ctx.Done()
				}
				if err := context.Cause(ctx); err != c.want {
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
	ctx := withDeadline(parent, time.Now().Add(time.Hour))
	defer ctx.cancel(nil)
	if end, ok := ctx.Deadline(); !ok || !end.Equal(want) {
		t.Errorf("it ends at %v, want %v", end, want)
	}
}
