package bqstore

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"example.com/eventdriver/driver"
)

// A decision is a row of the table of events, agreed on as an event is. Its source
// begins with a mark that no text of a source has: see [toText].
const decisionMark = "base64:!decided/"

// attributeSources is where a decision's row has the sources, as a JSON list, so that
// they can be read without the contents of events.
const attributeSources = "sources"

// Decide implements [driver.Decider]. It costs what Persist does.
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
	texts := make([]string, len(mine))
	for i, source := range mine {
		texts[i] = driver.ToText(source)
	}
	list := toJSON(texts)
	row, err := s.first(ctx, &eventBallot{s: s, key: key, join: name},
		driver.Message{Key: key, Content: []byte(list), Attributes: map[string]string{attributeSources: list}})
	if err != nil {
		return nil, err
	}
	return row.decided()
}

// decided returns the sources in a decision's row.
func (r eventRow) decided() ([]string, error) {
	attributes, err := attributesFromText(r.Attributes)
	if err != nil {
		return nil, corrupt("decision: attributes", err)
	}
	var sources []string
	if err := json.Unmarshal([]byte(attributes[attributeSources]), &sources); err != nil {
		return nil, corrupt("decision", err)
	}
	for i, text := range sources {
		sources[i] = fromText(text)
	}
	return sources, nil
}

// ListDecided implements [driver.Decider]. It costs one query, which does not read the
// contents.
func (s *Store) ListDecided(ctx context.Context, key, name string) (sources, decided []string, err error) {
	opCtx, cancel, err := s.begin(ctx, OpListDecided, key, anySource)
	if err != nil {
		return nil, nil, failedJoin(OpListDecided, key, name, err)
	}
	defer cancel()
	if err := driver.ValidJoin(key, name); err != nil {
		return nil, nil, failedJoin(OpListDecided, key, name, err)
	}
	events, decisions, err := s.verdicts(opCtx, key, "source, kind, seq, writer, attributes, created_at")
	if err != nil {
		return nil, nil, failedJoin(OpListDecided, key, name, err)
	}
	// What is agreed on is kept in the end, even where a slot has yet to say so.
	if v, ok := decisions[driver.ToText(name)]; ok {
		if decided, err = v.row.decided(); err != nil {
			return nil, nil, failedJoin(OpListDecided, key, name, err)
		}
	}
	return slices.Sorted(maps.Keys(events)), decided, nil
}

// corrupt is the failure of a row that can't be read any more.
func corrupt(what string, err error) error {
	return driver.Reject(driver.ReasonCorrupt, fmt.Errorf("%s: %w", what, err))
}

// failedJoin says which join it was that err happened to.
func failedJoin(op Operation, key, name string, err error) error {
	return fmt.Errorf("bqstore: %s: key %q, join %q: %w", op, key, name, err)
}

// splitDecision returns the text of the name of the join, if a source's text is the mark of a decision.
func splitDecision(source string) (join string, ok bool) {
	return strings.CutPrefix(source, decisionMark)
}
