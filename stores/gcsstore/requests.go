package gcsstore

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"cloud.google.com/go/storage"
	"github.com/googleapis/gax-go/v2"
	"google.golang.org/api/googleapi"
	"google.golang.org/api/option"
	"google.golang.org/api/option/internaloption"
	raw "google.golang.org/api/storage/v1"
	htransport "google.golang.org/api/transport/http"
)

// clients send the requests of a store, all over one client of HTTP. For those that each event
// takes, storage would need several times the memory.
type clients struct {
	storage *storage.Client // deletes
	http    *http.Client    // uploads, reads and lists, in the form of the JSON API
	objects string          // where they are: https://storage.googleapis.com/storage/v1/b/BUCKET/o
	uploads string          // where they are uploaded to: https://storage.googleapis.com/upload/storage/v1/b/BUCKET/o
}

// connect returns the clients, with credentials and at an address as Google's libraries find them.
func connect(ctx context.Context, bucket string, opts []option.ClientOption) (clients, error) {
	// Spans of single requests would cost 200 allocations a join also where nobody collects them.
	defaults := []option.ClientOption{option.WithTelemetryDisabled()}
	at := "https://storage.UNIVERSE_DOMAIN/storage/v1/"
	if emulator := os.Getenv("STORAGE_EMULATOR_HOST"); emulator != "" {
		if !strings.Contains(emulator, "://") {
			emulator = "http://" + emulator
		}
		at = strings.TrimSuffix(emulator, "/") + "/storage/v1/"
		defaults = append(defaults, option.WithoutAuthentication(), internaloption.WithDefaultMTLSEndpoint(at))
	} else {
		defaults = append(defaults, option.WithScopes(storage.ScopeFullControl, raw.CloudPlatformScope),
			internaloption.EnableNewAuthLibrary(),
			internaloption.WithDefaultMTLSEndpoint("https://storage.mtls.googleapis.com/storage/v1/"),
			internaloption.WithDefaultUniverseDomain("googleapis.com"))
	}
	defaults = append(defaults, internaloption.WithDefaultEndpointTemplate(at))
	hc, endpoint, err := htransport.NewClient(ctx, append(defaults, opts...)...)
	if err != nil {
		return clients{}, err
	}
	endpoint = strings.TrimSuffix(endpoint, "/") + "/"
	opts = []option.ClientOption{option.WithHTTPClient(hc), option.WithEndpoint(endpoint), option.WithoutAuthentication()}
	client, err := storage.NewClient(ctx, opts...)
	objects := "b/" + escapeInURL(bucket) + "/o"
	uploads := googleapi.ResolveRelative(endpoint, "/upload/storage/v1/"+objects)
	return clients{client, hc, endpoint + objects, uploads}, err
}

// get asks for an object, in the way that query says; for a part of it, unless that is "". The
// caller closes the answer's body.
func (s *Store) get(ctx context.Context, name, query, part string) (*http.Response, error) {
	url := s.clients.objects + "/" + escapeInURL(name) + "?prettyPrint=false&" + query
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, err
	}
	if part != "" {
		request.Header.Set("Range", part)
	}
	return s.send(request)
}

// send sends a request. The caller closes the answer's body. The generated client of the JSON API does the same with
// more than twice as many allocations.
func (s *Store) send(request *http.Request) (*http.Response, error) {
	request.Header["User-Agent"], request.Header["X-Goog-Api-Client"] = userAgent, apiClient
	response, err := s.clients.http.Do(request)
	if err != nil {
		return nil, err
	}
	if err := googleapi.CheckResponse(response); err != nil {
		_ = response.Body.Close()
		return nil, err
	}
	return response, nil
}

var (
	userAgent = []string{googleapi.UserAgent}
	apiClient = []string{gax.XGoogHeader("gl-go", gax.GoVersion, "gax", gax.Version)}
)

// escapeInURL escapes all that Cloud Storage wants to be escaped in a path.
func escapeInURL(name string) string {
	return strings.ReplaceAll(url.QueryEscape(name), "+", "%20")
}

// errForeign: a proxy has answered, or another service at that address. Nothing is known of the object then: it
// may not be stored, and it is not corrupt.
var errForeign = errors.New("the answer is not Cloud Storage's own")

// noGeneration is what tells such an answer about one object.
const noGeneration = "it says no generation of the object"

// foreign says what tells that an answer is not Cloud Storage's, whose it is, and what to do.
func (s *Store) foreign(lacks string) error {
	return fmt.Errorf("%w: %s; look at STORAGE_EMULATOR_HOST, and at proxies before %s", errForeign, lacks, s.clients.objects)
}

// try sends a request, and repeats it after a pause for as long as its failure may pass. The requests
// that are sent by it can be repeated: those that change something have a condition that holds once.
func try(ctx context.Context, send func() error) error {
	for pause := backoff(); ; {
		err := send()
		if err == nil || !again(err) || gax.Sleep(ctx, pause.Pause()) != nil {
			return err
		}
	}
}

// backoff is the pauses between the repetitions of a request, with gax's jitter. The first is 100 ms
// rather than the default of 1 s, as an event's deadline is short.
func backoff() gax.Backoff {
	return gax.Backoff{Initial: 100 * time.Millisecond, Max: 5 * time.Second, Multiplier: 2}
}

// again says whether a failed request is worth another, by the rule of Google's client. The body of a
// write can't be sent twice, which is what an HTTP/2 connection wants that the server closes.
func again(err error) bool {
	return storage.ShouldRetry(err) || errors.Is(err, errForeign) ||
		strings.Contains(err.Error(), "after Request.Body was written")
}
