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

	"google.golang.org/api/option"

	"example.com/eventdriver/driver"
	"example.com/eventdriver/internal/gcsfake"
	"example.com/eventdriver/stores/gcsstore"
)

// TestMissingBucket runs every operation against a bucket that does not exist.
func TestMissingBucket(t *testing.T) {
	store, ctx := open(t, gcsfake.New(t, "another"), gcsstore.Config("mistyped")), t.Context()
	claim := driver.Claim{Key: "order-1", Token: 1, Owner: "me"}
	m := driver.Message{Key: "order-1", Source: "event1"}
	results := make(map[string]error)
	_, results["LookUp"] = store.LookUp(ctx, m.Key, m.Source)
	results["Persist"] = store.Persist(ctx, m)
	_, results["Replace"] = store.Replace(ctx, m)
	_, results["LookUpByKey"] = store.LookUpByKey(ctx, m.Key)
	_, results["ListSourcesByKey"] = store.ListSourcesByKey(ctx, m.Key)
	_, results["Acquire"] = store.Acquire(ctx, driver.NewClaim(m.Key), 1)
	_, results["Renew"] = store.Renew(ctx, claim, 1)
	results["Release"] = store.Release(ctx, claim, driver.MarkNone)
	results["Complete"] = store.Complete(ctx, claim)
	results["SetAside"] = store.SetAside(ctx, driver.DeadLetter{})
	_, results["DeadLetters"] = store.DeadLetters(ctx)
	for name, err := range results {
		if !errors.Is(err, gcsstore.ErrNoBucket) || errors.Is(err, driver.ErrNotFound) || !strings.Contains(err.Error(), `"mistyped"`) {
			t.Errorf("%s: got %v, want ErrNoBucket and the bucket's name", name, err)
		}
	}
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
			var requests atomic.Int32
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				requests.Add(1)
				w.WriteHeader(http.StatusNotFound)
				io.WriteString(w, fmt.Sprintf(format, text))
			}))
			defer server.Close()
			store, err := gcsstore.New(t.Context(), gcsstore.Config(bucket),
				option.WithEndpoint(server.URL+"/storage/v1/"), option.WithoutAuthentication())
			if err != nil {
				t.Fatal(err)
			}
			defer store.Close()
			if _, err := store.LookUp(t.Context(), "order-1", "event1"); !errors.Is(err, want) || requests.Load() != 1 {
				t.Errorf("%q: got %v after %d requests, want %v after one", text, err, requests.Load(), want)
			}
		}
	}
}
