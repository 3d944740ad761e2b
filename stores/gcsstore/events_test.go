package gcsstore_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"net/http"
	"path"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"example.com/eventdriver/driver"
	"example.com/eventdriver/internal/fake/gcs"
	"example.com/eventdriver/stores/gcsstore"
)

// TestContents come back as they were, and are recognised when they come again.
func TestContents(t *testing.T) {
	store := open(t, gcs.New(t, bucket))
	for name, content := range map[string][]byte{
		"empty":  nil,
		"short":  []byte("x"),
		"lines":  []byte("\n\n{}\n"),
		"much":   bytes.Repeat([]byte(`{"order":1}`), 1<<16),
		"binary": {0, 0xff, '\n', '\r'},
	} {
		m := driver.Message{Key: "k", Source: name, Content: content}
		for range 2 {
			if err := store.Persist(t.Context(), m); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
		if got, err := store.LookUp(t.Context(), m.Key, m.Source); err != nil || !bytes.Equal(got.Content, content) {
			t.Errorf("%s: %d bytes, %v", name, len(got.Content), err)
		}
	}
}

// find returns the name of the one object whose name ends in suffix.
func find(t *testing.T, server *gcs.Server, suffix string) string {
	t.Helper()
	names, err := server.Names(bucket)
	if err != nil {
		t.Fatal(err)
	}
	names = slices.DeleteFunc(names, func(name string) bool { return !strings.HasSuffix(name, suffix) })
	if len(names) != 1 {
		t.Fatalf("%d objects end in %q", len(names), suffix)
	}
	return names[0]
}

// TestFolders has stores in folders of one bucket, one inside another, that see
// nothing of each other.
func TestFolders(t *testing.T) {
	server, ctx := gcs.New(t, bucket), t.Context()
	for i, folder := range []string{"", "a", "a/b", "b", "events", "key"} {
		store := open(t, server, gcsstore.Config(bucket).WithFolder(folder))
		if found, err := store.LookUpByKey(ctx, "key"); err != nil || len(found) != 0 {
			t.Errorf("folder %q: %v, %v", folder, found, err)
		}
		if letters, err := store.DeadLetters(ctx); err != nil || len(letters) != 0 {
			t.Errorf("folder %q: %v, %v", folder, letters, err)
		}
		m := driver.Message{Key: "key", Source: "events", Content: fmt.Append(nil, i)}
		if err := errors.Join(store.Persist(ctx, m), store.AddDeadLetter(ctx, driver.DeadLetter{})); err != nil {
			t.Errorf("folder %q: %v", folder, err)
		}
		if _, err := store.Acquire(ctx, driver.NewClaim("key"), time.Hour); err != nil {
			t.Errorf("folder %q: %v", folder, err)
		}
		if _, err := server.Get(bucket, path.Join(folder, "2c/key/events/events")); err != nil {
			t.Error(err)
		}
	}
}

// TestLongNames has keys and sources of which no object's name can tell.
func TestLongNames(t *testing.T) {
	store := open(t, gcs.New(t, bucket), gcsstore.Config(bucket).WithFolder(strings.Repeat("f", 256)))
	names := []string{"short"}
	for _, n := range []int{106, 107, 320, 321, 100_000} {
		names = append(names, strings.Repeat("x", n), strings.Repeat("/", n), strings.Repeat("\xff", n))
	}
	slices.Sort(names)
	for _, name := range names {
		claim, err := store.Acquire(t.Context(), driver.NewClaim(name), time.Hour)
		if err := errors.Join(err, store.Complete(t.Context(), claim, driver.OutcomeProcessed)); err != nil {
			t.Errorf("key of %d bytes: %v", len(name), err)
		}
		if err := store.Persist(t.Context(), driver.Message{Key: names[0], Source: name}); err != nil {
			t.Errorf("source of %d bytes: %v", len(name), err)
		}
	}
	if got, err := store.ListSourcesByKey(t.Context(), names[0]); err != nil || !slices.Equal(got, names) {
		t.Errorf("%d sources of %d, %v", len(got), len(names), err)
	}
	if got, err := store.LookUpByKey(t.Context(), names[0]); err != nil || len(got) != len(names) {
		t.Errorf("%d messages of %d, %v", len(got), len(names), err)
	}
}

// TestCorrupt has objects that this package did not write, or that were damaged.
func TestCorrupt(t *testing.T) {
	server := gcs.New(t, bucket)
	store, ctx := open(t, server), t.Context()
	stored(t, store)
	name := find(t, server, "/events/event1")
	for _, content := range []string{
		"", "\n", "no header", "{}\n", "{\"v\":0}\n", "{\"v\":-1}\n", "null\n",
		`{"v":1,"key":"order-1","source":"event1","length":9}` + "\nshort",
		`{"v":1,"key":"order-1","source":"event1","length":1}` + "\nlong",
		`{"v":1,"key":"order-1","source":"event1","length":-1}` + "\n",
		`{"v":1,"key":"order-1","source":"event1","time":"yesterday"}` + "\n",
		`{"v":1,"key":"base64:!","source":"event1"}` + "\n",
		`{"v":1,"key":"order-2","source":"event1"}` + "\n",
		`{"v":1,"key":"order-1","source":"event2"}` + "\n",
		`{"v":1,"key":"order-1","source":"event1","sealed":true}` + "\n",
		`{"v":2,"key":"order-1","source":"event1"}` + "\n",
		`{"v":2,"key":"order-2","source":"event1","sealed":true}` + "\n",
		`{"v":2,"key":"order-1","source":"event2","sealed":true}` + "\n",
		`{"v":2,"key":"order-1","source":"event1","sealed":true}` + "\nmore",
	} {
		server.Put(bucket, name, []byte(content))
		_, errLookUp := store.LookUp(ctx, "order-1", "event1")
		_, errByKey := store.LookUpByKey(ctx, "order-1")
		for _, err := range []error{errLookUp, errByKey} {
			if !errors.Is(err, gcsstore.ErrCorrupt) || !strings.Contains(err.Error(), "gs://bucket/"+name) || driver.ReasonOf(err) != driver.ReasonCorrupt {
				t.Errorf("%q: got %v, want a permanent ErrCorrupt and the object's name", content, err)
			}
		}
	}
	acquired(t, store)
	for _, name := range []string{find(t, server, "/claim"), strings.TrimSuffix(find(t, server, "/claim"), "claim") + "done"} {
		server.Put(bucket, name, nil)
		if _, err := store.Acquire(ctx, driver.NewClaim("order-1"), time.Hour); !errors.Is(err, gcsstore.ErrCorrupt) || !strings.Contains(err.Error(), name) {
			t.Errorf("%s is empty: %v", name, err)
		}
	}
}

// A newer revision of a function may write what this one can't read; the newer one can.
func TestNewerFormIsTriedAgain(t *testing.T) {
	server := gcs.New(t, bucket)
	store, ctx := open(t, server), t.Context()
	stored(t, store)
	server.Put(bucket, find(t, server, "/events/event1"), []byte("{\"v\":99}\nwhatever"))
	_, errLookUp := store.LookUp(ctx, "order-1", "event1")
	_, errByKey := store.LookUpByKey(ctx, "order-1")
	errPersist := store.Persist(ctx, driver.Message{Key: "order-1", Source: "event1"})
	for _, err := range []error{errLookUp, errByKey, errPersist} {
		if !errors.Is(err, gcsstore.ErrNewer) || driver.IsPermanent(err) {
			t.Errorf("got %v, want ErrNewer, to be tried again", err)
		}
	}
}

// What is damaged on its way is not what is stored: it is tried again.
func TestDamagedOnItsWayIsNotCorrupt(t *testing.T) {
	source := strings.Repeat("long", 100) // its name is hashed, so a list reads it
	whole := `{"v":1,"key":"order-1","source":"` + source + `","length":7}` + "\ncontent"
	sum := base64.StdEncoding.EncodeToString(binary.BigEndian.AppendUint32(nil, crc32.Checksum([]byte(whole), crc32.MakeTable(crc32.Castagnoli))))
	for name, body := range map[string]string{
		"cut": whole[:len(whole)-3], "cut in the header": whole[:20], "nothing": "", "other bytes": strings.ToUpper(whole),
	} {
		for _, declared := range []string{strconv.Itoa(len(whole)), ""} {
			store, _ := answering(t, func(w http.ResponseWriter, r *http.Request) {
				if r.URL.Query().Get("alt") != "media" {
					sha := sha256.Sum256([]byte(source))
					fmt.Fprintf(w, `{"items":[{"name":"0b/order-1/events/==%x"}]}`, sha)
					return
				}
				if r.Header.Get("Range") != "" { // the rest does not come either
					w.WriteHeader(http.StatusServiceUnavailable)
					return
				}
				w.Header().Set("X-Goog-Hash", "crc32c="+sum)
				w.Header().Set("Content-Length", declared) // "" has it sent in chunks
				io.WriteString(w, body)
				w.(http.Flusher).Flush()
			})
			_, errLookUp := store.LookUp(t.Context(), "order-1", source)
			_, errSources := store.ListSourcesByKey(t.Context(), "order-1")
			if name == "cut" { // the header is whole
				errSources = errLookUp
			}
			for _, err := range []error{errLookUp, errSources} {
				if err == nil || errors.Is(err, gcsstore.ErrCorrupt) || driver.IsPermanent(err) {
					t.Errorf("%s, length %q: got %v, want a failure that is tried again", name, declared, err)
				}
			}
		}
	}
}

// TestDeletedWhileListed has an object deleted between the list and the read.
func TestDeletedWhileListed(t *testing.T) {
	server := gcs.New(t, bucket)
	store, ctx := open(t, server), t.Context()
	for _, source := range sources {
		if err := store.Persist(ctx, driver.Message{Key: "order-1", Source: source}); err != nil {
			t.Fatal(err)
		}
	}
	gone := find(t, server, "event2")
	server.OnRequest(func(r gcs.Request) gcs.Fault {
		if r.Object == gone {
			_ = server.Delete(bucket, gone)
		}
		return gcs.Fault{}
	})
	found, err := store.LookUpByKey(ctx, "order-1")
	if err != nil || len(found) != 2 || found[0].Source != "event1" || found[1].Source != "event3" {
		t.Errorf("found %v, %v", found, err)
	}
}

// TestManySources has more objects than a list returns at once.
func TestManySources(t *testing.T) {
	server := gcs.New(t, bucket)
	store := open(t, server)
	stored(t, store)
	first := find(t, server, "/events/event1")
	want := []string{"event1"}
	for i := range 1100 {
		source := fmt.Sprintf("event1-%04d", i)
		want = append(want, source)
		server.Put(bucket, first+source[len("event1"):], nil)
	}
	if got, err := store.ListSourcesByKey(t.Context(), "order-1"); err != nil || !slices.Equal(got, want) {
		t.Errorf("%d sources, %v", len(got), err)
	}
}
