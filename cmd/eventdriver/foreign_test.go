package main

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// TestForeignAnswerAboutTheService: an answer of a proxy tells nothing of the service, and no command goes on with it.
func TestForeignAnswerAboutTheService(t *testing.T) {
	flags := []string{"--service=orders", "--region=r", "--project=p"}
	for _, body := range []string{"null", "{}", "[]", "", "<html>Sign in</html>", `{"name":"a","trafficStatuses":[null]}`} {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			_, _ = io.WriteString(w, body)
		}))
		for _, command := range [][]string{{"doctor"}, {"why", "order-1"}, {"purge", "order-1", "--as=me", "--yes"}} {
			code, out, errs := call(t, nil, append(append(command, flags...), "--endpoint="+server.URL)...)
			says := strings.Contains(errs, "services/orders: ") && strings.Contains(errs, "try again")
			if code != failed || out != "" || !says {
				t.Errorf("%q: %s: exit code %d, %s%s", body, command[0], code, out, errs)
			}
		}
		server.Close()
	}
}
