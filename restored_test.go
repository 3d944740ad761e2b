package eventdriver

import (
	"context"
	"errors"
	"io"
	"net/http"
	"sync"
	"testing"
	"time"

	"cloud.google.com/go/storage"
	"google.golang.org/api/iterator"

	"example.com/eventdriver/driver"
)

// restored copies a bucket as it is now into an empty one, as Cloud Storage restores objects: with their names, contents
// and metadata, as new generations that are stored now.
func restored(t *testing.T, c Config) Config {
	t.Helper()
	client, err := storage.NewClient(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	from := client.Bucket(c.Bucket)
	c.Bucket = "restored"
	to := client.Bucket(c.Bucket)
	if err := to.Create(t.Context(), "p", nil); err != nil {
		t.Fatal(err)
	}
	for all := from.Objects(t.Context(), nil); ; {
		attrs, err := all.Next()
		if errors.Is(err, iterator.Done) {
			return c
		}
		if err != nil {
			t.Fatal(err)
		}
		r, err := from.Object(attrs.Name).NewReader(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		w := to.Object(attrs.Name).NewWriter(t.Context())
		w.Metadata, w.ContentType = attrs.Metadata, attrs.ContentType
		_, err = io.Copy(w, r)
		if err := errors.Join(err, w.Close(), r.Close()); err != nil {
			t.Fatal(err)
		}
	}
}

// TestRestoredBucket: in a bucket that was restored, orders stand as they did. A lease begins anew, and tokens grow. An
// order that was processed after the copy was made runs again when its events come again.
func TestRestoredBucket(t *testing.T) {
	config := onGCS(t)
	var mu sync.Mutex
	tokens, down := make(map[string][]int64), true
	business := driver.HandlerFunc(func(ctx context.Context, in driver.Message, next driver.Next) error {
		mu.Lock()
		defer mu.Unlock()
		if in.Key == "failed" && down {
			return errors.New("down")
		}
		claim, _ := driver.ClaimFrom(ctx)
		tokens[in.Key] = append(tokens[in.Key], claim.Token)
		return next.Call(ctx, in)
	})
	f, server := serve(t, config, business)
	send := func(url, key string, sources ...string) (last int) {
		for _, source := range sources {
			last, _ = post(t, url, source, key, `1`)
		}
		return last
	}
	all := []string{"event1", "event2", "event3"}
	send(server.URL, "waits", "event1", "event2")
	send(server.URL, "done", all...)
	send(server.URL, "failed", all...)
	held := acquire(t, f, "held")
	before := inspect(t, f, "failed").Claim("")

	config = restored(t, config)
	send(server.URL, "later", all...)
	down = false
	again, server := serve(t, config, business)

	if k := inspect(t, again, "held"); !k.Claim("").Held || !k.Claim("").Expires.After(held.Expires) {
		t.Errorf("the lease must begin anew, at %v: %+v", held.Expires, k)
	}
	for key, want := range map[string]int{"waits": http.StatusNoContent, "done": http.StatusNoContent, "failed": http.StatusNoContent, "later": http.StatusNoContent} {
		sources := all
		if key == "waits" {
			sources = all[2:]
		}
		if got := send(server.URL, key, sources...); got != want {
			t.Errorf("%s: %d, want %d", key, got, want)
		}
	}
	if got := tokens["failed"]; len(got) != 1 || got[0] != before.Token+1 {
		t.Errorf("failed ran with the tokens %d, after %d", got, before.Token)
	}
	if got := tokens["later"]; len(got) != 2 || got[1] <= got[0] {
		t.Errorf("later ran with the tokens %d", got)
	}
	if len(tokens["waits"]) != 1 || len(tokens["done"]) != 1 {
		t.Errorf("the business ran with the tokens %v", tokens)
	}
}

// acquire claims a key as an instance that then crashes.
func acquire(t *testing.T, f *Function, key string) driver.ClaimState {
	t.Helper()
	parts, err := f.open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := parts.stores.claims.Acquire(t.Context(), driver.NewClaim(key), time.Hour); err != nil {
		t.Fatal(err)
	}
	return inspect(t, f, key).Claim("")
}

// inspect returns what is kept of a key.
func inspect(t *testing.T, f *Function, key string) driver.KeyState {
	t.Helper()
	state, err := f.State(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	store, err := state.Inspector()
	if err != nil {
		t.Fatal(err)
	}
	k, err := store.Inspect(t.Context(), key)
	if err != nil {
		t.Fatal(err)
	}
	return k
}
