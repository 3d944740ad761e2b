package drivertest_test

import (
	"context"
	"errors"
	"strings"
	"sync"

	"example.com/eventdriver/driver"
	"example.com/eventdriver/stores/memstore"
)

// The flaws of Seal.
var sealFlaws = []eventFlaw{
	{"seals over an event", sealsBy(sealsAlways), []string{"Seal seals a place"}},
	{"does not seal", sealsBy(sealsNever), []string{"Seal seals a place"}},
	{"seals the whole key", sealsBy(sealsKey), []string{"Seal seals a place"}},
	{"says only once that it sealed", sealsOnce, []string{"Seal of a sealed place"}},
	{"looks, then seals", sealsBy(looksThenSeals), []string{"Of an event and its seal"}},
	{"an event lifts the seal", persistLiftsSeal, []string{"An event whose place is sealed"}},
	{"Replace ignores the seal", replaceIgnoresSeal, []string{"An event whose place is sealed"}},
	{"what is sealed is not found", sealedIsNotFound, []string{"LookUp of a sealed place"}},
	{"a seal is an event", sealIsAnEvent, []string{"LookUp of a sealed place"}},
	{"KeepAndLook calls missing what is sealed", looks(sealedIsMissing), []string{"KeepAndLook is refused where"}},
	{"seals trimmed names", sealsBy(sealsTrimmed), []string{"Any string is a legal key and source of a seal"}},
	{"seals what is empty", sealsBy(sealsEmpty), []string{"Seal refuses an empty"}},
	{"seals when it is too late", sealsBy(sealsWithoutContext), []string{"Seal refuses an empty"}},
}

type sealFunc func(ctx context.Context, s *memstore.Store, key, source string) (bool, error)

func sealsBy(as sealFunc) func(*memstore.Store) *flawedEvents {
	return func(s *memstore.Store) *flawedEvents {
		return &flawedEvents{Store: s, seal: func(ctx context.Context, key, source string) (bool, error) {
			return as(ctx, s, key, source)
		}}
	}
}

func sealsAlways(ctx context.Context, s *memstore.Store, key, source string) (bool, error) {
	_, err := s.Seal(ctx, key, source)
	return err == nil, err
}

func sealsNever(ctx context.Context, s *memstore.Store, key, source string) (bool, error) {
	_, err := s.LookUp(ctx, key, source)
	return errors.Is(err, driver.ErrNotFound), nil
}

func sealsKey(ctx context.Context, s *memstore.Store, key, source string) (bool, error) {
	for _, source := range threeSources {
		_, _ = s.Seal(ctx, key, source)
	}
	return s.Seal(ctx, key, source)
}

var threeSources = []string{"event1", "event2", "event3"}

func sealsOnce(s *memstore.Store) *flawedEvents {
	var sealed sync.Map
	return sealsBy(func(ctx context.Context, s *memstore.Store, key, source string) (bool, error) {
		_, again := sealed.LoadOrStore(key+"\x00"+source, true)
		now, err := s.Seal(ctx, key, source)
		return now && !again, err
	})(s)
}

// looksThenSeals is told that nothing is there, and says so however the seal ended.
func looksThenSeals(ctx context.Context, s *memstore.Store, key, source string) (bool, error) {
	_, err := s.LookUp(ctx, key, source)
	pause()
	if errors.Is(err, driver.ErrNotFound) {
		_, err = s.Seal(ctx, key, source)
		return err == nil, err
	}
	return s.Seal(ctx, key, source)
}

// persistLiftsSeal keeps in another place what comes to a sealed one.
func persistLiftsSeal(s *memstore.Store) *flawedEvents {
	return &flawedEvents{Store: s, persist: func(ctx context.Context, m driver.Message) error {
		err := s.Persist(ctx, m)
		if errors.Is(err, driver.ErrSealed) {
			return nil
		}
		return err
	}}
}

func replaceIgnoresSeal(s *memstore.Store) *flawedEvents {
	return &flawedEvents{Store: s, replace: func(ctx context.Context, m driver.Message) (driver.Message, error) {
		kept, err := s.Replace(ctx, m)
		if errors.Is(err, driver.ErrSealed) {
			return m, nil
		}
		return kept, err
	}}
}

func sealedIsNotFound(s *memstore.Store) *flawedEvents {
	return &flawedEvents{Store: s, lookUp: func(ctx context.Context, key, source string) (driver.Message, error) {
		m, err := s.LookUp(ctx, key, source)
		if errors.Is(err, driver.ErrSealed) {
			err = driver.ErrNotFound
		}
		return m, err
	}}
}

func sealIsAnEvent(s *memstore.Store) *flawedEvents {
	return &flawedEvents{Store: s, lookUpByKey: func(ctx context.Context, key string) ([]driver.Message, error) {
		all, err := s.LookUpByKey(ctx, key)
		if _, errLook := s.LookUp(ctx, key, "event2"); errors.Is(errLook, driver.ErrSealed) {
			all = append(all, driver.Message{Key: key, Source: "event2"})
		}
		return all, err
	}}
}

func sealedIsMissing(ctx context.Context, s *memstore.Store, m driver.Message, sources []string) ([]driver.Message, []string, error) {
	messages, missing, err := s.KeepAndLook(ctx, m, sources)
	if _, errLook := s.LookUp(ctx, m.Key, m.Source); errors.Is(err, driver.ErrSealed) && errLook == nil {
		_, missing = lookFor(ctx, s, m.Key, sources)
		return nil, missing, nil
	}
	return messages, missing, err
}

func sealsTrimmed(ctx context.Context, s *memstore.Store, key, source string) (bool, error) {
	return s.Seal(ctx, key, strings.TrimSpace(source))
}

func sealsEmpty(ctx context.Context, s *memstore.Store, key, source string) (bool, error) {
	if err := ctx.Err(); err != nil || key != "" && source != "" {
		return s.Seal(ctx, key, source)
	}
	return true, nil
}

func sealsWithoutContext(ctx context.Context, s *memstore.Store, key, source string) (bool, error) {
	return s.Seal(context.WithoutCancel(ctx), key, source)
}
