// Package keys says how the keys of a function stand: what has arrived, what is missing, who
// holds them, and what happens next. It changes nothing, and reads no event's content.
package keys

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"example.com/eventdriver/driver"
	"example.com/eventdriver/driver/joiner"
)

// Function is what is to be known of a function whose keys are looked at.
type Function struct {
	Store driver.Inspector // of its events and claims
	Join  joiner.Join      // as its pipeline has it
}

// None is the state of a key of which nothing but dead letters is kept. The other states are
// those of package joiner.
const None joiner.State = "none"

// Answer says how a key stands.
type Answer struct {
	Key      string       `json:"key"`
	State    joiner.State `json:"state"`
	WaitsFor string       `json:"waitsFor,omitempty"` // in words; see joiner.Standing
	Next     string       `json:"next"`               // a sentence: what happens next, or what to do
	Sources  []Source     `json:"sources"`            // those that are joined, and others that have arrived, ordered
	Decided  []string     `json:"decided,omitempty"`  // the sources on which the join was decided
	Claim    *Claim       `json:"claim,omitempty"`    // nil: the key was never claimed
	Letters  []Letter     `json:"letters,omitempty"`
	// Unread says why there may be more letters in the topic; empty: they were looked at, or there is no topic.
	Unread   string   `json:"unread,omitempty"`
	Problems []string `json:"problems,omitempty"` // what is kept and can't be described
}

// Source says what is kept of a source.
type Source struct {
	Name      string     `json:"name"`
	Arrived   bool       `json:"arrived"`
	Sealed    bool       `json:"sealed,omitempty"`   // it is awaited no more
	Unjoined  bool       `json:"unjoined,omitempty"` // the join does not speak of it
	Kept      *time.Time `json:"kept,omitempty"`     // since when an event of the source is kept
	Time      *time.Time `json:"time,omitempty"`     // the event's own
	Size      int64      `json:"size"`               // in bytes; -1: unknown
	MediaType string     `json:"mediaType,omitempty"`
	ID        string     `json:"id,omitempty"`

	Corrections []Correction `json:"corrections,omitempty"` // oldest first
}

// Correction says who has put a corrected event in the place of another, and what the store calls
// that.
type Correction struct {
	By   string    `json:"by"`
	When time.Time `json:"when"`
	Why  string    `json:"why"`
	Was  string    `json:"was"`
}

// Claim says who has, or had, a key.
type Claim struct {
	Token    int64       `json:"token"`
	Owner    string      `json:"owner"`
	Takeover bool        `json:"takeover,omitempty"`
	Changed  *time.Time  `json:"changed,omitempty"`
	Expires  *time.Time  `json:"expires,omitempty"`
	Mark     driver.Mark `json:"mark,omitempty"`
	Attempts int         `json:"attempts,omitempty"` // how many runs have failed
	// NotBefore is until when no run begins, since the last has asked for a pause.
	NotBefore *time.Time     `json:"notBefore,omitempty"`
	Outcome   driver.Outcome `json:"outcome,omitempty"` // empty: the key is not completed
	Done      *time.Time     `json:"done,omitempty"`
}

// Letter describes a dead letter.
type Letter struct {
	Ref    string        `json:"ref"`
	Reason driver.Reason `json:"reason"`
	Source string        `json:"source,omitempty"`
	ID     string        `json:"id,omitempty"`
	Added  *time.Time    `json:"added,omitempty"`
	Topic  bool          `json:"topic,omitempty"` // it is in the subscription to the topic of dead letters, else in the store
}

// Why says how a key stands. A key of which nothing is kept has the state [None]. inTopic are the key's
// letters in the topic of dead letters, of which the store does not know.
func (f Function) Why(ctx context.Context, key string, inTopic ...driver.LetterRef) (Answer, error) {
	k, err := f.Store.Inspect(ctx, key)
	if err != nil && !errors.Is(err, driver.ErrNotFound) {
		return Answer{}, fmt.Errorf("look at key %q: %w", key, err)
	}
	k.Key, k.Letters = key, append(k.Letters, inTopic...)
	a := answer(f.Join, k, time.Now())
	for i := range inTopic {
		a.Letters[len(a.Letters)-1-i].Topic = true
	}
	return a, nil
}

// Stands says how a key stands at a time, of which all that is kept is known. Why asks the store for it.
func (f Function) Stands(k driver.KeyState, now time.Time) Answer { return answer(f.Join, k, now) }

// answer says how k stands at a time.
func answer(join joiner.Join, k driver.KeyState, now time.Time) Answer {
	s := join.StandingOf(k, now)
	if len(k.Events)+len(k.Sealed)+len(k.Decided)+len(k.Claims) == 0 {
		s.State = None
	}
	a := Answer{Key: k.Key, State: s.State, WaitsFor: s.WaitsFor, Sources: sources(join, k, s), Problems: k.Problems}
	a.Decided = k.DecidedOn(cmp.Or(join.Name, joiner.ComposedSource))
	if c := k.Claim(join.Scope); c.Token != 0 || c.Done != nil {
		a.Claim = claim(c)
	}
	for _, l := range k.Letters {
		a.Letters = append(a.Letters, Letter{Ref: l.Ref, Reason: l.Reason, Source: l.Source, ID: l.ID, Added: known(l.Added)})
	}
	a.Next = next(k, k.Claim(join.Scope), s)
	return a
}

func sources(join joiner.Join, k driver.KeyState, s joiner.Standing) (all []Source) {
	for _, source := range s.Missing {
		all = append(all, Source{Name: source, Sealed: slices.Contains(k.Sealed, source), Size: -1})
	}
	for _, e := range k.Events {
		all = append(all, Source{Name: e.Source, Arrived: true, Unjoined: !join.Names(e.Source), Kept: known(e.Kept),
			Time: known(e.Time), Size: e.Size, MediaType: e.MediaType, ID: e.ID, Corrections: corrections(e)})
	}
	slices.SortFunc(all, func(a, b Source) int { return cmp.Compare(a.Name, b.Name) })
	return all
}

func corrections(e driver.EventState) (all []Correction) {
	for _, c := range e.Corrections {
		all = append(all, Correction{c.By, c.Time, c.Why, c.Ref})
	}
	return all
}

func claim(c driver.ClaimState) *Claim {
	of := &Claim{Token: c.Token, Owner: c.Owner, Takeover: c.Takeover, Changed: known(c.Changed), Mark: c.Mark,
		Attempts: c.Attempts, NotBefore: known(c.NotBefore)}
	if c.Held {
		of.Expires = known(c.Expires)
	}
	if d := c.Done; d != nil {
		of.Outcome, of.Done, of.Token, of.Owner, of.Expires = d.Outcome, known(d.Time), d.Token, d.Owner, nil
	}
	return of
}

// known returns nil for a time that is not known.
func known(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}
