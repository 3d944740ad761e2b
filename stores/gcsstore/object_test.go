package gcsstore

import (
	"errors"
	"net/http"
	"net/url"
	"testing"
	"testing/synctest"
	"time"

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

// TestWritersComeBackApart: who was refused waits for a second and more, which grows, is the
// same for the same writer, and differs between writers.
func TestWritersComeBackApart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		waits := func(writer ...string) (all [5]time.Duration) {
			pause := rewritingBy(writer...)
			for i := range all {
				before := time.Now()
				if err := pause.wait(t.Context()); err != nil {
					t.Fatal(err)
				}
				all[i] = time.Since(before)
				if most := time.Second + min(time.Second<<i, 8*time.Second); all[i] < time.Second || all[i] > most {
					t.Errorf("pause %d of %q is %v; want a second to %v", i, writer, all[i], most)
				}
			}
			return all
		}
		first := waits("id-1", "event1")
		if again := waits("id-1", "event1"); again != first {
			t.Errorf("the same writer waited for %v, then for %v", first, again)
		}
		for _, other := range [][]string{{"id-2", "event1"}, {"id-1", "event2"}, {"id-1event1"}} {
			if waits := waits(other...); waits == first {
				t.Errorf("%q waits as long as another: %v", other, waits)
			}
		}
	})
}
