package eventdriver

import (
	"context"
	"errors"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"example.com/eventdriver/driver"
	"example.com/eventdriver/internal/fake/gcs"
)

// TestLetterOfAnOrderCanBeSentAgain has the dead letter of a joined order sent again, as
// docs/operations.md says, when all that was stored of the order has expired.
func TestLetterOfAnOrderCanBeSentAgain(t *testing.T) {
	bucket := gcs.New(t, "bucket")
	t.Setenv("STORAGE_EMULATOR_HOST", bucket.Host())
	config := DefaultConfig()
	config.EventStore, config.ClaimStore, config.Bucket, config.EraseSources = StoreGCS, StoreGCS, "bucket", nil
	business := count()
	fixed := false
	business.before = func(string, int) error {
		if !fixed {
			return driver.Permanent(errors.New("a bug"))
		}
		return nil
	}
	_, server := serve(t, config, business)
	contents := map[string]string{"event1": `{"n": 1}`, "event2": ` "second" `, "event3": `[3]`}
	for _, source := range []string{"event1", "event2", "event3"} {
		post(t, server.URL, source, "order-1", contents[source])
	}

	names, err := bucket.Names("bucket")
	if err != nil {
		t.Fatal(err)
	}
	var letter []byte
	for _, name := range names { // seven days later
		switch {
		case strings.HasSuffix(name, ".json"):
			letter, err = bucket.Get("bucket", name)
		case !strings.Contains(name, "/deadletters/"):
			err = bucket.Delete("bucket", name)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	fixed = true
	if status, answer := post(t, server.URL, "event3", "order-1", contents["event3"]); status != http.StatusAccepted {
		t.Errorf("one event alone: %d %s; want 202, which says that it waits", status, answer)
	}
	if out := sendAgain(t, letter, server.URL); !strings.Contains(out, "HTTP/1.1 204 ") {
		t.Errorf("the letter sent again:\n%s", out)
	}
	business.once(t, "order-1")
	if got, want := business.contents["order-1"], `{"event1":{"n": 1},"event2": "second" ,"event3":[3]}`; got != want {
		t.Errorf("processed %s, want %s", got, want)
	}
}

// sendAgain runs the commands of docs/operations.md that send a letter again.
func sendAgain(t *testing.T, letter []byte, url string) string {
	t.Helper()
	for _, program := range []string{"bash", "jq", "curl"} {
		if _, err := exec.LookPath(program); err != nil {
			t.Skipf("the commands need %s: %v", program, err)
		}
	}
	page, err := os.ReadFile("docs/operations.md")
	if err != nil {
		t.Fatal(err)
	}
	commands := regexp.MustCompile("(?s)```sh\n([^`]*to_entries[^`]*curl[^`]*)```").FindSubmatch(page)
	if commands == nil {
		t.Fatal("docs/operations.md has no commands that send a letter again")
	}
	folder := t.TempDir()
	if err := os.WriteFile(filepath.Join(folder, "letter.json"), letter, 0o600); err != nil {
		t.Fatal(err)
	}
	script := strings.ReplaceAll(string(commands[1]), "$(gcloud auth print-identity-token)", "none")
	run := exec.CommandContext(context.Background(), "bash", "-euc", script)
	run.Dir, run.Env = folder, append(os.Environ(), "FUNCTION_URL="+url)
	out, err := run.CombinedOutput()
	if err != nil {
		t.Errorf("%v\n%s\n%s", err, script, out)
	}
	return string(out)
}
