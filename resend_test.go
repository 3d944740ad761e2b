package eventdriver

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"example.com/eventdriver/internal/fake/gcs"
)

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

// follow runs commands in a folder with that file, for a function at url, without
// Google's tools, and returns the status that the function answered.
func follow(t *testing.T, commands, file string, content []byte, url string) string {
	t.Helper()
	for _, tool := range []string{"bash", "jq", "curl"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skipf("%s is not installed", tool)
		}
	}
	folder := t.TempDir()
	if err := os.WriteFile(filepath.Join(folder, file), content, 0o600); err != nil {
		t.Fatal(err)
	}
	shell := exec.Command("bash", "-euo", "pipefail", "-c", "gcloud() { echo token; }\n"+commands)
	shell.Dir = folder
	shell.Env = append(os.Environ(), "FUNCTION_URL="+url)
	out, err := shell.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	_, status, _ := strings.Cut(string(out), "HTTP/1.1 ")
	return strings.TrimSpace(status)
}

// The commands of the guide send a letter to the path by which its event came, with
// whatever bytes it has.
func TestLetterIsSentAgainAsTheGuideSays(t *testing.T) {
	fake := gcs.New(t, "bucket")
	t.Setenv("STORAGE_EMULATOR_HOST", fake.Host())
	variables := map[string]string{"GCS_BUCKET": "bucket", "EVENT_SOURCES": "uploaded", "CONFLICT_POLICY": "reject"}
	before, err := configFrom(variables)
	if err != nil {
		t.Fatal(err)
	}
	_, server := serve(t, before, count())
	request := event(t, server.URL+"/events/removed", "//storage.googleapis.com/projects/_/buckets/b", "order-1", "\x00\xff\n")
	request.Header.Set("Content-Type", "application/octet-stream")
	if status, answer := do(t, request); status != http.StatusOK {
		t.Fatalf("%d %s; want a dead letter", status, answer)
	}
	names, err := fake.Names("bucket")
	names = slices.DeleteFunc(names, func(name string) bool { return !strings.HasSuffix(name, ".json") })
	if err != nil || len(names) != 1 {
		t.Fatalf("%q, %v; want one letter", names, err)
	}
	letter, err := fake.Get("bucket", names[0])
	if err != nil {
		t.Fatal(err)
	}

	variables["EVENT_SOURCES"] = "uploaded,removed"
	after, err := configFrom(variables)
	if err != nil {
		t.Fatal(err)
	}
	business := count()
	_, server = serve(t, after, business)
	commands := guide(t, `jq -r '.header | to_entries[]`)
	if status := follow(t, commands, "letter.json", letter, server.URL+"/"); !strings.HasPrefix(status, "202 ") {
		t.Errorf("answered %s, want 202: it waits for its companion", status)
	}
	if status, answer := do(t, event(t, server.URL+"/events/uploaded", "/b", "order-1", `1`)); status != http.StatusNoContent {
		t.Errorf("its companion: %d %s", status, answer)
	}
	business.once(t, "order-1")
	if want := fmt.Sprintf(`"removed":%q`, base64.StdEncoding.EncodeToString([]byte("\x00\xff\n"))); !strings.Contains(business.contents["order-1"], want) {
		t.Errorf("joined as %s; want %s in it", business.contents["order-1"], want)
	}
}

// So do those for a letter in a topic, whose event's headers are its attributes.
func TestLetterOfATopicIsSentAgainAsTheGuideSays(t *testing.T) {
	config, fake := withTopics(t)
	config.Sources, config.EraseSources, config.OutputTopic = []string{"uploaded"}, nil, ""
	_, server := serve(t, config, count())
	if status, answer := do(t, event(t, server.URL+"/events/removed", "/b", "order-1", `{"n":1}`)); status != http.StatusOK {
		t.Fatalf("%d %s; want a dead letter", status, answer)
	}
	published := inTopic(fake, testLetters)
	if len(published) != 1 || published[0].Attributes["left-out"] != "" {
		t.Fatalf("letters %v; want one that is whole", published)
	}
	pulled, err := json.Marshal([]any{map[string]any{"message": map[string]any{"data": published[0].Data, "attributes": published[0].Attributes}}})
	if err != nil {
		t.Fatal(err)
	}
	config.Sources = []string{"removed"}
	business := count()
	_, server = serve(t, config, business)
	commands := guide(t, `jq '.[0].message |`) + "\n" + guide(t, `jq -r '.header | to_entries[]`)
	if status := follow(t, commands, "letters.json", pulled, server.URL); !strings.HasPrefix(status, "204 ") {
		t.Errorf("answered %s, want 204", status)
	}
	business.once(t, "order-1")
	if want := `{"removed":{"n":1}}`; business.contents["order-1"] != want {
		t.Errorf("joined as %s; want %s", business.contents["order-1"], want)
	}
}
