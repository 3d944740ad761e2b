package gcsstore_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strconv"
	"testing"

	"google.golang.org/api/option"

	"example.com/eventdriver/driver"
	"example.com/eventdriver/stores/gcsstore"
)

// large is the size of a content beside which nothing else counts.
const large = 8 << 20

// frugal starts a Cloud Storage that keeps nothing and allocates little: it has one
// object, under every name, and refuses to create it.
func frugal(t *testing.T, object []byte, exists bool) *gcsstore.Store {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		switch {
		case r.Method == http.MethodPost && exists:
			w.WriteHeader(http.StatusPreconditionFailed)
		case r.Method == http.MethodPost:
			w.Header().Set("Content-Type", "application/json")
			fmt.Fprint(w, `{"generation":"1"}`)
		default:
			w.Header().Set("X-Goog-Generation", "1")
			w.Header().Set("Content-Length", strconv.Itoa(len(object)))
			_, _ = w.Write(object)
		}
	}))
	t.Cleanup(server.Close)
	store, err := gcsstore.New(t.Context(), gcsstore.Config(bucket), option.WithEndpoint(server.URL+"/storage/v1/"), option.WithoutAuthentication())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = store.Close() })
	return store
}

// TestContentIsNotCopied: what a store is given goes up from where it is, and what it
// returns is read once, to where it stays.
func TestContentIsNotCopied(t *testing.T) {
	m := driver.Message{Key: "k", Source: "s", Content: bytes.Repeat([]byte("0123456789abcdef"), large/16)}
	object := fmt.Appendf(nil, `{"v":1,"key":"k","source":"s","length":%d}`+"\n%s", large, m.Content)
	other := bytes.Clone(object)
	other[len(other)-1]++
	for name, test := range map[string]struct {
		object []byte // nil: there is none
		op     func(ctx context.Context, s *gcsstore.Store) error
		copies int
	}{
		"Persist":                  {nil, func(ctx context.Context, s *gcsstore.Store) error { return s.Persist(ctx, m) }, 0},
		"Persist again":            {object, func(ctx context.Context, s *gcsstore.Store) error { return s.Persist(ctx, m) }, 0},
		"Persist of other content": {other, func(ctx context.Context, s *gcsstore.Store) error { return conflict(s.Persist(ctx, m)) }, 1},
		"LookUp": {object, func(ctx context.Context, s *gcsstore.Store) error {
			_, err := s.LookUp(ctx, "k", "s")
			return err
		}, 1},
		"AddDeadLetter": {nil, func(ctx context.Context, s *gcsstore.Store) error {
			return s.AddDeadLetter(ctx, driver.DeadLetter{Body: m.Content})
		}, 0},
		"AddDeadLetter of bytes": {nil, func(ctx context.Context, s *gcsstore.Store) error {
			return s.AddDeadLetter(ctx, driver.DeadLetter{Body: bytes.Repeat([]byte{0xff}, large)})
		}, 1}, // the test's own
	} {
		t.Run(name, func(t *testing.T) {
			store := frugal(t, test.object, test.object != nil)
			if err := test.op(t.Context(), store); err != nil { // the connection, pools
				t.Fatal(err)
			}
			account := &counted{}
			before := allocated()
			if err := test.op(driver.WithMemory(t.Context(), account), store); err != nil {
				t.Fatal(err)
			}
			if got := allocated() - before; got > uint64(test.copies*large+large/8) {
				t.Errorf("%d bytes were allocated for a content of %d", got, large)
			}
			want := test.copies * large
			if name == "AddDeadLetter of bytes" {
				want = 0
			}
			if account.grown != int64(want) {
				t.Errorf("%d bytes were counted, want %d", account.grown, want)
			}
		})
	}
}

// TestContentIsCountedBeforeItIsRead: where there is no room, the failure says so, and
// nothing is allocated.
func TestContentIsCountedBeforeItIsRead(t *testing.T) {
	object := fmt.Appendf(nil, `{"v":1,"key":"k","source":"s","length":%d}`+"\n%s", large, make([]byte, large))
	store := frugal(t, object, true)
	if _, err := store.LookUp(t.Context(), "k", "s"); err != nil {
		t.Fatal(err)
	}
	full := driver.WithMemory(t.Context(), &counted{limit: large - 1})
	for name, op := range map[string]func() error{
		"LookUp":  func() error { _, err := store.LookUp(full, "k", "s"); return err },
		"Persist": func() error { return store.Persist(full, driver.Message{Key: "k", Source: "s"}) },
	} {
		before := allocated()
		if err := op(); !errors.Is(err, driver.ErrNoMemory) {
			t.Errorf("%s: %v, want ErrNoMemory", name, err)
		}
		if got := allocated() - before; got > large/8 {
			t.Errorf("%s: %d bytes were allocated", name, got)
		}
	}
}

// TestAttributesAreCounted: a message without content takes memory, too, where it has many
// attributes.
func TestAttributesAreCounted(t *testing.T) {
	object := fmt.Appendf(nil, `{"v":1,"key":"k","source":"s","attributes":{"a":"%s"},"length":0}`+"\n", bytes.Repeat([]byte("a"), large))
	store := frugal(t, object, true)
	account := &counted{}
	if _, err := store.LookUp(driver.WithMemory(t.Context(), account), "k", "s"); err != nil || account.grown < 2*large {
		t.Errorf("%v, and %d bytes were counted of %d", err, account.grown, 2*large)
	}
	for limit, want := range map[int64]error{large / 4: driver.ErrNoMemory, 4 * large: nil} {
		before := allocated()
		_, err := store.LookUp(driver.WithMemory(t.Context(), &counted{limit: limit}), "k", "s")
		if !errors.Is(err, want) || driver.IsPermanent(err) {
			t.Errorf("with %d bytes: %v, want %v", limit, err, want)
		}
		if got := allocated() - before; want != nil && got > large {
			t.Errorf("%d bytes were allocated", got)
		}
	}
}

func conflict(err error) error {
	if errors.Is(err, driver.ErrConflict) {
		return nil
	}
	return fmt.Errorf("%v, want a conflict", err)
}

func allocated() uint64 {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.TotalAlloc
}

// counted is an account of one goroutine.
type counted struct{ grown, limit int64 }

func (c *counted) Grow(n int64) error {
	if c.limit > 0 && c.grown+n > c.limit {
		return driver.ErrNoMemory
	}
	c.grown += n
	return nil
}

func (c *counted) Shrink(n int64) { c.grown -= n }

func (c *counted) Hold() func() { return func() {} }
