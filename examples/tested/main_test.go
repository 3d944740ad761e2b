package main

import (
	"context"
	"strings"
	"testing"

	"example.com/eventdriver/driver"
	"example.com/eventdriver/driver/drivertest"
	"example.com/eventdriver/stores/memstore"
)

// TestPipeline is all that it takes to try the pipeline in every order, with duplicates,
// failures and crashes. The bank is Effect; the token is left out of what it is told, since it
// differs after a crash, and must.
func TestPipeline(t *testing.T) {
	drivertest.Pipeline(t, func(env *drivertest.Env) *driver.Pipeline {
		return pipeline(env.Store, func(ctx context.Context, order string, r Refund) error {
			return env.Effect(ctx, order, r.Cents)
		})
	}, events...)
}

func TestReceiptOfNothingIsDeadLettered(t *testing.T) {
	p := pipeline(memstore.New(), func(context.Context, string, Refund) error {
		t.Error("the bank was asked")
		return nil
	})
	var err error
	for _, m := range events {
		if m.Source == "receipt" {
			m.Content = []byte(`{"cents":0}`)
		}
		err = p.Process(t.Context(), m)
	}
	if !driver.IsPermanent(err) {
		t.Errorf("got %v, want a permanent error", err)
	}
}

func TestProgram(t *testing.T) {
	var out strings.Builder
	if err := run(t.Context(), &out); err != nil {
		t.Fatal(err)
	}
	const want = "refund order-1: 1250 cents, token 1\n"
	if got := out.String(); strings.Count(got, want) != 1 || strings.Count(got, "refund") != 1 {
		t.Errorf("got\n%swant one refund", got)
	}
}
