package bqstore

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"testing"

	"example.com/eventdriver/driver"
)

// table is a ballot in memory. Each of its operations is one step, before which it
// lets others run.
type table struct {
	all   []eventRow
	pause func()
}

func (b *table) add(_ context.Context, r eventRow) error {
	b.pause()
	b.all = append(b.all, r)
	return nil
}

func (b *table) rows(context.Context) ([]eventRow, error) {
	b.pause()
	return b.now(), nil
}

func (b *table) now() []eventRow {
	if i := slices.IndexFunc(b.all, func(r eventRow) bool { return r.Kind == kept }); i >= 0 {
		return b.all[i : i+1]
	}
	return slices.Clone(b.all)
}

func (b *table) keep(_ context.Context, r eventRow) (eventRow, error) {
	b.pause()
	if now := b.now(); len(now) == 1 && now[0].Kind == kept {
		return now[0], nil
	}
	r.Kind, r.Seq = kept, 1
	b.all = append(b.all, r)
	return r, nil
}

// actor persists a content, or reads, if that is empty.
type actor struct {
	content string
	resume  func() (struct{}, bool)
	stop    func()
	ended   bool
	result  string // the content that is kept, as the actor was told; empty: none
}

type protocol func(context.Context, ballot, eventRow) (eventRow, error)

// story is a run of some actors on one ballot, step by step.
type story struct {
	t      *testing.T
	shared []eventRow
	actors []*actor
	told   string // the content that an actor, or a look that changes nothing, found settled
}

func begin(t *testing.T, persist protocol, contents []string) *story {
	s := &story{t: t}
	for i, content := range contents {
		a := &actor{content: content}
		b := &table{}
		a.resume, a.stop = iter.Pull(func(yield func(struct{}) bool) {
			b.pause = func() {
				s.shared = b.all
				if !yield(struct{}{}) {
					panic(errStopped)
				}
				b.all = s.shared
			}
			defer func() {
				if v := recover(); v != nil && v != errStopped {
					panic(v)
				}
			}()
			b.all = s.shared
			a.result = a.run(t, b, persist, fmt.Sprint("writer ", i))
			s.shared = b.all
			a.ended = true
		})
		s.actors = append(s.actors, a)
	}
	return s
}

var errStopped = errors.New("the story is over")

func (a *actor) run(t *testing.T, b ballot, persist protocol, writer string) string {
	if a.content == "" {
		return look(t, b)
	}
	mine := rowOf(driver.Message{Key: "k", Source: "s", Content: []byte(a.content)})
	mine.Writer = writer
	row, err := persist(t.Context(), b, mine)
	if err != nil {
		t.Error(err)
	}
	return string(row.Content)
}

// look reads the ballot as LookUp does.
func look(t *testing.T, b ballot) string {
	rows, err := b.rows(t.Context())
	if v := verdictOf(rows); err == nil && v.exists {
		var row eventRow
		if row, err = v.settle(t.Context(), b); err == nil {
			return string(row.Content)
		}
	}
	if err != nil {
		t.Error(err)
	}
	return ""
}

// check returns what is wrong at this moment: actors who were told of different
// contents, or a content that somebody was told of and that can't be read now.
func (s *story) check() error {
	told := s.told
	for _, a := range s.actors {
		if a.ended && a.content != "" && a.result == "" {
			return errors.New("a writer was told of no content")
		}
		if a.result != "" && told != "" && a.result != told {
			return fmt.Errorf("one was told of %s, another of %s", told, a.result)
		}
		if a.result != "" {
			told = a.result
		}
	}
	s.told = told
	if v := verdictOf((&table{all: s.shared}).now()); v.exists && v.settled {
		if told != "" && string(v.row.Content) != told {
			return fmt.Errorf("somebody was told of %s, and %s is settled", told, v.row.Content)
		}
		s.told = string(v.row.Content)
	}
	now := &table{all: slices.Clone(s.shared), pause: func() {}}
	if found := look(s.t, now); told != "" && found != told {
		return fmt.Errorf("somebody was told of %s, and %q is read", told, found)
	}
	return nil
}

// explore runs all interleavings of the actors' steps, checks after each step, and
// returns how many there are and the first that went wrong. That an actor crashes
// is one of them: it has no further step.
func explore(t *testing.T, persist protocol, contents []string) (runs int, err error) {
	var taken, width []int
	for {
		s := begin(t, persist, contents)
		for depth := 0; ; depth++ {
			var ready []*actor
			for _, a := range s.actors {
				if !a.ended {
					ready = append(ready, a)
				}
			}
			if len(ready) == 0 {
				break
			}
			if depth == len(taken) {
				taken, width = append(taken, 0), append(width, len(ready))
			}
			ready[taken[depth]].resume()
			if err := s.check(); err != nil {
				for _, a := range s.actors {
					a.stop()
				}
				return runs, fmt.Errorf("schedule %v: %w", taken[:depth+1], err)
			}
		}
		runs++
		last := len(taken) - 1
		for ; last >= 0 && taken[last]+1 == width[last]; last-- {
		}
		if last < 0 {
			return runs, nil
		}
		taken, width = taken[:last+1], width[:last+1]
		taken[last]++
	}
}

// TestAgreement runs all interleavings of calls that persist different contents, or
// the same, and of looks beside them.
func TestAgreement(t *testing.T) {
	for _, contents := range [][]string{{"a", "a"}, {"a", "b"}, {"a", "", ""}, {"a", "b", ""}} {
		runs, err := explore(t, agree, contents)
		if err != nil {
			t.Errorf("%q: %v", contents, err)
		}
		t.Logf("%q: %d interleavings", contents, runs)
	}
}

// A table that is created anew between the steps of a call has its vote, and not its
// proposal. Such a call must not go on as if nobody had proposed anything.
func TestTableThatIsRecreatedBetweenSteps(t *testing.T) {
	b, steps := &table{}, 0
	b.pause = func() {
		if steps++; steps == 3 { // after the proposal, and a look
			b.all = nil
		}
	}
	if row, err := agree(t.Context(), b, rowOf(driver.Message{Key: "k", Source: "s", Content: []byte("a")})); !errors.Is(err, errUnseen) {
		t.Errorf("%q is kept, %v; want errUnseen", row.Content, err)
	}
}

// TestDisagreement shows that the explorer finds what would be wrong.
func TestDisagreement(t *testing.T) {
	for name, persist := range map[string]protocol{
		"one round": func(ctx context.Context, b ballot, mine eventRow) (eventRow, error) {
			rows, err := addAndRead(ctx, b, mine, agreed)
			rows = append(rows, mine.step(proposed))
			if v := verdictOf(rows); err == nil && v.exists {
				return v.row, nil
			}
			return b.keep(ctx, mine)
		},
		"votes without looking": func(ctx context.Context, b ballot, mine eventRow) (eventRow, error) {
			if err := b.add(ctx, mine.step(proposed)); err != nil {
				return eventRow{}, err
			}
			if _, err := addAndRead(ctx, b, mine, agreed); err != nil {
				return eventRow{}, err
			}
			rows, err := b.rows(ctx)
			if err != nil {
				return eventRow{}, err
			}
			return verdictOf(rows).settle(ctx, b)
		},
		"names its own content for the slot": func(ctx context.Context, b ballot, mine eventRow) (eventRow, error) {
			return agree(ctx, stubborn{b, mine}, mine)
		},
	} {
		if runs, err := explore(t, persist, []string{"a", "b", ""}); err == nil {
			t.Errorf("%s: nothing found in %d interleavings", name, runs)
		} else {
			t.Logf("%s: %v", name, err)
		}
	}
}

// stubborn has its own row decided on, whatever was agreed.
type stubborn struct {
	ballot
	mine eventRow
}

func (s stubborn) keep(ctx context.Context, _ eventRow) (eventRow, error) {
	return s.ballot.keep(ctx, s.mine)
}
