package doctor

import (
	"maps"
	"net/http"
	"slices"
	"testing"

	"example.com/eventdriver/internal/fake/googleapis"
	"example.com/eventdriver/operate/deployed"
)

// TestEmptyAnswers: a proxy answers null where one of the APIs should. That is not read, and nothing is taken for
// wrong, or for sound, because of it.
func TestEmptyAnswers(t *testing.T) {
	for name, world := range map[string]func() *world{"swept": swept, "of all kinds": ofAllKinds, "BigQuery": bigQueryOnly} {
		for _, path := range slices.Sorted(maps.Keys(world().answers())) {
			t.Run(name+path, func(t *testing.T) {
				answers, asked := world().answers(), false
				answers[path] = func(*http.Request) any { asked = true; return nil }
				server := googleapis.New(t, answers)
				google, err := deployed.Connect(t.Context(), server.URL)
				if err != nil {
					t.Fatal(err)
				}
				d, err := google.Read(t.Context(), target, nil)
				if path == "/v2/"+target.String() {
					if err == nil {
						t.Error("a service is read of which nothing is known")
					}
					return
				}
				if err != nil {
					t.Fatal(err)
				}
				d.Now = now
				found := Examine(d)
				for _, f := range found {
					if f.Check != "unread" {
						t.Errorf("misled: %s", f)
					}
				}
				if asked && len(found) == 0 {
					t.Error("nothing is said of what could not be read")
				}
			})
		}
	}
}
