package bqstore

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"cloud.google.com/go/bigquery"

	"example.com/eventdriver/driver"
)

// eventState is an event's row without its content. Rows of a newer form are read: they are a
// problem of their key alone.
type eventState struct {
	eventRow
	Key       string                 `bigquery:"key"`
	Size      bigquery.NullInt64     `bigquery:"size"` // not valid: the row is from before there was the column
	KeptSince bigquery.NullTimestamp `bigquery:"kept_since"`
}

// Check replaces that of the row.
func (eventState) Check() error { return nil }

// places are the rows of each source of a key.
type places map[string][]eventState

// byPlace returns the rows by their keys and sources.
func byPlace(rows []eventState) map[string]places {
	keys := make(map[string]places)
	for _, r := range rows {
		if keys[r.Key] == nil {
			keys[r.Key] = make(places)
		}
		keys[r.Key][r.Source] = append(keys[r.Key][r.Source], r)
	}
	return keys
}

// addTo adds to k what the rows of one place keep.
func (p places) addTo(k *driver.KeyState, source string) {
	rows := make([]eventRow, len(p[source]))
	for i, r := range p[source] {
		if err := r.revision.Check(); err != nil {
			k.Problems = append(k.Problems, fmt.Sprintf("source %q: %v", fromText(source), err))
			return
		}
		rows[i] = r.eventRow
	}
	v := verdictOf(rows)
	if !v.exists {
		return
	}
	if join, isDecision := strings.CutPrefix(source, decisionMark); isDecision {
		sources, err := v.row.decided()
		if err != nil {
			k.Problems = append(k.Problems, fmt.Sprintf("join %q: %v", fromText(join), err))
			return
		}
		k.Decided = append(k.Decided, driver.Decision{Join: fromText(join), Sources: sources})
		return
	}
	if v.row.isSeal() {
		k.Sealed = append(k.Sealed, fromText(source))
		return
	}
	i := slices.IndexFunc(p[source], func(r eventState) bool { return r.Writer == v.row.Writer && r.Kind == v.row.Kind })
	k.Events = append(k.Events, p[source][i].describe())
}

func (r eventState) describe() driver.EventState {
	e := driver.EventState{Source: fromText(r.Source), ID: fromText(r.EventID), Kept: r.KeptSince.Timestamp, Size: -1,
		MediaType: fromText(r.MediaType)}
	if r.Size.Valid {
		e.Size = r.Size.Int64
	}
	if r.EventTime.Valid {
		e.Time = r.EventTime.Timestamp
	}
	return e
}

// claimState is the last row of a key's log in a scope.
type claimState struct {
	claimRow
	Key       string    `bigquery:"key"`
	Scope     string    `bigquery:"scope"`
	CreatedAt time.Time `bigquery:"created_at"`
}

// Check replaces that of the row.
func (claimState) Check() error { return nil }

func (r claimState) addTo(k *driver.KeyState) {
	if err := r.revision.Check(); err != nil {
		k.Problems = append(k.Problems, fmt.Sprintf("claim in scope %q: %v", fromText(r.Scope), err))
		return
	}
	c := driver.ClaimState{Scope: fromText(r.Scope), Token: r.Token, Owner: fromText(r.Owner), Takeover: r.Takeover, Changed: r.CreatedAt}
	switch r.Kind {
	case completed:
		c.Done = &driver.Completion{Outcome: cmp.Or(driver.Outcome(r.Mark), driver.OutcomeProcessed), Token: c.Token, Owner: c.Owner, Time: r.CreatedAt}
	case released, reopened:
		c.Mark, c.Attempts = driver.Mark(r.Mark), int(r.Attempts)
		if r.PauseMS > 0 {
			c.NotBefore = r.CreatedAt.Add(time.Duration(r.PauseMS) * time.Millisecond)
		}
	default:
		c.Held, c.Expires = true, r.CreatedAt.Add(time.Duration(r.LeaseMS)*time.Millisecond)
		c.Mark, c.Attempts = driver.Mark(r.Mark), int(r.Attempts)
	}
	k.Claims = append(k.Claims, c)
}

// order orders what a key has as [driver.KeyState] says.
func order(k *driver.KeyState) {
	slices.SortFunc(k.Events, func(a, b driver.EventState) int { return cmp.Compare(a.Source, b.Source) })
	slices.Sort(k.Sealed)
	slices.SortFunc(k.Decided, func(a, b driver.Decision) int { return cmp.Compare(a.Join, b.Join) })
	slices.SortFunc(k.Claims, func(a, b driver.ClaimState) int { return cmp.Compare(a.Scope, b.Scope) })
	slices.Sort(k.Problems)
}
