package gcsstore

import (
	"errors"
	"net/http"
	"net/url"
	"testing"

	"google.golang.org/api/googleapi"
)

// TestWhatIsWrittenAgain: an upload's body goes out once, so that the HTTP/2 transport
// can't repeat a request on another connection, as it does for others.
func TestWhatIsWrittenAgain(t *testing.T) {
	for _, test := range []struct {
		err  error
		want bool
	}{
		{&url.Error{Op: "Post", Err: errors.New("http2: Transport: cannot retry err [http2: Transport received Server's graceful shutdown GOAWAY] " +
			"after Request.Body was written; define Request.GetBody to avoid this error")}, true},
		{&url.Error{Op: "Post", Err: errors.New("http: server closed idle connection")}, true},
		{&googleapi.Error{Code: http.StatusServiceUnavailable}, true},
		{&googleapi.Error{Code: http.StatusForbidden}, false},
	} {
		if got := again(test.err); got != test.want {
			t.Errorf("%v: %v", test.err, got)
		}
	}
}
