package doctor

import (
	"encoding/json"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"example.com/eventdriver/internal/fake/googleapis"
	"example.com/eventdriver/operate/deployed"
)

// worldsOfShapes have answers of all the APIs.
var worldsOfShapes = []func() *world{swept, pushed, bigQueryOnly, func() *world {
	w := byTerraform()
	w.revisions = append(w.revisions, earlier(w, "2026-11-19T00:00:00Z", map[string]string{"GCS_FOLDER": "old"}))
	w.objects["shop-prod-orders-events"] = []string{"old/00/order-1/events/event1", "old/00/order-1/done"}
	w.roles[project+"/roles/keeper"] = []string{"storage.objects.get"}
	w.policies["shop-prod-orders-events"] = append(w.policies["shop-prod-orders-events"], grant(project+"/roles/keeper", account(runner)))
	return w
}}

// TestNullInALists: an answer with null in a list of objects is not read. Nothing else is said of it.
func TestNullInALists(t *testing.T) {
	lists := 0
	for _, world := range worldsOfShapes {
		for _, path := range slices.Sorted(maps.Keys(world().answers())) {
			for n := range values(answersOf(t, world())[path]) {
				answers := answersOf(t, world())
				list := false
				answers[path] = changed(answers[path], n, func(value any) any {
					entries, _ := value.([]any)
					if len(entries) > 0 {
						_, list = entries[0].(map[string]any)
						value = append(entries, nil)
					}
					return value
				})
				if !list {
					continue
				}
				lists++
				found, err := examined(t, answers)
				if err != nil && path != "/v2/"+target.String() {
					t.Errorf("%s: %v", path, err)
				}
				for _, f := range found {
					unread := f.Check == "unread" && strings.Contains(f.Problem, "null at ")
					if !unread && !strings.HasPrefix(f.Problem, "keys may wait there") {
						t.Errorf("%s: misled: %s", path, f)
					}
				}
			}
		}
	}
	if lists < 30 {
		t.Errorf("only %d lists", lists)
	}
}

// FuzzAnswers: whatever JSON an API answers, the doctor says something, and does not panic. An error names what
// could not be read.
func FuzzAnswers(f *testing.F) {
	for seed := range uint64(150) {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, seed uint64) {
		random := rand.New(rand.NewPCG(seed, 0))
		answers := answersOf(t, worldsOfShapes[random.IntN(len(worldsOfShapes))]())
		paths := slices.Sorted(maps.Keys(answers))
		for range 1 + random.IntN(3) {
			path := paths[random.IntN(len(paths))]
			odd := []any{nil, "", "odd", true, -1, 1e30, []any{}, []any{nil}, map[string]any{}, map[string]any{"": nil}}
			with := odd[random.IntN(len(odd))]
			answers[path] = changed(answers[path], random.IntN(values(answers[path])), func(any) any { return with })
		}
		if _, err := examined(t, answers); err != nil && !strings.HasPrefix(err.Error(), target.String()+": ") {
			t.Error(err)
		}
	})
}

// answersOf returns the answers in a world as JSON has them.
func answersOf(t *testing.T, w *world) map[string]any {
	text, err := json.Marshal(w.answers())
	if err != nil {
		t.Fatal(err)
	}
	var answers map[string]any
	if err := json.Unmarshal(text, &answers); err != nil {
		t.Fatal(err)
	}
	return answers
}

// examined reads the answers over HTTP, and returns what the doctor finds.
func examined(t *testing.T, answers map[string]any) ([]Finding, error) {
	google, err := deployed.Connect(t.Context(), googleapis.New(t, answers).URL)
	if err != nil {
		t.Fatal(err)
	}
	d, err := google.Read(t.Context(), target, nil)
	if err != nil {
		return nil, err
	}
	d.Now = now
	return Examine(d), nil
}

// values returns how many values there are in a value, with itself.
func values(value any) int {
	n := 0
	walk(value, func(value any) any { n++; return value })
	return n
}

// changed returns a value in which that at the place n is another.
func changed(value any, n int, change func(any) any) any {
	return walk(value, func(value any) any {
		if n--; n == -1 {
			return change(value)
		}
		return value
	})
}

// walk replaces a value, and all values in it, by what each returns of them.
func walk(value any, each func(any) any) any {
	value = each(value)
	switch v := value.(type) {
	case []any:
		for i := range v {
			v[i] = walk(v[i], each)
		}
	case map[string]any:
		for _, name := range slices.Sorted(maps.Keys(v)) {
			v[name] = walk(v[name], each)
		}
	}
	return value
}
