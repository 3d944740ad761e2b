package gcsstore

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"example.com/eventdriver/driver"
)

// decision is what a decision's object holds: JSON for a person to read.
type decision struct {
	Version int      `json:"v"`
	Key     string   `json:"key"`
	Join    string   `json:"join"`
	Sources []string `json:"sources"`
}

// The sources are in the object's metadata as well, as JSON, where they fit: so a list
// of the events has them. Cloud Storage takes 8 KiB of metadata.
const (
	fieldSources = "sources"
	maxSources   = 6000
)

// Decide implements [driver.Decider]. It costs one Class A operation, and a Class B one
// where it is decided already.
func (s *Store) Decide(ctx context.Context, key, name string, sources []string) ([]string, error) {
	decided, err := s.decide(ctx, key, name, sources)
	if err != nil {
		return nil, failedJoin(OpDecide, key, name, err)
	}
	return decided, nil
}

func (s *Store) decide(ctx context.Context, key, name string, sources []string) ([]string, error) {
	ctx, cancel, err := s.begin(ctx, OpDecide, key, anySource)
	if err != nil {
		return nil, err
	}
	defer cancel()
	mine, err := driver.ValidDecision(key, name, sources)
	if err != nil {
		return nil, err
	}
	o, err := s.decisionObject(key, name, mine)
	if err != nil {
		return nil, err
	}
	for pause := rewritingBy(sources...); ; {
		if _, err := s.insert(ctx, o, absent); !errors.Is(err, errRefused) {
			return mine, err
		}
		// Another was first, or this very write was and its answer was lost.
		decided, err := s.readDecision(ctx, key, name)
		if !errors.Is(err, driver.ErrNotFound) {
			return decided, err
		}
		if err := pause.wait(ctx); err != nil { // it was deleted meanwhile
			return nil, err
		}
	}
}

func (s *Store) decisionObject(key, name string, sources []string) (object, error) {
	texts := make([]string, len(sources))
	for i, source := range sources {
		texts[i] = driver.ToText(source)
	}
	list, err := json.Marshal(texts)
	if err != nil {
		return object{}, err
	}
	content, err := json.Marshal(decision{frameVersion, driver.ToText(key), driver.ToText(name), texts})
	o := object{name: s.layout.decision(key, name), content: bytesOf(content), contentType: "application/json"}
	if len(list) <= maxSources {
		o.metadata = map[string]string{fieldSources: string(list)}
	}
	return o, err
}

// readDecision reads a decision's object.
func (s *Store) readDecision(ctx context.Context, key, name string) ([]string, error) {
	where := s.layout.decision(key, name)
	d, err := s.readDecisionObject(ctx, where)
	if err != nil {
		return nil, err
	}
	if d.Key != driver.ToText(key) || d.Join != driver.ToText(name) {
		return nil, s.unexpected(ctx, where, fmt.Errorf("%w: decision: key %.80q, join %.80q", ErrCorrupt, d.Key, d.Join))
	}
	return s.decidedSources(ctx, where, d.Sources)
}

// readDecisionObject reads a decision as it is written. Class B.
func (s *Store) readDecisionObject(ctx context.Context, where string) (d decision, err error) {
	content, err := s.readAll(ctx, where)
	if err != nil {
		return d, err
	}
	err = json.Unmarshal(content, &d)
	switch {
	case err != nil:
		err = fmt.Errorf("%w: decision: %w", ErrCorrupt, err)
	case d.Version > frameVersion:
		err = fmt.Errorf("%w: version %d, and this program reads up to %d", ErrNewer, d.Version, frameVersion)
	case d.Version < 1:
		err = fmt.Errorf("%w: decision: version %d", ErrCorrupt, d.Version)
	}
	if err != nil {
		return d, s.unexpected(ctx, where, err)
	}
	return d, nil
}

// decidedSources returns the sources that texts stand for.
func (s *Store) decidedSources(ctx context.Context, where string, texts []string) ([]string, error) {
	sources := make([]string, len(texts))
	var err error
	for i, text := range texts {
		if sources[i], err = driver.FromText(text); err == nil && sources[i] == "" {
			err = errors.New("an empty source")
		}
		if err != nil {
			return nil, s.unexpected(ctx, where, fmt.Errorf("%w: decision: %w", ErrCorrupt, err))
		}
	}
	if len(sources) == 0 {
		return nil, s.unexpected(ctx, where, fmt.Errorf("%w: decision: no sources", ErrCorrupt))
	}
	return sources, nil
}

// ListDecided implements [driver.Decider]. It costs what ListSourcesByKey does; and one
// Class B operation where the decision has sources whose names take more than some 6,000
// bytes.
func (s *Store) ListDecided(ctx context.Context, key, name string) (sources, decided []string, err error) {
	opCtx, cancel, err := s.begin(ctx, OpListDecided, key, anySource)
	if err != nil {
		return nil, nil, failedJoin(OpListDecided, key, name, err)
	}
	defer cancel()
	if err := driver.ValidJoin(key, name); err != nil {
		return nil, nil, failedJoin(OpListDecided, key, name, err)
	}
	objects, err := s.list(opCtx, s.layout.events(key))
	if err == nil {
		decided, err = s.findDecision(opCtx, key, name, objects)
	}
	if err == nil {
		sources, err = each(opCtx, eventNames(objects), s.sourceOf(key))
	}
	if err != nil {
		return nil, nil, failedJoin(OpListDecided, key, name, err)
	}
	slices.Sort(sources)
	return sources, decided, nil
}

// findDecision returns the decision among the listed objects, or nil.
func (s *Store) findDecision(ctx context.Context, key, name string, objects []listed) ([]string, error) {
	where := s.layout.decision(key, name)
	i := slices.IndexFunc(objects, func(o listed) bool { return o.name == where })
	if i < 0 {
		return nil, nil
	}
	list, ok := objects[i].metadata[fieldSources]
	if !ok {
		return s.readDecision(ctx, key, name)
	}
	return s.listedSources(ctx, where, list)
}

// listedSources returns the sources that the metadata of a decision's object has.
func (s *Store) listedSources(ctx context.Context, where, list string) ([]string, error) {
	var texts []string
	if err := json.Unmarshal([]byte(list), &texts); err != nil {
		return nil, s.unexpected(ctx, where, fmt.Errorf("%w: decision: %w", ErrCorrupt, err))
	}
	return s.decidedSources(ctx, where, texts)
}

// eventNames returns the names of the objects that are events.
func eventNames(objects []listed) []string {
	names := make([]string, 0, len(objects))
	for _, o := range objects {
		if !strings.Contains(o.name, "/"+decisionFolder) && o.metadata[fieldSealed] == "" {
			names = append(names, o.name)
		}
	}
	return names
}

// failedJoin says which join it was that err happened to.
func failedJoin(op Operation, key, name string, err error) error {
	return fmt.Errorf("gcsstore: %s: key %q, join %q: %w", op, key, name, err)
}
