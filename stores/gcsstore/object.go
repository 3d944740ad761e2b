package gcsstore

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"

	"cloud.google.com/go/storage"
	"google.golang.org/api/googleapi"
	"google.golang.org/api/iterator"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"example.com/eventdriver/driver"
)

// ErrNoBucket: the bucket does not exist. The error names it.
var ErrNoBucket = errors.New("no such bucket")

// errRefused: the object is not, or no longer, of the generation that a write
// was to replace. Another has written it; or this very write has, and its answer
// was lost.
var errRefused = errors.New("the precondition does not hold")

// absent is the generation of an object that is not there.
const absent int64 = 0

// object is what insert writes.
type object struct {
	name        string
	content     []byte
	contentType string
	metadata    map[string]string
}

const (
	chunk    = 256 << 10 // what upload chunks are a multiple of
	maxChunk = 16 << 20
)

// insert writes o in place of the given generation, or errRefused. It returns
// the new generation. Class A.
//
// Content smaller than a chunk goes up in a single request. Unlike with a
// ChunkSize of 0, that request is repeated when it fails, since the client keeps
// what it sends. The chunk is no larger than the content needs, since the client
// allocates it whole, and no larger than 16 MiB, beyond which there are several
// requests.
func (s *Store) insert(ctx context.Context, o object, replaces int64) (int64, error) {
	conditions := storage.Conditions{GenerationMatch: replaces}
	if replaces == absent {
		conditions = storage.Conditions{DoesNotExist: true}
	}
	// The writer's context ends with the write, so that none of it is left behind.
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	w := s.bucket.Object(o.name).If(conditions).NewWriter(ctx)
	w.ContentType, w.Metadata = o.contentType, o.metadata
	w.ChunkSize = min((len(o.content)/chunk+1)*chunk, maxChunk)
	_, err := w.Write(o.content)
	if errClose := w.Close(); err == nil || errors.Is(err, io.ErrClosedPipe) {
		err = errClose
	}
	switch {
	case err == nil:
		s.bucketSeen.Store(true)
		return w.Attrs().Generation, nil
	case isStatus(err, http.StatusPreconditionFailed, codes.FailedPrecondition):
		s.bucketSeen.Store(true)
		return 0, errRefused
	case isNotFound(err): // of a write, that can only be the bucket
		return 0, s.noBucket()
	}
	return 0, s.unexpected(ctx, o.name, err)
}

// read opens an object. The caller closes the reader. Class B.
func (s *Store) read(ctx context.Context, name string) (*storage.Reader, error) {
	r, err := s.bucket.Object(name).NewReader(ctx)
	if err != nil {
		return nil, s.notThere(ctx, name, err)
	}
	s.bucketSeen.Store(true)
	return r, nil
}

// readAll returns an object's content and its generation. Class B.
func (s *Store) readAll(ctx context.Context, name string) ([]byte, int64, error) {
	r, err := s.read(ctx, name)
	if err != nil {
		return nil, 0, err
	}
	defer r.Close()
	var b bytes.Buffer
	b.Grow(int(min(max(r.Attrs.Size, 0), maxChunk)) + bytes.MinRead)
	if _, err := b.ReadFrom(r); err != nil {
		return nil, 0, s.unexpected(ctx, name, err)
	}
	return b.Bytes(), r.Attrs.Generation, nil
}

// stat returns an object's metadata. Class B.
func (s *Store) stat(ctx context.Context, name string) (*storage.ObjectAttrs, error) {
	attrs, err := s.bucket.Object(name).Attrs(ctx)
	if err != nil {
		return nil, s.notThere(ctx, name, err)
	}
	s.bucketSeen.Store(true)
	return attrs, nil
}

// list returns the names of the objects that begin with prefix, ordered by their
// bytes. Class A, once for each 1,000.
func (s *Store) list(ctx context.Context, prefix string) ([]string, error) {
	query := &storage.Query{Prefix: prefix, Projection: storage.ProjectionNoACL}
	if err := query.SetAttrSelection([]string{"Name"}); err != nil {
		return nil, err
	}
	var names []string
	for objects := s.bucket.Objects(ctx, query); ; {
		attrs, err := objects.Next()
		switch {
		case err == nil:
			names = append(names, attrs.Name)
		case errors.Is(err, iterator.Done):
			s.bucketSeen.Store(true)
			return names, nil
		case isNotFound(err) || errors.Is(err, storage.ErrBucketNotExist):
			return nil, s.noBucket()
		default:
			return nil, s.unexpected(ctx, prefix, err)
		}
	}
}

// notThere returns driver.ErrNotFound for an object that does not exist, and
// other errors as what they are. The service says of each 404 whether it is the
// object or the bucket that is missing. Emulators, and the XML API behind a
// ready client, don't; there, one look at the bucket tells, until a request has
// succeeded once.
func (s *Store) notThere(ctx context.Context, name string, err error) error {
	if !isNotFound(err) && !errors.Is(err, storage.ErrObjectNotExist) {
		return s.unexpected(ctx, name, err)
	}
	// No name of an object has a space or a '<', so these are no part of one.
	switch text := err.Error(); {
	case strings.Contains(text, "specified bucket does not exist"), strings.Contains(text, "<Code>NoSuchBucket<"):
		return s.noBucket()
	case strings.Contains(text, "No such object"), strings.Contains(text, "<Code>NoSuchKey<"):
		return driver.ErrNotFound
	}
	return s.lookForBucket(ctx)
}

// lookForBucket returns driver.ErrNotFound if the bucket exists, or if the
// caller may not know.
func (s *Store) lookForBucket(ctx context.Context) error {
	select {
	case s.bucketLook <- struct{}{}:
		defer func() { <-s.bucketLook }()
	case <-ctx.Done():
		return s.unexpected(ctx, "", ctx.Err())
	}
	if s.bucketSeen.Load() {
		return driver.ErrNotFound
	}
	_, err := s.bucket.Attrs(ctx)
	switch {
	case isNotFound(err) || errors.Is(err, storage.ErrBucketNotExist):
		return s.noBucket()
	case err == nil, isStatus(err, http.StatusForbidden, codes.PermissionDenied), isStatus(err, http.StatusUnauthorized, codes.Unauthenticated):
		s.bucketSeen.Store(true)
		return driver.ErrNotFound
	}
	return s.unexpected(ctx, "", err)
}

func (s *Store) noBucket() error {
	return fmt.Errorf("%w: bucket %q does not exist", ErrNoBucket, s.settings.bucket)
}

// unexpected names the object that err happened to. If the context has ended, err
// is due to that, whatever the client made of it.
func (s *Store) unexpected(ctx context.Context, name string, err error) error {
	if ended := ctx.Err(); ended != nil && !errors.Is(err, ended) {
		err = fmt.Errorf("%w: %w", ended, err)
	}
	return fmt.Errorf("gs://%s/%s: %w", s.settings.bucket, name, err)
}

func isNotFound(err error) bool { return isStatus(err, http.StatusNotFound, codes.NotFound) }

// isStatus says whether the service answered with that status, by HTTP or gRPC.
func isStatus(err error, code int, grpc codes.Code) bool {
	if e, ok := errors.AsType[*googleapi.Error](err); ok {
		return e.Code == code
	}
	st, ok := status.FromError(err)
	return ok && err != nil && st.Code() == grpc
}
