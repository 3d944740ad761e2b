package eventdriver

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode/utf8"

	"example.com/eventdriver/driver/cache"
	"example.com/eventdriver/driver/decode"
	"example.com/eventdriver/publish"
)

// The checks of settings that take more than a line.

// errNoName is about lists of names.
var errNoName = errors.New("a name is empty")

func (c Config) checkSources() error {
	var problems []error
	var twice []string
	if len(c.Sources) == 0 {
		return errInvalid
	}
	if len(c.Sources) > maxSources {
		problems = append(problems, fmt.Errorf("these are %d, and each reads all the others", len(c.Sources)))
	}
	for i, source := range c.Sources {
		switch {
		case slices.Contains(c.Sources[:i], source):
			twice = append(twice, source)
		case source == "":
			problems = append(problems, errNoName)
		case len(source) > decode.MaxName || !utf8.ValidString(source):
			problems = append(problems, fmt.Errorf("%.40q can't arrive: names are UTF-8 of up to %d bytes",
				source, decode.MaxName))
		}
	}
	slices.Sort(twice)
	for _, source := range slices.Compact(twice) {
		if source != "" {
			problems = append(problems, fmt.Errorf("%q is there twice", source))
		}
	}
	return errors.Join(problems...)
}

// ifJoined returns the name if it is that of an event.
func (c Config) ifJoined(name string) string {
	if slices.Contains(c.Sources, name) {
		return name
	}
	return ""
}

// checkNames says which names are not those of events. Where there are no events, EVENT_SOURCES is to blame.
func (c Config) checkNames(names []string) error {
	var problems []error
	if len(c.Sources) == 0 {
		return nil
	}
	if slices.Contains(names, "") {
		problems = append(problems, errNoName)
	}
	for _, name := range names {
		if name != "" && !slices.Contains(c.Sources, name) {
			problems = append(problems, fmt.Errorf("%s is not one of EVENT_SOURCES", quoted(name)))
		}
	}
	return errors.Join(problems...)
}

func (c Config) checkAliases() error {
	c.Sources = slices.DeleteFunc(slices.Clone(c.Sources), func(s string) bool { return s == "" }) // EVENT_SOURCES is to blame
	_, err := decode.New(c.sourceNames())
	return errors.Join(c.checkNames(slices.Sorted(maps.Keys(c.SourceAliases))), err)
}

func (c Config) checkPointers() error {
	_, err := decode.New(c.keyPointers()...)
	return errors.Join(c.checkNames(slices.Sorted(maps.Keys(c.KeyPointers))), err)
}

func (c Config) checkContent() error {
	_, err := decode.New(decode.Content(c.Content))
	return errors.Join(c.checkNames(slices.Sorted(maps.Keys(c.Content))), err)
}

// checkTimeout returns an error if it may take as long to claim a key as its lease is
// relied upon: a claim whose answer comes that late is of no use.
func (c Config) checkTimeout() error {
	for _, kind := range storeKinds() {
		if c.uses(kind.name) && c.StoreTimeout != 0 && c.StoreTimeout < kind.shortest {
			return fmt.Errorf("a store is %s, and needs %v or more", kind.name, kind.shortest)
		}
	}
	reliedUpon := c.Lease - min(cache.DefaultClockSkew, c.Lease/4)
	if c.Lease < shortestLease || c.acquireTimeout() < reliedUpon {
		return nil
	}
	return fmt.Errorf("it must be less than %v where LEASE is %v", reliedUpon, c.Lease)
}

// checkLease returns an error where the store of claims may take longer than the lease.
func (c Config) checkLease() error {
	kind, _ := findStore(storeKinds(), c.ClaimStore) // CLAIM_STORE is checked elsewhere
	switch {
	case c.Lease == 0 || c.Lease >= max(shortestLease, kind.lease):
		return nil
	case kind.lease == 0:
		return errInvalid
	}
	return fmt.Errorf("CLAIM_STORE is %s, and needs %v or more", kind.name, kind.lease)
}

// checkDeadline returns an error where sweeps could not end a join, or not tell the keys that
// are overdue from those that are completed.
func (c Config) checkDeadline() error {
	if c.JoinDeadline <= 0 {
		return nil
	}
	if kind, err := findStore(storeKinds(), c.EventStore); err == nil && !kind.seals {
		return fmt.Errorf("EVENT_STORE is %s, which can't end joins", c.EventStore)
	}
	if c.EventStore == StoreBigQuery && c.JoinDeadline >= c.Retention {
		return fmt.Errorf("BIGQUERY_RETENTION is %v", c.Retention)
	}
	if c.forgetsClaims() {
		return fmt.Errorf("EVENT_STORE is %s, and CLAIM_STORE %s", c.EventStore, c.ClaimStore)
	}
	return nil
}

// forgetsClaims says that events outlive their claims: all keys look open after a start.
func (c Config) forgetsClaims() bool {
	return c.ClaimStore == StoreMemory && c.EventStore != StoreMemory
}

// checkTopic checks the name of a topic that the function publishes to; other is one
// that it must not be.
func (c Config) checkTopic(topic, other string) error {
	if topic == "" {
		return nil
	}
	if publish.CheckTopic(topic) != nil {
		return errInvalid
	}
	if source := c.sourceOf(topic); source != "" {
		return fmt.Errorf("%q comes from there, so that each message would come back as an event", source)
	}
	if topic == other {
		return errors.New("OUTPUT_TOPIC is the same topic")
	}
	return nil
}

// sourceOf returns the event that comes from the topic, by its full name or the last
// part of it; empty: none does.
func (c Config) sourceOf(topic string) string {
	short := topic[strings.LastIndexByte(topic, '/')+1:]
	for _, source := range c.Sources {
		for _, name := range append([]string{source}, c.SourceAliases[source]...) {
			if name == short || strings.HasSuffix(name, topic) {
				return source
			}
		}
	}
	return ""
}
