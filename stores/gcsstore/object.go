package gcsstore

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"net/http"
	"strings"
	"time"

	"cloud.google.com/go/storage"
	"github.com/googleapis/gax-go/v2"
	"google.golang.org/api/googleapi"
	"google.golang.org/api/iterator"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"example.com/eventdriver/driver"
)

// errRefused: the object is not, or no longer, of the generation that a write
// was to replace. Another has written it; or this very write has, and its answer
// was lost.
var errRefused = errors.New("the precondition does not hold")

// absent is the generation of an object that is not there.
const absent int64 = 0

// object is what insert writes.
type object struct {
	name        string
	content     content
	contentType string
	metadata    map[string]string
}

// content writes an object's bytes to w, the same each time that it is called.
type content func(w io.Writer) error

// bytesOf is the content that consists of the parts.
func bytesOf(parts ...[]byte) content {
	return func(w io.Writer) error {
		for _, part := range parts {
			if len(part) == 0 {
				continue
			}
			if _, err := w.Write(part); err != nil {
				return err
			}
		}
		return nil
	}
}

// retries has idempotent requests repeated: reads, lists, and every write of
// this package, since each has a precondition and so is done once however often
// it is sent. The client's own rule says the same, so storage.RetryAlways would
// add nothing but the loss of that check.
//
// The error function is the client's default too. It has to be named, because
// uploads go by another default without it, which gives up when the server
// closes a connection without an answer. The first pause is 100 ms rather than
// the default of 1 s, as an event's deadline is short.
func retries() []storage.RetryOption {
	return []storage.RetryOption{
		storage.WithPolicy(storage.RetryIdempotent),
		storage.WithErrorFunc(storage.ShouldRetry),
		storage.WithBackoff(backoff()),
	}
}

// backoff is the pauses between the repetitions of a request, with gax's jitter.
func backoff() gax.Backoff {
	return gax.Backoff{Initial: 100 * time.Millisecond, Max: 5 * time.Second, Multiplier: 2}
}

// rewriting is the pauses before an object is written again that another has written at the
// same moment: Cloud Storage takes about one write a second for one name, from all writers
// together. What is added to that second differs from writer to writer, by a hash of what
// each writes, so that those who were refused together do not come back together. It is no
// random number, so that the same calls take the same time.
type rewriting struct {
	writer uint32
	tries  int
}

func rewritingBy(writer ...string) rewriting {
	return rewriting{writer: crc32.ChecksumIEEE([]byte(strings.Join(writer, "\x00")))}
}

// wait pauses, longer each time. It returns the context's error if that ends first.
func (r *rewriting) wait(ctx context.Context) error {
	most := min(time.Second<<r.tries, 8*time.Second)
	r.tries = min(r.tries+1, 3)
	part := float64(r.writer) / (1 << 32)
	r.writer = crc32.ChecksumIEEE(binary.BigEndian.AppendUint32(nil, r.writer))
	return gax.Sleep(ctx, time.Second+time.Duration(part*float64(most)))
}

// insert writes o in place of the given generation, or errRefused. It returns
// the new generation. Class A.
//
// The object goes up in a single request, straight from where its content is: the
// client's own way of repeating a request is to keep all that it sends. So insert
// repeats the request itself, which writes the content once more. A request may be
// repeated because its condition holds once.
func (s *Store) insert(ctx context.Context, o object, replaces int64) (int64, error) {
	conditions := storage.Conditions{GenerationMatch: replaces}
	if replaces == absent {
		conditions = storage.Conditions{DoesNotExist: true}
	}
	checksum := crc32.New(crc32.MakeTable(crc32.Castagnoli))
	if err := o.content(checksum); err != nil {
		return 0, fmt.Errorf("encode: %w", err)
	}
	for pause := backoff(); ; {
		generation, err := s.upload(ctx, o, checksum.Sum32(), conditions)
		switch {
		case err == nil:
			return generation, nil
		case isStatus(err, http.StatusPreconditionFailed, codes.FailedPrecondition):
			return 0, errRefused
		case missing(err) != present: // of a write, that can only be the bucket
			return 0, s.noBucket()
		case !again(err) || gax.Sleep(ctx, pause.Pause()) != nil:
			return 0, s.unexpected(ctx, o.name, err)
		}
	}
}

// upload sends one request with the whole object. It returns the new generation.
func (s *Store) upload(ctx context.Context, o object, checksum uint32, conditions storage.Conditions) (int64, error) {
	// The writer's context ends with the write, so that none of it is left behind.
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	w := s.bucket.Object(o.name).If(conditions).NewWriter(ctx)
	w.ContentType, w.Metadata = o.contentType, o.metadata
	w.CRC32C, w.SendCRC32C = checksum, true // the service refuses what is not whole
	w.ChunkSize = 0                         // no buffer
	err := o.content(w)
	if err == nil {
		err = w.Close()
	} else if errClose := w.Close(); errClose != nil {
		err = errClose // why the writer did not take more
	}
	if err != nil {
		return 0, err
	}
	if w.Attrs() == nil || w.Attrs().Generation == absent {
		return 0, errForeign
	}
	return w.Attrs().Generation, nil
}

// errForeign: a proxy has answered, or another service at that address, since each object has a generation.
// Nothing is known of the object then: it may not be stored, and it is not corrupt.
var errForeign = errors.New("the answer is not Cloud Storage's own: it says no generation of the object")

// again says whether a failed write is worth another request. Its request's body can't be
// sent twice, which is what an HTTP/2 connection wants that the server closes.
func again(err error) bool {
	return storage.ShouldRetry(err) || errors.Is(err, errForeign) || strings.Contains(err.Error(), "after Request.Body was written")
}

// read opens an object. The caller closes the reader. Class B.
func (s *Store) read(ctx context.Context, name string) (*storage.Reader, error) {
	r, err := s.bucket.Object(name).NewReader(ctx)
	if err != nil {
		return nil, s.notThere(ctx, name, err)
	}
	if r.Attrs.Generation <= absent {
		return nil, s.unexpected(ctx, name, errors.Join(errForeign, r.Close()))
	}
	return r, nil
}

// readAll returns an object's content. Class B.
func (s *Store) readAll(ctx context.Context, name string) ([]byte, error) {
	r, err := s.read(ctx, name)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	all, err := io.ReadAll(r)
	if err != nil {
		return nil, s.unexpected(ctx, name, err)
	}
	return all, nil
}

// stat returns an object's metadata. Class B.
func (s *Store) stat(ctx context.Context, name string) (*storage.ObjectAttrs, error) {
	attrs, err := s.bucket.Object(name).Attrs(ctx)
	if err != nil {
		return nil, s.notThere(ctx, name, err)
	}
	if attrs == nil || attrs.Generation == absent {
		return nil, s.unexpected(ctx, name, errForeign)
	}
	return attrs, nil
}

// listed is an object as a list has it.
type listed struct {
	name     string
	metadata map[string]string
	created  time.Time // when this generation was stored

	generation int64
}

// list returns the objects whose names begin with prefix, ordered by the names'
// bytes. Class A, once for each 1,000.
func (s *Store) list(ctx context.Context, prefix string) ([]listed, error) {
	pages, err := s.pages(ctx, storage.Query{Prefix: prefix}, mostListed)
	if err != nil {
		return nil, err
	}
	var found []listed
	for more := true; more; {
		var page []listed
		if page, more, err = pages.next(); err != nil {
			return nil, err
		}
		found = append(found, page...)
	}
	return found, nil
}

// mostListed is how many objects Cloud Storage returns at once, at most.
const mostListed = 1000

// pages are the answers to a list, of a number of objects each at most.
type pages struct {
	store   *Store
	ctx     context.Context
	prefix  string
	objects *storage.ObjectIterator
}

func (s *Store) pages(ctx context.Context, query storage.Query, most int) (pages, error) {
	query.Projection = storage.ProjectionNoACL
	if err := query.SetAttrSelection([]string{"Name", "Metadata", "Created", "Generation"}); err != nil {
		return pages{}, err
	}
	objects := s.bucket.Objects(ctx, &query)
	objects.PageInfo().MaxSize = most
	return pages{s, ctx, query.Prefix, objects}, nil
}

// next returns the next page, and whether there may be more after it. Class A.
func (p pages) next() (page []listed, more bool, err error) {
	for {
		attrs, err := p.objects.Next()
		switch {
		case errors.Is(err, iterator.Done):
			return page, false, nil
		case err != nil && missing(err) != present:
			return nil, false, p.store.noBucket()
		case err != nil:
			return nil, false, p.store.unexpected(p.ctx, p.prefix, err)
		}
		page = append(page, listed{attrs.Name, attrs.Metadata, attrs.Created, attrs.Generation})
		if info := p.objects.PageInfo(); info.Remaining() == 0 {
			return page, info.Token != "", nil
		}
	}
}

// unexpected names the object that err happened to. If the context has ended, err
// is due to that, whatever the client made of it. An object that is corrupt stays
// so: that is a permanent error.
func (s *Store) unexpected(ctx context.Context, name string, err error) error {
	if ended := ctx.Err(); ended != nil && !errors.Is(err, ended) {
		err = fmt.Errorf("%w: %w", ended, err)
	}
	err = fmt.Errorf("gs://%s/%s: %w", s.settings.bucket, name, err)
	if errors.Is(err, ErrCorrupt) {
		return driver.Reject(driver.ReasonCorrupt, err)
	}
	return err
}

// isStatus says whether the service answered with that status, by HTTP or gRPC.
func isStatus(err error, code int, grpc codes.Code) bool {
	if e, ok := errors.AsType[*googleapi.Error](err); ok {
		return e.Code == code
	}
	st, ok := status.FromError(err)
	return ok && err != nil && st.Code() == grpc
}
