package gcsstore_test

import (
	"errors"
	"io"
	"maps"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"example.com/eventdriver/driver"
	"example.com/eventdriver/stores/gcsstore"
)

// A success of whoever else is between says nothing either: nothing was stored, and nothing is corrupt.
func TestForeignSuccessIsAFailure(t *testing.T) {
	for body, looksEmpty := range map[string]bool{"": false, "{}": true, "null": false, `{"status":"ok"}`: true,
		`{"kind":"storage#object","generation":"0"}`: false, "<html>Sign in</html>": false, `{"kind":"admin#users","items":[]}`: false,
		`{"kind":"storage#objects","items":[null]}`: false, `{"items":[{"name":""}]}`: false} {
		t.Run(body, func(t *testing.T) {
			t.Parallel()
			store, _ := answering(t, func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set("Content-Type", "application/json")
				_, _ = io.WriteString(w, body)
			})
			operations := failures(t, store)
			if !looksEmpty { // a list without kind and items is that of an empty bucket
				maps.Copy(operations, listFailures(t, store))
			}
			for name, err := range operations {
				if err == nil || errors.Is(err, driver.ErrNotFound) || errors.Is(err, driver.ErrLost) ||
					errors.Is(err, gcsstore.ErrCorrupt) || driver.IsPermanent(err) {
					t.Errorf("%s returns %v, want a failure that is tried again", name, err)
				}
			}
		})
	}
}

// TestForeignListSaysWhoseItIs: the error names the address that answered, and what to look at.
func TestForeignListSaysWhoseItIs(t *testing.T) {
	var host atomic.Value
	store, _ := answering(t, func(w http.ResponseWriter, r *http.Request) {
		host.Store(r.Host)
		_, _ = io.WriteString(w, "null")
	})
	_, err := store.Inspect(t.Context(), "order-1")
	if err == nil || !strings.Contains(err.Error(), host.Load().(string)) || !strings.Contains(err.Error(), "STORAGE_EMULATOR_HOST") {
		t.Error(err)
	}
}

// failures returns what the operations return that read or write one object first.
func failures(t *testing.T, store *gcsstore.Store) map[string]error {
	ctx, m := t.Context(), driver.Message{Key: "order-1", Source: "event1", Content: []byte("{}")}
	claim := driver.Claim{Key: "order-1", Token: 1, Owner: "me", Expires: time.Now().Add(time.Hour)}
	_, errLookUp := store.LookUp(ctx, m.Key, m.Source)
	_, errReplace := store.Replace(ctx, m)
	_, errAcquire := store.Acquire(ctx, driver.NewClaim(m.Key), time.Minute)
	_, errRenew := store.Renew(ctx, claim, time.Minute)
	return map[string]error{
		"LookUp": errLookUp, "Replace": errReplace, "Acquire": errAcquire, "Renew": errRenew,
		"Persist":       store.Persist(ctx, m),
		"Complete":      store.Complete(ctx, claim, driver.OutcomeProcessed),
		"Release":       store.Release(ctx, claim, driver.Released{}),
		"AddDeadLetter": store.AddDeadLetter(ctx, driver.DeadLetter{Key: m.Key}),
	}
}

// listFailures returns what the operations return that list first.
func listFailures(t *testing.T, store *gcsstore.Store) map[string]error {
	ctx, key := t.Context(), "order-1"
	_, errInspect := store.Inspect(ctx, key)
	_, errKeys := store.ListKeys(ctx, driver.KeyQuery{})
	_, errLetters := store.ListLetters(ctx, driver.LetterQuery{})
	_, errEvents := store.LookUpByKey(ctx, key)
	_, errSources := store.ListSourcesByKey(ctx, key)
	return map[string]error{"Inspect": errInspect, "ListKeys": errKeys, "ListLetters": errLetters, "LookUpByKey": errEvents,
		"ListSourcesByKey": errSources, "PurgeEvents": store.PurgeEvents(ctx, key)}
}
