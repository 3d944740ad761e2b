package main

import (
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"example.com/eventdriver/driver"
	"example.com/eventdriver/internal/fake/gcs"
	"example.com/eventdriver/operate/keys"
)

// write writes a file with that text, and returns its name.
func write(t *testing.T, text string) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "event")
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

// TestReplace: an order fails for good because of one wrong event. Corrected and sent again, it is
// processed once, and the wrong event never comes back.
func TestReplace(t *testing.T) {
	b := newBucket(t)
	function := serve(t, b.environ)
	function.send(t, "/events/event1", "order-1", `{"n":1}`, http.StatusAccepted)
	function.send(t, "/events/event2", "order-1", `{"amount":-1}`, http.StatusAccepted)
	function.send(t, "/events/event3", "order-1", `{"n":3}`, http.StatusOK) // dead-lettered
	ref := listed(t, b, found).Letters[0].Ref
	file := write(t, `{"amount":1}`)
	args := []string{"replace", "order-1", "event2", "--file=" + file, "--reason=the amount was negative", "--as=me", "--settle=0s"}

	expectCall(t, b, failed, []string{"nothing was changed", "is       13", "will be  12", "application/json", "replace the event"}, args...)
	expectCall(t, b, fine, []string{"would do this: order-1, event2: replace the event"}, append(args, "--dry-run")...)
	expectCall(t, b, found, []string{"order-1: failed"}, "why", "order-1")
	out := expectCall(t, b, fine, []string{`"action":"replace"`, `"why":"the amount was negative"`, `"source":"event2"`,
		"send one of its letters"}, append(args, "--yes")...)
	if strings.Contains(out, "amount\":") {
		t.Errorf("the data is printed: %s", out)
	}
	expectCall(t, b, found, []string{"order-1: complete", "event2: corrected by me at ", ": the amount was negative",
		"orders/"}, "why", "order-1")
	expectCall(t, b, found, []string{"the content that is kept"}, append(args, "--yes")...)
	var a keys.Answer
	if err := json.Unmarshal([]byte(expectCall(t, b, found, nil, "why", "order-1", "--json")), &a); err != nil {
		t.Fatal(err)
	}
	c := a.Sources[1].Corrections
	if len(c) != 1 || c[0].By != "me" || c[0].Why != "the amount was negative" || c[0].When.IsZero() {
		t.Fatalf("%+v", a.Sources)
	}
	if was, err := b.store.ReadCorrected(t.Context(), c[0].Was); err != nil || string(was.Content) != `{"amount":-1}` {
		t.Errorf("what was there: %s, %v", was.Content, err)
	}

	function.fixed.Store(true)
	function.send(t, "/events/event2", "order-1", `{"amount":-1}`, http.StatusNoContent) // processed
	expectCall(t, b, fine, []string{"processed"}, "letters", "resend", ref, "--url="+function.url, "--as=me", "--yes")
	const want = `{"event1":null,"event2":{"amount":1},"event3":{"n":3}}`
	if n, content := function.acted.Load(), function.content.Load(); n != 1 || content != want {
		t.Errorf("the business acted %d times, on %s", n, content)
	}
	expectCall(t, b, found, []string{"open it first, with rerun"}, append(args, "--yes")...)
}

// TestReplaceRefuses: what the function would not take is not kept, and the error says what to do.
func TestReplaceRefuses(t *testing.T) {
	b := newBucket(t)
	b.environ = append(b.environ, "KEY_POINTER=event2:/id", "CONTENT=event3:text", "ERASE_SOURCES=event1", "BODY_LIMIT=100")
	b.persist(t, "order-1", "event1", "event2", "event3")
	held := b.claim(t, "order-1")
	for name, c := range map[string]struct {
		code              int
		source, text, say string
		more              []string
	}{
		"no JSON":      {failed, "event2", `{"id":`, "would not take", nil},
		"another key":  {failed, "event2", `{"id":"order-2"}`, `leads to the key "order-2"`, nil},
		"no key":       {failed, "event2", `{"n":1}`, "no string or number there", nil},
		"no text":      {failed, "event3", "\xff\xfe", "UTF-8", nil},
		"erased":       {failed, "event1", `{"n":2}`, "ERASE_SOURCES", nil},
		"too long":     {failed, "event2", `{"id":"order-1","a":"` + strings.Repeat("x", 100) + `"}`, "BODY_LIMIT is 100", nil},
		"missing":      {found, "event4", `{"n":1}`, "publish it instead", nil},
		"no such type": {failed, "event2", `{"id":"order-1"}`, "media type", []string{"--content-type=;"}},
		"held":         {failed, "event2", `{"id":"order-1"}`, "a run is under way", nil},
		"no reason":    {usage, "event2", `{"id":"order-1"}`, "--reason must say why", []string{"--reason="}},
		"no file":      {usage, "event2", ``, "--file must name", []string{"--file="}},
		"no such file": {failed, "event2", ``, "no such file", []string{"--file=nowhere"}},
	} {
		t.Run(name, func(t *testing.T) {
			args := append([]string{"replace", "order-1", c.source, "--file=" + write(t, c.text), "--reason=r", "--as=me", "--yes", "--settle=0s"}, c.more...)
			expectCall(t, b, c.code, []string{c.say}, args...)
			kept, err := b.store.LookUpByKey(t.Context(), "order-1")
			if err != nil || len(kept) != 3 || string(kept[0].Content)+string(kept[1].Content)+string(kept[2].Content) != `{"n":1}{"n":1}{"n":1}` {
				t.Errorf("%+v, %v", kept, err)
			}
		})
	}
	args := []string{"replace", "order-1", "event3", "--file=" + write(t, "plain"), "--reason=r", "--as=me", "--yes", "--settle=0s", "--force", "--json"}
	var r replacement
	if err := json.Unmarshal([]byte(expectCall(t, b, fine, nil, args...)), &r); err != nil || r.Now.MediaType != "text/plain" || r.Now.Size != 5 ||
		r.Was.MediaType != "application/json" || r.Next == "" {
		t.Errorf("%+v, %v", r, err)
	}
	if next := b.claim(t, "order-1"); next.Token <= held.Token {
		t.Errorf("the next run has token %d, after %d", next.Token, held.Token)
	}
}

// TestPurge: all of a key goes, its letters included, and an event that comes later begins it anew.
func TestPurge(t *testing.T) {
	b := newBucket(t)
	function := serve(t, b.environ)
	for _, source := range []string{"event1", "event2"} {
		function.send(t, "/events/"+source, "order-1", `{"n":1}`, http.StatusAccepted)
	}
	function.send(t, "/events/event3", "order-1", `{"n":1}`, http.StatusOK)
	args := []string{"purge", "order-1", "--as=me", "--settle=0s"}
	expectCall(t, b, failed, []string{"nothing was changed", "event1,event2,event3", "for good"}, args...)
	expectCall(t, b, fine, []string{"would do this: order-1: delete all"}, append(args, "--dry-run")...)
	expectCall(t, b, found, []string{"order-1: failed"}, "why", "order-1")
	var all purged
	out := expectCall(t, b, fine, []string{`"action":"purge"`, `"events":3`}, append(args, "--yes", "--json")...)
	if err := json.Unmarshal([]byte(out), &all); err != nil || len(all.Events) != 3 || all.Letters != 1 || all.Scopes != 1 {
		t.Errorf("%+v, %v", all, err)
	}
	if names, err := b.server.Names("bucket"); err != nil || len(names) > 0 {
		t.Errorf("%q is left, %v", names, err)
	}
	expectCall(t, b, found, []string{"nothing is kept"}, append(args, "--yes")...)
	function.send(t, "/events/event1", "order-1", `{"n":1}`, http.StatusAccepted)
	expectCall(t, b, found, []string{"order-1: waiting"}, "why", "order-1")

	b.persist(t, "order-2", "event1", "event2", "event3")
	b.claim(t, "order-2")
	args[1] = "order-2"
	expectCall(t, b, failed, []string{"a run is under way"}, append(args, "--yes")...)
	expectCall(t, b, fine, []string{"all that was kept of it is deleted"}, append(args, "--yes", "--force")...)
	if err := b.store.AddDeadLetter(t.Context(), driver.DeadLetter{Key: "order-3", Reason: driver.ReasonPermanent}); err != nil {
		t.Fatal(err)
	}
	args[1] = "order-3"
	expectCall(t, b, fine, []string{"0 scopes"}, append(args, "--yes")...)
	expectCall(t, b, fine, []string{"order-1: delete all"}, "purge", "order-1", "--as=me", "--dry-run")
	expectCall(t, b, fine, []string{"0 of 0 letters"}, "letters", "list")
}

// TestPurgeTellsOfEventsThatCameMeanwhile: such an event found the key completed, or may have.
func TestPurgeTellsOfEventsThatCameMeanwhile(t *testing.T) {
	b := newBucket(t)
	b.persist(t, "order-1", "event1", "event2")
	var once sync.Once
	b.server.OnRequest(func(r gcs.Request) gcs.Fault {
		if r.Kind == gcs.Delete && strings.HasSuffix(r.Object, "/claim") {
			once.Do(func() { b.persist(t, "order-1", "event2", "event3") })
		}
		return gcs.Fault{}
	})
	expectCall(t, b, fine, []string{"Of event2, event3, events have come meanwhile"},
		"purge", "order-1", "--as=me", "--settle=0s", "--yes")
	expectCall(t, b, found, []string{"order-1: waiting"}, "why", "order-1")
}

// TestPurgeSaysWhereItCannotTell whether events have come meanwhile.
func TestPurgeSaysWhereItCannotTell(t *testing.T) {
	b := newBucket(t)
	b.persist(t, "order-1", "event1", "event2")
	var deleted atomic.Bool
	b.server.OnRequest(func(r gcs.Request) gcs.Fault {
		if r.Kind == gcs.Delete {
			deleted.Store(deleted.Load() || strings.HasSuffix(r.Object, "/claim"))
		} else if deleted.Load() {
			return gcs.Fault{Status: 403} // which no client repeats
		}
		return gcs.Fault{}
	})
	expectCall(t, b, fine, []string{"all that was kept of it is deleted", "have come meanwhile is not known"},
		"purge", "order-1", "--as=me", "--settle=0s", "--yes")
}
