package gcsstore

import (
	"context"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"net/http"
	"strconv"
	"strings"

	"github.com/googleapis/gax-go/v2"
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// download is an object that is being read. Where its connection ends before it does, it goes on with
// another. At its end its checksum is compared.
type download struct {
	size       int64 // -1: the service did not say
	generation int64

	store    *Store
	ctx      context.Context
	name     string
	body     io.ReadCloser
	pause    gax.Backoff
	seen     int64
	checksum uint32 // of what was seen
	want     uint32
	checked  bool // the service says what the checksum is
}

// read opens an object. The caller closes it. Class B.
func (s *Store) read(ctx context.Context, name string) (*download, error) {
	d := &download{store: s, ctx: ctx, name: name, pause: backoff()}
	response, err := d.open()
	if err != nil {
		return nil, s.notThere(ctx, name, err)
	}
	d.size, d.body = response.ContentLength, response.Body
	d.generation, _ = strconv.ParseInt(response.Header.Get("X-Goog-Generation"), 10, 64)
	if d.generation <= absent {
		return nil, s.unexpected(ctx, name, errors.Join(s.foreign(noGeneration), d.Close()))
	}
	if !response.Uncompressed && response.Header.Get("X-Goog-Stored-Content-Encoding") != "gzip" {
		d.want, d.checked = checksumOf(response.Header)
	}
	return d, nil
}

// open asks for the object; then for what was not seen, of the same generation.
func (d *download) open() (response *http.Response, err error) {
	query, part := "alt=media", ""
	if d.generation > absent {
		query += "&generation=" + strconv.FormatInt(d.generation, 10)
	}
	if d.seen > 0 {
		part = fmt.Sprintf("bytes=%d-", d.seen)
	}
	err = try(d.ctx, func() error {
		response, err = d.store.get(d.ctx, d.name, query, part)
		return err
	})
	if err == nil && d.seen > 0 && response.StatusCode != http.StatusPartialContent {
		err = fmt.Errorf("the part from byte %d was asked for, and all was sent", d.seen)
		return nil, errors.Join(err, response.Body.Close())
	}
	return response, err
}

// readAll returns an object's content. Class B.
func (s *Store) readAll(ctx context.Context, name string) ([]byte, error) {
	d, err := s.read(ctx, name)
	if err != nil {
		return nil, err
	}
	defer d.Close()
	all, err := io.ReadAll(d)
	if err != nil {
		return nil, s.unexpected(ctx, name, err)
	}
	return all, nil
}

// Read implements io.Reader.
func (d *download) Read(p []byte) (int, error) {
	n, err := d.body.Read(p)
	d.seen += int64(n)
	d.checksum = crc32.Update(d.checksum, castagnoli, p[:n])
	switch {
	case err == io.EOF && d.checked && d.checksum != d.want:
		return n, fmt.Errorf("damaged on its way: checksum %08x, want %08x", d.checksum, d.want)
	case err == nil || err == io.EOF:
		return n, err
	}
	_ = d.body.Close()
	if err := gax.Sleep(d.ctx, d.pause.Pause()); err != nil {
		return n, err
	}
	response, err := d.open()
	if err != nil {
		return n, err
	}
	d.body = response.Body
	return n, nil
}

// Close implements io.Closer.
func (d *download) Close() error { return d.body.Close() }

// checksumOf returns the checksum that an answer states, as in "crc32c=AAAAAA==,md5=…".
func checksumOf(header http.Header) (sum uint32, stated bool) {
	for _, value := range header["X-Goog-Hash"] {
		for hash := range strings.SplitSeq(value, ",") {
			text, is := strings.CutPrefix(strings.TrimSpace(hash), "crc32c=")
			if !is {
				continue
			}
			b, err := base64.StdEncoding.DecodeString(text)
			if err == nil && len(b) == 4 {
				return binary.BigEndian.Uint32(b), true
			}
		}
	}
	return 0, false
}
