package gcsstore_test

import (
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"google.golang.org/api/option"

	"example.com/eventdriver/driver"
	"example.com/eventdriver/internal/fake/gcs"
	"example.com/eventdriver/stores/gcsstore"
)

// panics is a client's transport that panics on some requests.
type panics struct {
	http.RoundTripper
	on func(*http.Request) bool
}

func (p panics) RoundTrip(r *http.Request) (*http.Response, error) {
	if p.on(r) {
		panic("in the client")
	}
	return p.RoundTripper.RoundTrip(r)
}

// TestPanicInAGoroutineOfTheStore: a panic of the client is a failure, also where requests are sent at once.
// It would end the process, with all that this handles.
func TestPanicInAGoroutineOfTheStore(t *testing.T) {
	server := gcs.New(t, bucket)
	m := driver.Message{Key: "order-1", Source: "event1"}
	if err := open(t, server).Persist(t.Context(), m); err != nil {
		t.Fatal(err)
	}
	panicking := func(on func(*http.Request) bool) *gcsstore.Store {
		client := &http.Client{Transport: panics{http.DefaultTransport, on}}
		store, err := gcsstore.New(t.Context(), gcsstore.Config(bucket), option.WithEndpoint(server.Endpoint()), option.WithHTTPClient(client))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = store.Close() })
		return store
	}
	has := func(part string) func(*http.Request) bool {
		return func(r *http.Request) bool {
			return r.Method == http.MethodGet && strings.Contains(r.URL.String(), part)
		}
	}
	known := driver.NewClaim(m.Key)
	known.Token = 1
	_, errNew := panicking(has("done")).Acquire(t.Context(), driver.NewClaim(m.Key), time.Minute)
	_, errKnown := panicking(has("done")).Acquire(t.Context(), known, time.Minute)
	_, errInspect := panicking(has("deadletters")).Inspect(t.Context(), m.Key)
	_, errList := panicking(has("prefix=")).ListKeys(t.Context(), driver.KeyQuery{})
	_, errByKey := panicking(has("event1")).LookUpByKey(t.Context(), m.Key)
	for name, err := range map[string]error{
		"Acquire": errNew, "Acquire of a key that was held": errKnown, "Inspect": errInspect, "ListKeys": errList, "LookUpByKey": errByKey,
	} {
		if _, is := errors.AsType[*driver.PanicError](err); !is {
			t.Errorf("%s returns %v, want the panic", name, err)
		}
	}
}
