package sim

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"time"

	"example.com/eventdriver/driver"
	"example.com/eventdriver/driver/joiner"
)

// expired is how long before a sweep the first event of its key was kept, unless the sweep is
// early. It is longer than any deadline.
const expired = 1000 * time.Hour

// sweep is the context and the message of a sweep.
func (e Event) sweep(ctx context.Context) (context.Context, driver.Message) {
	since := time.Now()
	if !e.Early {
		since = since.Add(-expired)
	}
	return driver.WithSweep(ctx, since), driver.Message{Key: e.Key}
}

// isTooLate says that err is that of a sealed place.
func isTooLate(err error) bool {
	return errors.Is(err, driver.ErrSealed) && driver.ReasonOf(err) == driver.ReasonTooLate
}

// places are the sources whose places are filled: by an event, or by a seal.
func (k *keyState) places() []string {
	if len(k.sealed) == 0 {
		return slices.Sorted(maps.Keys(k.events))
	}
	return slices.Sorted(maps.Keys(k.all()))
}

func (k *keyState) all() map[string]bool {
	all := maps.Clone(k.sealed)
	for source := range k.events {
		all[source] = true
	}
	return all
}

func (c contract) Seal(ctx context.Context, key, source string) (bool, error) {
	k := c.verify.key(key)
	sealed, err := c.store.Seal(ctx, key, source)
	if _, known := k.events[source]; err != nil || sealed == known {
		c.verify.violated("Seal %s of key %s: %v, %v, and it is kept: %v", source, key, sealed, err, known)
	}
	if sealed {
		c.verify.sealed(attemptFrom(ctx), k, source)
	}
	c.verify.filled(k)
	c.verify.probe(contract.probeEvents, c)
	return sealed, err
}

// sealed notes a seal. Nothing is sealed before its deadline, and no key of which nothing is kept.
func (v *verifier) sealed(a *attempt, k *keyState, source string) {
	switch {
	case k.sealed[source]:
	case a.event.Early:
		v.violated("sweep %d sealed %s before the deadline", a.delivery+1, source)
	case len(k.events) == 0 && k.deletions == 0:
		v.violated("sweep %d sealed %s of a key of which nothing is kept", a.delivery+1, source)
	}
	k.sealed[source] = true
}

func (g gated) Seal(ctx context.Context, key, source string) (bool, error) {
	return value(ctx, g.gate, "Seal "+source, write, func(ctx context.Context) (bool, error) { return g.store.Seal(ctx, key, source) })
}

func (o observed) Seal(ctx context.Context, key, source string) (bool, error) {
	in, k, was := o.begin(ctx, call{op: "Seal " + source, key: key, message: driver.Message{Key: key, Source: source}})
	sealed, err := o.store.Seal(in, key, source)
	o.end(ctx, func(v *verifier, a *attempt) {
		_, known := k.events[source]
		switch {
		case k.deletions > was.deletions || err != nil && a.troubled:
		case err == nil && sealed == k.sealed[source] && sealed != known:
		default:
			v.violated("Seal %s of key %s: %v, %v, and it is kept: %v", source, key, sealed, err, known)
		}
		v.filled(k)
	})
	return sealed, err
}

// letters are the dead letters that handlers behind the cache write. A letter that is the same as
// one before is kept once.
func (b business) AddDeadLetter(ctx context.Context, d driver.DeadLetter) error {
	by := attemptFrom(ctx)
	b.gate.called(ctx, driver.Message{Key: d.Key})
	err := b.gate.step(ctx, "AddDeadLetter", write, func(ctx context.Context) error {
		b.gate.verify.lettered(ctx, d)
		return nil
	})
	if d.Reason == driver.ReasonIncomplete {
		b.gate.finished(ctx, by, err)
	}
	return err
}

// lettered checks a dead letter. One of an incomplete join is what becomes of the order: it was not
// processed, and lacks none of the events that are kept. Written again, it is the same, unless an
// event was replaced since.
func (v *verifier) lettered(ctx context.Context, d driver.DeadLetter) {
	if d.Reason != driver.ReasonIncomplete {
		v.letters[d.Key] = append(v.letters[d.Key], d.Reason)
		return
	}
	a, k := attemptFrom(ctx), v.key(d.Key)
	claim, _ := driver.ClaimFrom(ctx)
	v.letter(k, d)
	if len(k.effects) > 0 {
		first, replaced := k.effects[0].letter, v.scenario.Policy == joiner.KeepLast
		if first == "" || first != string(d.Body) && !replaced {
			v.violated("key %s has the letter %q, after %q: the order is doubled", d.Key, d.Body, first)
		}
		k.repeated = true
		return
	}
	if k.state == done {
		v.violated("key %s has a letter, and was completed without", d.Key)
	}
	k.effects = append(k.effects, effect{token: claim.Token, by: a, letter: string(d.Body)})
}

// letter checks that a letter has the events that are kept.
func (v *verifier) letter(k *keyState, d driver.DeadLetter) {
	var body struct {
		Events []struct{ Source, Content string }
	}
	if err := json.Unmarshal(d.Body, &body); err != nil {
		v.violated("the letter %q is no JSON: %v", d.Body, err)
	}
	contents := make(map[string]json.RawMessage)
	for _, e := range body.Events {
		contents[e.Source] = json.RawMessage(e.Content)
	}
	v.versions(k, contents)
	if got := slices.Sorted(maps.Keys(contents)); k.deletions == 0 && !slices.Equal(got, slices.Sorted(maps.Keys(k.events))) {
		v.violated("the letter %q is without some of %q", d.Body, slices.Sorted(maps.Keys(k.events)))
	}
}

// lacks checks what a joined message says that it lacks: all that is sealed, and it has all that is
// not.
func (v *verifier) lacks(k *keyState, joined, missing []string) {
	if !slices.Equal(missing, slices.Sorted(maps.Keys(k.sealed))) {
		v.violated("a message lacks %q, and %v is sealed", missing, k.sealed)
	}
	if len(missing) > 0 && !v.scenario.InPart {
		v.violated("acted without some, %q, and that was to be dead-lettered", missing)
	}
	if len(missing) > 0 && k.deletions == 0 && !slices.Equal(joined, slices.Sorted(maps.Keys(k.events))) {
		v.violated("a message that lacks %q has %q, and %v is kept: acted without some", missing, joined, slices.Sorted(maps.Keys(k.events)))
	}
}

// outcome checks how a key is said to have been completed.
func (v *verifier) outcome(k *keyState, got driver.Outcome) {
	want := driver.OutcomeProcessed
	if len(k.sealed) > 0 {
		want = driver.OutcomeExpired
	}
	if got != want {
		v.violated("the key was completed as %q, want %q", got, want)
	}
}

// leftAlone checks a sweep that left its key alone.
func (v *verifier) leftAlone(a *attempt) {
	if !slices.ContainsFunc(a.claims, func(c driver.Claim) bool { return c.Mark != driver.MarkNone }) {
		v.violated("sweep %d left a key alone that nobody marked", a.delivery+1)
	}
}

// swept checks, after the last sweeps, that every key that has events and was swept when its
// deadline had passed, or that was complete, is done; or has failed for good, or is in quarantine and
// has a letter.
func (v *verifier) swept() {
	for _, e := range v.scenario.Events {
		if !e.Sweep {
			continue
		}
		k := v.key(e.Key)
		due := len(k.events) > 0 && !e.Early || v.scenario.Joined(k.places())
		switch {
		case !due || k.forgotten:
		case k.state == free && (k.said.Mark == driver.MarkFailed || k.said.Mark == driver.MarkQuarantined && len(v.letters[e.Key]) > 0):
		case len(k.effects) == 0:
			v.violated("key %s was swept, and nothing was done: the order is lost", e.Key)
		case k.state != done:
			v.violated("key %s was swept, and is not completed", e.Key)
		}
	}
}
