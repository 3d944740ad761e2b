package bqstore_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"google.golang.org/api/option"

	"example.com/eventdriver/driver"
	"example.com/eventdriver/stores/bqstore"
)

// TestForeignAnswers: whatever answers in the place of BigQuery, an operation ends with an error, and does not
// panic, as the client does at some answers.
func TestForeignAnswers(t *testing.T) {
	for _, body := range []string{"null", "{}", "[]", "<html>Sign in</html>", `{"rows":[null]}`,
		`{"jobReference":{"jobId":"j"},"jobComplete":true,"schema":{"fields":[{"name":"key","type":"STRING"}]},"rows":[null]}`,
		`{"jobReference":{"jobId":"j"},"jobComplete":true,"schema":{"fields":[null]},"rows":[{"f":[null]}]}`,
		`{"jobReference":{"jobId":"j"},"jobComplete":true,"schema":{"fields":[{"name":"key","type":"STRING"}]},"rows":[{"f":[null]}]}`,
		`{"jobReference":{"jobId":"j"},"jobComplete":true,"rows":[{"f":[{"v":[null]}]}]}`} {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			_, _ = io.WriteString(w, body)
		}))
		settings := bqstore.Config("project", "orders").WithLocation("EU").WithTimeout(300 * time.Millisecond)
		store, err := bqstore.New(t.Context(), settings, option.WithEndpoint(server.URL), option.WithoutAuthentication())
		if err != nil {
			t.Fatal(err)
		}
		_, errKey := store.Inspect(t.Context(), "order-1")
		_, errKeys := store.ListKeys(t.Context(), driver.KeyQuery{})
		_, errLetters := store.ListLetters(t.Context(), driver.LetterQuery{})
		_, errClaim := store.Acquire(t.Context(), driver.NewClaim("order-1"), time.Minute)
		for name, err := range map[string]error{"Inspect": errKey, "ListKeys": errKeys, "ListLetters": errLetters, "Acquire": errClaim} {
			if err == nil {
				t.Errorf("%s: %s returns no error", body, name)
			}
		}
		_ = store.Close()
		server.Close()
	}
}
