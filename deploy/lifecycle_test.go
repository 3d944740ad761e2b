package deploy

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"example.com/eventdriver/driver"
	"example.com/eventdriver/internal/fake/gcs"
	"example.com/eventdriver/stores/gcsstore"
)

// rule is a lifecycle rule of a bucket, as gcloud is given it.
type rule struct {
	Action    struct{ Type string }
	Condition struct {
		Age                          int
		MatchesPrefix, MatchesSuffix []string
	}
}

// matches says whether an object of that name is deleted by the rule.
func (r rule) matches(name string) bool {
	any := func(of []string, has func(s, part string) bool) bool {
		return of == nil || slices.ContainsFunc(of, func(part string) bool { return has(name, part) })
	}
	return any(r.Condition.MatchesPrefix, strings.HasPrefix) && any(r.Condition.MatchesSuffix, strings.HasSuffix)
}

// forgotten returns after how many days the rules delete an object, 0: never.
func forgotten(rules []rule, name string) (days int) {
	for _, r := range rules {
		if r.matches(name) && (days == 0 || r.Condition.Age < days) {
			days = r.Condition.Age
		}
	}
	return days
}

// rulesOf returns the rules that the script gives to the bucket.
func rulesOf(t *testing.T, args ...string) []rule {
	t.Helper()
	printed, _ := script(t, append(args, "--dry-run")...)
	_, file, found := strings.Cut(with(shown(printed), "storage buckets update")[0], "--lifecycle-file=")
	if !found {
		t.Fatalf("the bucket has no rules:\n%s", printed)
	}
	// Read by another program: the file is new each time, so go test would never take this
	// package's result from its cache.
	text, err := exec.Command("cat", "../"+strings.Fields(file)[0]).Output()
	if err != nil {
		t.Fatal(err)
	}
	var rules struct{ Rule []rule }
	if err := json.Unmarshal(text, &rules); err != nil {
		t.Fatalf("%v in %s", err, text)
	}
	for _, r := range rules.Rule {
		if r.Action.Type != "Delete" || r.Condition.Age < 2 {
			t.Errorf("%+v; want rules that delete, after the day for which events are delivered again", r)
		}
	}
	return rules.Rule
}

// The bucket forgets a key's events, then its claim, then its completion and the rest of it, and
// never a dead letter, whatever the key is, and whatever the folder.
func TestBucketForgetsKeysAndKeepsLetters(t *testing.T) {
	fake := gcs.New(t, "bucket")
	t.Setenv("STORAGE_EMULATOR_HOST", fake.Host())
	for folder, args := range map[string][]string{
		"orders": {"--name=orders", "--sources=placed,paid"}, "team/dead": {"--sources=placed,paid", "--env=GCS_FOLDER=team/dead"},
	} {
		rules := rulesOf(t, args...)
		for _, key := range keysOfAllHashes(t, fake, folder) {
			for part, days := range map[string]int{"events/placed": 7, "events/paid": 7, "done": 9, "claim": 8, "scopes/second/claim": 8, "scopes/second/done": 9, "events/gone": 9} {
				if got := forgotten(rules, key+part); got != days {
					t.Errorf("%s%s is forgotten after %d days, want %d", key, part, got, days)
				}
			}
		}
		letters, err := fake.Names("bucket")
		if err != nil {
			t.Fatal(err)
		}
		letters = slices.DeleteFunc(letters, func(name string) bool { return !strings.HasPrefix(name, folder+"/deadletters/") })
		if len(letters) != 4 { // each, and what finds it by its key
			t.Errorf("%q are dead letters, want two and what refers to them", letters)
		}
		for _, letter := range letters {
			if days := forgotten(rules, letter); days != 0 {
				t.Errorf("the dead letter %s is deleted after %d days", letter, days)
			}
		}
	}
}

// keysOfAllHashes has a store write keys, and two letters, and returns the folders of
// the keys: each hash is among them once.
func keysOfAllHashes(t *testing.T, fake *gcs.Server, folder string) (folders []string) {
	t.Helper()
	store, err := gcsstore.New(t.Context(), gcsstore.Config("bucket").WithFolder(folder))
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	for _, reason := range []driver.Reason{"no-key", "done"} {
		if err := store.AddDeadLetter(t.Context(), driver.DeadLetter{Reason: reason, Source: "placed", Key: "claim", Time: time.Now()}); err != nil {
			t.Fatal(err)
		}
	}
	seen := make(map[string]bool)
	for i := 0; len(seen) < 256; i++ {
		key := fmt.Sprint("order-", i)
		hash := fmt.Sprintf("%x", sha256.Sum256([]byte(key)))[:2]
		if seen[hash] {
			continue
		}
		seen[hash] = true
		folders = append(folders, folder+"/"+hash+"/"+key+"/")
	}
	m := driver.Message{ID: "1", Key: "order-0", Source: "placed"}
	if err := store.Persist(t.Context(), m); err != nil {
		t.Fatal(err)
	}
	names, err := fake.Names("bucket")
	if err != nil {
		t.Fatal(err)
	}
	if want := folders[0] + "events/placed"; !slices.Contains(names, want) {
		t.Fatalf("the store wrote %q, and not %s: this test knows another layout", names, want)
	}
	return folders
}
