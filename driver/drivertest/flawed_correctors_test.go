package drivertest_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"example.com/eventdriver/driver"
	"example.com/eventdriver/driver/drivertest"
	"example.com/eventdriver/stores/memstore"
)

var correctFlaws = []struct {
	name   string
	breaks []string
}{
	{"does nothing", []string{"A corrected event is what everybody sees"}},
	{"keeps the ID of before", []string{"A corrected event is what everybody sees"}},
	{"corrects every source", []string{"A corrected event is what everybody sees"}},
	{"keeps the new event as what was there", []string{"What was there can be read", "Of corrections at once"}},
	{"forgets the reason", []string{"The history says who"}},
	{"has the history backwards", []string{"The history says who"}},
	{"kept since the correction", []string{"Since when"}},
	{"keeps what is not kept", []string{"Nothing is corrected"}},
	{"corrects a seal", []string{"A sealed place"}},
	{"takes a redelivery for a conflict", []string{"A redelivery of what was corrected", "A correction and redeliveries at once", "KeepAndLook of what was corrected"}},
	{"takes a redelivery for what is kept", []string{"A redelivery of what was corrected"}},
	{"takes each conflict for a redelivery", []string{"A redelivery of what was corrected"}},
	{"the newest overrides it", []string{"No event overrides"}},
	{"forgets the decision", []string{"A decision stays"}},
	{"notes the same correction twice", []string{"The same correction again"}},
	{"corrects once", []string{"The same correction again", "The history says who"}},
	{"forgets one of several", []string{"Of corrections at once"}},
	{"brings the old event back", []string{"A correction and redeliveries at once"}},
	{"cuts names", []string{"Any key and source can be corrected"}},
	{"shares what is read", []string{"A corrected event is shared with nobody"}},
	{"takes any correction", []string{"A correction names"}},
	{"finds the last for any name", []string{"There is nothing to read"}},
	{"ignores the context", []string{"A context that has ended"}},
}

// flawedCorrector is a memory store that corrects as its flaw has it.
type flawedCorrector struct {
	*memstore.Store
	flaw string

	mu     sync.Mutex
	calls  int
	last   string                    // what was corrected last is called so
	shared map[string]driver.Message // what was read
}

func (f *flawedCorrector) Correct(ctx context.Context, m driver.Message, c driver.Correction) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.calls++
	switch f.flaw {
	case "does nothing":
		return nil
	case "keeps the ID of before":
		if was, err := f.Store.LookUp(ctx, m.Key, m.Source); err == nil {
			m.ID = was.ID
		}
	case "corrects every source":
		f.others(ctx, m, c)
	case "keeps the new event as what was there":
		first := c
		first.Why = "first"
		if err := f.Store.Correct(ctx, m, first); err != nil {
			return err
		}
	case "keeps what is not kept":
		_ = f.Store.Persist(ctx, m)
	case "corrects a seal":
		if err := f.Store.Correct(ctx, m, c); !errors.Is(err, driver.ErrSealed) {
			return err
		}
		return nil
	case "notes the same correction twice":
		c.Why += string(rune('a' + f.calls))
	case "cuts names":
		m.Key, m.Source = m.Key[:min(9, len(m.Key))], m.Source[:min(9, len(m.Source))]
	case "takes any correction":
		c.By, c.Why = c.By+"x", c.Why[:min(len(c.Why), 9)]+"x"
		if c.Time.IsZero() {
			c.Time = time.Now()
		}
	case "ignores the context":
		ctx = context.WithoutCancel(ctx)
	case "corrects once":
		if f.calls > 1 {
			return nil
		}
	}
	err := f.Store.Correct(ctx, m, c)
	if err == nil {
		f.spoil(ctx, m)
	}
	return err
}

// others corrects the other sources of the key as well.
func (f *flawedCorrector) others(ctx context.Context, m driver.Message, c driver.Correction) {
	sources, _ := f.Store.ListSourcesByKey(ctx, m.Key)
	for _, source := range sources {
		other := m
		if other.Source = source; source != m.Source {
			_ = f.Store.Correct(ctx, other, c)
		}
	}
}

// spoil does what comes after a correction.
func (f *flawedCorrector) spoil(ctx context.Context, m driver.Message) {
	if f.flaw != "forgets the decision" && f.flaw != "kept since the correction" {
		return
	}
	kept, _ := f.Store.LookUpByKey(ctx, m.Key)
	_ = f.Store.PurgeEvents(ctx, m.Key)
	for _, e := range kept {
		_ = f.Store.Persist(ctx, e)
	}
}

func (f *flawedCorrector) Inspect(ctx context.Context, key string) (driver.KeyState, error) {
	if f.flaw == "cuts names" {
		return f.Store.Inspect(ctx, key[:min(9, len(key))])
	}
	k, err := f.Store.Inspect(ctx, key)
	for i := range k.Events {
		all := k.Events[i].Corrections
		switch {
		case f.flaw == "forgets the reason":
			for j := range all {
				all[j].Why = ""
			}
		case f.flaw == "has the history backwards":
			slices.Reverse(all)
		case f.flaw == "forgets one of several" && len(all) > 3:
			k.Events[i].Corrections = all[1:]
		case f.flaw == "keeps the new event as what was there":
			k.Events[i].Corrections = slices.DeleteFunc(all, func(c driver.Corrected) bool { return c.Why == "first" })
		}
	}
	return k, err
}

func (f *flawedCorrector) ReadCorrected(ctx context.Context, ref string) (driver.Message, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	switch f.flaw {
	case "finds the last for any name":
		if f.last != "" {
			ref = f.last
		}
	case "ignores the context":
		ctx = context.WithoutCancel(ctx)
	case "shares what is read":
		if m, ok := f.shared[ref]; ok {
			return m, nil
		}
	}
	m, err := f.Store.ReadCorrected(ctx, ref)
	if err == nil {
		f.last = ref
		if f.shared == nil {
			f.shared = make(map[string]driver.Message)
		}
		f.shared[ref] = m
	}
	return m, err
}

// Persist comes after corrections that are made at once with it.
func (f *flawedCorrector) Persist(ctx context.Context, m driver.Message) error {
	pause()
	return f.told(ctx, m, f.Store.Persist(ctx, m))
}

// told changes what the caller is told of a conflict.
func (f *flawedCorrector) told(ctx context.Context, m driver.Message, err error) error {
	var conflict *driver.ConflictError
	if !errors.As(err, &conflict) {
		return err
	}
	switch {
	case f.flaw == "takes a redelivery for a conflict":
		conflict.Corrected = false
	case f.flaw == "takes each conflict for a redelivery":
		conflict.Corrected = true
	case f.flaw == "takes a redelivery for what is kept" && conflict.Corrected:
		return nil
	case f.flaw == "brings the old event back" && conflict.Corrected:
		_ = f.Store.Correct(ctx, m, driver.Correction{By: "nobody", Time: time.Now(), Why: "none"})
	}
	return err
}

func (f *flawedCorrector) KeepAndLook(ctx context.Context, m driver.Message, sources []string) ([]driver.Message, []string, error) {
	messages, missing, err := f.Store.KeepAndLook(ctx, m, sources)
	return messages, missing, f.told(ctx, m, err)
}

func (f *flawedCorrector) Replace(ctx context.Context, m driver.Message) (driver.Message, error) {
	kept, err := f.Store.Replace(ctx, m)
	if f.flaw == "the newest overrides it" && err == nil && m.Time.After(kept.Time) {
		return m, f.Store.Correct(ctx, m, driver.Correction{By: "nobody", Time: time.Now(), Why: "none"})
	}
	return kept, err
}

func TestFlawedCorrectors(t *testing.T) {
	seen := gate{}
	for _, flaw := range correctFlaws {
		t.Run(flaw.name, func(t *testing.T) {
			h := fake(func() *flawedCorrector { return &flawedCorrector{Store: memstore.New(), flaw: flaw.name} })
			seen.caught(t, drivertest.CorrectFailures(t, h), flaw.breaks...)
		})
	}
	seen.complete(t)
}

// TestCorrectorThatCanDoNothingMore: the checks of what other interfaces promise do not apply.
func TestCorrectorThatCanDoNothingMore(t *testing.T) {
	type corrects struct {
		drivertest.Correcting
	}
	for says, err := range drivertest.CorrectFailures(t, fake(func() corrects { return corrects{memstore.New()} })) {
		more := strings.HasPrefix(says, "A sealed") || strings.HasPrefix(says, "KeepAndLook") || strings.HasPrefix(says, "No event") ||
			strings.HasPrefix(says, "A decision")
		if skipped := errors.Is(err, drivertest.DoesNotApply); skipped != more || err != nil && !skipped {
			t.Errorf("%q: %v", says, err)
		}
	}
}
