// Package joiner goes on with a pipeline when all events of a key have arrived.
//
// # Why no join is missed
//
// The joiner first keeps its own event in the store, and looks for the others
// after the store has said that it is kept. Of all the events of a key, the one
// whose Persist returns last therefore sees all the others, wherever they were
// handled. A [driver.KeepLooker] promises the same for both steps in one call. Two events that return at about the same time may both see the join
// complete, and any redelivery sees it again: so the joiner may go on several
// times for a key, never zero times. A cache after it makes that once.
//
// # Why a join is the same each time
//
// The sources of [MatchAll] are known beforehand. Any other condition is evaluated once:
// see [New].
//
// # Deadlines
//
// With [Deadline] a sweep (see [driver.WithSweep]) seals the places of the events that are missing
// when the time is up. A place is filled once, by its event or by its seal, and never changes from
// one to the other; an event that loses to the seal is told so by the write that would have kept
// it. So once all places are filled the join is complete, for everybody and always with the same
// events, and whoever fills the last place sees all the others: an event because it looks after
// its Persist, a sweep because it knows what is in each place when it has sealed those that were
// empty. Should it die before that, the next sweep finds what it has sealed, and seals the rest.
// Several sweeps at once go on with the same message, and so does an event that beats the last
// seal. The cache lets one of them act.
package joiner

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"example.com/eventdriver/driver"
)

// ComposedSource is the Source of the message that a joiner goes on with, unless [Name]
// gives it another.
const ComposedSource = "composed-event"

// ConflictPolicy says what to do with an event for whose key and source other
// content is stored already.
type ConflictPolicy int

const (
	// KeepFirst ignores the new content, with a warning in the log. It is the default.
	KeepFirst ConflictPolicy = iota
	// KeepLast keeps the last event: the one with the latest Time, and of those with the
	// same Time, or without one, the one that arrived last; [driver.Replacer] has the
	// rule. It is joined if it was stored before the join was complete. What was joined
	// and processed already is not done again. An event that comes when the join is decided (see
	// [New]) replaces nothing. One that comes between two tries of a join is in the second, and so may be
	// one that is under way when the join is decided. The store must be a [driver.Replacer].
	KeepLast
	// Reject fails the event with a permanent error, so that it is dead-lettered
	// with [driver.ReasonConflict].
	Reject
)

// Option changes how a joiner works.
type Option func(*Joiner)

// OnConflict sets the policy for an event that brings other content than is
// stored. The default is [KeepFirst].
func OnConflict(policy ConflictPolicy) Option {
	return func(j *Joiner) { j.policy = policy }
}

// Name names the joiner: the messages that it goes on with have the name as Source, and
// its decisions are kept under it. The default is [ComposedSource]. Joiners that share a
// store and keys, or whose messages are joined by another, need a name each. A joiner that is
// fed by two of one name fails the events of the second with a permanent error.
func Name(name string) Option {
	return func(j *Joiner) { j.name = name }
}

// Logger is where the joiner logs; the default is [slog.Default] as it is when an event
// comes. Debug: for which sources a join waits. Warn: other content was stored before.
func Logger(logger *slog.Logger) Option {
	return func(j *Joiner) { j.logger = logger }
}

// Joiner is a handler that keeps events and goes on when the condition holds for
// the sources that have arrived. Create it with [New].
//
// The message that it goes on with has the events' Key, the joiner's [Name] as
// Source, the latest of their Times, and as Content a JSON object with the
// content of each event under its source. The event's MediaType decides on the form:
//
//   - JSON: the bytes as they are;
//   - text/*: a JSON string of exactly that text, also where it looks like a number;
//   - anything else: a JSON string in base64;
//   - none: JSON as it is, other text as a string, and anything that is not UTF-8 in base64.
//
// An event without content is null, whatever its MediaType. Text that is not UTF-8 becomes
// base64. Invalid JSON, and JSON that is nested 10,000 deep, becomes a string. The members are
// named by [driver.ToText], so that no two sources share a member.
//
// The message's ID is made from the name and the key, so that it is the same each time.
type Joiner struct {
	condition Condition
	named     []string // that the condition speaks of; nil: any
	needed    []string // nil: not known beforehand
	store     guarded
	policy    ConflictPolicy
	name      string
	feeds     feeder // those after this joiner
	fed       feeders
	lookAtAll int
	known     known
	deadline  time.Duration // 0: none
	logger    *slog.Logger  // nil: slog.Default(), when needed
}

// New returns a joiner. It panics if the condition can never hold, or holds for nothing
// (see [Check]), if the policy is [KeepLast] and the store is no [driver.Replacer], or if
// the store is no [driver.Decider] and the condition needs one, or if a [Deadline] can't be kept:
// these are mistakes in the program, to be seen when it starts.
//
// For [MatchAll], and for And of those, the joiner reads only the sources that
// are needed, at the same time as it writes: an event waits for two store calls
// one after the other at most, unless another arrives at the same time. With more sources than
// [LookAtAll] says it does not read all for each event, and waits for two calls, too. With [KeepLast]
// it waits for one more, and the event that completes the join for two. A store that is a
// [driver.KeepLooker] does all of it in one call, except with KeepLast.
//
// Any other condition may hold for several sets of sources, and stop to hold when one
// more arrives. So the first event that finds it to hold has the store remember the
// sources that have arrived: the join is decided, once. From then on every event of the
// key leads to that message, whatever else arrives. Which of several possible decisions
// is taken depends on what had arrived: with MatchAny("a", "b"), a is joined alone if
// its event was stored and seen first, b alone likewise, and both where the two were
// stored before either looked.
func New(condition Condition, store driver.EventStore, opts ...Option) *Joiner {
	if err := Check(condition); err != nil {
		panic(err)
	}
	if store == nil {
		panic(errors.New("joiner: the event store is nil"))
	}
	j := &Joiner{condition: condition, store: guarded{store}, name: ComposedSource, lookAtAll: DefaultLookAtAll}
	if e, ours := condition.(*Expression); ours {
		j.needed = e.needed
		if !e.foreign {
			j.named = e.named
		}
	}
	for _, opt := range opts {
		opt(j)
	}
	if err := j.usable(); err != nil {
		panic(err)
	}
	j.feeds = feeder{j.name, j.named}
	return j
}

// String is how errors call the joiner: "joiner", and its name if [Name] gave it one.
func (j *Joiner) String() string {
	if j.name == ComposedSource {
		return "joiner"
	}
	return "joiner " + j.name
}

// Prompt implements [driver.Prompt]: the joiner is if its store is. A condition of another package
// may do anything.
func (j *Joiner) Prompt() bool {
	store, can := j.store.EventStore.(driver.PromptStore)
	e, ours := j.condition.(*Expression)
	return can && store.IsPrompt(j.store.EventStore) && ours && !e.foreign
}

func (j *Joiner) usable() error {
	if j.name == "" {
		return errors.New("joiner: the name is empty")
	}
	store := j.store.EventStore
	if _, can := store.(driver.Replacer); !can && j.policy == KeepLast {
		return fmt.Errorf("joiner: KeepLast needs a store that is a driver.Replacer, and %T is not", store)
	}
	if _, can := store.(driver.Decider); !can && j.needed == nil {
		return fmt.Errorf("joiner: a condition other than MatchAll needs a store that is a driver.Decider, and %T is not", store)
	}
	return j.canExpire(store)
}

// Process implements [driver.Handler]. Failures of the store are returned as they
// are, so that the event is delivered again. An event without a key, or from a
// source that the condition does not wait for, is a permanent error. So is an event whose
// join was decided on another event that is no longer stored: its reason is
// [driver.ReasonGone]. And so is the message of another joiner that lacks events, since stores don't
// keep what it lacks: have a handler between the two decide on [driver.Message.Missing].
//
// A message without a Source, in a context of [driver.WithSweep], is a sweep of its key: nothing is
// kept, and the joiner goes on if the join is complete, or has expired: see [Deadline].
func (j *Joiner) Process(ctx context.Context, in driver.Message, next driver.Next) error {
	var w waiting
	var messages []driver.Message
	var err error
	if isSweep(ctx, in) {
		messages, err = j.sweep(ctx, in, &w)
	} else {
		messages, err = j.join(ctx, in, &w)
	}
	if err != nil {
		return err
	}
	if messages == nil {
		j.wait(ctx, in, w)
		return nil
	}
	plan := planOf(messages)
	if err := driver.Grow(ctx, 2*plan.size-counted(in, messages)); err != nil {
		return err
	}
	joined := plan.compose(j.name, in.Key)
	plan.dropContents()
	joined.Missing = w.sealed
	content := joined.Content
	ctx = driver.WithJoined(ctx, func() []driver.Message { return plan.restore(content) })
	return next.Call(context.WithValue(ctx, feederKey{}, &j.feeds), joined)
}

// wait says for what the join waits.
func (j *Joiner) wait(ctx context.Context, in driver.Message, w waiting) {
	waitsFor := j.waitsFor(w)
	if driver.LogsDebug(ctx, j.logger) {
		what := strings.Join(waitsFor, ", ")
		driver.Logger(j.logger).DebugContext(ctx, "waiting for "+what, "key", in.Key, "source", in.Source)
	}
	driver.RunFrom(ctx).Wait(waitsFor...)
}

// join keeps in, and returns the events that are joined, or nil if the join waits.
func (j *Joiner) join(ctx context.Context, in driver.Message, w *waiting) ([]driver.Message, error) {
	if err := j.check(in); err != nil {
		return nil, err
	}
	if err := j.fed.check(ctx, in); err != nil {
		return nil, err
	}
	switch {
	case j.needed == nil:
		return j.decided(ctx, in, w)
	case j.policy == KeepLast:
		return j.complete(ctx, in, w)
	}
	messages, err := j.keepAndLook(ctx, in, w)
	if errors.Is(err, errors.ErrUnsupported) || errors.Is(err, driver.ErrSealed) {
		return j.complete(ctx, in, w)
	}
	return messages, err
}

// counted is how many bytes of the messages the store has counted. They are in the account of
// the joined content, which is counted twice, since a handler decodes or copies it: the messages are
// not needed any more then.
func counted(in driver.Message, messages []driver.Message) (bytes int) {
	for _, m := range messages {
		if m.Source != in.Source {
			bytes += len(m.Content)
		}
	}
	return bytes
}

func (j *Joiner) check(in driver.Message) error {
	if err := in.Valid(); err != nil {
		return err
	}
	if !j.names(in.Source) {
		return driver.Reject(driver.ReasonUnknownSource,
			fmt.Errorf("source %q is not one of those joined, %q: give it an alias, or send it elsewhere", in.Source, j.named))
	}
	if len(in.Missing) > 0 {
		return driver.Permanent(fmt.Errorf("the message of joiner %q lacks the events of %q, "+
			"and would be kept as if it were whole: have a handler before this joiner decide on its Missing", in.Source, in.Missing))
	}
	return nil
}

// persist keeps m, and returns what is kept: m, or what the policy prefers to it.
func (j *Joiner) persist(ctx context.Context, m driver.Message) (driver.Message, error) {
	err := j.store.Persist(ctx, m)
	isConflict := errors.Is(err, driver.ErrConflict)
	if j.policy == KeepLast && (err == nil || isConflict) {
		return j.replace(ctx, m, isConflict)
	}
	return j.kept(ctx, m, err)
}

// kept returns what is kept, after the store returned err when it was to keep m: m, or the event of
// a conflict, with [KeepFirst] or where a person has put it in the place of m.
func (j *Joiner) kept(ctx context.Context, m driver.Message, err error) (driver.Message, error) {
	if err == nil {
		return m, nil
	}
	var conflict *driver.ConflictError
	switch {
	case !errors.As(err, &conflict):
		return m, err
	case conflict.Corrected:
		return conflict.Stored, nil
	case j.policy == Reject:
		return m, driver.Reject(driver.ReasonConflict, err)
	}
	driver.Logger(j.logger).WarnContext(ctx, "other content was stored before, it is kept", "key", m.Key, "source", m.Source, "event", m.ID, "kept", conflict.Stored.ID)
	return conflict.Stored, nil
}

// replace has the store decide whether m is the last, after m was persisted. Where that
// was no conflict, the same content may be kept of an earlier event: m has a later Time,
// by which it is compared with others, so that is to be kept.
func (j *Joiner) replace(ctx context.Context, m driver.Message, isConflict bool) (driver.Message, error) {
	if !isConflict {
		kept, err := j.store.LookUp(ctx, m.Key, m.Source)
		if err == nil && kept.ID == m.ID && kept.Time.Equal(m.Time) || err != nil && !errors.Is(err, driver.ErrNotFound) {
			return kept, err
		}
	}
	return j.store.Replace(ctx, m)
}
