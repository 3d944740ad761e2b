package gcs_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"slices"
	"testing"
	"time"

	"cloud.google.com/go/storage"
	"google.golang.org/api/googleapi"
	"google.golang.org/api/option"

	"example.com/eventdriver/internal/fake/gcs"
)

func client(t *testing.T, s *gcs.Server) *storage.BucketHandle {
	t.Helper()
	c, err := storage.NewClient(t.Context(), option.WithEndpoint(s.Endpoint()), option.WithoutAuthentication())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	c.SetRetry(storage.WithPolicy(storage.RetryNever))
	return c.Bucket("bucket")
}

func write(ctx context.Context, o *storage.ObjectHandle, content string) (*storage.ObjectAttrs, error) {
	w := o.NewWriter(ctx)
	w.Metadata = map[string]string{"state": content}
	io.WriteString(w, content)
	err := w.Close()
	return w.Attrs(), err
}

// TestKinds sends one request of each kind over the socket and looks at what
// was counted, with a name that needs escaping.
func TestKinds(t *testing.T) {
	s := gcs.New(t, "bucket")
	b, ctx := client(t, s), t.Context()
	const name = "a/b=20 c%2F"

	if _, err := write(ctx, b.Object(name), "content"); err != nil {
		t.Fatal(err)
	}
	r, err := b.Object(name).NewReader(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if got, _ := io.ReadAll(r); string(got) != "content" {
		t.Errorf("content %q", got)
	}
	r.Close()
	if _, err := b.Object(name).Attrs(ctx); err != nil {
		t.Fatal(err)
	}
	if a, err := b.Objects(ctx, &storage.Query{Prefix: "a/"}).Next(); err != nil || a.Name != name {
		t.Fatal(a, err)
	}
	if err := b.Object(name).Delete(ctx); err != nil {
		t.Fatal(err)
	}
	want := []gcs.Request{
		{N: 0, Class: gcs.A, Kind: gcs.Insert, Bucket: "bucket", Object: name},
		{N: 1, Class: gcs.B, Kind: gcs.Read, Bucket: "bucket", Object: name},
		{N: 2, Class: gcs.B, Kind: gcs.Stat, Bucket: "bucket", Object: name},
		{N: 3, Class: gcs.A, Kind: gcs.List, Bucket: "bucket", Object: "a/"},
		{N: 4, Class: gcs.Free, Kind: gcs.Delete, Bucket: "bucket", Object: name},
	}
	if got := s.Requests(); !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	if got, want := s.Counts(), (gcs.Counts{A: 2, B: 2, Free: 1}); got != want {
		t.Errorf("counts %+v, want %+v", got, want)
	}
	if s.Reset(); s.Counts() != (gcs.Counts{}) {
		t.Error("Reset left counts")
	}
}

// TestOverwrite checks what a lease in an object's metadata stands on: an
// overwrite gives a new generation, new metadata and a new server time.
func TestOverwrite(t *testing.T) {
	s := gcs.New(t, "bucket")
	o, ctx := client(t, s).Object("o"), t.Context()

	first, err := write(ctx, o.If(storage.Conditions{DoesNotExist: true}), "first")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := write(ctx, o.If(storage.Conditions{DoesNotExist: true}), "again"); status(err) != http.StatusPreconditionFailed {
		t.Errorf("second create: %v", err)
	}
	if _, err := write(ctx, o.If(storage.Conditions{GenerationMatch: first.Generation}), "second"); err != nil {
		t.Fatal(err)
	}
	if _, err := write(ctx, o.If(storage.Conditions{GenerationMatch: first.Generation}), "third"); status(err) != http.StatusPreconditionFailed {
		t.Errorf("overwrite of an old generation: %v", err)
	}
	got, err := o.Attrs(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if past, err := s.Attrs("bucket", "o"); err != nil || past.Metadata["state"] != "second" || !past.Created.Equal(got.Created) {
		t.Errorf("past the socket: %+v, %v; want what the client sees, %v", past, err, got.Created)
	}
	if got.Generation == first.Generation || got.Metadata["state"] != "second" {
		t.Errorf("generation %d after %d, metadata %v", got.Generation, first.Generation, got.Metadata)
	}
	if !got.Created.After(first.Created) || got.Created.Nanosecond() == 0 || !got.Updated.After(first.Updated) {
		t.Errorf("created %v after %v, updated %v after %v", got.Created, first.Created, got.Updated, first.Updated)
	}
}

func TestFaults(t *testing.T) {
	s := gcs.New(t, "bucket")
	o, ctx := client(t, s).Object("o"), t.Context()

	s.OnRequest(func(gcs.Request) gcs.Fault { return gcs.Fault{Status: http.StatusServiceUnavailable} })
	if _, err := write(ctx, o, "refused"); status(err) != http.StatusServiceUnavailable {
		t.Errorf("Status: %v", err)
	}
	if _, err := s.Get("bucket", "o"); err == nil {
		t.Error("a refused request was served")
	}

	s.OnRequest(func(gcs.Request) gcs.Fault { return gcs.Fault{Drop: true} })
	if _, err := write(ctx, o, "lost"); err == nil || status(err) != 0 {
		t.Errorf("Drop: %v", err)
	}
	if got, err := s.Get("bucket", "o"); err != nil || string(got) != "lost" {
		t.Errorf("a dropped request was not served: %q, %v", got, err)
	}

	s.OnRequest(func(gcs.Request) gcs.Fault { return gcs.Fault{Hold: make(chan struct{})} })
	short, cancel := context.WithTimeout(ctx, 20*time.Millisecond)
	defer cancel()
	if _, err := write(short, o, "held"); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Hold: %v", err)
	}
	s.Reset()
	if got, err := s.Get("bucket", "o"); err != nil || string(got) != "lost" {
		t.Errorf("a held request was served: %q, %v", got, err)
	}
	if names, err := s.Names("bucket"); err != nil || !slices.Equal(names, []string{"o"}) {
		t.Errorf("names %v, %v", names, err)
	}
}

func TestStartRefusesAddresses(t *testing.T) {
	for _, addr := range []string{"", "127.0.0.1", "0.0.0.0:0", "localhost:0"} {
		if s, err := gcs.Start(addr); err == nil {
			s.Close()
			t.Errorf("Start(%q) succeeded", addr)
		}
	}
}

func status(err error) int {
	var e *googleapi.Error
	if errors.As(err, &e) {
		return e.Code
	}
	return 0
}
