package drivertest_test

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"time"

	"example.com/eventdriver/driver"
	"example.com/eventdriver/stores/memstore"
)

// flawedEvents is a memory store with some methods replaced.
type flawedEvents struct {
	*memstore.Store
	persist     func(context.Context, driver.Message) error
	lookUp      func(ctx context.Context, key, source string) (driver.Message, error)
	lookUpByKey func(ctx context.Context, key string) ([]driver.Message, error)
	replace     func(context.Context, driver.Message) (driver.Message, error)
	decide      func(ctx context.Context, key, name string, sources []string) ([]string, error)
	listDecided func(ctx context.Context, key, name string) (sources, decided []string, err error)
	keepAndLook func(ctx context.Context, m driver.Message, sources []string) ([]driver.Message, []string, error)
	seal        func(ctx context.Context, key, source string) (bool, error)
}

func (f *flawedEvents) Persist(ctx context.Context, m driver.Message) error {
	if f.persist != nil {
		return f.persist(ctx, m)
	}
	return f.Store.Persist(ctx, m)
}

func (f *flawedEvents) LookUp(ctx context.Context, key, source string) (driver.Message, error) {
	if f.lookUp != nil {
		return f.lookUp(ctx, key, source)
	}
	return f.Store.LookUp(ctx, key, source)
}

func (f *flawedEvents) LookUpByKey(ctx context.Context, key string) ([]driver.Message, error) {
	if f.lookUpByKey != nil {
		return f.lookUpByKey(ctx, key)
	}
	return f.Store.LookUpByKey(ctx, key)
}

func (f *flawedEvents) ListSourcesByKey(ctx context.Context, key string) ([]string, error) {
	all, err := f.LookUpByKey(ctx, key)
	sources := make([]string, len(all))
	for i, m := range all {
		sources[i] = m.Source
	}
	return sources, err
}

func (f *flawedEvents) Replace(ctx context.Context, m driver.Message) (driver.Message, error) {
	if f.replace != nil {
		return f.replace(ctx, m)
	}
	return f.Store.Replace(ctx, m)
}

func (f *flawedEvents) Decide(ctx context.Context, key, name string, sources []string) ([]string, error) {
	if f.decide != nil {
		return f.decide(ctx, key, name, sources)
	}
	return f.Store.Decide(ctx, key, name, sources)
}

func (f *flawedEvents) ListDecided(ctx context.Context, key, name string) (sources, decided []string, err error) {
	if f.listDecided != nil {
		return f.listDecided(ctx, key, name)
	}
	return f.Store.ListDecided(ctx, key, name)
}

func (f *flawedEvents) KeepAndLook(ctx context.Context, m driver.Message, sources []string) ([]driver.Message, []string, error) {
	if f.keepAndLook != nil {
		return f.keepAndLook(ctx, m, sources)
	}
	return f.Store.KeepAndLook(ctx, m, sources)
}

func (f *flawedEvents) Seal(ctx context.Context, key, source string) (bool, error) {
	if f.seal != nil {
		return f.seal(ctx, key, source)
	}
	return f.Store.Seal(ctx, key, source)
}

// eventFlaw is something wrong with a store, and the sentences that it breaks.
type eventFlaw struct {
	name   string
	open   func(*memstore.Store) *flawedEvents
	breaks []string
}

var eventFlaws = []eventFlaw{
	{"last write wins", lastWriteWins, []string{"The first write wins", "Persist of other content"}},
	{"looks, then writes", looksThenWrites, []string{"Of any number of calls at once, one content"}},
	{"looks, then refuses", looksThenRefuses, []string{"Of any number of calls at once with the same content"}},
	{"compares IDs", changesPersist(comparesIDs), []string{"Persist of the same content again"}},
	{"conflict without what is kept", changesPersist(bareConflict), []string{"Persist of other content"}},
	{"drops attributes", alters(func(m *driver.Message) { m.Attributes = nil }), []string{"The kept message has all"}},
	{"refuses empty content", changesPersist(refusesEmpty), []string{"Nil and empty"}},
	{"cuts content", alters(func(m *driver.Message) { m.Content = m.Content[:min(len(m.Content), 1<<16)] }), []string{"Content may be large"}},
	{"stores text", alters(storesText), []string{"Fields are strings of any bytes"}},
	{"times in nanoseconds", alters(func(m *driver.Message) { m.Time = time.Unix(0, m.Time.UnixNano()) }), []string{"Time is kept"}},
	{"times in seconds", alters(func(m *driver.Message) { m.Time = m.Time.Truncate(time.Second) }), []string{"Time is kept"}},
	{"absent is nil, nil", absentIsNil, []string{"What is not there"}},
	{"unordered", changesList(func(all []driver.Message) []driver.Message { slices.Reverse(all); return all }), []string{"LookUpByKey and"}},
	{"lists late", changesList(func(all []driver.Message) []driver.Message { return all[:max(0, len(all)-1)] }),
		[]string{"A look sees", "Whoever persists last"}},
	{"remembers absence", remembersAbsence, []string{"A look sees"}},
	{"shares its content", sharesContent, []string{"Neither what was passed"}},
	{"folds case of keys", renames(func(key, source string) (string, string) { return strings.ToLower(key), source }),
		[]string{"Any string is a legal key"}},
	{"trims slashes of sources", renames(func(key, source string) (string, string) { return key, "." + strings.Trim(source, "/") }),
		[]string{"Any string is a legal source"}},
	{"cuts long keys", renames(func(key, source string) (string, string) { return key[:min(len(key), 1024)], source }),
		[]string{"Any string is a legal key"}},
	{"joins by a slash", renames(func(key, source string) (string, string) {
		dir, file, _ := strings.Cut(key+"/"+source, "/")
		return dir, file
	}), []string{"Key and source never run"}},
	{"accepts an empty key", renames(func(key, source string) (string, string) { return "-" + key, source }),
		[]string{"An empty key or source"}},
	{"refuses an empty key for a while", changesPersist(refusesForAWhile), []string{"An empty key or source"}},
	{"ignores the context", ignoresContext, []string{"A context that has ended"}},
	{"replaces always", replacesAlways, []string{"Replace keeps the message with the later"}},
	{"replaces nothing by nothing", replacesNothing, []string{"Replace keeps the message where nothing"}},
	{"looks, then replaces", looksThenReplaces, []string{"Replace is one step"}},
	{"replaces what has no key", replacesNamed, []string{"Replace refuses"}},
	{"shares what it replaces", sharesReplaced, []string{"Replace shares nothing"}},
	{"compares lengths", changesPersist(comparesLengths), []string{"The first write wins", "Persist of other content"}},
	{"takes a late context for absence", lateIsAbsent, []string{"A context that has ended"}},
	{"brings back what was replaced", bringsBack, []string{"Replace does not bring back"}},
	{"the last decision wins", decides(decidesLast), []string{"Decide: the first write wins"}},
	{"looks, then decides", decides(looksThenDecides), []string{"Decide: of any number of calls", "Decide and ListDecided share nothing"}},
	{"decides once for each key", decides(decidesForTheKey), []string{"A decision is no event"}},
	{"decides for few", decides(decidesForFew), []string{"A decision may have many"}},
	{"decisions are events", decisionIsAnEvent, []string{"A decision is no event"}},
	{"decides when it is too late", decidesWithoutContext, []string{"Decide and ListDecided refuse"}},
	{"decisions are seen late", decisionSeenLate, []string{"ListDecided sees every"}},
}

// pause lets the others have their turn. It takes no real time.
func pause() { time.Sleep(time.Millisecond) }

func lastWriteWins(s *memstore.Store) *flawedEvents {
	return changesPersist(func(ctx context.Context, s *memstore.Store, m driver.Message) error {
		_, err := s.Replace(ctx, m)
		return err
	})(s)
}

func looksThenWrites(s *memstore.Store) *flawedEvents {
	return changesPersist(func(ctx context.Context, s *memstore.Store, m driver.Message) error {
		_, err := s.LookUp(ctx, m.Key, m.Source)
		if !errors.Is(err, driver.ErrNotFound) {
			return s.Persist(ctx, m)
		}
		pause()
		_, err = s.Replace(ctx, m)
		return err
	})(s)
}

func looksThenRefuses(s *memstore.Store) *flawedEvents {
	return changesPersist(func(ctx context.Context, s *memstore.Store, m driver.Message) error {
		_, err := s.LookUp(ctx, m.Key, m.Source)
		pause()
		kept, errAgain := s.LookUp(ctx, m.Key, m.Source)
		if errors.Is(err, driver.ErrNotFound) && errAgain == nil {
			return &driver.ConflictError{Stored: kept}
		}
		return s.Persist(ctx, m)
	})(s)
}

func changesPersist(persist func(context.Context, *memstore.Store, driver.Message) error) func(*memstore.Store) *flawedEvents {
	return func(s *memstore.Store) *flawedEvents {
		return &flawedEvents{Store: s, persist: func(ctx context.Context, m driver.Message) error { return persist(ctx, s, m) }}
	}
}

func comparesIDs(ctx context.Context, s *memstore.Store, m driver.Message) error {
	if kept, err := s.LookUp(ctx, m.Key, m.Source); err == nil && kept.ID != m.ID {
		return &driver.ConflictError{Stored: kept}
	}
	return s.Persist(ctx, m)
}

func comparesLengths(ctx context.Context, s *memstore.Store, m driver.Message) error {
	if kept, err := s.LookUp(ctx, m.Key, m.Source); err == nil && len(kept.Content) == len(m.Content) {
		return nil
	}
	return s.Persist(ctx, m)
}

func lateIsAbsent(s *memstore.Store) *flawedEvents {
	return &flawedEvents{Store: s, lookUp: func(ctx context.Context, key, source string) (driver.Message, error) {
		m, err := s.LookUp(ctx, key, source)
		if errors.Is(err, context.DeadlineExceeded) {
			err = driver.ErrNotFound
		}
		return m, err
	}}
}

// bringsBack keeps what comes later, also where it was replaced before.
func bringsBack(s *memstore.Store) *flawedEvents {
	return overlaid(s, func(ctx context.Context, layer *sync.Map, m driver.Message) (driver.Message, error) {
		name := m.Key + m.Source
		if kept, ok := layer.Load(name); ok && kept.(driver.Message).Time.After(m.Time) {
			return kept.(driver.Message), nil
		}
		layer.Store(name, m)
		return m, nil
	})
}

func bareConflict(ctx context.Context, s *memstore.Store, m driver.Message) error {
	err := s.Persist(ctx, m)
	if errors.Is(err, driver.ErrConflict) {
		return &driver.ConflictError{Stored: driver.Message{Key: m.Key, Source: m.Source}}
	}
	return err
}

func refusesEmpty(ctx context.Context, s *memstore.Store, m driver.Message) error {
	if len(m.Content) == 0 {
		return errors.New("no content")
	}
	return s.Persist(ctx, m)
}

func refusesForAWhile(ctx context.Context, s *memstore.Store, m driver.Message) error {
	if m.Key == "" {
		return driver.ErrNoKey // not permanent: delivered again without end
	}
	return s.Persist(ctx, m)
}

func alters(alter func(*driver.Message)) func(*memstore.Store) *flawedEvents {
	return changesPersist(func(ctx context.Context, s *memstore.Store, m driver.Message) error {
		alter(&m)
		return s.Persist(ctx, m)
	})
}

func storesText(m *driver.Message) {
	m.Content = bytes.ToValidUTF8(m.Content, []byte("\ufffd"))
}

func absentIsNil(s *memstore.Store) *flawedEvents {
	return &flawedEvents{Store: s, lookUp: func(ctx context.Context, key, source string) (driver.Message, error) {
		m, err := s.LookUp(ctx, key, source)
		if errors.Is(err, driver.ErrNotFound) {
			return driver.Message{}, nil
		}
		return m, err
	}}
}

func changesList(change func([]driver.Message) []driver.Message) func(*memstore.Store) *flawedEvents {
	return func(s *memstore.Store) *flawedEvents {
		return &flawedEvents{Store: s, lookUpByKey: func(ctx context.Context, key string) ([]driver.Message, error) {
			all, err := s.LookUpByKey(ctx, key)
			return change(all), err
		}}
	}
}

func remembersAbsence(s *memstore.Store) *flawedEvents {
	var absent sync.Map
	return &flawedEvents{Store: s, lookUp: func(ctx context.Context, key, source string) (driver.Message, error) {
		if _, known := absent.Load(key + source); known {
			return driver.Message{}, driver.ErrNotFound
		}
		m, err := s.LookUp(ctx, key, source)
		if errors.Is(err, driver.ErrNotFound) {
			absent.Store(key+source, true)
		}
		return m, err
	}}
}

func sharesContent(s *memstore.Store) *flawedEvents {
	var found sync.Map
	return &flawedEvents{Store: s, lookUp: func(ctx context.Context, key, source string) (driver.Message, error) {
		if m, known := found.Load(key + source); known {
			return m.(driver.Message), nil
		}
		m, err := s.LookUp(ctx, key, source)
		if err == nil {
			found.Store(key+source, m)
		}
		return m, err
	}}
}

func ignoresContext(s *memstore.Store) *flawedEvents {
	return changesPersist(func(ctx context.Context, s *memstore.Store, m driver.Message) error {
		return s.Persist(context.WithoutCancel(ctx), m)
	})(s)
}

func replacesAlways(s *memstore.Store) *flawedEvents {
	return &flawedEvents{Store: s, replace: func(ctx context.Context, m driver.Message) (driver.Message, error) {
		_, err := s.Replace(ctx, m)
		return m.Clone(), err
	}}
}

func replacesNothing(s *memstore.Store) *flawedEvents {
	return &flawedEvents{Store: s, replace: func(ctx context.Context, m driver.Message) (driver.Message, error) {
		if _, err := s.LookUp(ctx, m.Key, m.Source); err != nil {
			return driver.Message{}, err
		}
		return s.Replace(ctx, m)
	}}
}

func replacesNamed(s *memstore.Store) *flawedEvents {
	return &flawedEvents{Store: s, replace: func(ctx context.Context, m driver.Message) (driver.Message, error) {
		m.Key = cmp.Or(m.Key, "unnamed")
		return s.Replace(ctx, m)
	}}
}

func looksThenReplaces(s *memstore.Store) *flawedEvents {
	return overlaid(s, func(ctx context.Context, layer *sync.Map, m driver.Message) (driver.Message, error) {
		name := m.Key + m.Source
		if kept, ok := layer.Load(name); ok && kept.(driver.Message).Time.After(m.Time) {
			return kept.(driver.Message), nil
		}
		time.Sleep(time.Minute - time.Duration(m.Time.Second())*time.Second) // the latest writes first
		layer.Store(name, m)
		return m, nil
	})
}

func sharesReplaced(s *memstore.Store) *flawedEvents {
	return overlaid(s, func(ctx context.Context, layer *sync.Map, m driver.Message) (driver.Message, error) {
		layer.Store(m.Key+m.Source, m)
		return m, nil
	})
}

// overlaid keeps what is replaced in a layer of its own.
func overlaid(s *memstore.Store, replace func(context.Context, *sync.Map, driver.Message) (driver.Message, error)) *flawedEvents {
	var layer sync.Map
	return &flawedEvents{
		Store:   s,
		replace: func(ctx context.Context, m driver.Message) (driver.Message, error) { return replace(ctx, &layer, m) },
		lookUp: func(ctx context.Context, key, source string) (driver.Message, error) {
			if m, ok := layer.Load(key + source); ok {
				return m.(driver.Message), nil
			}
			return s.LookUp(ctx, key, source)
		},
	}
}
