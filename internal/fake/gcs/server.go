// Package gcs runs a Cloud Storage on a local socket, for tests and for
// running the project on one machine. Nothing that is deployed imports it.
//
// The service behind the socket is fake-gcs-server with its memory backend. In
// front of it stands a handler that counts the requests as Cloud Storage bills
// them and that can lose, refuse or hold back any of them. Point a client at it
// with option.WithEndpoint(server.Endpoint()) and option.WithoutAuthentication(),
// or with the environment variable STORAGE_EMULATOR_HOST set to server.Host().
//
// A 404 has the service's words, which say whether the object or the bucket does not
// exist. The fake differs from the service: it honours generation conditions on inserts
// only, never answers 429, and looks through all objects for each request. So there are
// several of them behind the socket, among which the objects are shared out; it copies and
// composes none.
package gcs

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/fsouza/fake-gcs-server/fakestorage"
)

// Server is a Cloud Storage on a socket of this machine. All methods are safe
// for concurrent use.
type Server struct {
	// URL is where the server listens, "http://127.0.0.1:4443".
	URL string

	listener net.Listener
	fakes    *shards
	http     *http.Server
	serving  sync.WaitGroup

	mu       sync.Mutex
	requests []Request
	received int
	decide   func(Request) Fault
	folder   *folder // nil: the objects are in memory only
}

// Start starts a server that listens on addr, "127.0.0.1:4443" or, for any free
// port, "127.0.0.1:0". The host must be 127.0.0.1, by which the fake recognises requests
// for objects. The server has no buckets. Close stops it.
func Start(addr string) (*Server, error) {
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return nil, fmt.Errorf("fake Cloud Storage: address %q: %w", addr, err)
	}
	if host != "127.0.0.1" {
		return nil, fmt.Errorf("fake Cloud Storage: address %q: the host must be 127.0.0.1", addr)
	}
	listener, err := net.Listen("tcp", addr)
	if err != nil {
		return nil, fmt.Errorf("fake Cloud Storage: %w", err)
	}
	s := &Server{URL: "http://" + listener.Addr().String(), listener: listener}
	s.fakes, err = newShards(fakestorage.Options{
		Scheme:      "http",
		NoListener:  true, // the socket is ours
		PublicHost:  host,
		ExternalURL: s.URL,
	})
	if err != nil {
		listener.Close()
		return nil, fmt.Errorf("fake Cloud Storage: %w", err)
	}
	s.http = &http.Server{Handler: http.HandlerFunc(s.serve)}
	s.serving.Go(func() {
		if err := s.http.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			panic(fmt.Sprintf("fake Cloud Storage: the server ended: %v", err))
		}
	})
	return s, nil
}

// New starts a server with the buckets for a test, which ends when the test does.
func New(t testing.TB, buckets ...string) *Server {
	t.Helper()
	s, err := Start("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	for _, bucket := range buckets {
		s.CreateBucket(bucket)
	}
	return s
}

// Host returns the address without a scheme, as STORAGE_EMULATOR_HOST wants it.
func (s *Server) Host() string { return s.listener.Addr().String() }

// Endpoint returns the address as option.WithEndpoint wants it.
func (s *Server) Endpoint() string { return s.URL + "/storage/v1/" }

// CreateBucket makes an empty bucket; it leaves an existing one as it is.
func (s *Server) CreateBucket(name string) {
	s.fakes.createBucket(name)
}

// Put writes an object past the socket, uncounted, in place of one of that name.
func (s *Server) Put(bucket, name string, content []byte) {
	s.fakes.createObject(fakestorage.Object{
		ObjectAttrs: fakestorage.ObjectAttrs{BucketName: bucket, Name: name},
		Content:     content,
	})
}

// Get reads an object past the socket, uncounted.
func (s *Server) Get(bucket, name string) ([]byte, error) {
	object, err := s.fakes.of(name).GetObject(bucket, name)
	if err != nil {
		return nil, fmt.Errorf("fake Cloud Storage: object %s/%s: %w", bucket, name, err)
	}
	return object.Content, nil
}

// Attrs are what the server keeps of an object beside its content.
type Attrs struct {
	Metadata map[string]string
	Created  time.Time // when this generation was stored
}

// Attrs reads an object's attributes past the socket, uncounted.
func (s *Server) Attrs(bucket, name string) (Attrs, error) {
	object, err := s.fakes.of(name).GetObject(bucket, name)
	if err != nil {
		return Attrs{}, fmt.Errorf("fake Cloud Storage: object %s/%s: %w", bucket, name, err)
	}
	return Attrs{object.Metadata, object.Created}, nil
}

// Delete deletes an object past the socket, uncounted.
func (s *Server) Delete(bucket, name string) error {
	return s.fakes.of(name).Backend().DeleteObject(bucket, name)
}

// Names returns the names of a bucket's objects, ordered, uncounted.
func (s *Server) Names(bucket string) ([]string, error) {
	names, err := s.fakes.names(bucket)
	if err != nil {
		return nil, fmt.Errorf("fake Cloud Storage: bucket %s: %w", bucket, err)
	}
	return names, nil
}

// Close stops the server, cuts its connections and waits for it to end.
func (s *Server) Close() error {
	err := s.http.Close()
	s.serving.Wait()
	s.fakes.stop()
	if s.folder != nil {
		err = errors.Join(err, s.folder.lock.Close())
	}
	return err
}
