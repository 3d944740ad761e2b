package gcsstore_test

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"cloud.google.com/go/storage"
	"google.golang.org/api/iterator"
	"google.golang.org/api/option"

	"example.com/eventdriver/driver"
	"example.com/eventdriver/driver/cache"
	"example.com/eventdriver/driver/joiner"
	"example.com/eventdriver/internal/fake/gcs"
	"example.com/eventdriver/stores/gcsstore"
)

// While a new revision of a function replaces an old one, both work on the same keys. The
// files in testdata/forms have what each form of the stored objects looked like, as the
// revision wrote it that had it. When a form changes, a new file is written by
//
//	go test ./stores/gcsstore -run TestForms -forms=NUMBER
//
// and the old ones stay. 0.json is from before claims, completions and letters said their
// form, which was the first.
var newForms = flag.String("forms", "", "write testdata/forms/NUMBER.json")

// object is an object of a bucket.
type object struct {
	Name, ContentType, Content string
	Metadata                   map[string]string
}

// The keys of the objects in testdata/forms.
const (
	waitsKey    = "order/waits"    // event1 and event2 are stored
	heldKey     = "order/held"     // its lease is an hour
	releasedKey = "order/released" // after a failure
	doneKey     = "order/done"
	sealedKey   = "order/sealed" // event1 is stored, and event2 is sealed; since 3.json
	openKey     = "order/open"   // it was completed, and reopened; since 6.json
	pausedKey   = "order/paused" // for a year, after two attempts; since 7.json

	correctedKey = "order/corrected" // event1 was corrected; since 8.json
)

func eventOf(key, source string) driver.Message {
	return driver.Message{ID: source + "-1", Key: key, Source: source, Content: []byte(`{"of":"` + source + `"}`), MediaType: "application/json",
		Time: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), Attributes: map[string]string{"type": "example.order"}}
}

// writeForms does what leaves an object of each kind.
func writeForms(t *testing.T, s *gcsstore.Store) {
	t.Helper()
	ctx := t.Context()
	claim := func(key string, lease time.Duration) driver.Claim {
		c, err := s.Acquire(ctx, driver.Claim{Key: key, Owner: "old-revision"}, lease)
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	first := eventOf(waitsKey, "event2")
	first.ID, first.Content = "a", []byte(`"first"`)
	_, errFirst := s.Replace(ctx, first)
	_, errReplace := s.Replace(ctx, eventOf(waitsKey, "event2"))
	_, errDecide := s.Decide(ctx, waitsKey, "either", []string{"event1"})
	claim(heldKey, time.Hour)
	again := claim(openKey, time.Minute)
	errOpen := errors.Join(s.Complete(ctx, again, driver.OutcomeProcessed), s.Reopen(ctx, again))
	_, errSeal := s.Seal(ctx, sealedKey, "event2")
	wrong := eventOf(correctedKey, "event1")
	wrong.Content = []byte(`"wrong"`)
	by := driver.Correction{By: "ann", Time: time.Date(2026, 1, 2, 4, 5, 6, 0, time.UTC), Why: "it was wrong"}
	if err := errors.Join(
		s.Persist(ctx, wrong), s.Correct(ctx, eventOf(correctedKey, "event1"), by),
		s.Persist(ctx, eventOf(sealedKey, "event1")), errSeal,
		s.Persist(ctx, eventOf(waitsKey, "event1")), errFirst, errReplace, errDecide, errOpen,
		s.Release(ctx, claim(releasedKey, time.Minute), driver.Released{Mark: driver.MarkFailed}),
		s.Release(ctx, claim(pausedKey, time.Minute), driver.Released{Pause: 365 * 24 * time.Hour, Attempts: 2}),
		s.Complete(ctx, claim(doneKey, time.Minute), driver.OutcomeProcessed),
		s.AddDeadLetter(ctx, letter()),
	); err != nil {
		t.Fatal(err)
	}
}

// bucketOf returns a client's view of the server's bucket.
func bucketOf(t *testing.T, server *gcs.Server) *storage.BucketHandle {
	t.Helper()
	client, err := storage.NewClient(t.Context(), option.WithEndpoint(server.Endpoint()), option.WithoutAuthentication())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = client.Close() })
	return client.Bucket(bucket)
}

// all returns the objects of a bucket.
func all(t *testing.T, b *storage.BucketHandle) (objects []object) {
	t.Helper()
	for list := b.Objects(t.Context(), nil); ; {
		attrs, err := list.Next()
		if errors.Is(err, iterator.Done) {
			return objects
		}
		if err != nil {
			t.Fatal(err)
		}
		r, err := b.Object(attrs.Name).NewReader(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		content, err := io.ReadAll(r)
		_ = r.Close()
		if err != nil {
			t.Fatal(err)
		}
		objects = append(objects, object{attrs.Name, attrs.ContentType, string(content), attrs.Metadata})
	}
}

// fill writes objects into a bucket.
func fill(t *testing.T, b *storage.BucketHandle, objects []object) {
	t.Helper()
	for _, o := range objects {
		w := b.Object(o.Name).NewWriter(t.Context())
		w.ContentType, w.Metadata = o.ContentType, o.Metadata
		_, errWrite := io.WriteString(w, o.Content)
		if err := errors.Join(errWrite, w.Close()); err != nil {
			t.Fatal(err)
		}
	}
}

// forms returns the objects of each form, by its file.
func forms(t *testing.T) map[string][]object {
	t.Helper()
	files, err := filepath.Glob("testdata/forms/*.json")
	if err != nil || len(files) == 0 {
		t.Fatalf("no forms: %v", err)
	}
	all := make(map[string][]object)
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var objects []object
		if err := json.Unmarshal(text, &objects); err != nil {
			t.Fatal(err)
		}
		all[file] = objects
	}
	return all
}

// TestFormsAreWrittenDown: what is written now is of a form that testdata/forms has.
func TestFormsAreWrittenDown(t *testing.T) {
	server := gcs.New(t, bucket)
	writeForms(t, open(t, server))
	now := all(t, bucketOf(t, server))
	if *newForms != "" {
		text, err := json.MarshalIndent(now, "", "  ")
		if err == nil {
			err = os.WriteFile(filepath.Join("testdata", "forms", *newForms+".json"), append(text, '\n'), 0o644)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	for _, of := range forms(t) {
		if slices.EqualFunc(now, of, sameForm) {
			return
		}
	}
	t.Error("the objects that are written now have a form that no file in testdata/forms has: give it a new number, " +
		"see that this program reads those before, and write its file as the comment in this file says")
}

// sameForm compares two objects by what does not differ from run to run.
func sameForm(a, b object) bool {
	return a.Name == b.Name && a.ContentType == b.ContentType && a.Content == b.Content &&
		slices.Equal(slices.Sorted(maps.Keys(a.Metadata)), slices.Sorted(maps.Keys(b.Metadata))) && a.Metadata["form"] == b.Metadata["form"]
}

// TestNewRevisionGoesOnWithTheOld: a revision that finds what one before it has stored
// completes its joins, respects its claims and tokens, and never runs what it completed.
func TestNewRevisionGoesOnWithTheOld(t *testing.T) {
	for file, objects := range forms(t) {
		t.Run(file, func(t *testing.T) {
			server := gcs.New(t, bucket)
			fill(t, bucketOf(t, server), objects)
			s := open(t, server)
			ctx := t.Context()

			for _, want := range []driver.Message{eventOf(waitsKey, "event1"), eventOf(waitsKey, "event2")} {
				got, err := s.LookUp(ctx, waitsKey, want.Source)
				if err != nil || got.ID != want.ID || string(got.Content) != string(want.Content) || !got.Time.Equal(want.Time) ||
					got.MediaType != want.MediaType || !maps.Equal(got.Attributes, want.Attributes) {
					t.Errorf("%s: %+v, %v; want %+v", want.Source, got, err, want)
				}
			}
			var conflict *driver.ConflictError
			other := eventOf(waitsKey, "event1")
			other.Content = []byte(`"other"`)
			if err := s.Persist(ctx, other); !errors.As(err, &conflict) {
				t.Errorf("an event with other content: %v, want a ConflictError", err)
			}
			if decided, err := s.Decide(ctx, waitsKey, "either", []string{"event2"}); err != nil || !slices.Equal(decided, []string{"event1"}) {
				t.Errorf("decided %q, %v; want event1, as before", decided, err)
			}
			var heldErr *driver.HeldError
			if _, err := s.Acquire(ctx, driver.Claim{Key: heldKey, Owner: "new-revision"}, time.Minute); !errors.As(err, &heldErr) || heldErr.Token == 0 {
				t.Errorf("a key that the old revision holds: %v, want a HeldError", err)
			}
			if c, err := s.Acquire(ctx, driver.Claim{Key: releasedKey, Owner: "new-revision"}, time.Minute); err != nil ||
				c.Token != token(t, objects, releasedKey)+1 || c.Mark != driver.MarkFailed || c.Takeover {
				t.Errorf("a key that the old revision released: %+v, %v", c, err)
			}
			if _, err := s.Acquire(ctx, driver.Claim{Key: doneKey, Owner: "new-revision"}, time.Minute); !errors.Is(err, driver.ErrDone) {
				t.Errorf("a key that the old revision completed: %v, want ErrDone", err)
			}
			if letters, err := s.DeadLetters(ctx); err != nil || len(letters) != 1 || string(letters[0].Body) != string(letter().Body) {
				t.Errorf("letters %+v, %v", letters, err)
			}
			if slices.ContainsFunc(objects, func(o object) bool { return o.Content == openKey }) {
				if c, err := s.Acquire(ctx, driver.Claim{Key: openKey, Owner: "new-revision"}, time.Minute); err != nil || c.Takeover {
					t.Errorf("a key that was reopened: %+v, %v", c, err)
				}
			}
			if slices.ContainsFunc(objects, func(o object) bool { return o.Content == pausedKey }) {
				staysPaused(t, s, token(t, objects, pausedKey))
			}
			if slices.ContainsFunc(objects, func(o object) bool { return strings.Contains(o.Content, sealedKey) }) {
				staysSealed(t, s)
			}
			if slices.ContainsFunc(objects, func(o object) bool { return strings.Contains(o.Content, correctedKey) }) {
				staysCorrected(t, s)
			}
			completesJoin(t, s)
		})
	}
}

// staysCorrected looks at an event that was corrected through the old revision.
func staysCorrected(t *testing.T, s *gcsstore.Store) {
	t.Helper()
	var conflict *driver.ConflictError
	wrong := eventOf(correctedKey, "event1")
	wrong.Content = []byte(`"wrong"`)
	if err := s.Persist(t.Context(), wrong); !errors.As(err, &conflict) || !conflict.Corrected {
		t.Errorf("a redelivery of what was corrected: %v", err)
	}
	k, err := s.Inspect(t.Context(), correctedKey)
	if err != nil || len(k.Events) != 1 || len(k.Events[0].Corrections) != 1 {
		t.Fatalf("%+v, %v", k, err)
	}
	if was, err := s.ReadCorrected(t.Context(), k.Events[0].Corrections[0].Ref); err != nil || string(was.Content) != `"wrong"` {
		t.Errorf("what was there: %s, %v", was.Content, err)
	}
}

// staysSealed looks at a key that the old revision has sealed.
func staysSealed(t *testing.T, s *gcsstore.Store) {
	t.Helper()
	if err := s.Persist(t.Context(), eventOf(sealedKey, "event2")); !errors.Is(err, driver.ErrSealed) || driver.ReasonOf(err) != driver.ReasonTooLate {
		t.Errorf("an event whose place the old revision sealed: %v", err)
	}
	if sealed, err := s.Seal(t.Context(), sealedKey, "event1"); err != nil || sealed {
		t.Errorf("an event that the old revision stored: sealed %v, %v", sealed, err)
	}
}

// staysPaused looks at a key that the old revision has released with a pause.
func staysPaused(t *testing.T, s *gcsstore.Store, token int64) {
	t.Helper()
	c := driver.Claim{Key: pausedKey, Owner: "new-revision"}
	if _, err := s.Acquire(t.Context(), c, time.Minute); !errors.Is(err, driver.ErrLater) {
		t.Errorf("a key that the old revision paused: %v, want ErrLater", err)
	}
	c.Early = true
	if c, err := s.Acquire(t.Context(), c, time.Minute); err != nil || c.Token != token+1 || c.Attempts != 2 || c.Takeover {
		t.Errorf("a key that the old revision paused is claimed early: %+v, %v", c, err)
	}
}

// completesJoin delivers the event that is missing of a key, and a duplicate of another.
func completesJoin(t *testing.T, s *gcsstore.Store) {
	t.Helper()
	ran := 0
	pipeline := driver.New(joiner.New(joiner.MatchAll("event1", "event2", "event3"), s), cache.New(s),
		driver.HandlerFunc(func(_ context.Context, in driver.Message, _ driver.Next) error {
			ran++
			if want := `{"event1":{"of":"event1"},"event2":{"of":"event2"},"event3":{"of":"event3"}}`; string(in.Content) != want {
				t.Errorf("joined %s, want %s", in.Content, want)
			}
			return nil
		}))
	for _, source := range []string{"event3", "event1"} {
		if err := pipeline.Process(t.Context(), eventOf(waitsKey, source)); err != nil {
			t.Errorf("%s: %v", source, err)
		}
	}
	if ran != 1 {
		t.Errorf("the handler ran %d times for a join that the old revision began, want once", ran)
	}
}

// token returns the token in the claim of a key.
func token(t *testing.T, objects []object, key string) (token int64) {
	t.Helper()
	for _, o := range objects {
		if o.Content == key && o.Metadata["state"] != "" {
			if err := json.Unmarshal([]byte(o.Metadata["token"]), &token); err != nil {
				t.Fatal(err)
			}
		}
	}
	return token
}

// TestOldRevisionLeavesTheNewAlone: a revision that meets objects of a form that comes
// after its own fails in a way that has the event delivered again, to the new revision,
// perhaps; it changes none of them, and dead-letters nothing.
func TestOldRevisionLeavesTheNewAlone(t *testing.T) {
	server := gcs.New(t, bucket)
	writeForms(t, open(t, server))
	b := bucketOf(t, server)
	newer := all(t, b)
	for i, o := range newer {
		for _, mark := range []string{`"v":1,`, `"v": 1,`, `"v":2,`, `"v":3,`} {
			newer[i].Content = strings.Replace(newer[i].Content, mark, `"v":99,`, 1)
		}
		if o.Metadata["form"] != "" {
			newer[i].Metadata["form"] = "99"
		} else if newer[i].Content == o.Content {
			t.Errorf("%s says nothing of its form:\n%s", o.Name, o.Content)
		}
	}
	fill(t, b, newer)
	s := open(t, server) // the old revision
	ctx := t.Context()
	acquire := func(key string) error {
		_, err := s.Acquire(ctx, driver.Claim{Key: key, Owner: "old-revision"}, time.Minute)
		return err
	}
	_, errLookUp := s.LookUp(ctx, waitsKey, "event1")
	_, errByKey := s.LookUpByKey(ctx, waitsKey)
	_, errReplace := s.Replace(ctx, eventOf(waitsKey, "event1"))
	_, errDecide := s.Decide(ctx, waitsKey, "either", []string{"event2"})
	_, errLetters := s.DeadLetters(ctx)
	_, errSeal := s.Seal(ctx, sealedKey, "event2")
	_, errCorrected := s.LookUp(ctx, correctedKey, "event1")
	_, errSealed := s.LookUp(ctx, sealedKey, "event2")
	for operation, err := range map[string]error{
		"LookUp": errLookUp, "LookUpByKey": errByKey, "Replace": errReplace, "Decide": errDecide, "DeadLetters": errLetters,
		"Seal": errSeal, "LookUp of a seal": errSealed, "Persist in a sealed place": s.Persist(ctx, eventOf(sealedKey, "event2")),
		"Persist": s.Persist(ctx, eventOf(waitsKey, "event1")), "Acquire of a held key": acquire(heldKey),
		"Acquire of a released key": acquire(releasedKey), "Acquire of a paused key": acquire(pausedKey), "Acquire of a completed key": acquire(doneKey),
		"Acquire of a reopened key": acquire(openKey), "LookUp of a corrected event": errCorrected,
		"Persist over a corrected event": s.Persist(ctx, eventOf(correctedKey, "event1")),
	} {
		if !errors.Is(err, gcsstore.ErrNewer) || driver.IsPermanent(err) {
			t.Errorf("%s: %v; want an ErrNewer that has the event delivered again", operation, err)
		}
	}
	if now := all(t, b); !slices.EqualFunc(now, newer, func(a, b object) bool {
		return a.Name == b.Name && a.Content == b.Content && maps.Equal(a.Metadata, b.Metadata)
	}) {
		t.Errorf("objects of a newer form were changed:\n%+v\nwere\n%+v", now, newer)
	}
}
