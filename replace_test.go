package eventdriver

import (
	"context"
	"errors"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"testing"

	"example.com/eventdriver/driver"
	"example.com/eventdriver/internal/fake/gcs"
)

// What only the business can tell to be wrong costs one event, not its order: the letter
// names all the events, and docs/operations.md says how to replace one of them.
func TestOneWrongEventOfAnOrderIsReplacedAsTheGuideSays(t *testing.T) {
	const joined = `{"event1":{"n":1},"event2":{"amount":1},"event3":[3]}`
	bucket := gcs.New(t, "bucket")
	t.Setenv("STORAGE_EMULATOR_HOST", bucket.Host())
	config, err := configFrom(map[string]string{"GCS_BUCKET": "bucket", "ERASE_SOURCES": ""})
	if err != nil {
		t.Fatal(err)
	}
	business := count()
	_, server := serve(t, config, rejecting(business, `"amount":-1`))
	post(t, server.URL, "event1", "order-1", `{"n":1}`)
	post(t, server.URL, "event2", "order-1", `{"amount":-1}`)
	if status, answer := post(t, server.URL, "event3", "order-1", `[3]`); status != http.StatusOK {
		t.Fatalf("%d %s; want a dead letter", status, answer)
	}
	object, found := strings.CutPrefix(removed(t, guide(t, `key="gs://`)), "storage rm gs://BUCKET/FOLDER/")
	if !found {
		t.Fatalf("the guide removes %s", object)
	}
	if err := bucket.Delete("bucket", "event-driver/"+object); err != nil {
		t.Fatal(err)
	}
	if status, answer := post(t, server.URL, "event2", "order-1", `{"amount":1}`); status != http.StatusNoContent {
		t.Errorf("the right one: %d %s", status, answer)
	}
	business.once(t, "order-1")
	if got := business.contents["order-1"]; got != joined {
		t.Errorf("processed %s, want %s", got, joined)
	}
}

// guide returns the commands of docs/operations.md from the line that begins so to
// the end of its block.
func guide(t *testing.T, begins string) string {
	t.Helper()
	text, err := os.ReadFile("docs/operations.md")
	if err != nil {
		t.Fatal(err)
	}
	_, commands, found := strings.Cut(string(text), "\n"+begins)
	if !found {
		t.Fatalf("docs/operations.md has no command %s", begins)
	}
	commands, _, _ = strings.Cut(commands, "\n```")
	return begins + commands
}

// removed runs commands and returns the arguments that they give to gcloud.
func removed(t *testing.T, commands string) string {
	t.Helper()
	if _, err := exec.LookPath("bash"); err != nil {
		t.Skip(err)
	}
	out, err := exec.Command("bash", "-euo", "pipefail", "-c", "gcloud() { echo \"$*\"; }\n"+commands).CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return strings.TrimSpace(string(out))
}

// rejecting goes on with business, but for messages that have the text.
func rejecting(business driver.Handler, text string) driver.Handler {
	return driver.HandlerFunc(func(ctx context.Context, m driver.Message, next driver.Next) error {
		if strings.Contains(string(m.Content), text) {
			return driver.Permanent(errors.New("the amount is negative"))
		}
		return business.Process(ctx, m, next)
	})
}
