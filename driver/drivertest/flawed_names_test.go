package drivertest_test

import (
	"context"

	"example.com/eventdriver/driver"
	"example.com/eventdriver/stores/memstore"
)

// renames stores messages under another name, but remembers their own.
func renames(rename func(key, source string) (string, string)) func(*memstore.Store) *flawedEvents {
	const ownKey, ownSource = "own key", "own source"
	in := func(m driver.Message) driver.Message {
		m = m.Clone()
		if m.Attributes == nil {
			m.Attributes = make(map[string]string)
		}
		m.Attributes[ownKey], m.Attributes[ownSource] = m.Key, m.Source
		m.Key, m.Source = rename(m.Key, m.Source)
		return m
	}
	out := func(m driver.Message, err error) (driver.Message, error) {
		m.Key, m.Source = m.Attributes[ownKey], m.Attributes[ownSource]
		delete(m.Attributes, ownKey)
		delete(m.Attributes, ownSource)
		return m, err
	}
	return func(s *memstore.Store) *flawedEvents {
		return &flawedEvents{
			Store:   s,
			persist: func(ctx context.Context, m driver.Message) error { return s.Persist(ctx, in(m)) },
			lookUp: func(ctx context.Context, key, source string) (driver.Message, error) {
				key, source = rename(key, source)
				return out(s.LookUp(ctx, key, source))
			},
			lookUpByKey: func(ctx context.Context, key string) ([]driver.Message, error) {
				key, _ = rename(key, "any")
				all, err := s.LookUpByKey(ctx, key)
				for i := range all {
					all[i], _ = out(all[i], nil)
				}
				return all, err
			},
		}
	}
}
