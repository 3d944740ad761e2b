package gcsstore

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/klauspost/compress/zstd"

	"example.com/eventdriver/driver"
)

// ErrCorrupt: an object is not what this package writes, or not under the name
// that it has. The error names the object. Nothing is repaired; while the object
// is there, what needs it fails.
var ErrCorrupt = errors.New("corrupt object")

// An event's object is a line of JSON, the header, and then the content, as it
// is or compressed. So one media GET, which returns no custom metadata, returns
// all of a message, and a person can read it. The object's own Content-Encoding
// stays empty, or Cloud Storage would decompress on the way
// (https://cloud.google.com/storage/docs/transcoding).
type header struct {
	Version    int               `json:"v"`
	ID         string            `json:"id,omitempty"`
	Key        string            `json:"key"`
	Source     string            `json:"source"`
	Attributes map[string]string `json:"attributes,omitempty"`
	MediaType  string            `json:"mediaType,omitempty"`
	Encoding   Compression       `json:"encoding,omitempty"`
	Length     int64             `json:"length"` // of the content, decompressed
	moment
}

const frameVersion = 1

// encode returns m as an object holds it. Content that does not get smaller is
// not compressed.
func encode(m driver.Message, c Compression) ([]byte, error) {
	h := header{
		Version:   frameVersion,
		ID:        toText(m.ID),
		Key:       toText(m.Key),
		Source:    toText(m.Source),
		MediaType: toText(m.MediaType),
		Length:    int64(len(m.Content)),
		moment:    toMoment(m.Time),
	}
	if len(m.Attributes) > 0 {
		h.Attributes = make(map[string]string, len(m.Attributes))
		for name, value := range m.Attributes {
			h.Attributes[toText(name)] = toText(value)
		}
	}
	content, err := compress(m.Content, c)
	if err != nil {
		return nil, err
	}
	if len(content) < len(m.Content) {
		h.Encoding = c
	} else {
		content = m.Content
	}
	line, err := json.Marshal(h)
	if err != nil {
		return nil, err
	}
	return append(append(line, '\n'), content...), nil
}

// decode is the inverse of encode, however the content is compressed. What is
// wrong with the object is an ErrCorrupt.
func decode(object []byte) (driver.Message, error) {
	line, content, ok := bytes.Cut(object, []byte{'\n'})
	if !ok {
		return driver.Message{}, fmt.Errorf("%w: it has no header", ErrCorrupt)
	}
	m, h, err := decodeHeader(line)
	if err != nil {
		return driver.Message{}, err
	}
	m.Content, err = decompress(content, h.Encoding, h.Length)
	if err != nil {
		return driver.Message{}, fmt.Errorf("%w: content: %w", ErrCorrupt, err)
	}
	return m, nil
}

// decodeHeader returns the message that a header describes, without its content.
func decodeHeader(line []byte) (driver.Message, header, error) {
	var h header
	if err := json.Unmarshal(line, &h); err != nil {
		return driver.Message{}, h, fmt.Errorf("%w: header: %w", ErrCorrupt, err)
	}
	if h.Version != frameVersion {
		return driver.Message{}, h, fmt.Errorf("%w: header: version %d is not %d", ErrCorrupt, h.Version, frameVersion)
	}
	at, err := h.time()
	if err := errors.Join(err, fromTexts(&h.ID, &h.Key, &h.Source, &h.MediaType)); err != nil {
		return driver.Message{}, h, fmt.Errorf("%w: header: %w", ErrCorrupt, err)
	}
	m := driver.Message{ID: h.ID, Key: h.Key, Source: h.Source, MediaType: h.MediaType, Time: at}
	if len(h.Attributes) > 0 {
		m.Attributes = make(map[string]string, len(h.Attributes))
	}
	for name, value := range h.Attributes {
		if err := fromTexts(&name, &value); err != nil {
			return driver.Message{}, h, fmt.Errorf("%w: header: attribute: %w", ErrCorrupt, err)
		}
		m.Attributes[name] = value
	}
	return m, h, nil
}

// compress returns content compressed, or as it is where c says so.
func compress(content []byte, c Compression) ([]byte, error) {
	var (
		b   bytes.Buffer
		w   io.WriteCloser
		err error
	)
	switch c {
	case Gzip:
		w = gzip.NewWriter(&b)
	case Zstd:
		w, err = zstd.NewWriter(&b, zstd.WithEncoderConcurrency(1), zstd.WithLowerEncoderMem(true))
	default:
		return content, nil
	}
	if err != nil {
		return nil, err
	}
	if _, err := w.Write(content); err != nil {
		return nil, err
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}

// decompress reads no more than length bytes, whatever the object claims to hold.
func decompress(content []byte, c Compression, length int64) ([]byte, error) {
	var from io.Reader = bytes.NewReader(content)
	switch c {
	case None:
	case Gzip:
		unzip, err := gzip.NewReader(from)
		if err != nil {
			return nil, err
		}
		from = unzip
	case Zstd:
		unzip, err := zstd.NewReader(from, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true))
		if err != nil {
			return nil, err
		}
		defer unzip.Close()
		from = unzip
	default:
		return nil, fmt.Errorf("encoding %q is not known", c)
	}
	if length < 0 {
		return nil, fmt.Errorf("a length of %d", length)
	}
	plain, err := io.ReadAll(io.LimitReader(from, length+1))
	if err != nil {
		return nil, err
	}
	if int64(len(plain)) != length {
		return nil, fmt.Errorf("%d bytes at least, and not the %d that the header says", len(plain), length)
	}
	return plain, nil
}
