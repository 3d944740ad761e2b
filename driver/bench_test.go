package driver_test

import (
	"context"
	"fmt"
	"testing"

	"example.com/eventdriver/driver"
	"example.com/eventdriver/driver/cache"
	"example.com/eventdriver/driver/joiner"
	"example.com/eventdriver/stores/memstore"
)

// BenchmarkPipeline compares three handlers that only pass a message on with the
// floor, three calls of plain functions.
func BenchmarkPipeline(b *testing.B) {
	pass := driver.HandlerFunc(func(ctx context.Context, in driver.Message, next driver.Next) error { return next(ctx, in) })
	p := driver.New(pass, pass, pass)
	b.Run("floor", func(b *testing.B) {
		end := driver.Next(func(context.Context, driver.Message) error { return nil })
		three := func(ctx context.Context, in driver.Message) error {
			for range 3 {
				if err := pass(ctx, in, end); err != nil {
					return err
				}
			}
			return nil
		}
		b.ReportAllocs()
		for b.Loop() {
			_ = three(context.Background(), order)
		}
	})
	b.Run("context without an end", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			_ = p.Process(context.Background(), order)
		}
	})
	b.Run("context that can end", func(b *testing.B) {
		ctx, cancel := context.WithCancel(context.Background())
		defer cancel()
		b.ReportAllocs()
		for b.Loop() {
			_ = p.Process(ctx, order)
		}
	})
}

// BenchmarkJoin is a whole join of three events in memory.
func BenchmarkJoin(b *testing.B) {
	store := memstore.New()
	p := driver.New(joiner.New(joiner.MatchAll("event1", "event2", "event3"), store), cache.New(store))
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		for _, source := range []string{"event1", "event2", "event3"} {
			m := driver.Message{ID: source, Key: fmt.Sprint(i), Source: source, Content: []byte(`{"n":1}`)}
			if err := p.Process(context.Background(), m); err != nil {
				b.Fatal(err)
			}
		}
	}
}
