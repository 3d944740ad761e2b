package drivertest_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"

	"example.com/eventdriver/driver"
	"example.com/eventdriver/stores/memstore"
)

// The flaws of KeepAndLook.
var lookFlaws = []eventFlaw{
	{"looks, then keeps", looks(looksThenKeeps), []string{"Of KeepAndLooks at once"}},
	{"keeps, and looks later for the others alone", looks(looksForOthers), []string{"KeepAndLook of the same", "KeepAndLook of other", "Of KeepAndLooks of one"}},
	{"returns what has arrived", looks(returnsSome), []string{"KeepAndLook keeps"}},
	{"returns all of the key", looks(returnsAll), []string{"KeepAndLook keeps"}},
	{"says what has arrived", looks(saysArrived), []string{"KeepAndLook keeps"}},
	{"remembers a look", remembersLook, []string{"KeepAndLook is seen by"}},
	{"keeps in a place of its own", keepsElsewhere, []string{"KeepAndLook is seen by"}},
	{"swallows the conflict", looks(swallowsConflict), []string{"KeepAndLook of other", "Of KeepAndLooks of one"}},
	{"returns the conflict alone", looks(conflictAlone), []string{"KeepAndLook of other", "KeepAndLook counts"}},
	{"the last content wins", looks(lastLookWins), []string{"KeepAndLook of other", "Of KeepAndLooks of one"}},
	{"reads without counting", looks(countsNothing), []string{"KeepAndLook counts"}},
	{"counts the caller's content", looks(countsAll), []string{"KeepAndLook counts"}},
	{"reads before all have arrived", looks(countsEarly), []string{"KeepAndLook counts"}},
	{"takes any list", looks(takesAnyList), []string{"KeepAndLook refuses"}},
	{"looks for trimmed names", looks(trimsNames), []string{"KeepAndLook takes any"}},
	{"shares what it keeps", sharesLook, []string{"KeepAndLook shares"}},
}

type keepAndLook func(ctx context.Context, s *memstore.Store, m driver.Message, sources []string) ([]driver.Message, []string, error)

func looks(as keepAndLook) func(*memstore.Store) *flawedEvents {
	return func(s *memstore.Store) *flawedEvents {
		return &flawedEvents{Store: s, keepAndLook: func(ctx context.Context, m driver.Message, sources []string) ([]driver.Message, []string, error) {
			return as(ctx, s, m, sources)
		}}
	}
}

// lookFor returns what KeepAndLook would have returned without keeping anything.
func lookFor(ctx context.Context, s *memstore.Store, key string, sources []string) (messages []driver.Message, missing []string) {
	all, _ := s.LookUpByKey(ctx, key)
	for _, source := range sources {
		if i := slices.IndexFunc(all, func(m driver.Message) bool { return m.Source == source }); i >= 0 {
			messages = append(messages, all[i])
		} else {
			missing = append(missing, source)
		}
	}
	if missing != nil {
		messages = nil
	}
	return messages, missing
}

func looksThenKeeps(ctx context.Context, s *memstore.Store, m driver.Message, sources []string) ([]driver.Message, []string, error) {
	messages, missing := lookFor(ctx, s, m.Key, sources)
	pause()
	err := s.Persist(ctx, m)
	if !slices.Contains(missing, m.Source) {
		return messages, missing, err
	}
	if missing = slices.DeleteFunc(missing, func(source string) bool { return source == m.Source }); len(missing) > 0 {
		return nil, missing, err
	}
	messages, _ = lookFor(ctx, s, m.Key, sources)
	return messages, nil, err
}

// looksForOthers takes its own event for what is kept.
func looksForOthers(ctx context.Context, s *memstore.Store, m driver.Message, sources []string) ([]driver.Message, []string, error) {
	messages, missing, err := s.KeepAndLook(ctx, m, sources)
	for i := range messages {
		if messages[i].Source == m.Source {
			messages[i] = m.Clone()
		}
	}
	return messages, missing, err
}

func returnsSome(ctx context.Context, s *memstore.Store, m driver.Message, sources []string) ([]driver.Message, []string, error) {
	messages, missing, err := s.KeepAndLook(ctx, m, sources)
	if missing != nil {
		messages, _ = s.LookUpByKey(ctx, m.Key)
	}
	return messages, missing, err
}

func returnsAll(ctx context.Context, s *memstore.Store, m driver.Message, sources []string) ([]driver.Message, []string, error) {
	messages, missing, err := s.KeepAndLook(ctx, m, sources)
	if messages != nil {
		messages, _ = s.LookUpByKey(ctx, m.Key)
	}
	return messages, missing, err
}

func saysArrived(ctx context.Context, s *memstore.Store, m driver.Message, sources []string) ([]driver.Message, []string, error) {
	messages, missing, err := s.KeepAndLook(ctx, m, sources)
	if missing != nil {
		missing = slices.DeleteFunc(slices.Clone(sources), func(source string) bool { return slices.Contains(missing, source) })
	}
	return messages, missing, err
}

// remembersLook answers from memory what was asked before with the same event.
func remembersLook(s *memstore.Store) *flawedEvents {
	var looked sync.Map
	return looks(func(ctx context.Context, s *memstore.Store, m driver.Message, sources []string) ([]driver.Message, []string, error) {
		messages, missing, err := s.KeepAndLook(ctx, m, sources)
		known, again := looked.LoadOrStore(m.Key+string(m.Content), missing)
		if known := known.([]string); again && known != nil && len(sources) > 2 {
			return nil, known, err
		}
		return messages, missing, err
	})(s)
}

// keepsElsewhere keeps for KeepAndLook what the other methods don't see.
func keepsElsewhere(s *memstore.Store) *flawedEvents {
	elsewhere := memstore.New()
	return looks(func(ctx context.Context, _ *memstore.Store, m driver.Message, sources []string) ([]driver.Message, []string, error) {
		return elsewhere.KeepAndLook(ctx, m, sources)
	})(s)
}

func swallowsConflict(ctx context.Context, s *memstore.Store, m driver.Message, sources []string) ([]driver.Message, []string, error) {
	messages, missing, err := s.KeepAndLook(ctx, m, sources)
	if errors.Is(err, driver.ErrConflict) {
		err = nil
	}
	return messages, missing, err
}

func conflictAlone(ctx context.Context, s *memstore.Store, m driver.Message, sources []string) ([]driver.Message, []string, error) {
	messages, missing, err := s.KeepAndLook(ctx, m, sources)
	if err != nil {
		return nil, nil, err
	}
	return messages, missing, nil
}

func lastLookWins(ctx context.Context, s *memstore.Store, m driver.Message, sources []string) ([]driver.Message, []string, error) {
	if _, err := s.Replace(ctx, m); err != nil {
		return nil, nil, err
	}
	return s.KeepAndLook(ctx, m, sources)
}

func countsNothing(ctx context.Context, s *memstore.Store, m driver.Message, sources []string) ([]driver.Message, []string, error) {
	return s.KeepAndLook(driver.WithMemory(ctx, &noAccount{}), m, sources)
}

// noAccount is a [driver.Memory] without a limit.
type noAccount struct{}

func (*noAccount) Grow(int64) error       { return nil }
func (*noAccount) Shrink(int64)           {}
func (*noAccount) Hold() (release func()) { return func() {} }

func countsAll(ctx context.Context, s *memstore.Store, m driver.Message, sources []string) ([]driver.Message, []string, error) {
	messages, missing, err := s.KeepAndLook(ctx, m, sources)
	if messages != nil {
		if full := driver.Grow(ctx, len(m.Content)); full != nil {
			return nil, nil, full
		}
	}
	return messages, missing, err
}

func countsEarly(ctx context.Context, s *memstore.Store, m driver.Message, sources []string) ([]driver.Message, []string, error) {
	if err := s.Persist(ctx, m); err != nil && !errors.Is(err, driver.ErrConflict) {
		return nil, nil, err
	}
	if _, err := s.LookUpByKey(ctx, m.Key); err != nil {
		return nil, nil, err
	}
	return s.KeepAndLook(ctx, m, sources)
}

func takesAnyList(ctx context.Context, s *memstore.Store, m driver.Message, sources []string) ([]driver.Message, []string, error) {
	if err := s.Persist(ctx, m); err != nil && !errors.Is(err, driver.ErrConflict) {
		return nil, nil, err
	}
	if driver.ValidLook(m, sources) != nil {
		messages, missing := lookFor(ctx, s, m.Key, sources)
		return messages, missing, nil
	}
	return s.KeepAndLook(ctx, m, sources)
}

func trimsNames(ctx context.Context, s *memstore.Store, m driver.Message, sources []string) ([]driver.Message, []string, error) {
	messages, missing, err := s.KeepAndLook(ctx, m, sources)
	for i := range messages {
		messages[i].Source = strings.TrimSpace(messages[i].Source)
	}
	return messages, missing, err
}

// sharesLook returns the same messages to all who ask for them.
func sharesLook(s *memstore.Store) *flawedEvents {
	var found sync.Map
	return looks(func(ctx context.Context, s *memstore.Store, m driver.Message, sources []string) ([]driver.Message, []string, error) {
		messages, missing, err := s.KeepAndLook(ctx, m, sources)
		if messages != nil {
			same, _ := found.LoadOrStore(m.Key+strings.Join(sources, "/"), messages)
			messages = same.([]driver.Message)
		}
		return messages, missing, err
	})(s)
}
