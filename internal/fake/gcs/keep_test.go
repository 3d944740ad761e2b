package gcs_test

import (
	"errors"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"

	"cloud.google.com/go/storage"
	"google.golang.org/api/googleapi"

	"example.com/eventdriver/internal/fake/gcs"
)

// keeping starts a server on a folder, and returns it with its bucket.
func keeping(t *testing.T, folder string) (*gcs.Server, *storage.BucketHandle) {
	t.Helper()
	s, err := gcs.Start("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	if err := s.KeepIn(folder); err != nil {
		t.Fatal(err)
	}
	s.CreateBucket("bucket")
	return s, client(t, s)
}

// What requests have changed is there in the next server, with all that preconditions and
// readers look at.
func TestObjectsAreKept(t *testing.T) {
	folder := t.TempDir()
	first, bucket := keeping(t, folder)
	if err := gcs.New(t).KeepIn(folder); !errors.Is(err, gcs.ErrInUse) {
		t.Errorf("a second server on the folder: %v, want ErrInUse", err)
	}
	want := make(map[string]*storage.ObjectAttrs)
	large := strings.Repeat("large", 200_000)
	for name, content := range map[string]string{"a//b/../c=%20?#": "odd", "new": "new", "gone": "gone", "large": large} {
		if name == "new" {
			if _, err := write(t.Context(), bucket.Object(name), "old"); err != nil {
				t.Fatal(err)
			}
		}
		attrs, err := write(t.Context(), bucket.Object(name), content)
		if err != nil {
			t.Fatal(err)
		}
		want[name] = attrs
	}
	if err := bucket.Object("gone").Delete(t.Context()); err != nil {
		t.Fatal(err)
	}
	delete(want, "gone")
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}

	second, bucket := keeping(t, folder)
	defer second.Close()
	names, err := second.Names("bucket")
	if err != nil || len(names) != len(want) || slices.Contains(names, "gone") {
		t.Errorf("%q, %v; want %d objects", names, err, len(want))
	}
	for name, before := range want {
		o := bucket.Object(name)
		after, err := o.Attrs(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if after.Generation != before.Generation || !after.Created.Equal(before.Created) || after.Metadata["state"] != before.Metadata["state"] {
			t.Errorf("%q was %+v, and is %+v", name, before, after)
		}
		r, err := o.NewReader(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		content, err := io.ReadAll(r)
		r.Close()
		if err != nil || string(content) != before.Metadata["state"] {
			t.Errorf("%q: %d bytes, %v", name, len(content), err)
		}
		_, err = write(t.Context(), o.If(storage.Conditions{DoesNotExist: true}), "again")
		if refused, is := errors.AsType[*googleapi.Error](err); !is || refused.Code != http.StatusPreconditionFailed {
			t.Errorf("create %q again: %v, want 412", name, err)
		}
		if _, err = write(t.Context(), o.If(storage.Conditions{GenerationMatch: before.Generation}), "next"); err != nil {
			t.Errorf("overwrite %q: %v", name, err)
		}
	}
}
