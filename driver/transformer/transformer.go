// Package transformer changes messages before the rest of a pipeline sees them.
//
// A [Rule] is a plain function; write your own beside [EraseContentFromSources]
// and [RenameSources].
package transformer

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"example.com/eventdriver/driver"
)

// Rule returns the message to go on with. It must not change the Content or
// Attributes of the one it is given in place, may be called from many goroutines
// at once, and must give the same answer each time: a redelivered event goes
// through it again, and is compared with what is stored. What it has answered it must
// leave as it is: the events of an order's dead letter are sent again as they were stored.
type Rule func(driver.Message) (driver.Message, error)

// Transformer is a handler that applies rules. Create it with [New].
type Transformer struct {
	rules  []Rule
	prompt bool
}

// New returns a handler that applies the rules in order and goes on with the
// result. A rule's error ends it; wrap the error with [driver.Permanent] where
// no redelivery can help. New panics if a rule is nil.
func New(rules ...Rule) *Transformer {
	for i, rule := range rules {
		if rule == nil {
			panic(fmt.Errorf("transformer: rule %d is nil", i+1))
		}
	}
	return &Transformer{rules: slices.Clone(rules)}
}

// NewPrompt is [New] for rules that wait for nothing and always return to their caller, as those of this
// package do: the handler is a [driver.Prompt].
func NewPrompt(rules ...Rule) *Transformer {
	t := New(rules...)
	t.prompt = true
	return t
}

// Prompt implements [driver.Prompt].
func (t *Transformer) Prompt() bool { return t.prompt || len(t.rules) == 0 }

// String is how errors call the handler.
func (t *Transformer) String() string { return "transformer" }

// Process implements [driver.Handler].
func (t *Transformer) Process(ctx context.Context, in driver.Message, next driver.Next) error {
	for i, rule := range t.rules {
		var err error
		if in, err = rule(in); err != nil {
			return fmt.Errorf("rule %d: %w", i+1, err)
		}
	}
	return next.Call(ctx, in)
}

// EraseContentFromSources empties the content of events from the sources, which
// saves storing and reading what nobody uses: such an event only says that it
// happened.
func EraseContentFromSources(sources ...string) Rule {
	sources = slices.Clone(sources)
	return func(m driver.Message) (driver.Message, error) {
		if slices.Contains(sources, m.Source) {
			m.Content = nil
		}
		return m, nil
	}
}

// RenameSources maps aliases to names: {"event1": {"orders", "orders-v2"}} lets
// events from orders and orders-v2 come from event1. Other sources stay as they
// are. An alias of two names, an alias that is itself a name, and an empty alias
// or name are errors.
func RenameSources(aliases map[string][]string) (Rule, error) {
	names := make(map[string]string)
	for _, name := range slices.Sorted(maps.Keys(aliases)) {
		if name == "" {
			return nil, fmt.Errorf("source aliases %q: the name they stand for is empty", aliases[name])
		}
		for _, alias := range aliases[name] {
			if err := checkAlias(name, alias, aliases, names); err != nil {
				return nil, err
			}
			names[alias] = name
		}
	}
	return func(m driver.Message) (driver.Message, error) {
		if name, ok := names[m.Source]; ok {
			m.Source = name
		}
		return m, nil
	}, nil
}

func checkAlias(name, alias string, aliases map[string][]string, names map[string]string) error {
	if alias == "" {
		return fmt.Errorf("source %q: an alias is empty", name)
	}
	if other, taken := names[alias]; taken && other != name {
		return fmt.Errorf("source alias %q stands for both %q and %q", alias, other, name)
	}
	if _, isName := aliases[alias]; isName && alias != name {
		return fmt.Errorf("source alias %q of %q is itself a source's name", alias, name)
	}
	return nil
}
