package sim_test

import (
	"bytes"
	"flag"
	"io"
	"net/http"
	"path"
	"regexp"
	"strings"
	"testing"
	"time"

	"example.com/eventdriver/driver/cache"
	"example.com/eventdriver/proof/sim"
)

// cloudMutants are what gcsstore would be with one thing wrong: its requests, or what
// it makes of the answers, are changed on their way. Each is found by its schedule,
// the shortest; -sim.search looks for that again.
var cloudMutants = []struct {
	name     string
	schedule string
	breaks   string // a part of what the explorer must say
	scenario sim.Scenario
	flaw     func(next http.RoundTripper) roundTrip
}{
	{"Persist overwrites", "", "was that", conflicting(0), unconditionally("event")},
	{"claims are written whatever is there", "", "was handed out while the lease of", leased(alone(nil)), unconditionally("claim")},
	{"completions are written whatever is there", "3=5 20=17", "was replaced by", leased(alone(nil)), unconditionally("done")},
	{"a taker does not look for completion", "3=5 16=22", "a completed key was claimed", leased(alone(nil)), noLookAfterWrite},
	{"nobody looks for completion", "", "a completed key was claimed", leased(alone(nil)), never("done")},
	{"who renews does not look for completion", "18=5 37=1", "was renewed after", leased(alone(longer)), neverInRenew},
	{"a release deletes the claim", "", "a new claim has token", leased(alone(failsOnce)), deleteOnRelease},
	{"a release is not written", "", "it is still held", leased(alone(failsOnce)), noRelease},
	{"each claim has the first token", "", "token 1, after 1", leased(alone(failsOnce)), rewrite("claim", `"token":"\d+"`, `"token":"1"`)},
	{"a takeover does not say so", "2=3 15=3", "the order is doubled", leased(quarantine(alone(nil)), cache.QuarantineOnExpiry(nil)), rewrite("claim", `"takeover":"true"`, `"takeover":"false"`)},
	{"taken over a second too early", "3=22", "was handed out while the lease of", leased(alone(nil)), early},
	{"the lease is shorter than its holder believes", "", "its lease ends at", leased(alone(nil)), rewrite("claim", `"ttl":"30s"`, `"ttl":"20s"`)},
	{"what can't be read is absent", "14=4", "was kept", leased(small()), errorIsAbsence},
	{"a completion whose answer is lost is taken for stored", "3=7", "it is not what is stored", leased(alone(nil)), lostIsDone},
	{"the list lacks an event", "", "LookUpByKey", joining(sources("event1", "event2"), matchBoth.Or(), 2), shortList},
}

// roundTrip is a transport.
type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// isFor says whether a request is for an object of that kind.
func isFor(kind string, r *http.Request) bool {
	name := r.URL.Query().Get("name")
	if r.Method != http.MethodPost {
		name = r.URL.Path
	}
	return path.Base(name) == kind || kind == "event" && strings.Contains(name, "/events/")
}

func isWrite(r *http.Request) bool { return r.Method == http.MethodPost }

// body returns what a request sends, which can be sent again.
func body(r *http.Request) []byte {
	b, err := io.ReadAll(r.Body)
	if err != nil {
		return nil // the upload was given up
	}
	r.Body = io.NopCloser(bytes.NewReader(b))
	return b
}

func unconditionally(kind string) func(http.RoundTripper) roundTrip {
	return func(next http.RoundTripper) roundTrip {
		return func(r *http.Request) (*http.Response, error) {
			if isWrite(r) && isFor(kind, r) {
				r = r.Clone(r.Context())
				query := r.URL.Query()
				query.Del("ifGenerationMatch")
				r.URL.RawQuery = query.Encode()
			}
			return next.RoundTrip(r)
		}
	}
}

// nothing is Cloud Storage's answer for an object that is not there.
func nothing(r *http.Request) *http.Response {
	const text = `{"error":{"code":404,"message":"No such object: bucket/x"}}`
	return &http.Response{Status: "404 Not Found", StatusCode: http.StatusNotFound, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: http.Header{"Content-Type": {"application/json"}}, Body: io.NopCloser(strings.NewReader(text)), Request: r}
}

func never(kind string) func(http.RoundTripper) roundTrip {
	return func(next http.RoundTripper) roundTrip {
		return func(r *http.Request) (*http.Response, error) {
			if !isWrite(r) && isFor(kind, r) {
				return nothing(r), nil
			}
			return next.RoundTrip(r)
		}
	}
}

// noLookAfterWrite believes that a key is not completed once it has written the claim.
func noLookAfterWrite(next http.RoundTripper) roundTrip {
	written := false
	return func(r *http.Request) (*http.Response, error) {
		if !isWrite(r) && isFor("done", r) && written {
			written = false
			return nothing(r), nil
		}
		response, err := next.RoundTrip(r)
		if isWrite(r) && isFor("claim", r) {
			written = err == nil && response.StatusCode == http.StatusOK
		}
		return response, err
	}
}

func neverInRenew(next http.RoundTripper) roundTrip {
	return func(r *http.Request) (*http.Response, error) {
		if !isWrite(r) && isFor("done", r) && sim.Operation(r.Context()) == "Renew" {
			return nothing(r), nil
		}
		return next.RoundTrip(r)
	}
}

func isRelease(r *http.Request) bool {
	return isWrite(r) && isFor("claim", r) && bytes.Contains(body(r), []byte(`"released"`))
}

func deleteOnRelease(next http.RoundTripper) roundTrip {
	return func(r *http.Request) (*http.Response, error) {
		released := isRelease(r)
		response, err := next.RoundTrip(r)
		if released && err == nil && response.StatusCode == http.StatusOK {
			address := "https://storage.googleapis.com/storage/v1/b/bucket/o/" + strings.ReplaceAll(r.URL.Query().Get("name"), "/", "%2F")
			deletion, err := http.NewRequestWithContext(r.Context(), http.MethodDelete, address, http.NoBody)
			if err != nil {
				return nil, err
			}
			if deleted, err := next.RoundTrip(deletion); err == nil {
				deleted.Body.Close()
			}
		}
		return response, err
	}
}

func noRelease(next http.RoundTripper) roundTrip {
	return func(r *http.Request) (*http.Response, error) {
		if isRelease(r) {
			return stored(r), nil
		}
		return next.RoundTrip(r)
	}
}

// stored is an answer that says that an object was stored.
func stored(r *http.Request) *http.Response {
	const text = `{"name":"x","bucket":"bucket","generation":"999"}`
	return &http.Response{Status: "200 OK", StatusCode: http.StatusOK, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: http.Header{"Content-Type": {"application/json"}}, Body: io.NopCloser(strings.NewReader(text)), Request: r}
}

// rewrite changes what is written for objects of that kind.
func rewrite(kind, pattern, replacement string) func(http.RoundTripper) roundTrip {
	old := regexp.MustCompile(pattern)
	return func(next http.RoundTripper) roundTrip {
		return func(r *http.Request) (*http.Response, error) {
			if isWrite(r) && isFor(kind, r) {
				changed := old.ReplaceAll(body(r), []byte(replacement))
				r = r.Clone(r.Context())
				r.Body, r.ContentLength = io.NopCloser(bytes.NewReader(changed)), int64(len(changed))
			}
			return next.RoundTrip(r)
		}
	}
}

var created = regexp.MustCompile(`"timeCreated":"([^"]+)"`)

// early takes leases to have begun a second before they did.
func early(next http.RoundTripper) roundTrip {
	return func(r *http.Request) (*http.Response, error) {
		response, err := next.RoundTrip(r)
		if err != nil || isWrite(r) || !isFor("claim", r) {
			return response, err
		}
		text, err := io.ReadAll(response.Body)
		if err != nil {
			return nil, err
		}
		text = created.ReplaceAllFunc(text, func(b []byte) []byte {
			at, err := time.Parse(time.RFC3339Nano, string(created.FindSubmatch(b)[1]))
			if err != nil {
				panic(err)
			}
			return []byte(`"timeCreated":"` + at.Add(-time.Second).Format(time.RFC3339Nano) + `"`)
		})
		response.Body, response.ContentLength = io.NopCloser(bytes.NewReader(text)), int64(len(text))
		return response, nil
	}
}

func errorIsAbsence(next http.RoundTripper) roundTrip {
	return func(r *http.Request) (*http.Response, error) {
		response, err := next.RoundTrip(r)
		if err != nil && !isWrite(r) && isFor("event", r) {
			return nothing(r), nil
		}
		return response, err
	}
}

func lostIsDone(next http.RoundTripper) roundTrip {
	return func(r *http.Request) (*http.Response, error) {
		response, err := next.RoundTrip(r)
		if err != nil && isWrite(r) && isFor("done", r) {
			return stored(r), nil
		}
		return response, err
	}
}

var lastItem = regexp.MustCompile(`,?\{[^{}]*(\{[^{}]*\})?[^{}]*\}\]`) // with its metadata

func shortList(next http.RoundTripper) roundTrip {
	return func(r *http.Request) (*http.Response, error) {
		response, err := next.RoundTrip(r)
		if err != nil || isWrite(r) || r.URL.Query().Get("prefix") == "" {
			return response, err
		}
		text, err := io.ReadAll(response.Body)
		if err != nil {
			return nil, err
		}
		text = lastItem.ReplaceAll(text, []byte("]"))
		response.Body, response.ContentLength = io.NopCloser(bytes.NewReader(text)), int64(len(text))
		return response, nil
	}
}

// flawed is the scenario on Cloud Storage with a flaw in each instance's store.
func flawed(s sim.Scenario, flaw func(http.RoundTripper) roundTrip) sim.Scenario {
	s = onCloud(s)
	right := s.Cloud
	s.Cloud = func(client *http.Client) sim.Stores {
		return right(&http.Client{Transport: flaw(client.Transport)})
	}
	return s
}

var search = flag.Int("sim.search", 0, "look for the schedules of the flaws in gcsstore, of so many deviations and faults: minutes from 3 on")

func TestCloudMutantsAreFound(t *testing.T) {
	for _, m := range cloudMutants {
		t.Run(m.name, func(t *testing.T) {
			t.Parallel()
			says := func(run sim.Run) bool { return strings.Contains(strings.Join(run.Broken, "; "), m.breaks) }
			schedule, err := sim.ParseSchedule(m.schedule)
			if err != nil {
				t.Fatal(err)
			}
			s := flawed(m.scenario, m.flaw)
			if run := sim.Execute(t, s, schedule); !says(run) {
				t.Errorf("schedule %q breaks %q, not what says %q", schedule, run.Broken, m.breaks)
			} else {
				t.Logf("found by schedule %q: %.300s", schedule, strings.Join(run.Broken, "; "))
			}
			if run := sim.Execute(t, onCloud(m.scenario), schedule); len(run.Broken) > 0 {
				t.Errorf("schedule %q breaks without the flaw %q\n%s", schedule, run.Broken, steps(run))
			}
			if *search == 0 {
				return
			}
			result := sim.Explore(t, s, sim.Bound{Deviations: *search, Faults: *search, Together: *search}, says)
			if result.Failure == nil {
				t.Fatalf("none of %d schedules breaks what says %q", result.Schedules, m.breaks)
			}
			if got := result.Failure.Schedule.String(); got != m.schedule {
				t.Errorf("found by schedule %q, number %d, no longer by %q: if that is meant, keep the new one: %q", got, result.Schedules, m.schedule, result.Failure.Broken)
			}
		})
	}
}
