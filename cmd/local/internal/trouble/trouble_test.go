package trouble_test

import (
	"context"
	"errors"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"example.com/eventdriver/cmd/local/internal/records"
	"example.com/eventdriver/cmd/local/internal/trouble"
	"example.com/eventdriver/driver"
)

// business counts its runs.
type business struct{ runs int }

func (b *business) Process(ctx context.Context, in driver.Message, next driver.Next) error {
	b.runs++
	return next.Call(ctx, in)
}

func run(ctx context.Context, h trouble.Handler, key string) error {
	return driver.New(h).Process(ctx, driver.Message{Key: key})
}

// Troubles of the business come for the keys, and as often, as was asked for, also where the
// business is in another process.
func TestBusinessFails(t *testing.T) {
	for name, remote := range map[string]bool{"here": false, "in another process": true} {
		t.Run(name, func(t *testing.T) {
			troubles := trouble.New(records.New(10, nil))
			b := &business{}
			h := trouble.Handler{Business: b, Asker: troubles}
			if remote {
				server := httptest.NewServer(trouble.Serve(troubles))
				defer server.Close()
				h.Asker = trouble.Remote(server.URL)
			}
			troubles.FailHandler("a b&c", 2)
			troubles.PanicHandler("p", trouble.Until)
			for range 2 {
				if err := run(t.Context(), h, "a b&c"); !errors.Is(err, trouble.ErrAsked) {
					t.Errorf("%v, want ErrAsked", err)
				}
				if err := run(t.Context(), h, "p"); err == nil || !strings.Contains(err.Error(), "panic") {
					t.Errorf("%v, want a panic", err)
				}
			}
			if b.runs != 0 {
				t.Errorf("%d runs, want none", b.runs)
			}
			if err := errors.Join(run(t.Context(), h, "a b&c"), run(t.Context(), h, "other")); err != nil || b.runs != 2 {
				t.Errorf("%d runs, %v", b.runs, err)
			}
			if left := troubles.List(); len(left) != 1 || left[0].Kind != trouble.Panic {
				t.Errorf("left: %+v", left)
			}
			troubles.Clear()
			if err := run(t.Context(), h, "p"); err != nil {
				t.Error(err)
			}
			troubles.FailHandler("", 1)
			if err := run(t.Context(), h, "any"); !errors.Is(err, trouble.ErrAsked) {
				t.Errorf("%v, want ErrAsked", err)
			}
		})
	}
}

func TestBusinessHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		troubles := trouble.New(records.New(10, nil))
		b := &business{}
		h := trouble.Handler{Business: b, Asker: troubles}
		troubles.HangHandler("k", time.Hour, 2)
		began := time.Now()
		if err := run(t.Context(), h, "k"); err != nil || time.Since(began) != time.Hour || b.runs != 1 {
			t.Errorf("%v after %v", err, time.Since(began))
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if err := run(ctx, h, "k"); !errors.Is(err, context.DeadlineExceeded) || b.runs != 1 {
			t.Errorf("%v, want the context's end", err)
		}
	})
}

// A run has its records, and what is made and cleared has, too.
func TestRecords(t *testing.T) {
	var seen []string
	j := records.New(10, func(r records.Record, _ []byte) { seen = append(seen, string(r.Kind)+": "+r.Message) })
	troubles := trouble.New(j)
	troubles.LoseStoreAnswers(trouble.Claim, 2)
	troubles.SlowStore(time.Second)
	troubles.SlowStore(0)
	troubles.Clear()
	want := []string{"trouble: trouble: the store's answer is lost where it is asked to claim a key, twice",
		"trouble: trouble: the store takes 1s longer", "trouble: the store is as fast as it was", "trouble: all troubles are cleared"}
	if !slices.Equal(seen, want) {
		t.Errorf("%q, want %q", seen, want)
	}
}
