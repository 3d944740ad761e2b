package eventdriver

import (
	"context"
	"errors"
	"net/http"
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
	for name, replace := range map[string]func(t *testing.T, bucket *gcs.Server, url string, letter []byte){
		"deleted and published": func(t *testing.T, bucket *gcs.Server, url string, _ []byte) {
			object, found := strings.CutPrefix(removed(t, guide(t, `key="gs://`)), "storage rm gs://BUCKET/FOLDER/")
			if !found {
				t.Fatalf("the guide removes %s", object)
			}
			if err := bucket.Delete("bucket", "event-driver/"+object); err != nil {
				t.Fatal(err)
			}
			if status, answer := post(t, url, "event2", "order-1", `{"amount":1}`); status != http.StatusNoContent {
				t.Errorf("the right one: %d %s", status, answer)
			}
		},
		"changed in the letter": func(t *testing.T, bucket *gcs.Server, url string, letter []byte) {
			names, err := bucket.Names("bucket")
			for _, object := range names { // seven days later
				err = errors.Join(err, bucket.Delete("bucket", object))
			}
			if err != nil {
				t.Fatal(err)
			}
			commands := guide(t, `jq 'del(`) + "\n" + guide(t, `jq '.body =`) + "\n" + guide(t, `jq -r '.header | to_entries[]`)
			if status := follow(t, commands, "letter.json", letter, url+"/"); !strings.HasPrefix(status, "204 ") {
				t.Errorf("the letter: %s", status)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
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
			letter := onlyLetter(t, bucket)
			for _, source := range config.Sources {
				if !strings.Contains(string(letter), `\"source\":\"`+source+`\"`) {
					t.Errorf("the letter does not name %s: %s", source, letter)
				}
			}
			replace(t, bucket, server.URL, letter)
			business.once(t, "order-1")
			if got := business.contents["order-1"]; got != joined {
				t.Errorf("processed %s, want %s", got, joined)
			}
		})
	}
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

// onlyLetter returns the one dead letter in the bucket.
func onlyLetter(t *testing.T, bucket *gcs.Server) (letter []byte) {
	t.Helper()
	names, err := bucket.Names("bucket")
	if err != nil {
		t.Fatal(err)
	}
	for _, object := range names {
		if !strings.HasSuffix(object, ".json") {
			continue
		}
		if letter != nil {
			t.Fatalf("%q; want one letter", names)
		}
		if letter, err = bucket.Get("bucket", object); err != nil {
			t.Fatal(err)
		}
	}
	return letter
}
