package bqstore

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"example.com/eventdriver/driver"
)

// A decision is a row of the table of events, agreed on as an event is. Its source
// begins with a mark that no text of a source has: see [driver.ToText].
const decisionMark = "base64:!decided/"

// attributeSources is where a decision's row has the sources, as a JSON list, so that
// they can be read without the contents of events.
const attributeSources = "sources"

func ofJoin(key, name string) string { return fmt.Sprintf("key %q, join %q", key, name) }

// Decide implements [driver.Decider]. It costs what Persist does.
func (s *Store) Decide(ctx context.Context, key, name string, sources []string) (decided []string, err error) {
	mine, valid := driver.ValidDecision(key, name, sources)
	err = s.do(ctx, "decide", ofJoin(key, name), valid, func(ctx context.Context) error {
		texts := make([]string, len(mine))
		for i, source := range mine {
			texts[i] = driver.ToText(source)
		}
		list := toJSON(texts)
		row, err := s.decisionBallot(key, name).first(ctx,
			driver.Message{Key: key, Content: []byte(list), Attributes: map[string]string{attributeSources: list}})
		if err == nil {
			decided, err = row.decided()
		}
		return err
	})
	return decided, err
}

// decided returns the sources in a decision's row.
func (r eventRow) decided() (sources []string, err error) {
	attributes, err := attributesFromText(r.Attributes)
	if err == nil {
		err = json.Unmarshal([]byte(attributes[attributeSources]), &sources)
	}
	if err != nil {
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
	err = s.do(ctx, "list decided", ofJoin(key, name), driver.ValidJoin(key, name), func(ctx context.Context) error {
		rows, err := s.eventRows(ctx, ballotColumns+", attributes", "key = @key", "key", driver.ToText(key))
		if err != nil {
			return err
		}
		if sources, err = s.arrived(ctx, key, rows); err != nil {
			return err
		}
		v := verdictOf(rows[decisionMark+driver.ToText(name)])
		if !v.exists {
			return nil
		}
		row := v.row
		if !v.settled { // a slot of the log may keep other sources
			if row, err = s.decisionBallot(key, name).read(ctx); err != nil {
				return err
			}
		}
		decided, err = row.decided()
		return err
	})
	return sources, decided, err
}

// arrived returns the sources of which rows keep an event, in order. What is agreed on is kept in the
// end, even where a slot has yet to say so; only whether that is a seal has the slot to say first.
func (s *Store) arrived(ctx context.Context, key string, rows map[string][]eventRow) (sources []string, err error) {
	for _, source := range taken(rows) {
		of := rows[driver.ToText(source)]
		v := verdictOf(of)
		if !v.settled && slices.ContainsFunc(of, eventRow.isSeal) {
			if v.row, err = s.ballot(key, source, source).read(ctx); err != nil {
				return nil, err
			}
		}
		if !v.row.isSeal() {
			sources = append(sources, source)
		}
	}
	return sources, nil
}

// taken returns the sources of which rows keep an event or a seal, in order.
func taken(rows map[string][]eventRow) (sources []string) {
	for text, of := range rows {
		if !strings.HasPrefix(text, decisionMark) && verdictOf(of).exists {
			sources = append(sources, fromText(text))
		}
	}
	slices.Sort(sources)
	return sources
}

// corrupt is the failure of a row that can't be read any more.
func corrupt(what string, err error) error {
	return driver.Reject(driver.ReasonCorrupt, fmt.Errorf("%s: %w", what, err))
}
