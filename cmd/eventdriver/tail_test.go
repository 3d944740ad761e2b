package main

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"example.com/eventdriver/driver"
	"example.com/eventdriver/internal/fake/cloudlogging"
	"example.com/eventdriver/internal/fake/googleapis"
)

// until is an output that ends a command when it has printed a text.
type until struct {
	printed bytes.Buffer
	text    string
	end     context.CancelFunc
}

func (u *until) Write(p []byte) (int, error) {
	n, err := u.printed.Write(p)
	if strings.Contains(u.printed.String(), u.text) {
		u.end()
	}
	return n, err
}

// tailed runs tail until it has printed a text, and returns all that it has.
func (d *deployment) tailed(t *testing.T, text string, args ...string) string {
	t.Helper()
	ctx, interrupt := context.WithTimeout(t.Context(), time.Minute) // it is an error that the text never comes
	defer interrupt()
	out, errs := &until{text: text, end: interrupt}, new(bytes.Buffer)
	code := run(ctx, append(append([]string{"tail"}, args...), d.flags...), surroundings{strings.NewReader(""), out, errs, nil})
	if code != fine || !strings.Contains(out.printed.String(), text) {
		t.Errorf("exit code %d: %s%s", code, out.printed.String(), errs)
	}
	return out.printed.String()
}

// TestTail shows a line for each event, and what operators change, until Ctrl-C.
func TestTail(t *testing.T) {
	d, log := deploy(t), new(cloudlogging.Log)
	for path, answer := range log.Answers() {
		d.answers[path] = answer
	}
	for _, line := range []string{
		`{"severity":"INFO","message":"event stored, waiting for others","key":"order-1","source":"event2","waitsFor":"event1, event3"}`,
		`{"severity":"INFO","message":"event processed","key":"order-2","source":"event3"}`,
	} {
		log.Add(cloudlogging.Entry("p", "r", "orders", line))
	}
	d.persist(t, "order-1", "event2")
	d.call(t, fine, nil, "complete", "order-1", "--as=me", "--yes", "--reason=by hand")
	out := d.tailed(t, "complete by")
	for _, want := range []string{" order-1 event2 kept, waiting for event1, event3\n", " order-2 event3 processed\n", " order-1 complete by me (by hand) force=false\n"} {
		if !strings.Contains(out, want) || strings.Count(out, "\n") != 3 {
			t.Errorf("it does not say %q: %s", want, out)
		}
	}
	if out := d.tailed(t, "complete by", "--key=order-1"); strings.Count(out, "\n") != 2 || strings.Contains(out, "order-2") {
		t.Errorf("of one key: %s", out)
	}
	for line := range strings.Lines(d.tailed(t, "by hand", "--json")) {
		var e struct{ InsertId, Timestamp string }
		if err := json.Unmarshal([]byte(line), &e); err != nil || e.InsertId == "" || e.Timestamp == "" {
			t.Errorf("%s: %v", line, err)
		}
	}
	log.Refuse(&googleapis.Refusal{Code: http.StatusForbidden, Message: "no"})
	d.call(t, failed, []string{"roles/logging.viewer"}, "tail")
	expectCall(t, d.bucket, usage, []string{"--service"}, "tail")
}

// TestAuditInCloudLogging: each change has its record there, with the account of the credentials; where it
// is refused, the command says so.
func TestAuditInCloudLogging(t *testing.T) {
	d, log := deploy(t), new(cloudlogging.Log)
	for path, answer := range log.Answers() {
		d.answers[path] = answer
	}
	d.answers["/oauth2/v2/userinfo"] = map[string]any{"email": "me@example.com"}
	d.persist(t, "order-1", "event1", "event2", "event3")
	if err := d.store.Release(t.Context(), d.claim(t, "order-1"), driver.Released{Mark: driver.MarkFailed}); err != nil {
		t.Fatal(err)
	}
	d.send(t, "/events/event9", "order-1", `{}`, http.StatusOK)
	ref := listed(t, bucket{environ: []string{"GOOGLE_CLOUD_PROJECT=p", "GCS_BUCKET=bucket", "GCS_FOLDER=orders"}}, found).Letters[0].Ref

	for _, args := range [][]string{{"release", "order-1"}, {"rerun", "order-1"}, {"letters", "resend", ref, "--url=" + d.url},
		{"letters", "drop", ref}} {
		code, _, errs := call(t, nil, append(append(args, "--as=me", "--yes", "--reason=a test"), d.flags...)...)
		if code == usage || !strings.Contains(errs, `"account":"me@example.com"`) {
			t.Errorf("%q: exit code %d: %s", args, code, errs)
		}
	}
	var actions []string
	for _, e := range log.Entries() {
		var record struct{ Message, Action, By, Account, Why, Key, Letter, Job string }
		if err := json.Unmarshal(e.JsonPayload, &record); err != nil || record.Message != "audit" || record.By != "me" ||
			record.Account != "me@example.com" || record.Why != "a test" || record.Key+record.Letter+record.Job == "" {
			t.Errorf("%s, %v", e.JsonPayload, err)
		}
		actions = append(actions, record.Action)
	}
	if got := strings.Join(actions, ", "); got != "release, sweep, rerun, sweep, letters resend, letters drop" {
		t.Errorf("recorded: %s", got)
	}
	log.Refuse(&googleapis.Refusal{Code: http.StatusForbidden, Message: "no"})
	d.persist(t, "order-2", "event1")
	d.call(t, fine, []string{`"action":"complete"`, "Cloud Logging has no record", "roles/logging.logWriter"}, "complete", "order-2", "--as=me", "--yes")
}
