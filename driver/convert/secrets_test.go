package convert_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"testing"

	"example.com/eventdriver/driver"
	"example.com/eventdriver/driver/convert"
	"example.com/eventdriver/stores/memstore"
)

// Whatever becomes of a request, what may be a credential is neither logged nor
// kept nor answered; nor are payloads logged or answered.
func TestSecretsStayOut(t *testing.T) {
	secretHeaders := []string{"Authorization", "Proxy-Authorization", "X-Serverless-Authorization", "X-Forwarded-Authorization", "Cookie",
		"X-Api-Key", "X-Access-Token", "X-Goog-Iap-Jwt-Assertion", "X-Amz-Security-Token", "X-Client-Secret", "X-Session-Id", "X-Hub-Signature",
		"X-Functions-Key", "Ocp-Apim-Subscription-Key", "X-Webhook-Key", "Api_key", "X-Passwd", "X-Pin", "Dpop", "X-Amz-Credential",
		"X-Forwarded-Client-Cert", "X-Anything", "Content-Type-Key", "X-Goog-Pubsub-Key", "Key", "Baggage",
		"Ce-Api-Key", "Ce-X-Token", "Ce_Key", "Ce-"}
	var log bytes.Buffer
	logger := convert.Logger(slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug})))
	for name, err := range map[string]error{
		"processed": nil, "failed": errors.New("down"), "held": &driver.HeldError{Key: "k"}, "permanent": driver.Permanent(errors.New("no")),
	} {
		for body, r := range map[string]*http.Request{
			"binary":    binary(`{"card":"` + secret + `"}`),
			"malformed": binary(`{"card":"` + secret),
			"no event":  request([]byte(secret), "Content-Type", "text/plain"),
			"GET":       httpGet(),
			"push":      request(wrapped(`{"key":"k"}`, secret), "Content-Type", "application/json"),
			"broken":    brokenRequest(),
		} {
			for _, header := range secretHeaders {
				r.Header.Set(header, "Bearer "+secret)
			}
			store := memstore.New()
			w := serve(convert.ToHTTPHandler(convert.CloudEventToInput, failing(func(driver.Message) error { return err }), convert.DeadLetters(store), logger), r)
			if answer := fmt.Sprint(w.Header(), w.Body); strings.Contains(answer, secret) {
				t.Errorf("%s, %s: answered %s", name, body, answer)
			}
			for _, d := range store.DeadLetters() {
				if strings.Contains(fmt.Sprint(d.Header, d.Error), secret) {
					t.Errorf("%s, %s: kept %v, %s", name, body, d.Header, d.Error)
				}
			}
		}
	}
	if log.Len() == 0 || strings.Contains(log.String(), secret) {
		t.Errorf("logged %s", log.String())
	}
}

func httpGet() *http.Request {
	r := binary("")
	r.Method = http.MethodGet
	return r
}

func brokenRequest() *http.Request {
	r := binary("")
	r.Body = io.NopCloser(brokenReader{})
	return r
}

// A dead letter keeps what says what the event is and how it came.
func TestLetterKeepsWhatDescribesTheEvent(t *testing.T) {
	want := map[string]string{"Content-Type": "application/json", "User-Agent": "APIs-Google", "Date": "Wed, 25 Nov 2026 19:00:00 GMT",
		"Traceparent": "00-1-2-01", "X-Cloud-Trace-Context": "1/2", "X-Goog-Pubsub-Message-Id": "7", "X-Goog-Pubsub-Delivery-Attempt": "5",
		"X-Goog-Pubsub-Subscription-Name": "projects/p/subscriptions/s", "X-Goog-Pubsub-Publish-Time": "2026-11-25T19:00:00Z",
		"X-Goog-Pubsub-Ordering-Key": "o", "Ce-Authcontext": "user", "Ce-Specversion": "0.9"}
	r := binary(`{}`)
	for name, value := range want {
		r.Header.Set(name, value)
	}
	kept := deadLetter(t, r).Header
	for name, value := range want {
		if got := http.Header(kept).Get(name); got != value {
			t.Errorf("%s: kept %q, want %q", name, got, value)
		}
	}
}
