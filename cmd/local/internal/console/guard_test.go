package console

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// TestGuard: what another page in the same browser could send is refused.
func TestGuard(t *testing.T) {
	const own = "http://127.0.0.1:8082"
	asJSON := map[string]string{"Content-Type": "application/json; charset=utf-8"}
	with := func(pairs ...string) map[string]string {
		header := map[string]string{"Content-Type": "application/json"}
		for i := 0; i < len(pairs); i += 2 {
			header[pairs[i]] = pairs[i+1]
		}
		return header
	}
	for _, c := range []struct {
		name, method, path, host string
		header                   map[string]string
		want                     int
	}{
		{"its own page", "GET", "/", "127.0.0.1:8082", nil, 200},
		{"by name", "GET", "/", "LocalHost:8082", nil, 200},
		{"by IPv6", "GET", "/", "[::1]:8082", nil, 200},
		{"DNS rebinding", "GET", "/api/key", "evil.example:8082", nil, 421},
		{"another port", "GET", "/", "127.0.0.1:8081", nil, 421},
		{"no port", "GET", "/", "127.0.0.1", nil, 421},
		{"a name that begins alike", "GET", "/", "127.0.0.1:8082.evil.example", nil, 421},
		{"rebinding that sends the right origin", "POST", "/api/drop", "evil.example:8082", with("Origin", "http://evil.example:8082"), 421},
		{"a program", "POST", "/api/drop", "127.0.0.1:8082", asJSON, 200},
		{"its own change", "POST", "/api/drop", "127.0.0.1:8082", with("Origin", own, "Sec-Fetch-Site", "same-origin"), 200},
		{"another origin's change", "POST", "/api/drop", "127.0.0.1:8082", with("Origin", "http://evil.example"), 403},
		{"another port's change", "POST", "/api/drop", "127.0.0.1:8082", with("Origin", "http://127.0.0.1:9000", "Sec-Fetch-Site", "same-site"), 403},
		{"a change from a frame without origin", "POST", "/api/drop", "127.0.0.1:8082", with("Origin", "null"), 403},
		{"a change that has no origin", "POST", "/api/drop", "127.0.0.1:8082", with("Sec-Fetch-Site", "cross-site"), 403},
		{"a form of another page", "POST", "/api/drop", "127.0.0.1:8082",
			map[string]string{"Content-Type": "application/x-www-form-urlencoded", "Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"}, 403},
		{"a change that is no JSON", "POST", "/api/drop", "127.0.0.1:8082", map[string]string{"Content-Type": "text/plain"}, 415},
		{"a change without a type", "POST", "/api/drop", "127.0.0.1:8082", nil, 415},
		{"another page reads", "GET", "/api/key", "127.0.0.1:8082", with("Sec-Fetch-Site", "cross-site"), 403},
		{"another port reads", "GET", "/api/live", "127.0.0.1:8082", with("Origin", "http://127.0.0.1:3000"), 403},
		{"another page embeds a script", "GET", "/app.js", "127.0.0.1:8082", with("Sec-Fetch-Site", "cross-site", "Sec-Fetch-Dest", "script"), 403},
		{"a link on another page", "GET", "/", "127.0.0.1:8082",
			with("Sec-Fetch-Site", "cross-site", "Sec-Fetch-Mode", "navigate", "Sec-Fetch-Dest", "document"), 200},
		{"a frame of another page", "GET", "/", "127.0.0.1:8082",
			with("Sec-Fetch-Site", "cross-site", "Sec-Fetch-Mode", "navigate", "Sec-Fetch-Dest", "iframe"), 403},
		{"a link to what the page calls", "GET", "/api/key", "127.0.0.1:8082",
			with("Sec-Fetch-Site", "cross-site", "Sec-Fetch-Mode", "navigate", "Sec-Fetch-Dest", "document"), 403},
	} {
		reached := false
		handler := guard("127.0.0.1:8082", http.HandlerFunc(func(http.ResponseWriter, *http.Request) { reached = true }))
		r := httptest.NewRequest(c.method, c.path, strings.NewReader("{}"))
		r.Host = c.host
		for name, value := range c.header {
			r.Header.Set(name, value)
		}
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, r)
		if w.Code != c.want || reached != (c.want == http.StatusOK) {
			t.Errorf("%s: %d, reached: %t; want %d", c.name, w.Code, reached, c.want)
		}
	}
}

func TestIsLoopback(t *testing.T) {
	for addr, want := range map[string]bool{"127.0.0.1:1": true, "[::1]:1": true, "localhost:1": true, "127.9.9.9:0": true,
		":8082": false, "0.0.0.0:1": false, "10.0.0.1:1": false, "example.com:1": false, "127.0.0.1": false} {
		if IsLoopback(addr) != want {
			t.Errorf("%s: %t", addr, !want)
		}
	}
}
