package orders

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"

	"example.com/eventdriver"
	"example.com/eventdriver/driver"
	"example.com/eventdriver/driver/drivertest"
	"example.com/eventdriver/stores/memstore"
)

// events are those of one key.
var events = []driver.Message{
	event("placed", `{"note":"from placed"}`),
}

func event(source, content string) driver.Message {
	return driver.Message{ID: source + "-1", Key: "key-1", Source: source, Content: []byte(content)}
}

// config has the settings of the function, whatever the environment says.
func config(t *testing.T) eventdriver.Config {
	t.Helper()
	c, err := Function.Config(func(string) (string, bool) { return "", false })
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// pipeline is the function's, as it is deployed, with a store and an effect of the test.
func pipeline(t *testing.T, store drivertest.Store, do func(context.Context, string, int64, Contents) error) *driver.Pipeline {
	t.Helper()
	p, err := config(t).Pipeline(store, handler(do))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// TestActsOnce delivers the events in every order, with duplicates, failures and crashes. The
// effect leaves out the token, which grows when a run is repeated.
func TestActsOnce(t *testing.T) {
	drivertest.Pipeline(t, func(env *drivertest.Env) *driver.Pipeline {
		return pipeline(t, env.Store, func(ctx context.Context, key string, _ int64, in Contents) error {
			return env.Effect(ctx, key, fmt.Sprintf("%+v", in))
		})
	}, events...)
}

// TestContentsThatDoNotFit are dead letters: a permanent error becomes one.
func TestContentsThatDoNotFit(t *testing.T) {
	p := pipeline(t, memstore.New(), func(context.Context, string, int64, Contents) error {
		t.Error("the function acted")
		return nil
	})
	var err error
	for _, m := range events {
		m.Content = []byte(`{"note":1}`)
		err = p.Process(t.Context(), m)
	}
	if !driver.IsPermanent(err) {
		t.Errorf("the last event: %v, want a permanent error", err)
	}
}

// TestFunction sends the events as the triggers do, to the function as it is deployed, with its
// state in memory. The last one is answered 204: processed.
func TestFunction(t *testing.T) {
	business, err := Function.OpenBusiness()
	if err != nil {
		t.Fatal(err)
	}
	function, err := eventdriver.New(config(t), business)
	if err != nil {
		t.Fatal(err)
	}
	defer function.Close()
	status := 0
	for _, m := range events {
		request := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/events/"+m.Source, bytes.NewReader(m.Content))
		for name, value := range map[string]string{
			"Content-Type": "application/json", "Ce-Specversion": "1.0", "Ce-Type": "test",
			"Ce-Id": m.ID, "Ce-Source": m.Source, "Ce-Key": m.Key,
		} {
			request.Header.Set(name, value)
		}
		answer := httptest.NewRecorder()
		function.ServeHTTP(answer, request)
		status = answer.Code
	}
	if status != http.StatusNoContent {
		t.Errorf("the last event was answered %d, want 204", status)
	}
}
