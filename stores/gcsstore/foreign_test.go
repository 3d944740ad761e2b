package gcsstore_test

import (
	"errors"
	"io"
	"net/http"
	"testing"
	"time"

	"example.com/eventdriver/driver"
	"example.com/eventdriver/stores/gcsstore"
)

// A success of whoever else is between says nothing either: nothing was stored, and nothing is corrupt.
func TestForeignSuccessIsAFailure(t *testing.T) {
	for _, body := range []string{"", "{}", "null", `{"status":"ok"}`, `{"kind":"storage#object","generation":"0"}`, "<html>Sign in</html>"} {
		t.Run(body, func(t *testing.T) {
			t.Parallel()
			store, _ := answering(t, func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set("Content-Type", "application/json")
				_, _ = io.WriteString(w, body)
			})
			for name, err := range failures(t, store) {
				if err == nil || errors.Is(err, driver.ErrNotFound) || errors.Is(err, driver.ErrLost) ||
					errors.Is(err, gcsstore.ErrCorrupt) || driver.IsPermanent(err) {
					t.Errorf("%s returns %v, want a failure that is tried again", name, err)
				}
			}
		})
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
