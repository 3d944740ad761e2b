package gcsstore

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
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

// content returns a reader of an object's bytes, the same each time that it is called.
type content func() io.Reader

// bytesOf is the content that consists of the parts.
func bytesOf(parts ...[]byte) content {
	return func() io.Reader {
		b := net.Buffers(slices.Clone(parts)) // which takes no buffer for the checksum
		return &b
	}
}

// insert writes o in place of the given generation, or errRefused. It returns
// the new generation. Class A.
//
// The object goes up in a single request, straight from where its content is. The request
// may be repeated because its condition holds once.
func (s *Store) insert(ctx context.Context, o object, replaces int64) (generation int64, err error) {
	checksum := crc32.New(castagnoli)
	size, err := io.Copy(checksum, o.content())
	if err != nil {
		return 0, fmt.Errorf("encode: %w", err)
	}
	about := newObject{Name: o.name, ContentType: o.contentType, Metadata: o.metadata,
		Crc32c: base64.StdEncoding.EncodeToString(checksum.Sum(nil))} // the service refuses what is not whole
	err = try(ctx, func() error {
		sent := &media{rest: o.content(), size: size}
		defer sent.end()
		generation, err = s.upload(ctx, about, sent, replaces)
		return err
	})
	switch {
	case err == nil:
		return generation, nil
	case isStatus(err, http.StatusPreconditionFailed):
		return 0, errRefused
	case missing(err) != present: // of a write, that can only be the bucket
		return 0, s.noBucket()
	}
	return 0, s.unexpected(ctx, o.name, err)
}

// newObject is what an object is uploaded with, beside its content.
type newObject struct {
	Name        string            `json:"name"`
	ContentType string            `json:"contentType"`
	Crc32c      string            `json:"crc32c"`
	Metadata    map[string]string `json:"metadata,omitempty"`
}

// upload sends one request with the whole object. It returns the new generation.
func (s *Store) upload(ctx context.Context, o newObject, content *media, replaces int64) (int64, error) {
	about, err := json.Marshal(o)
	if err != nil {
		return 0, err
	}
	boundary := rand.Text() // nobody can have put it into a content
	before := "--" + boundary + "\r\nContent-Type: application/json\r\n\r\n" + string(about) +
		"\r\n--" + boundary + "\r\nContent-Type: " + o.ContentType + "\r\n\r\n"
	after := "\r\n--" + boundary + "--\r\n"
	// Without its WriteTo, which would take a buffer of 32 KB.
	body := struct{ io.Reader }{io.MultiReader(strings.NewReader(before), content, strings.NewReader(after))}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, s.clients.uploads+
		"?uploadType=multipart&prettyPrint=false&fields=generation&ifGenerationMatch="+strconv.FormatInt(replaces, 10)+
		"&name="+url.QueryEscape(o.Name), body)
	if err != nil {
		return 0, err
	}
	request.ContentLength = int64(len(before)+len(after)) + content.size
	request.Header.Set("Content-Type", "multipart/related; boundary="+boundary)
	response, err := s.send(request)
	if err != nil {
		return 0, err
	}
	var stored attributes
	if err := readJSON(response, &stored); err != nil {
		return 0, err
	}
	if stored.Generation == absent {
		return 0, s.foreign(noGeneration)
	}
	return stored.Generation, nil
}

// media is a content that is being sent.
type media struct {
	size int64

	mu    sync.Mutex // held while the content is read
	rest  io.Reader
	ended bool
}

// Read implements io.Reader.
func (m *media) Read(p []byte) (int, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.ended {
		return 0, net.ErrClosed
	}
	return m.rest.Read(p)
}

// end returns when the content is left alone: the transport may still send when the answer has come, or the context has
// ended.
func (m *media) end() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.ended = true
}
