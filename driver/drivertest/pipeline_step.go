package drivertest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"example.com/eventdriver/driver"
)

// watchedStore returns the run's store as the instance sees it: each operation is a step.
func (i *instance) watchedStore() *Faults {
	store := NewFaults(completions{i.run.store, i.run})
	store.Hook(func(c Call) Fault {
		s := &step{instance: i, kind: kindOf(c.Op), what: strings.TrimSpace(fmt.Sprint(c.Op, " ", c.Source))}
		return Fault{
			Before: s.before,
			saw:    func(result any, err error) { s.saw(c, result, err) },
			After:  s.after,
		}
	})
	return store
}

// step is an operation of the store, or an act, of an instance.
type step struct {
	instance *instance
	kind     stepKind
	what     string
	by       *attempt // nil: nobody has said, by a context of its own
	mode     mode     // how it goes wrong
	number   int
}

// before lets the step's request be under way, and decides what goes wrong with it.
func (s *step) before(ctx context.Context) error {
	r := s.instance.run
	if s.by = attemptFrom(ctx); s.by == nil {
		s.by = new(attempt)
	}
	r.pause(s.by, s.what)
	if s.instance.dead() || r.isOver() {
		return r.blocked()
	}
	s.begin()
	switch s.mode {
	case fails:
		return ErrInjected
	case panics:
		panic(fmt.Sprintf("drivertest: injected panic of %s", s.what))
	case crashBefore:
		return r.blocked()
	}
	return nil
}

// begin counts the step and notes what goes wrong with it.
func (s *step) begin() {
	r := s.instance.run
	r.mu.Lock()
	defer r.mu.Unlock()
	r.steps = append(r.steps, s.kind)
	s.number = len(r.steps)
	s.mode = r.plan.at(s.number)
	if s.kind != acts && s.mode == panics {
		s.mode = fails // stores don't panic
	}
	switch s.mode {
	case fails:
		s.tell("fails")
		if s.kind == acts && s.by.instance != nil {
			r.failedAct[s.by.event.Key] = true
		}
	case panics:
		r.troubled = true
		s.tell("panics")
	case crashBefore:
		s.tell("instance %d crashes before it", s.instance.number)
		s.instance.die()
	}
}

// after lets the step's answer be under way.
func (s *step) after(context.Context) error {
	r := s.instance.run
	r.pause(s.by, "answer of "+s.what)
	if s.instance.dead() || r.isOver() {
		return r.blocked()
	}
	switch s.mode {
	case loses:
		return ErrInjected
	case crashAfter:
		r.mu.Lock()
		s.tell("instance %d crashes after it", s.instance.number)
		s.instance.die()
		r.mu.Unlock()
		return r.blocked()
	}
	return nil
}

// tell tells of the step. The caller holds the run's mutex.
func (s *step) tell(format string, args ...any) {
	s.instance.run.tell("    step %d, %s: %s", s.number, s.what, fmt.Sprintf(format, args...))
}

// saw notes what the store did.
func (s *step) saw(c Call, result any, err error) {
	r := s.instance.run
	r.mu.Lock()
	defer r.mu.Unlock()
	lost := ""
	if s.mode == loses {
		lost = ", and the answer is lost"
	}
	s.tell("%s%s", outcome(result, err), lost)
	if err == nil && c.Op == OpDecide {
		sources := result.([]string)
		if r.decided[c.Key] == nil {
			r.decided[c.Key] = make(map[string][]string)
		}
		r.decided[c.Key][strings.Join(sources, " ")] = sources
	}
}

// claimID is what makes two claims the same.
type claimID struct {
	scope, key string
	token      int64
}

func idOf(c driver.Claim) claimID { return claimID{c.Scope, c.Key, c.Token} }

// completions is the store, and notes what is completed. It is no [driver.KeepLooker]: without
// it a join takes more steps, at each of which something can go wrong.
type completions struct {
	Store
	run *run
}

func (s completions) Complete(ctx context.Context, c driver.Claim, outcome driver.Outcome) error {
	err := s.Store.Complete(ctx, c, outcome)
	if err == nil {
		s.run.mu.Lock()
		s.run.completed[idOf(c)] = true
		s.run.mu.Unlock()
	}
	return err
}

// outcome says in a few words what an operation returned.
func outcome(result any, err error) string {
	for _, known := range []error{
		driver.ErrNotFound, driver.ErrConflict, driver.ErrHeld, driver.ErrDone, driver.ErrLost,
	} {
		if errors.Is(err, known) {
			return known.Error()
		}
	}
	if err != nil {
		return err.Error()
	}
	switch result := result.(type) {
	case driver.Claim:
		if result.Takeover {
			return fmt.Sprintf("token %d, taken over", result.Token)
		}
		return fmt.Sprintf("token %d", result.Token)
	case driver.Message:
		return "found"
	case []string:
		return strings.Join(result, " ")
	}
	return "done"
}

// act is one time that the business acted.
type act struct {
	content string
	by      *attempt
	claim   claimID // under which it was done; zero: none
}

// effect acts, in a step.
func (i *instance) effect(ctx context.Context, key, content string) error {
	r := i.run
	s := &step{instance: i, kind: acts, what: fmt.Sprintf("act for %q", key)}
	if err := s.before(ctx); err != nil {
		return fmt.Errorf("drivertest: %s: %w", s.what, err)
	}
	claim, _ := driver.ClaimFrom(ctx)
	now := act{content, s.by, idOf(claim)}
	r.mu.Lock()
	s.tell("on %s", content)
	r.checkAct(key, now)
	r.acts[key] = append(r.acts[key], now)
	r.mu.Unlock()
	if s.mode == loses { // which has no meaning for an act: who acts and fails acts again
		s.mode = ""
	}
	if err := s.after(ctx); err != nil {
		return fmt.Errorf("drivertest: %s: %w", s.what, err)
	}
	return nil
}

// dependsOn says what the content on which the business acts may depend on, besides the key:
// the decisions of joins, and which of several contents of one source is kept. The caller
// holds the mutex.
func (r *run) dependsOn(key string) string {
	var parts []string
	counts := func(source string) bool { return true }
	if decided := r.decided[key]; len(decided) > 0 {
		var sources []string
		for text, names := range decided {
			parts = append(parts, text)
			sources = append(sources, names...)
		}
		slices.Sort(parts)
		counts = func(source string) bool { return slices.Contains(sources, source) }
	}
	kept, err := r.store.LookUpByKey(context.Background(), key)
	if err != nil {
		return err.Error()
	}
	for _, m := range kept {
		if counts(m.Source) && r.explorer.conflicts[origin{key, m.Source}] {
			parts = append(parts, fmt.Sprintf("%s=%s", m.Source, m.Content))
		}
	}
	return strings.Join(parts, "\n")
}
