package gcsstore

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"google.golang.org/api/option"
)

// TestWhereRequestsGo: to where Google's client libraries would send them, all of a store's.
func TestWhereRequestsGo(t *testing.T) {
	with := func(endpoint string) []option.ClientOption {
		return []option.ClientOption{option.WithEndpoint(endpoint)}
	}
	elsewhere := []option.ClientOption{option.WithUniverseDomain("example.goog")}
	for name, test := range map[string]struct {
		emulator string
		opts     []option.ClientOption
		host     string
	}{
		"Google's":                {host: "https://storage.googleapis.com"},
		"another universe's":      {opts: elsewhere, host: "https://storage.example.goog"},
		"an endpoint":             {opts: with("http://127.0.0.1:1/storage/v1/"), host: "http://127.0.0.1:1"},
		"an endpoint, no slash":   {opts: with("http://127.0.0.1:1/storage/v1"), host: "http://127.0.0.1:1"},
		"an emulator":             {emulator: "127.0.0.1:2", host: "http://127.0.0.1:2"},
		"an emulator's URL":       {emulator: "https://127.0.0.1:2/", host: "https://127.0.0.1:2"},
		"an endpoint before that": {emulator: "127.0.0.1:2", opts: with("http://h/storage/v1/"), host: "http://h"},
	} {
		t.Setenv("STORAGE_EMULATOR_HOST", test.emulator)
		var sent []string
		hc := &http.Client{Transport: roundTripper(func(r *http.Request) (*http.Response, error) {
			before, _, _ := strings.Cut(r.URL.String(), "?")
			sent = append(sent, before)
			if r.Body != nil {
				_ = r.Body.Close()
			}
			return nil, errors.New("not sent")
		})}
		s, err := New(t.Context(), Config("my.bucket"), append(test.opts, option.WithHTTPClient(hc))...)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		_, errStat := s.stat(t.Context(), "a/b+c%20d=e~é")
		_, errInsert := s.insert(t.Context(), object{name: "o", content: bytesOf(), contentType: "text/plain"}, absent)
		_, errList := s.list(t.Context(), "p")
		if errStat == nil || errInsert == nil || errList == nil {
			t.Errorf("%s: %v, %v, %v", name, errStat, errInsert, errList)
		}
		objects := "/storage/v1/b/my.bucket/o"
		want := []string{test.host + objects + "/a%2Fb%2Bc%2520d%3De~%C3%A9", test.host + "/upload" + objects,
			test.host + objects}
		if !slices.Equal(sent, want) {
			t.Errorf("%s: requests are sent to\n%q, want\n%q", name, sent, want)
		}
	}
}

// answeredBy returns a store whose requests a function answers.
func answeredBy(t *testing.T, answer http.HandlerFunc) *Store {
	t.Helper()
	server := httptest.NewServer(answer)
	t.Cleanup(server.Close)
	s, err := New(t.Context(), Config("b"), option.WithEndpoint(server.URL+"/storage/v1/"), option.WithoutAuthentication())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

// TestDownloadGoesOn: a connection that ends too early is replaced by one for the rest, of the same generation.
func TestDownloadGoesOn(t *testing.T) {
	whole := bytes.Repeat([]byte("0123456789"), 1000)
	for name, test := range map[string]struct {
		first int // how many bytes come
		rest  func(w http.ResponseWriter, r *http.Request)
		want  string
	}{
		"all": {0, func(w http.ResponseWriter, r *http.Request) {
			if r.Header.Get("Range") == "" && r.URL.Query().Get("generation") == "7" {
				_, _ = w.Write(whole)
			}
		}, ""},
		"the rest": {5000, func(w http.ResponseWriter, r *http.Request) {
			var from int
			if n, _ := fmt.Sscanf(r.Header.Get("Range"), "bytes=%d-", &from); n == 1 && r.URL.Query().Get("generation") == "7" {
				w.WriteHeader(http.StatusPartialContent)
				_, _ = w.Write(whole[from:])
			}
		}, ""},
		"all again":  {5000, func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(whole) }, "all was sent"},
		"other rest": {5000, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusPartialContent) }, "checksum"},
		"nothing":    {5000, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNotFound) }, "404"},
	} {
		t.Run(name, func(t *testing.T) {
			var n atomic.Int32
			s := answeredBy(t, func(w http.ResponseWriter, r *http.Request) {
				if n.Add(1) > 1 {
					test.rest(w, r)
					return
				}
				w.Header().Set("X-Goog-Generation", "7")
				w.Header().Set("X-Goog-Hash", "crc32c=QDLllw==,md5=x")
				w.Header().Set("Content-Length", fmt.Sprint(len(whole)))
				_, _ = w.Write(whole[:test.first])
				w.(http.Flusher).Flush()
				panic(http.ErrAbortHandler)
			})
			got, err := s.readAll(t.Context(), "object")
			switch {
			case test.want == "" && (err != nil || !bytes.Equal(got, whole)):
				t.Errorf("%d bytes, %v", len(got), err)
			case test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)):
				t.Errorf("%d bytes, %v; want an error that says %q", len(got), err, test.want)
			}
		})
	}
}

// TestUploadIsWholeAndConditional: the service refuses what was damaged on its way, and what is not to be replaced.
func TestUploadIsWholeAndConditional(t *testing.T) {
	asked, parts := url.Values{}, []string(nil)
	s := answeredBy(t, func(w http.ResponseWriter, r *http.Request) {
		asked, parts = r.URL.Query(), partsOf(t, r)
		_, _ = io.WriteString(w, `{"generation":"9"}`)
	})
	o := object{name: "a/n &ä", content: bytesOf([]byte("123"), nil, []byte("456789")), contentType: "text/plain",
		metadata: map[string]string{"state": "held"}}
	if generation, err := s.insert(t.Context(), o, 7); err != nil || generation != 9 {
		t.Errorf("generation %d, %v", generation, err)
	}
	for name, want := range map[string]string{
		"uploadType": "multipart", "name": o.name, "ifGenerationMatch": "7", "fields": "generation",
	} {
		if got := asked[name]; len(got) != 1 || got[0] != want {
			t.Errorf("%s is %q; want %q", name, got, want)
		}
	}
	want := []string{"application/json",
		`{"name":"a/n \u0026ä","contentType":"text/plain","crc32c":"4waSgw==","metadata":{"state":"held"}}`,
		"text/plain", "123456789"}
	if !slices.Equal(parts, want) {
		t.Errorf("the parts are\n%q, want\n%q", parts, want)
	}
}

// TestUploadTakesNoBuffer: io.MultiReader's WriteTo takes one of 32 KB, and net/http calls it where a body has one.
func TestUploadTakesNoBuffer(t *testing.T) {
	transport := roundTripper(func(r *http.Request) (*http.Response, error) {
		if _, is := r.Body.(io.WriterTo); is {
			t.Errorf("the body is a %T, which writes itself", r.Body)
		}
		return nil, errors.New("not sent")
	})
	s, err := New(t.Context(), Config("b"), option.WithHTTPClient(&http.Client{Transport: transport}))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.insert(t.Context(), object{name: "n", content: bytesOf([]byte("123")), contentType: "text/plain"}, absent); err == nil {
		t.Error("it is stored")
	}
}

// partsOf returns the types and the contents of a request's parts.
func partsOf(t *testing.T, r *http.Request) (parts []string) {
	t.Helper()
	form, params, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil || form != "multipart/related" || r.ContentLength <= 0 {
		t.Errorf("it is %s of %d bytes, %v", form, r.ContentLength, err)
	}
	reader := multipart.NewReader(r.Body, params["boundary"])
	for {
		part, err := reader.NextRawPart()
		if errors.Is(err, io.EOF) {
			return parts
		}
		if err != nil {
			t.Error(err)
			return parts
		}
		content, err := io.ReadAll(part)
		if err != nil {
			t.Error(err)
		}
		parts = append(parts, part.Header.Get("Content-Type"), string(content))
	}
}

// TestContentIsLeftAlone: nobody reads a content once its insert has returned, though the transport has not sent
// all of it.
func TestContentIsLeftAlone(t *testing.T) {
	sent := make(chan io.ReadCloser, 1)
	transport := roundTripper(func(r *http.Request) (*http.Response, error) {
		_, _ = io.ReadFull(r.Body, make([]byte, 1000)) // some of the content, too
		sent <- r.Body
		return nil, errors.New("not sent")
	})
	s, err := New(t.Context(), Config("b"), option.WithHTTPClient(&http.Client{Transport: transport}))
	if err != nil {
		t.Fatal(err)
	}
	content := bytes.Repeat([]byte("c"), 64<<10)
	o := object{name: "n", content: bytesOf(content), contentType: "text/plain"}
	if _, err := s.insert(t.Context(), o, absent); err == nil {
		t.Error("it is stored")
	}
	clear(content) // it is ours again
	if n, err := io.Copy(io.Discard, <-sent); n > 0 || err == nil {
		t.Errorf("%d bytes were read, %v", n, err)
	}
	m := &media{rest: bytes.NewReader(content), size: int64(len(content))}
	m.end()
	if n, err := io.Copy(io.Discard, m); n > 0 || err == nil {
		t.Errorf("%d bytes were read of what has ended, %v", n, err)
	}
}

type roundTripper func(*http.Request) (*http.Response, error)

// RoundTrip implements [http.RoundTripper].
func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }
