package bqstore_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/api/option"

	"example.com/eventdriver/driver"
	fake "example.com/eventdriver/internal/fake/bigquery"
	"example.com/eventdriver/stores/bqstore"
)

// TestForeignAnswerAboutAJob: the client panics where an answer, such as that of a proxy, names no job. While a
// job is cancelled, nobody waits for that, and it must not end the process.
func TestForeignAnswerAboutAJob(t *testing.T) {
	server, _ := on(t)
	var asked atomic.Int32
	behind := httputil.NewSingleHostReverseProxy(&url.URL{Scheme: "http", Host: server.Host()})
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.Contains(r.URL.Query().Get("fields"), "user_email") { // asks for a job
			asked.Add(1)
			w.Header().Set("Content-Type", "application/json")
			_, _ = io.WriteString(w, "{}")
			return
		}
		behind.ServeHTTP(w, r)
	}))
	defer proxy.Close()
	store, err := bqstore.New(t.Context(), bqstore.Config("project", "orders").WithLocation("EU"),
		option.WithEndpoint(proxy.URL), option.WithoutAuthentication())
	if err != nil {
		t.Fatal(err)
	}
	hold := make(chan struct{})
	ctx, leave := context.WithCancel(t.Context())
	server.OnJob(func(fake.Job) fake.Fate {
		leave()
		return fake.Fate{Hold: hold}
	})
	if _, err := store.Acquire(ctx, driver.NewClaim("order-1"), time.Hour); !errors.Is(err, context.Canceled) {
		t.Errorf("%v, want the context's end", err)
	}
	if err := store.Close(); err != nil || asked.Load() == 0 { // it waits for the requests that cancel
		t.Errorf("%v, asked %d times for the job", err, asked.Load())
	}
	close(hold)
}
