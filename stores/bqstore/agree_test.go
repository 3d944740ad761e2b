package bqstore

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"
	"testing"
	"time"

	"example.com/eventdriver/driver"
)

// table is a ballot in memory. Each of its operations is one step, before which it
// lets others run.
type table struct {
	all   []eventRow
	pause func()
	sent  sending
	read  string // all that was read, which decides on what its actor does next
}

// sending is how rows get into a table.
type sending int

const (
	once  sending = iota // in the step in which they are acknowledged
	early                // they can be read before they are acknowledged
	twice                // the first answer is lost; others run before the row is sent again
)

func (b *table) add(_ context.Context, r eventRow) error {
	b.pause()
	b.all = append(b.all, r)
	switch b.sent {
	case early:
		b.pause()
	case twice:
		b.pause()
		b.all = append(b.all, r)
	}
	return nil
}

func (b *table) rows(context.Context) ([]eventRow, error) {
	b.pause()
	now := b.now()
	b.read += textOf(now) + ";"
	return now, nil
}

// textOf tells rows from others; their order does not matter.
func textOf(rows []eventRow) string {
	var texts []string
	for _, r := range rows {
		texts = append(texts, fmt.Sprint(r.Writer, " ", r.Kind, " ", string(r.Content)))
	}
	slices.Sort(texts)
	return strings.Join(texts, ",")
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

// postman is the content of an actor that delivers requests which were sent twice, and were
// under way until after the answer: each of its steps appends a row again that is there.
const postman = "postman"

func (b *table) deliver() {
	for i := range 2 {
		b.pause()
		if i < len(b.all) {
			b.all = append(b.all, b.all[len(b.all)-1-i])
		}
	}
}

// actor persists a content, or reads, if that is empty.
type actor struct {
	content string
	table   *table
	steps   int
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

func begin(t *testing.T, persist protocol, sent sending, contents []string) *story {
	s := &story{t: t}
	for i, content := range contents {
		b := &table{sent: sent}
		a := &actor{content: content, table: b}
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

func (a *actor) run(t *testing.T, b *table, persist protocol, writer string) string {
	switch a.content {
	case "":
		return look(t, b)
	case postman:
		b.deliver()
		return ""
	}
	mine := rowOf(driver.Message{Key: "k", Source: "s", Content: []byte(a.content)})
	mine.Writer, mine.CreatedAt = writer, time.Time{} // then the writer orders them
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
		if a.ended && a.content != "" && a.content != postman && a.result == "" {
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

// state is all that decides on how the story can go on.
func (s *story) state() string {
	text := textOf(s.shared)
	for _, a := range s.actors {
		text += fmt.Sprint("|", a.steps, a.ended, a.result, a.table.read)
	}
	return text + s.told
}

// explore runs all interleavings of the actors' steps, but for those that come to a state
// in which another was, checks after each step, and returns how many it ran and the first
// that went wrong. That an actor crashes is one of them: it has no further step.
func explore(t *testing.T, persist protocol, sent sending, contents []string) (runs int, err error) {
	var taken, width []int
	seen := make(map[string]bool)
	for {
		s := begin(t, persist, sent, contents)
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
			ready[taken[depth]].steps++
			err := s.check()
			state := s.state()
			known := depth >= len(taken)-1 && seen[state]
			seen[state] = true
			if err != nil || known {
				for _, a := range s.actors {
					a.stop()
				}
			}
			if err != nil {
				return runs, fmt.Errorf("schedule %v: %w", taken[:depth+1], err)
			}
			if known {
				break
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
	for _, c := range []struct {
		sent     sending
		contents []string
	}{
		{once, []string{"a", "a"}},
		{once, []string{"a", "b"}},
		{once, []string{"a", "", ""}},
		{once, []string{"a", "b", ""}},
		{once, []string{"a", "a", "b"}},
		{once, []string{"a", "b", "c"}},
		{early, []string{"a", "b", ""}},
		{twice, []string{"a", "b", ""}},
		{once, []string{"a", "b", postman}},
		{once, []string{"a", "", postman}},
	} {
		runs, err := explore(t, agree, c.sent, c.contents)
		if err != nil {
			t.Errorf("%d, %q: %v", c.sent, c.contents, err)
		}
		t.Logf("%d, %q: %d interleavings", c.sent, c.contents, runs)
	}
}

// A table that is created anew between the steps of a call has its vote, and not its
// proposal. Such a call must not go on as if nobody had proposed anything, and its vote counts
// for no other call.
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
	b.pause = func() {}
	row, err := agree(t.Context(), b, rowOf(driver.Message{Key: "k", Source: "s", Content: []byte("b")}))
	if err != nil || string(row.Content) != "b" {
		t.Errorf("%q is kept, %v; want what was proposed in this table", row.Content, err)
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
		if runs, err := explore(t, persist, once, []string{"a", "b", ""}); err == nil {
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
