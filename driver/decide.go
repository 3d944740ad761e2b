package driver

import (
	"errors"
	"slices"
)

// ValidJoin returns nil where key and name can name a join to a [Decider], else a
// permanent error.
func ValidJoin(key, name string) error {
	if err := ValidKey(key); err != nil {
		return err
	}
	if name == "" {
		return Permanent(errors.New("the join has no name"))
	}
	return nil
}

// ValidDecision returns what a [Decider] keeps of sources, ordered and each once, or the
// permanent error with which it refuses a decision without a key, a name or sources.
func ValidDecision(key, name string, sources []string) ([]string, error) {
	if err := ValidJoin(key, name); err != nil {
		return nil, err
	}
	if len(sources) == 0 || slices.Contains(sources, "") {
		return nil, Permanent(errors.New("a decision needs sources, and none that is empty"))
	}
	return slices.Compact(slices.Sorted(slices.Values(sources))), nil
}
