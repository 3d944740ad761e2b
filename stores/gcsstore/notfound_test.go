package gcsstore_test

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/api/option"

	"example.com/eventdriver/driver"
	"example.com/eventdriver/internal/fake/gcs"
	"example.com/eventdriver/stores/gcsstore"
)

// TestMissingBucket runs every operation against a bucket that does not exist.
func TestMissingBucket(t *testing.T) {
	store, ctx := open(t, gcs.New(t, "another"), gcsstore.Config("mistyped").WithFolder("event-driver")), t.Context()
	claim := driver.Claim{Key: "order-1", Token: 1, Owner: "me"}
	m := driver.Message{Key: "order-1", Source: "event1"}
	const letter = "event-driver/deadletters/2026-01-31/gone-0123456789abcdef0123456789abcdef.json"
	results := make(map[string]error)
	_, results["LookUp"] = store.LookUp(ctx, m.Key, m.Source)
	results["Persist"] = store.Persist(ctx, m)
	_, results["Replace"] = store.Replace(ctx, m)
	_, results["LookUpByKey"] = store.LookUpByKey(ctx, m.Key)
	_, results["ListSourcesByKey"] = store.ListSourcesByKey(ctx, m.Key)
	_, results["Acquire"] = store.Acquire(ctx, driver.NewClaim(m.Key), 1)
	_, results["Renew"] = store.Renew(ctx, claim, 1)
	results["Release"] = store.Release(ctx, claim, driver.Released{})
	results["Complete"] = store.Complete(ctx, claim, driver.OutcomeProcessed)
	results["AddDeadLetter"] = store.AddDeadLetter(ctx, driver.DeadLetter{})
	_, results["DeadLetters"] = store.DeadLetters(ctx)
	_, results["ListLetters"] = store.ListLetters(ctx, driver.LetterQuery{})
	_, results["ReadLetter"] = store.ReadLetter(ctx, letter)
	results["DeleteLetter"] = store.DeleteLetter(ctx, letter)
	_, results["Inspect"] = store.Inspect(ctx, m.Key)
	_, results["ListKeys"] = store.ListKeys(ctx, driver.KeyQuery{})
	for name, err := range results {
		if !errors.Is(err, gcsstore.ErrNoBucket) || errors.Is(err, driver.ErrNotFound) || !strings.Contains(err.Error(), `"mistyped"`) {
			t.Errorf("%s: got %v, want ErrNoBucket and the bucket's name", name, err)
		} else if strings.Count(err.Error(), `"mistyped"`) > 1 {
			t.Errorf("%s says it twice: %v", name, err)
		}
	}
}

// answering returns a store whose server gives one answer to everything, and counts
// the requests.
func answering(t *testing.T, answer http.HandlerFunc) (*gcsstore.Store, *atomic.Int32) {
	t.Helper()
	var requests atomic.Int32
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		requests.Add(1)
		answer(w, r)
	}))
	t.Cleanup(server.Close)
	within := 200 * time.Millisecond
	store, err := gcsstore.New(t.Context(), gcsstore.Config(bucket).WithTimeout(gcsstore.Timeout{Default: &within}),
		option.WithEndpoint(server.URL+"/storage/v1/"), option.WithoutAuthentication())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { store.Close() })
	return store, &requests
}

// TestNotFound has a server answer 404 as the service does, whose answers, other
// than the fake's, tell a missing bucket from a missing object without another
// request.
func TestNotFound(t *testing.T) {
	for text, want := range map[string]error{
		"No such object: bucket/17/order-1/events/event1": driver.ErrNotFound,
		"The specified bucket does not exist.":            gcsstore.ErrNoBucket,
	} {
		for _, format := range []string{"%s", `{"error":{"code":404,"message":%q,"errors":[{"reason":"notFound"}]}}`} {
			store, requests := answering(t, func(w http.ResponseWriter, r *http.Request) {
				w.WriteHeader(http.StatusNotFound)
				io.WriteString(w, fmt.Sprintf(format, text))
			})
			if _, err := store.LookUp(t.Context(), "order-1", "event1"); !errors.Is(err, want) || requests.Load() != 1 {
				t.Errorf("%q: got %v after %d requests, want %v after one", text, err, requests.Load(), want)
			}
		}
	}
}

// A 404 of whoever else is between says nothing about what is kept.
func TestForeignNotFoundIsAFailure(t *testing.T) {
	for _, body := range []string{
		"", "404 page not found\n", "<!DOCTYPE html><title>Error 404 (Not Found)!!1</title>", "Not Found", "notFound",
		"{}", `{"error":{}}`, `{"error":"notFound"}`, `{"message":"no route","code":404}`, `[]`, `null`,
		`{"error":{"code":404,"message":"Not Found"}}`, `{"error":{"code":404,"errors":[]}}`,
		`{"error":{"code":404,"message":"no upstream","errors":[{"reason":"unavailable"}]}}`,
		`{"error":{"code":404,"message":"No such object: bucket/x","errors":[{"reason":"notFo`,
		"<?xml version='1.0'?><Error><Code>NoSuchService</Code></Error>",
	} {
		store, _ := answering(t, func(w http.ResponseWriter, r *http.Request) {
			w.WriteHeader(http.StatusNotFound)
			io.WriteString(w, body)
		})
		ctx, claim := t.Context(), driver.Claim{Key: "order-1", Token: 1, Owner: "me", Expires: time.Now().Add(time.Hour)}
		_, errLookUp := store.LookUp(ctx, "order-1", "event1")
		_, errByKey := store.LookUpByKey(ctx, "order-1")
		_, errSources := store.ListSourcesByKey(ctx, "order-1")
		for name, err := range map[string]error{
			"LookUp": errLookUp, "LookUpByKey": errByKey, "ListSourcesByKey": errSources,
			"Persist":  store.Persist(ctx, driver.Message{Key: "order-1", Source: "event1"}),
			"Complete": store.Complete(ctx, claim, driver.OutcomeProcessed),
		} {
			if err == nil || errors.Is(err, driver.ErrNotFound) || errors.Is(err, gcsstore.ErrNoBucket) || errors.Is(err, driver.ErrLost) || driver.IsPermanent(err) {
				t.Errorf("404 with the body %q: %s returns %v, want a failure that is tried again", body, name, err)
			}
		}
	}
}

// fake-gcs-server answers downloads of what is missing as any server might. One look at
// the metadata, for which it has an answer of the JSON API, tells.
func TestNotFoundByTheFakeItself(t *testing.T) {
	store, requests := answering(t, func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(http.StatusNotFound)
		if r.URL.Query().Get("alt") == "media" {
			io.WriteString(w, "Not Found\n")
		} else {
			io.WriteString(w, `{"error":{"code":404,"message":"Not Found","errors":[{"domain":"global","reason":"notFound"}]}}`)
		}
	})
	for i := range 3 {
		if _, err := store.LookUp(t.Context(), "order-1", "event1"); !errors.Is(err, driver.ErrNotFound) || int(requests.Load()) != i+2 {
			t.Errorf("look %d: %v after %d requests; want one for each, and one more", i+1, err, requests.Load())
		}
	}
}

// The same answer where the object is there.
func TestNotFoundOfAnObjectThatIsThere(t *testing.T) {
	store, _ := answering(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Query().Get("alt") == "media" {
			w.WriteHeader(http.StatusNotFound)
			io.WriteString(w, "Not Found\n")
		} else {
			io.WriteString(w, `{"name":"x","generation":"1"}`)
		}
	})
	for range 2 {
		if _, err := store.LookUp(t.Context(), "order-1", "event1"); err == nil || errors.Is(err, driver.ErrNotFound) || driver.IsPermanent(err) {
			t.Errorf("got %v, want a failure that is tried again", err)
		}
	}
}

// A proxy in front of Cloud Storage may say that of an object that is missing, and later
// of one that is there.
func TestForeignNotFoundIsNotLearned(t *testing.T) {
	var exists atomic.Bool
	store, _ := answering(t, func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.URL.Query().Get("alt") == "media":
			http.Error(w, "Not Found", http.StatusNotFound)
		case exists.Load():
			io.WriteString(w, `{"name":"x","generation":"1"}`)
		default:
			w.WriteHeader(http.StatusNotFound)
			io.WriteString(w, `{"error":{"code":404,"message":"No such object: bucket/x","errors":[{"domain":"global","reason":"notFound"}]}}`)
		}
	})
	if _, err := store.LookUp(t.Context(), "order-1", "event1"); !errors.Is(err, driver.ErrNotFound) {
		t.Errorf("it is missing: %v", err)
	}
	exists.Store(true)
	if _, err := store.LookUp(t.Context(), "order-1", "event1"); err == nil || errors.Is(err, driver.ErrNotFound) {
		t.Errorf("it is there: got %v, want a failure that is tried again", err)
	}
}
