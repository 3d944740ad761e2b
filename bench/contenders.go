package main

import (
	"context"
	"strconv"
	"sync"
	"testing"

	"github.com/ThreeDotsLabs/watermill"
	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/ThreeDotsLabs/watermill/pubsub/gochannel"

	"example.com/eventdriver/bench/straight"
	"example.com/eventdriver/driver"
	"example.com/eventdriver/driver/cache"
	"example.com/eventdriver/driver/joiner"
	"example.com/eventdriver/stores/memstore"
)

func chainsOf(n int) []contender {
	return []contender{
		{"floor", func(b *testing.B) { callChain(b, n) }},
		{"pipeline", func(b *testing.B) { pipelineChain(b, n, context.Background()) }},
		{"pipeline, context that can end", func(b *testing.B) {
			ctx, cancel := context.WithCancel(context.Background())
			defer cancel()
			pipelineChain(b, n, ctx)
		}},
		{"Watermill", func(b *testing.B) { watermillChain(b, n) }},
	}
}

var passed = driver.Message{ID: "1", Key: "k", Source: "event1", Content: small}

func callChain(b *testing.B, n int) {
	next := driver.Next(func(context.Context, driver.Message) error { return nil })
	for range n {
		after := next
		next = func(ctx context.Context, m driver.Message) error { return after(ctx, m) }
	}
	ctx := context.Background()
	for b.Loop() {
		if next(ctx, passed) != nil {
			b.Fail()
		}
	}
}

func pipelineChain(b *testing.B, n int, ctx context.Context) {
	pass := driver.HandlerFunc(func(ctx context.Context, m driver.Message, next driver.Next) error {
		return next(ctx, m)
	})
	var handlers []driver.Handler
	for range n {
		handlers = append(handlers, pass)
	}
	p := driver.New(handlers...)
	for b.Loop() {
		if p.Process(ctx, passed) != nil {
			b.Fail()
		}
	}
}

func watermillChain(b *testing.B, n int) {
	var middlewares []message.HandlerMiddleware
	for range n {
		middlewares = append(middlewares, func(h message.HandlerFunc) message.HandlerFunc {
			return func(m *message.Message) ([]*message.Message, error) { return h(m) }
		})
	}
	publish := router(b, func(*message.Message) error { return nil }, middlewares...)
	for b.Loop() {
		publish("k", "event1")
	}
}

// router runs a router with one handler, and returns a function that publishes an event of a
// key and source and returns when it is handled.
func router(
	b *testing.B, handle message.NoPublishHandlerFunc, middlewares ...message.HandlerMiddleware,
) func(key, source string) {
	logger := watermill.NopLogger{}
	channel := gochannel.NewGoChannel(gochannel.Config{BlockPublishUntilSubscriberAck: true}, logger)
	r, err := message.NewRouter(message.RouterConfig{}, logger)
	if err != nil {
		b.Fatal(err)
	}
	r.AddMiddleware(middlewares...)
	r.AddConsumerHandler("handler", "events", channel, handle)
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { _ = r.Run(ctx) }) // it ends with its context
	b.Cleanup(func() {
		cancel()
		running.Wait()
	})
	<-r.Running()
	return func(key, source string) {
		m := message.NewMessage(source+"-"+key, small)
		m.Metadata.Set("key", key)
		m.Metadata.Set("source", source)
		if channel.Publish("events", m) != nil {
			b.Fail()
		}
	}
}

func joinsOf(n int) []contender {
	return []contender{
		{"floor", func(b *testing.B) { joinFloor(b, n) }},
		{"pipeline", func(b *testing.B) { joinPipeline(b, n) }},
		{"straightforward", func(b *testing.B) { joinStraight(b, n) }},
		{"floor in Watermill", func(b *testing.B) { joinWatermill(b, n) }},
	}
}

// each sends the events of one key after the other, and fails if not each of them acts once.
func each(b *testing.B, n int, acted *int, send func(key, source string) error) {
	sources := sourcesOf(n)
	keys := 0
	for b.Loop() {
		key := strconv.Itoa(keys)
		keys++
		for _, source := range sources {
			if err := send(key, source); err != nil {
				b.Fatal(err)
			}
		}
	}
	if *acted != keys {
		b.Fatalf("%d keys were acted on, want %d", *acted, keys)
	}
}

// bare is the least that joins: a map.
type bare struct {
	mu     sync.Mutex
	events map[string]map[string][]byte
	n      int
	acted  int
}

func (f *bare) handle(key, source string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	events := f.events[key]
	if events == nil {
		events = make(map[string][]byte)
		f.events[key] = events
	}
	if events[source] = small; len(events) < f.n {
		return nil
	}
	joined := []byte{'{'}
	for source, content := range events {
		joined = append(append(append(append(append(joined, '"'), source...), `":`...), content...), ',')
	}
	joined[len(joined)-1] = '}'
	f.acted++
	return nil
}

func joinFloor(b *testing.B, n int) {
	f := &bare{events: make(map[string]map[string][]byte), n: n}
	each(b, n, &f.acted, f.handle)
}

func joinPipeline(b *testing.B, n int) {
	store, acted := memstore.New(), 0
	act := driver.HandlerFunc(func(ctx context.Context, m driver.Message, next driver.Next) error {
		acted++
		return next(ctx, m)
	})
	p := driver.New(joiner.New(joiner.MatchAll(sourcesOf(n)...), store), cache.New(store), act)
	ctx := context.Background()
	each(b, n, &acted, func(key, source string) error {
		return p.Process(ctx, driver.Message{ID: source + "-" + key, Key: key, Source: source, Content: small})
	})
}

func joinStraight(b *testing.B, n int) {
	acted := 0
	j := straight.Joiner{Store: &straight.Memory{}, Sources: n, Act: func([]byte) error {
		acted++
		return nil
	}}
	ctx := context.Background()
	each(b, n, &acted, func(key, source string) error { return j.Handle(ctx, key, source, small) })
}

func joinWatermill(b *testing.B, n int) {
	f := &bare{events: make(map[string]map[string][]byte), n: n}
	publish := router(b, func(m *message.Message) error {
		return f.handle(m.Metadata.Get("key"), m.Metadata.Get("source"))
	})
	each(b, n, &f.acted, func(key, source string) error {
		publish(key, source)
		return nil
	})
}
