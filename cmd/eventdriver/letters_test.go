package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"cloud.google.com/go/pubsub/v2/apiv1/pubsubpb"
	"cloud.google.com/go/pubsub/v2/pstest"

	"example.com/eventdriver"
	"example.com/eventdriver/driver"
	"example.com/eventdriver/operate/deployed"
	"example.com/eventdriver/operate/letters"
)

// live is a function that runs, and says how often its business acted.
type live struct {
	url     string
	acted   atomic.Int64
	content atomic.Value // of the last that it acted on, as a string
	fixed   atomic.Bool  // else the business says that no retry can help
}

func serve(t *testing.T, environ []string) *live {
	t.Helper()
	variables := surroundings{environ: environ}.variables()
	config, err := deployed.ConfigOf("orders", variables)
	if err != nil {
		t.Fatal(err)
	}
	l := &live{}
	f, err := eventdriver.New(config, driver.HandlerFunc(func(_ context.Context, m driver.Message, _ driver.Next) error {
		if !l.fixed.Load() {
			return driver.Permanent(errors.New("a bug"))
		}
		l.acted.Add(1)
		l.content.Store(string(m.Content))
		return nil
	}))
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(f)
	t.Cleanup(func() { server.Close(); _ = f.Close() })
	l.url = server.URL
	return l
}

// send sends an event, and expects a status.
func (l *live) send(t *testing.T, path, key, data string, want int) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, l.url+path, strings.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	for name, value := range map[string]string{"Ce-Specversion": "1.0", "Ce-Id": "id of " + path, "Ce-Source": "/test", "Ce-Type": "test",
		"Ce-Key": key, "Content-Type": "application/json"} {
		if value != "" {
			r.Header.Set(name, value)
		}
	}
	expectAnswer(t, r, want)
}

// sweep has the function sweep.
func (l *live) sweep(t *testing.T) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, l.url+"/sweep", nil)
	if err != nil {
		t.Fatal(err)
	}
	expectAnswer(t, r, http.StatusOK)
}

func expectAnswer(t *testing.T, r *http.Request, want int) {
	t.Helper()
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	_ = answer.Body.Close()
	if answer.StatusCode != want {
		t.Errorf("%s of %q: %d, want %d", r.URL.Path, r.Header.Get("Ce-Key"), answer.StatusCode, want)
	}
}

// listed returns the letters that the command lists.
func listed(t *testing.T, b bucket, code int, args ...string) letters.List {
	t.Helper()
	var l letters.List
	out := expectCall(t, b, code, nil, append([]string{"letters", "list", "--json"}, args...)...)
	if err := json.Unmarshal([]byte(out), &l); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return l
}

// TestLettersOfAStore: an order that failed for good is found, shown, sent again after the fix, and
// processed once.
func TestLettersOfAStore(t *testing.T) { onEachStore(t, testLettersOfAStore) }

func testLettersOfAStore(t *testing.T, b bucket) {
	function := serve(t, b.environ)
	for source, status := range map[string]int{"event1": 202, "event2": 202} {
		function.send(t, "/events/"+source, "order-1", `{"n":1}`, status)
	}
	function.send(t, "/events/event3", "order-1", `{"secret":1}`, http.StatusOK)
	function.send(t, "/events/event3", "", `{}`, http.StatusOK)

	expectCall(t, b, found, []string{"1        no-key\n", "1        permanent-error\n", "2 of 2 letters"}, "letters", "list")
	expectCall(t, b, fine, []string{"--reason: no letter", `"permanent-error"`, "0 of 2 letters"},
		"letters", "list", "--reason=permanent-eror")
	l := listed(t, b, found, "--reason=permanent-error")
	if l.Found != 1 || l.Letters[0].Key != "order-1" {
		t.Fatalf("%+v", l)
	}
	ref := l.Letters[0].Ref
	expectCall(t, b, found, []string{ref, "permanent-error"}, "why", "order-1")
	if out := expectCall(t, b, fine, []string{"a bug", "order-1"}, "letters", "show", ref); strings.Contains(out, "secret") {
		t.Errorf("show prints the payload: %s", out)
	}
	expectCall(t, b, fine, []string{"secret"}, "letters", "show", ref, "--payload")
	expectCall(t, b, fine, []string{"secret"}, "letters", "show", ref, "--payload", "--json")

	expectCall(t, b, usage, []string{"where to?"}, "letters", "resend", ref, "--as=me")
	expectCall(t, b, failed, []string{"nothing was changed"}, "letters", "resend", ref, "--url="+function.url, "--as=me")
	expectCall(t, b, fine, []string{"would do this: send again to "}, "letters", "resend", ref, "--url="+function.url, "--as=me", "--dry-run")
	expectCall(t, b, found, []string{"dead-lettered", `"by":"me"`}, "letters", "resend", ref, "--url="+function.url, "--as=me", "--yes")
	function.fixed.Store(true)
	expectCall(t, b, fine, []string{": processed", `"result":"processed"`, `"action":"letters drop"`},
		"letters", "resend", ref, "--url="+function.url, "--as=me", "--yes")
	function.send(t, "/events/event3", "order-1", `{"secret":1}`, http.StatusNoContent)
	if n := function.acted.Load(); n != 1 {
		t.Errorf("the business acted %d times", n)
	}
	expectCall(t, b, failed, []string{"not found"}, "letters", "show", ref)
	refusedInDryRun(t, b, ref, "not found", "letters", "drop", ref)
	refusedInDryRun(t, b, ref, "not found", "letters", "resend", ref, "--url="+function.url)
	expectCall(t, b, fine, []string{"completed: processed"}, "why", "order-1")

	rest := listed(t, b, found)
	for _, d := range rest.Letters {
		says := []string{"would do this: delete for good: " + d.Ref + "\n", "not found"}
		expectCall(t, b, failed, says, "letters", "drop", ref, d.Ref, "--dry-run", "--as=me")
	}
	for _, d := range rest.Letters { // one that is gone does not keep those after it
		says := []string{`"action":"letters drop"`, ref, "not found: letters list", d.Ref + ": deleted"}
		expectCall(t, b, failed, says, "letters", "drop", ref, d.Ref, "--yes", "--as=me")
	}
	if l := listed(t, b, fine); l.Found != 0 {
		t.Errorf("%+v", l)
	}
}

// refusedInDryRun expects of a letter that a dry run refuses it as the command does, and that nobody is asked.
func refusedInDryRun(t *testing.T, b bucket, ref, says string, args ...string) {
	t.Helper()
	for _, more := range [][]string{{"--dry-run"}, nil} {
		out := expectCall(t, b, failed, []string{"letter " + ref, says}, append(append(args, "--as=me"), more...)...)
		if strings.Contains(out, "would do this") || strings.Contains(out, "yes or no") {
			t.Errorf("%v %v: %s", args, more, out)
		}
	}
}

// TestOnlyWhatTheQuestionNames: of three letters one is refused, and where the last can't be looked at, it is left alone.
func TestOnlyWhatTheQuestionNames(t *testing.T) {
	check := func(ref string) error {
		return map[string]error{"refused": driver.Permanent(errors.New("it must not")), "b": errors.New("busy")}[ref]
	}
	var asked strings.Builder
	c := &changing{globals: &globals{surroundings: surroundings{in: strings.NewReader("yes\n"), err: &asked}}, as: "me"}
	named, refused := c.mayEach(t.Context(), "delete: ", []string{"a", "refused", "b"}, check)
	if !slices.Equal(named, []string{"a"}) || asked.String() != "delete: a? yes or no: " {
		t.Errorf("asked %q, and may delete %q", asked.String(), named)
	}
	if text := fmt.Sprint(andRefused(nil, refused)); !strings.Contains(text, "must not") || !strings.Contains(text, "busy") {
		t.Errorf("refused: %s", text)
	}
}

// TestCutLetterIsNotSent, and neither asked about.
func TestCutLetterIsNotSent(t *testing.T) {
	b := newBucket(t)
	d := driver.DeadLetter{Key: "k", Reason: driver.ReasonTooLarge, Path: "/events/event1", Body: []byte("{"), Cut: true}
	if err := b.store.AddDeadLetter(t.Context(), d); err != nil {
		t.Fatal(err)
	}
	ref := listed(t, b, found).Letters[0].Ref
	refusedInDryRun(t, b, ref, "only the beginning", "letters", "resend", ref, "--url=http://127.0.0.1:1")
}

// TestLetterOfAnExpiredOrder: the letter of an order is enough to process it when all else has expired,
// as it is, or corrected as the guide says.
func TestLetterOfAnExpiredOrder(t *testing.T) {
	if _, err := exec.LookPath("jq"); err != nil {
		t.Skip(err)
	}
	b := newBucket(t)
	b.environ = append(b.environ, "ERASE_SOURCES=")
	function := serve(t, b.environ)
	for _, source := range []string{"event1", "event2", "event3"} {
		status := http.StatusAccepted
		if source == "event3" {
			status = http.StatusOK
		}
		function.send(t, "/events/"+source, "order-1", `{"amount":-1}`, status)
	}
	names, err := b.server.Names("bucket")
	for _, name := range names { // a week later
		if !strings.Contains(name, "/deadletters/") {
			err = errors.Join(err, b.server.Delete("bucket", name))
		}
	}
	if err != nil {
		t.Fatal(err)
	}
	function.fixed.Store(true)
	ref, folder := listed(t, b, found).Letters[0].Ref, t.TempDir()
	out := expectCall(t, b, fine, nil, "letters", "show", ref, "--payload", "--json")
	if err := os.WriteFile(filepath.Join(folder, "letter.json"), []byte(out), 0o600); err != nil {
		t.Fatal(err)
	}
	page, err := os.ReadFile("../../docs/operations.md")
	if err != nil {
		t.Fatal(err)
	}
	_, commands, _ := strings.Cut(string(page), "\njq '.body =")
	commands, _, _ = strings.Cut(commands, "\ngo run ./cmd/eventdriver")
	shell := exec.Command("bash", "-euc", "jq '.body ="+commands)
	shell.Dir = folder
	if out, err := shell.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	expectCall(t, b, fine, []string{": processed"}, "letters", "resend", "--file="+filepath.Join(folder, "letter.json"),
		"--url="+function.url, "--yes", "--as=me")
	const want = `{"event1":{"amount":-1},"event2":{"amount":1},"event3":{"amount":-1}}`
	if n, got := function.acted.Load(), function.content.Load(); n != 1 || got != want {
		t.Errorf("the business acted %d times, on %v", n, got)
	}
	expectCall(t, b, fine, []string{": processed"}, "letters", "resend", ref, "--url="+function.url, "--yes", "--as=me") // a duplicate
	if n := function.acted.Load(); n != 1 {
		t.Errorf("the business acted %d times", n)
	}
	expectCall(t, b, usage, []string{"or --file"}, "letters", "resend", "--url="+function.url)
}

// TestChangedLetterOfAnOrderThatIsKept is not sent, since the order would be processed as it is kept.
func TestChangedLetterOfAnOrderThatIsKept(t *testing.T) {
	for _, policy := range []string{"first", "last"} {
		t.Run(policy, func(t *testing.T) { changedLetter(t, "CONFLICT_POLICY="+policy) })
	}
}

func changedLetter(t *testing.T, policy string) {
	b := newBucket(t)
	b.environ = append(b.environ, "ERASE_SOURCES=", policy)
	function := serve(t, b.environ)
	for _, source := range []string{"event1", "event2"} {
		function.send(t, "/events/"+source, "order-1", `{"amount":-1}`, http.StatusAccepted)
	}
	function.send(t, "/events/event3", "order-1", `{"amount":-3}`, http.StatusOK)
	function.fixed.Store(true)
	letter := expectCall(t, b, fine, nil, "letters", "show", listed(t, b, found).Letters[0].Ref, "--payload", "--json")
	changed := strings.Replace(letter, `{\\\"amount\\\":-3}`, `{\\\"amount\\\":3}`, 1)
	if changed == letter {
		t.Fatalf("nothing is changed in %s", letter)
	}
	file := filepath.Join(t.TempDir(), "letter.json")
	if err := os.WriteFile(file, []byte(changed), 0o600); err != nil {
		t.Fatal(err)
	}
	send := []string{"letters", "resend", "--file=" + file, "--url=" + function.url, "--yes", "--as=me"}
	says := []string{`"event3" that is kept of key "order-1" has other content`, "replace", "purge"}
	expectCall(t, b, failed, says, send...)
	if n := function.acted.Load(); n != 0 {
		t.Errorf("the business acted on %v", function.content.Load())
	}
	expectCall(t, b, fine, nil, "purge", "order-1", "--settle=0", "--yes", "--as=me")
	expectCall(t, b, fine, []string{": processed"}, send...)
	const want = `{"event1":{"amount":-1},"event2":{"amount":-1},"event3":{"amount":3}}`
	if n, got := function.acted.Load(), function.content.Load(); n != 1 || got != want {
		t.Errorf("the business acted %d times, on %v", n, got)
	}
	expectCall(t, b, fine, []string{": processed"}, send...) // a duplicate
}

// TestUnchangedLetterOfAnOrderThatIsKept is sent by its file, also where a source's contents are erased.
func TestUnchangedLetterOfAnOrderThatIsKept(t *testing.T) {
	b := newBucket(t)
	b.environ = append(b.environ, "ERASE_SOURCES=event1")
	function := serve(t, b.environ)
	for _, source := range []string{"event1", "event2"} {
		function.send(t, "/events/"+source, "order-1", `{"amount":1}`, http.StatusAccepted)
	}
	function.send(t, "/events/event3", "order-1", `{"amount":1}`, http.StatusOK)
	function.fixed.Store(true)
	letter := expectCall(t, b, fine, nil, "letters", "show", listed(t, b, found).Letters[0].Ref, "--payload", "--json")
	file := filepath.Join(t.TempDir(), "letter.json")
	if err := os.WriteFile(file, []byte(letter), 0o600); err != nil {
		t.Fatal(err)
	}
	expectCall(t, b, fine, []string{": processed"}, "letters", "resend", "--file="+file, "--url="+function.url, "--yes", "--as=me")
	if n := function.acted.Load(); n != 1 {
		t.Errorf("the business acted %d times", n)
	}
}

// TestLettersOfATopic: the same with the subscription to the topic of dead letters.
func TestLettersOfATopic(t *testing.T) {
	b := newBucket(t)
	server := pstest.NewServer()
	t.Cleanup(func() { _ = server.Close() })
	t.Setenv("PUBSUB_EMULATOR_HOST", server.Addr)
	const topic, source = "projects/p/topics/orders-letters", "projects/p/topics/source"
	for _, name := range []string{topic, source} {
		if _, err := server.GServer.CreateTopic(t.Context(), &pubsubpb.Topic{Name: name}); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := server.GServer.CreateSubscription(t.Context(), &pubsubpb.Subscription{Name: "projects/p/subscriptions/orders-letters",
		Topic: topic, AckDeadlineSeconds: 60}); err != nil {
		t.Fatal(err)
	}
	b.environ = append(b.environ, "DEAD_LETTER_TOPIC="+topic)
	function := serve(t, b.environ)
	function.send(t, "/events/event9", "order-1", `{"n":1}`, http.StatusOK)
	l := listed(t, b, found)
	if l.Found != 1 || l.Letters[0].Reason != driver.ReasonUnknownSource {
		t.Fatalf("%+v", l)
	}
	ref := l.Letters[0].Ref
	expectCall(t, b, found, []string{"order-1: none", ref + "      topic  unknown-source", "Nothing but dead letters"}, "why", "order-1")
	expectCall(t, b, found, []string{"Nothing is kept", "Not all letters", "--no-letters"}, "why", "order-1", "--no-letters")
	expectCall(t, b, fine, []string{"unknown-source", "/events/event9", `{"n":1}`}, "letters", "show", ref, "--payload")
	expectCall(t, b, fine, []string{"published"}, "letters", "resend", ref, "--topic="+source, "--yes", "--as=me")
	again := server.Messages()[1]
	if again.Topic != source || string(again.Data) != `{"n":1}` || again.Attributes["ce-key"] != "order-1" {
		t.Errorf("published %+v", again)
	}
	aliased := b
	aliased.environ = append(slices.Clone(b.environ), "SOURCE_ALIASES=event1:source")
	expectCall(t, aliased, failed, []string{"the source event9", "that of event1"},
		"letters", "resend", ref, "--topic="+source, "--yes", "--as=me")
	if n := len(server.Messages()); n != 2 {
		t.Errorf("%d messages, want the letter and the event", n)
	}
	b.environ[3] = "EVENT_SOURCES=event9,event1"
	function = serve(t, b.environ)
	expectCall(t, b, found, []string{"waits", "202"}, "letters", "resend", ref, "--url="+function.url, "--yes", "--as=me")
	expectCall(t, b, fine, []string{"drop"}, "letters", "drop", ref, "--yes", "--as=me")
	if l := listed(t, b, fine, "--subscription=orders-letters"); l.Found != 0 {
		t.Errorf("%+v", l)
	}
	expectCall(t, b, fine, []string{"0 of 0"}, "letters", "list", "--from=store")
	b.environ[len(b.environ)-1] = "DEAD_LETTER_TOPIC=projects/p/topics/without-subscription"
	expectCall(t, b, found, []string{"event9  present", "Not all letters in the topic", "without-subscription"}, "why", "order-1")
	expectCall(t, b, usage, []string{"store or topic"}, "letters", "list", "--from=bucket")
}

// TestLetterOfAnEndedJoin: it is the only copy of events that nobody acted upon, and the function would
// take it for a duplicate.
func TestLetterOfAnEndedJoin(t *testing.T) {
	b := newBucket(t)
	server := pstest.NewServer()
	t.Cleanup(func() { _ = server.Close() })
	t.Setenv("PUBSUB_EMULATOR_HOST", server.Addr)
	const source = "projects/p/topics/source"
	if _, err := server.GServer.CreateTopic(t.Context(), &pubsubpb.Topic{Name: source}); err != nil {
		t.Fatal(err)
	}
	b.environ = append(b.environ, "JOIN_DEADLINE=1ns")
	function := serve(t, b.environ)
	function.send(t, "/events/event1", "order-1", `{"n":1}`, http.StatusAccepted)
	function.sweep(t)
	l := listed(t, b, found, "--reason=incomplete")
	if l.Found != 1 {
		t.Fatalf("%+v", l)
	}
	ref := l.Letters[0].Ref
	for _, to := range []string{"--url=" + function.url, "--topic=" + source} {
		says := []string{"its join has ended", "--payload"}
		expectCall(t, b, failed, says, "letters", "resend", ref, to, "--yes", "--as=me")
		refusedInDryRun(t, b, ref, "its join has ended", "letters", "resend", ref, to)
	}
	function.send(t, "/events/event2", "", `{"n":1}`, http.StatusOK)
	other := listed(t, b, found, "--reason=no-key").Letters[0].Ref // has its turn, though the first is refused
	expectCall(t, b, failed, []string{"its join has ended", other + ": dead-lettered"},
		"letters", "resend", ref, other, "--url="+function.url, "--yes", "--as=me")
	out := expectCall(t, b, failed, []string{"connection refused", "the 1 letters after it"},
		"letters", "resend", other, ref, "--url=http://127.0.0.1:1", "--yes", "--as=me")
	if strings.Contains(out, "its join has ended") {
		t.Errorf("it went on where nobody answers: %s", out)
	}
	if n := len(server.Messages()); n != 0 {
		t.Errorf("%d messages were published", n)
	}
	file := filepath.Join(t.TempDir(), "letter.json")
	letter := expectCall(t, b, fine, []string{`event1`}, "letters", "show", ref, "--payload", "--json") // it is kept
	if err := os.WriteFile(file, []byte(letter), 0o600); err != nil {
		t.Fatal(err)
	}
	to := "--topic=" + source
	expectCall(t, b, fine, []string{"published"}, "letters", "resend", "--file="+file, to, "--yes", "--as=me")
}

// TestEndedJoinBegunAnew: with its letters in files, a key whose join has ended is purged, and begins anew with
// the events that they have.
func TestEndedJoinBegunAnew(t *testing.T) {
	b := newBucket(t)
	ends, goesOn := serve(t, append(slices.Clone(b.environ), "JOIN_DEADLINE=1ns")), serve(t, b.environ)
	goesOn.fixed.Store(true)
	for _, source := range []string{"event1", "event2"} {
		ends.send(t, "/events/"+source, "order-1", `{"n":1}`, http.StatusAccepted)
	}
	ends.sweep(t)
	ends.send(t, "/events/event3", "order-1", `{"n":3}`, http.StatusOK) // too late
	var files []string
	for _, reason := range []string{"incomplete", "too-late"} {
		ref := listed(t, b, found, "--reason="+reason, "--key=order-1").Letters[0].Ref
		files = append(files, write(t, expectCall(t, b, fine, nil, "letters", "show", ref, "--payload", "--json")))
	}
	expectCall(t, b, fine, nil, "purge", "order-1", "--settle=0s", "--yes", "--as=me")
	to := []string{"--url=" + goesOn.url, "--yes", "--as=me"}
	expectCall(t, b, found, []string{"waits"}, append(to, "letters", "resend", "--file="+files[0])...)
	expectCall(t, b, fine, []string{"processed"}, append(to, "letters", "resend", "--file="+files[1])...)
	if n, got := goesOn.acted.Load(), goesOn.content.Load(); n != 1 || got != `{"event1":null,"event2":{"n":1},"event3":{"n":3}}` {
		t.Errorf("the business acted %d times, on %v", n, got)
	}
	expectCall(t, b, fine, []string{"completed: processed"}, "why", "order-1")
}

// TestIdentityToken asks a stand-in for gcloud.
func TestIdentityToken(t *testing.T) {
	folder := t.TempDir()
	t.Setenv("PATH", folder+":"+os.Getenv("PATH"))
	script := "#!/bin/sh\n[ \"$*\" = 'auth print-identity-token' ] && echo a-token\n"
	if err := os.WriteFile(filepath.Join(folder, "gcloud"), []byte(script), 0o700); err != nil {
		t.Fatal(err)
	}
	if token, err := identityToken(t.Context()); token != "a-token" || err != nil {
		t.Errorf("%q, %v", token, err)
	}
	if err := os.WriteFile(filepath.Join(folder, "gcloud"), []byte("#!/bin/sh\nexit 1\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	if _, err := identityToken(t.Context()); err == nil || !strings.Contains(fmt.Sprint(err), "gcloud auth login") {
		t.Errorf("%v", err)
	}
}
