package googlecloud

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
)

// TestRefusals: what Google Cloud refuses is refused, and changes nothing.
func TestRefusals(t *testing.T) {
	const run = `{"policy":{"bindings":[{"role":"roles/run.invoker","members":["serviceAccount:a@p.iam.gserviceaccount.com"]}]}}`
	for _, test := range []struct {
		method, path, body string
		want               int
	}{
		{"PUT", "/pubsub/v1/projects/p/topics/new", `{}`, http.StatusOK},
		{"PUT", "/pubsub/v1/projects/q/topics/new", `{}`, http.StatusForbidden}, // no API there
		{"PUT", "/pubsub/v1/projects/p/topics/there", `{}`, http.StatusConflict},
		{"GET", "/pubsub/v1/projects/p/topics/new", ``, http.StatusNotFound},
		{"PUT", "/pubsub/v1/projects/p/subscriptions/s", `{"topic":"projects/p/topics/none"}`, http.StatusNotFound},
		{"POST", "/pubsub/v1/projects/p/topics/there:setIamPolicy", run, http.StatusBadRequest}, // no such account
		{"DELETE", "/storage/v1/b/full", ``, http.StatusConflict},
		{"DELETE", "/storage/v1/b/full/managedFolders/orders%2F", ``, http.StatusConflict},
		{"DELETE", "/storage/v1/b/full/managedFolders/orders%2F?allowNonEmpty=true", ``, http.StatusOK},
		{"DELETE", "/bigquery/v2/projects/p/datasets/full", ``, http.StatusBadRequest},
		{"DELETE", "/bigquery/v2/projects/p/datasets/full?deleteContents=true", ``, http.StatusOK},
		{"GET", "/dns/v1/projects/p/managedZones/z", ``, http.StatusNotImplemented},
	} {
		c := New()
		c.Enable("p", "pubsub")
		c.Make("pubsub/projects/p/topics/there", nil)
		c.Make("storage/full", nil)
		c.Make("storage/full/managedFolders/orders/", nil)
		c.Put("full", "orders/00/claim", nil)
		c.Make("bigquery/projects/p/datasets/full", nil)
		c.Make("bigquery/projects/p/datasets/full/tables/t", nil)
		c.Writes()
		request := httptest.NewRequest(test.method, test.path, strings.NewReader(test.body))
		request.Header.Set("Content-Type", "application/json")
		answer := httptest.NewRecorder()
		c.ServeHTTP(answer, request)
		if answer.Code != test.want {
			t.Errorf("%s %s: %d %s, want %d", test.method, test.path, answer.Code, answer.Body, test.want)
		}
		if wrote := len(c.Writes()) > 0; wrote != (answer.Code == http.StatusOK) {
			t.Errorf("%s %s, which was answered with %d, has written: %t", test.method, test.path, answer.Code, wrote)
		}
	}
}

// TestAnswersAtOnce: one call changes what another one answers. The race detector tells.
func TestAnswersAtOnce(t *testing.T) {
	c := New()
	c.Enable("p", "pubsub")
	const topic, subscription = "/pubsub/v1/projects/p/topics/t", "/pubsub/v1/projects/p/subscriptions/s"
	call := func(method, path, body string) {
		request := httptest.NewRequest(method, path, strings.NewReader(body))
		request.Header.Set("Content-Type", "application/json")
		answer := httptest.NewRecorder()
		c.ServeHTTP(answer, request)
		if answer.Code != http.StatusOK {
			t.Errorf("%s %s: %d %s", method, path, answer.Code, answer.Body)
		}
	}
	call("PUT", topic, `{}`)
	call("PUT", subscription, `{"topic":"projects/p/topics/t"}`)
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			for range 100 {
				call("GET", subscription, "")
			}
		})
	}
	call("DELETE", topic, "") // which the subscription then says
	all.Wait()
}

// TestPanicKeepsNoLock: a call that the stand-in can't take fails alone.
func TestPanicKeepsNoLock(t *testing.T) {
	c := New()
	c.Enable("p", "iam")
	func() {
		defer func() {
			if recover() == nil {
				t.Error("an account without a name is taken")
			}
		}()
		request := httptest.NewRequest("POST", "/iam/v1/projects/p/serviceAccounts", strings.NewReader(`{}`))
		request.Header.Set("Content-Type", "application/json")
		c.ServeHTTP(httptest.NewRecorder(), request)
	}()
	if !c.mu.TryLock() {
		t.Error("calls after it wait, too")
	}
}
