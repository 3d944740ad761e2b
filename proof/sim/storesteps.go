package sim

import (
	"context"
	"time"

	"example.com/eventdriver/driver"
)

// gated is the store as a pipeline sees it: each of its operations is a step.
type gated struct {
	gate  *gate
	store contract
	ahead time.Duration
}

func (g gated) Persist(ctx context.Context, m driver.Message) error {
	return g.gate.step(ctx, "Persist "+m.Source, write, func(ctx context.Context) error { return g.store.Persist(ctx, m) })
}

func (g gated) Replace(ctx context.Context, m driver.Message) (driver.Message, error) {
	return value(ctx, g.gate, "Replace "+m.Source, write, func(ctx context.Context) (driver.Message, error) {
		return g.store.Replace(ctx, m)
	})
}

func (g gated) LookUp(ctx context.Context, key, source string) (driver.Message, error) {
	return value(ctx, g.gate, "LookUp "+source, read, func(ctx context.Context) (driver.Message, error) {
		return g.store.LookUp(ctx, key, source)
	})
}

func (g gated) LookUpByKey(ctx context.Context, key string) ([]driver.Message, error) {
	return value(ctx, g.gate, "LookUpByKey", read, func(ctx context.Context) ([]driver.Message, error) {
		return g.store.LookUpByKey(ctx, key)
	})
}

func (g gated) ListSourcesByKey(ctx context.Context, key string) ([]string, error) {
	return value(ctx, g.gate, "ListSourcesByKey", read, func(ctx context.Context) ([]string, error) {
		return g.store.ListSourcesByKey(ctx, key)
	})
}

func (g gated) Decide(ctx context.Context, key, name string, sources []string) ([]string, error) {
	return value(ctx, g.gate, "Decide", write, func(ctx context.Context) ([]string, error) {
		return g.store.Decide(ctx, key, name, sources)
	})
}

func (g gated) ListDecided(ctx context.Context, key, name string) (sources, decided []string, err error) {
	type lists struct{ sources, decided []string }
	l, err := value(ctx, g.gate, "ListDecided", read, func(ctx context.Context) (l lists, err error) {
		l.sources, l.decided, err = g.store.ListDecided(ctx, key, name)
		return l, err
	})
	return l.sources, l.decided, err
}

func (g gated) Acquire(ctx context.Context, c driver.Claim, ttl time.Duration) (driver.Claim, error) {
	return value(ctx, g.gate, "Acquire", lease, func(ctx context.Context) (driver.Claim, error) {
		return g.store.Acquire(ctx, c, ttl-g.ahead)
	})
}

func (g gated) Renew(ctx context.Context, c driver.Claim, ttl time.Duration) (driver.Claim, error) {
	return value(ctx, g.gate, "Renew", lease, func(ctx context.Context) (driver.Claim, error) {
		return g.store.Renew(ctx, c, ttl-g.ahead)
	})
}

func (g gated) Complete(ctx context.Context, c driver.Claim, outcome driver.Outcome) error {
	return g.gate.step(ctx, "Complete", write, func(ctx context.Context) error { return g.store.Complete(ctx, c, outcome) })
}

func (g gated) Release(ctx context.Context, c driver.Claim, r driver.Released) error {
	return g.gate.step(ctx, "Release", write, func(ctx context.Context) error { return g.store.Release(ctx, c, r) })
}

// value is a step that has a result besides the error; where the answer is lost,
// so is the result.
func value[T any](ctx context.Context, g *gate, op string, kind kind, do func(context.Context) (T, error)) (T, error) {
	var result T
	err := g.step(ctx, op, kind, func(ctx context.Context) (err error) {
		result, err = do(ctx)
		return err
	})
	if err != nil {
		var none T
		return none, err
	}
	return result, nil
}

// business is the end of the pipeline.
type business struct {
	gate *gate
	how  func(ctx context.Context, try int, act func() error) error
}

// Acted asks the receiving system, in one step, whether the business has acted for in's
// key. That system refuses older tokens from then on.
func (b business) Acted(ctx context.Context, in driver.Message) (bool, error) {
	return value(ctx, b.gate, "Ask", read, func(ctx context.Context) (bool, error) {
		return b.gate.verify.askedSystem(ctx, in), nil
	})
}

// Process acts, in one step, or does what the scenario's Business says instead. When it
// returns nil the key may be completed.
func (b business) Process(ctx context.Context, in driver.Message, next driver.Next) error {
	by := attemptFrom(ctx)
	b.gate.called(ctx, in)
	b.gate.ran(ctx, in)
	act := func() error {
		return b.gate.step(ctx, "Act", act, func(ctx context.Context) error {
			b.gate.verify.acted(ctx, in)
			return nil
		})
	}
	how := b.how
	if how == nil {
		how = func(context.Context, int, func() error) error { return act() }
	}
	err := how(ctx, b.gate.try(in.Key), act)
	if err == nil {
		err = next.Call(ctx, in)
	}
	b.gate.finished(ctx, by, err)
	return err
}
