// Package trouble makes things go wrong in a local run, on request: the business fails or
// hangs, answers of the store are lost, the store is slow.
package trouble

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"example.com/eventdriver/cmd/local/internal/records"
)

// Until is a number of times: until the troubles are cleared.
const Until = -1

// Kind says what goes wrong.
type Kind string

// The kinds.
const (
	Fail  Kind = "fail"  // the business returns an error
	Panic Kind = "panic" // it panics
	Hang  Kind = "hang"  // it hangs before it begins
	Lose  Kind = "lose"  // the store carries a request out, and its answer is lost
	Slow  Kind = "slow"  // the store waits before it answers
)

// Trouble is something that goes wrong.
type Trouble struct {
	Kind      Kind          `json:"kind"`
	Key       string        `json:"key,omitempty"`       // of the orders for which the business goes wrong; "": all
	Operation Operation     `json:"operation,omitempty"` // of the store, whose answers are lost; "": any
	Times     int           `json:"times,omitempty"`     // that are left; [Until] or 0: until it is cleared
	For       time.Duration `json:"for,omitempty"`       // how long the business hangs, or the store waits
}

// Troubles are those of a local run. Make them with [New]; they are safe for concurrent use.
type Troubles struct {
	journal *records.Journal

	mu  sync.Mutex
	set []Trouble
}

// New returns no troubles. What is made and cleared is noted in the journal.
func New(journal *records.Journal) *Troubles { return &Troubles{journal: journal} }

// FailHandler lets the business fail for the orders with this key, or all with "", the next
// times, or until Clear.
func (t *Troubles) FailHandler(key string, times int) {
	t.add(Trouble{Kind: Fail, Key: key, Times: times})
}

// PanicHandler lets the business panic, as FailHandler lets it fail.
func (t *Troubles) PanicHandler(key string, times int) {
	t.add(Trouble{Kind: Panic, Key: key, Times: times})
}

// HangHandler lets the business hang before it begins, for so long or until its context ends,
// as FailHandler lets it fail.
func (t *Troubles) HangHandler(key string, d time.Duration, times int) {
	t.add(Trouble{Kind: Hang, Key: key, Times: times, For: d})
}

// LoseStoreAnswers loses the answers to the store's next requests of an operation, or any
// with "". The requests are carried out.
func (t *Troubles) LoseStoreAnswers(op Operation, times int) {
	t.add(Trouble{Kind: Lose, Operation: op, Times: times})
}

// SlowStore lets each request to the store wait for so long; 0: it is fast again.
func (t *Troubles) SlowStore(d time.Duration) {
	t.remove(func(set Trouble) bool { return set.Kind == Slow })
	if d > 0 {
		t.add(Trouble{Kind: Slow, For: d})
		return
	}
	t.journal.Add(records.Record{Kind: records.Trouble, Severity: "INFO", Message: "the store is as fast as it was"})
}

// Clear ends all troubles. A run of the business that hangs goes on hanging.
func (t *Troubles) Clear() {
	t.remove(func(Trouble) bool { return true })
	t.journal.Add(records.Record{Kind: records.Trouble, Severity: "INFO", Message: "all troubles are cleared"})
}

// List returns the troubles that are set.
func (t *Troubles) List() []Trouble {
	t.mu.Lock()
	defer t.mu.Unlock()
	return slices.Clone(t.set)
}

func (t *Troubles) add(trouble Trouble) {
	t.mu.Lock()
	t.set = append(t.set, trouble)
	t.mu.Unlock()
	t.journal.Add(records.Record{Kind: records.Trouble, Severity: "INFO", Key: trouble.Key, Message: "trouble: " + trouble.words()})
}

// words says what goes wrong.
func (t Trouble) words() string {
	var what string
	switch t.Kind {
	case Fail:
		what = "the business fails"
	case Panic:
		what = "the business panics"
	case Hang:
		what = fmt.Sprintf("the business hangs for %v", t.For)
	case Lose:
		what = "the store's answer is lost"
		if t.Operation != "" {
			what += " where it is asked to " + string(t.Operation)
		}
	case Slow:
		what = fmt.Sprintf("the store takes %v longer", t.For)
	}
	switch {
	case t.Times == 1:
		what += ", once"
	case t.Times == 2:
		what += ", twice"
	case t.Times > 2:
		what += fmt.Sprintf(", %d times", t.Times)
	}
	return what
}

func (t *Troubles) remove(which func(Trouble) bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.set = slices.DeleteFunc(t.set, which)
}

// take returns the first trouble that fits, and counts it; ok is false if none does.
func (t *Troubles) take(fits func(Trouble) bool) (found Trouble, ok bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	i := slices.IndexFunc(t.set, fits)
	if i < 0 {
		return Trouble{}, false
	}
	found = t.set[i]
	switch {
	case found.Times == 1:
		t.set = slices.Delete(t.set, i, i+1)
	case found.Times > 1:
		t.set[i].Times--
	}
	return found, true
}

// Ask implements [Asker].
func (t *Troubles) Ask(_ context.Context, key string) (Trouble, error) {
	found, _ := t.take(func(set Trouble) bool {
		return (set.Kind == Fail || set.Kind == Panic || set.Kind == Hang) && (set.Key == "" || set.Key == key)
	})
	return found, nil
}
