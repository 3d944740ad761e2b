package gcs_test

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"cloud.google.com/go/storage"
	"google.golang.org/api/iterator"

	"example.com/eventdriver/internal/fake/gcs"
)

// A request takes about as long with thousands of objects in the bucket as with few.
func TestThousandsOfObjects(t *testing.T) {
	s := gcs.New(t, "bucket")
	b := client(t, s)
	fastest := func(of string) time.Duration { // of some, since the machine may be busy
		best := time.Hour
		for i := range 100 {
			o := b.Object(fmt.Sprintf("folder/%s/%d/event", of, i)).If(storage.Conditions{DoesNotExist: true})
			begun := time.Now()
			if _, err := write(t.Context(), o, "content"); err != nil {
				t.Fatal(err)
			}
			best = min(best, time.Since(begun))
		}
		return best
	}
	few := fastest("few")
	for i := range 3000 {
		s.Put("bucket", fmt.Sprintf("folder/other/%d/event", i), nil)
	}
	if many := fastest("many"); many > 5*few {
		t.Errorf("an insert takes %v beside few objects, and %v beside 3,000", few, many)
	}
}

// Lists are ordered and come in pages, wherever the objects are.
func TestLists(t *testing.T) {
	s := gcs.New(t, "bucket", "empty")
	b := client(t, s)
	var all []string
	for i := range 60 {
		name := fmt.Sprintf("folder/%02d/key+&=%d/events/%d", i%7, i, i)
		all = append(all, name)
		if _, err := write(t.Context(), b.Object(name), name); err != nil {
			t.Fatal(err)
		}
	}
	slices.Sort(all)
	list := func(size int, q storage.Query) (names, prefixes []string) {
		t.Helper()
		objects := b.Objects(t.Context(), &q)
		objects.PageInfo().MaxSize = size
		for {
			o, err := objects.Next()
			switch {
			case errors.Is(err, iterator.Done):
				return names, prefixes
			case err != nil:
				t.Fatal(err)
			case o.Prefix != "":
				prefixes = append(prefixes, o.Prefix)
			default:
				names = append(names, o.Name)
				if o.Bucket != "bucket" || o.Generation == 0 || o.Metadata["state"] != o.Name {
					t.Fatalf("%+v", o)
				}
			}
		}
	}
	for _, size := range []int{1, 2, 7, 59, 60, 61, 1000} {
		if got, _ := list(size, storage.Query{}); !slices.Equal(got, all) {
			t.Errorf("in pages of %d: %q", size, got)
		}
	}
	if got, _ := list(3, storage.Query{StartOffset: all[10], EndOffset: all[20]}); !slices.Equal(got, all[10:20]) {
		t.Errorf("between offsets: %q", got)
	}
	third := func(name string) bool { return strings.HasPrefix(name, "folder/03/") }
	first, last := slices.IndexFunc(all, third), len(all)-slices.IndexFunc(reversed(all), third)
	if got, _ := list(0, storage.Query{Prefix: "folder/03/"}); !slices.Equal(got, all[first:last]) {
		t.Errorf("with a prefix: %q", got)
	}
	if got, _ := list(0, storage.Query{Prefix: "folder/03/key+&=3/"}); !slices.Equal(got, []string{"folder/03/key+&=3/events/3"}) {
		t.Errorf("of a key: %q", got)
	}
	if names, prefixes := list(0, storage.Query{Prefix: "folder/", Delimiter: "/"}); len(names) != 0 || len(prefixes) != 7 || prefixes[6] != "folder/06/" {
		t.Errorf("of folders: %q, %q", names, prefixes)
	}
	if names, err := s.Names("bucket"); err != nil || !slices.Equal(names, all) {
		t.Errorf("past the socket: %q, %v", names, err)
	}
}

func reversed(all []string) []string {
	all = slices.Clone(all)
	slices.Reverse(all)
	return all
}

// A bucket that is made over the socket is there for all objects, and an upload in parts for its own.
func TestUploadsInParts(t *testing.T) {
	s := gcs.New(t, "bucket")
	b := client(t, s)
	if names, err := s.Names("none"); err == nil {
		t.Errorf("a bucket that is not there has %q", names)
	}
	for i := range 5 {
		name := fmt.Sprintf("a/b/%d+&=/large", i)
		w := b.Object(name).NewWriter(t.Context())
		w.ChunkSize = 256 << 10
		content := strings.Repeat("large", 200_000)
		if _, err := w.Write([]byte(content)); err != nil {
			t.Fatal(err)
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		if got, err := s.Get("bucket", name); err != nil || string(got) != content {
			t.Errorf("%s: %d bytes, %v", name, len(got), err)
		}
	}
	body := "--x\r\nContent-Type: application/json\r\n\r\n{\"name\":\"in/the/body/object\"}\r\n--x\r\nContent-Type: text/plain\r\n\r\ncontent\r\n--x--\r\n"
	answer, err := http.Post(s.URL+"/upload/storage/v1/b/bucket/o?uploadType=multipart", "multipart/related; boundary=x", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	answer.Body.Close()
	if got, err := s.Get("bucket", "in/the/body/object"); err != nil || string(got) != "content" {
		t.Errorf("%s: %q, %v", answer.Status, got, err)
	}
}
