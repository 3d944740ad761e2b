package doctor

import (
	"fmt"
	"slices"
	"time"

	"example.com/eventdriver/operate/deployed"
)

// shared looks for other services that keep their state in the same place.
func shared(f facts) (all []Finding) {
	events, claims := deployed.Places(f.Config)
	for _, s := range f.Neighbours {
		c, _ := deployed.ConfigOf(short(s.Name), deployed.Newest(s).Variables)
		theirEvents, theirClaims := deployed.Places(c)
		theirs := []deployed.Place{theirEvents, theirClaims}
		for _, place := range slices.Compact([]deployed.Place{events, claims}) {
			if place == "" || !slices.Contains(theirs, place) {
				continue
			}
			all = append(all, Finding{Severity: Error, Resource: string(place), Problem: "the service " + s.Name +
				" keeps its state there, too",
				Why: "the functions share their keys: events of one complete orders of the other, and each skips what the " +
					"other completed",
				Remedy: "give one of them a folder (GCS_FOLDER) or a dataset (BIGQUERY_DATASET) of its own, after its " +
					"subscriptions have run dry"})
		}
	}
	return all
}

// stateAge is for how long keys may wait where nothing says how long they are kept.
const stateAge = 9 * day

// moved looks for keys that wait where an earlier revision kept them.
func moved(f facts) (all []Finding) {
	events, claims := deployed.Places(f.Config)
	ended := f.Now // when the revisions after this one began
	seen := []deployed.Place{events, claims, ""}
	for _, r := range f.Revisions {
		c, _ := deployed.ConfigOf(f.Target.Service, r.Variables)
		theirEvents, theirClaims := deployed.Places(c)
		if !r.Failed && r.Percent == 0 {
			if !slices.Contains(seen, theirEvents) {
				all = append(all, f.left(r, theirEvents, events, ended)...)
			} else if theirEvents == events && !slices.Contains(seen, theirClaims) {
				all = append(all, f.forgotten(r, theirClaims, claims, ended)...)
			}
			seen = append(seen, theirEvents, theirClaims)
		}
		if !r.Failed && !r.Created.IsZero() {
			ended = r.Created
		}
	}
	return all
}

// left reports keys that wait in a place until they are known to be gone.
func (f facts) left(r deployed.Revision, place, now deployed.Place, ended time.Time) []Finding {
	keys := f.Waiting[place]
	if keys.Listed && keys.Waiting == 0 || !keys.Listed && f.Now.Sub(ended) > f.kept() {
		return nil
	}
	what := "keys may wait there"
	if keys.Listed {
		what = fmt.Sprintf("at least %d keys wait there", keys.Waiting)
	}
	return []Finding{{Severity: Error, Resource: string(place),
		Problem: fmt.Sprintf("%s: revision %s kept its events there, and the function now looks in %s", what, r.Name, now),
		Why: "orders of which some events are there and others here are never complete, and duplicates of processed " +
			"orders run again",
		Remedy: "set the store back, stop the publishers, and change it when the subscriptions have run dry; or publish " +
			"the events that wait there again"}}
}

// forgotten reports completions that the function does not see any more.
func (f facts) forgotten(r deployed.Revision, place, now deployed.Place, ended time.Time) []Finding {
	if f.Now.Sub(ended) > f.redelivered {
		return nil
	}
	return []Finding{{Severity: Error, Resource: string(place),
		Problem: fmt.Sprintf("revision %s kept its claims and completions there, and the function now looks in %s", r.Name,
			now),
		Why: "duplicates of processed orders run again", Remedy: "set the claim store back until no event from " +
			"before the change comes again: " + days(f.redelivered)}}
}

// kept is how long events stay, unless they stay without end.
func (f facts) kept() time.Duration {
	a, known := f.ages()
	if !known {
		return stateAge
	}
	longest := stateAge
	for _, source := range f.Config.Sources {
		longest = max(longest, a.events(0, source))
	}
	return longest
}
