package gcsstore

import (
	"bufio"
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"example.com/eventdriver/driver"
)

// ErrCorrupt: an object is not what this package writes, or not under the name
// that it has. The error names the object, and is permanent, with
// [driver.ReasonCorrupt]: no redelivery changes what is stored. Nothing is repaired;
// while the object is there, what needs it fails.
var ErrCorrupt = errors.New("corrupt object")

// ErrNewer: an object has a form that a later version of this package writes, as
// while a new revision of a function replaces an old one. It is not permanent: the new
// revision can read the object.
var ErrNewer = errors.New("object of a newer form")

// An event's object is a line of JSON, the header, and then the content as it is. So one
// media GET, which returns no custom metadata, returns all of a message, and a person can
// read it.
type header struct {
	Version    int               `json:"v"`
	ID         string            `json:"id,omitempty"`
	Key        string            `json:"key"`
	Source     string            `json:"source"`
	Attributes map[string]string `json:"attributes,omitempty"`
	MediaType  string            `json:"mediaType,omitempty"`
	// Replaced are the fingerprints of events that this one has replaced.
	Replaced []string `json:"replaced,omitempty"`
	Length   int64    `json:"length"` // of the content
	// Sealed says that the object is no event, but the seal in its place.
	Sealed bool `json:"sealed,omitempty"`
	// Corrected says how the event came in the place of another.
	Corrected *correctedHeader `json:"corrected,omitempty"`
	moment
}

// A seal and a corrected event have forms of their own, so that a revision that does not know them
// leaves them alone.
const (
	frameVersion     = 1
	sealVersion      = 2
	correctedVersion = 3
)

// keptEvent is what an event's object holds.
type keptEvent struct {
	driver.Succession
	Was string // names the object of the event as it was before it was corrected, behind its folder
}

func keptOf(e driver.Succession) keptEvent { return keptEvent{Succession: e} }

// encode returns the header with which an object holds an event; the content follows it.
func encode(e keptEvent) (line []byte, err error) {
	m := e.Last
	if err := checkContent(m); err != nil {
		return nil, err
	}
	h := header{
		Version:   frameVersion,
		ID:        driver.ToText(m.ID),
		Key:       driver.ToText(m.Key),
		Source:    driver.ToText(m.Source),
		MediaType: driver.ToText(m.MediaType),
		Length:    int64(len(m.Content)),
		moment:    toMoment(m.Time),
	}
	if len(m.Attributes) > 0 {
		h.Attributes = make(map[string]string, len(m.Attributes))
		for name, value := range m.Attributes {
			h.Attributes[driver.ToText(name)] = driver.ToText(value)
		}
	}
	h.Replaced = encodePrints(e.Replaced)
	if e.Correction != nil {
		h.Version, h.Corrected = correctedVersion, toCorrectedHeader(e)
	}
	if line, err = h.line(); err == nil && len(line) > longestHeader {
		err = tooLarge("attributes", len(line), longestHeader)
	}
	return line, err
}

// line returns the header as a line of JSON that is not larger than need be.
func (h header) line() ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false) // a '<' would become six bytes
	err := e.Encode(h)
	return b.Bytes(), err
}

// frame is an event's object that is being read.
type frame struct {
	message driver.Message // without its content
	kept    keptEvent      // without the message
	header  header
	object  *watched
	rest    *bufio.Reader // behind the header
}

// watched is a reader that remembers its failure, which is not one of what it reads, and
// how many bytes it has read.
type watched struct {
	io.Reader
	n   int64
	err error
}

// Read implements io.Reader.
func (w *watched) Read(p []byte) (int, error) {
	n, err := w.Reader.Read(p)
	w.n += int64(n)
	if err != nil && err != io.EOF {
		w.err = err
	}
	return n, err
}

// decode is the inverse of encode. It reads the
// header, which is counted where it is long; what is wrong with the object is an ErrCorrupt.
func decode(ctx context.Context, object io.Reader) (frame, error) {
	f := frame{object: &watched{Reader: object}}
	f.rest = bufio.NewReader(f.object)
	line, err := readLine(ctx, f.rest)
	if errors.Is(err, driver.ErrNoMemory) || driver.ReasonOf(err) == driver.ReasonTooLarge {
		return f, err
	}
	if err != nil {
		return f, f.corrupt("header", err)
	}
	if f.message, f.header, err = decodeHeader(line); err != nil {
		return f, err
	}
	if err := f.header.check(); err != nil {
		return f, err
	}
	if f.kept.Replaced, err = decodePrints(f.header.Replaced); err != nil {
		return f, err
	}
	return f, f.header.Corrected.into(&f.kept)
}

func encodePrints(prints []driver.Fingerprint) (texts []string) {
	for _, print := range prints {
		texts = append(texts, base64.RawURLEncoding.EncodeToString(print[:]))
	}
	return texts
}

func decodePrints(texts []string) (prints []driver.Fingerprint, err error) {
	for _, text := range texts {
		var print driver.Fingerprint
		b, err := base64.RawURLEncoding.DecodeString(text)
		if err != nil || len(b) != len(print) {
			return nil, fmt.Errorf("%w: header: fingerprint %.40q", ErrCorrupt, text)
		}
		copy(print[:], b)
		prints = append(prints, print)
	}
	return prints, nil
}

// damaged returns err, unless that calls corrupt what was damaged on its way: the object
// is read to its end, where its checksum is checked, and must have as many bytes as it
// should.
func (f frame) damaged(size int64, err error) error {
	if !errors.Is(err, ErrCorrupt) {
		return err
	}
	if _, errRest := io.Copy(io.Discard, f.object); errRest != nil {
		return errRest
	}
	if size >= 0 && f.object.n != size {
		return io.ErrUnexpectedEOF
	}
	return err
}

// corrupt says that the object is at fault, unless it could not be read.
func (f frame) corrupt(what string, err error) error {
	if f.object.err != nil {
		return f.object.err
	}
	return fmt.Errorf("%w: %s: %w", ErrCorrupt, what, err)
}

// readLine reads up to the end of a line, and leaves that out. What does not fit into r's
// buffer is counted before it is read, with what it becomes when it is decoded.
func readLine(ctx context.Context, r *bufio.Reader) (line []byte, err error) {
	for {
		part, err := r.ReadSlice('\n')
		line = append(line, part...)
		switch {
		case err == nil:
			return line[:len(line)-1], nil
		case err != bufio.ErrBufferFull:
			return nil, err
		case len(line) > longestHeader:
			return nil, errors.New("too long")
		}
		if err := driver.Grow(ctx, headerCopies*r.Size()); err != nil {
			return nil, err
		}
	}
}

// read returns the message with its content, which is counted before it is read.
// Where it is the same as like, it is like, and takes no memory of its own.
func (f frame) read(ctx context.Context, like []byte) (driver.Message, error) {
	f.message.Content = like
	var rest io.Reader = f.rest
	same := false
	if f.header.Length == int64(len(like)) {
		rest, same = compare(f.rest, like)
	}
	if !same {
		if err := driver.Grow(ctx, int(f.header.Length)); err != nil {
			return driver.Message{}, err
		}
		f.message.Content = make([]byte, f.header.Length)
		if _, err := io.ReadFull(rest, f.message.Content); err != nil {
			return driver.Message{}, f.corrupt("content", err)
		}
	}
	switch n, err := io.CopyN(io.Discard, f.rest, 1); {
	case n > 0:
		return driver.Message{}, f.corrupt("content", fmt.Errorf("more than the %d bytes that the header says", f.header.Length))
	case err != io.EOF:
		return driver.Message{}, f.corrupt("content", err)
	}
	return f.message, nil
}

// compare says whether from goes on with like. Where it does not, rest reads what from
// had.
func compare(from io.Reader, like []byte) (rest io.Reader, same bool) {
	chunk := make([]byte, min(len(like), 32<<10))
	for at := 0; at < len(like); {
		n, err := io.ReadFull(from, chunk[:min(len(chunk), len(like)-at)])
		if err != nil || !bytes.Equal(chunk[:n], like[at:at+n]) {
			return io.MultiReader(bytes.NewReader(like[:at]), bytes.NewReader(chunk[:n]), from), false
		}
		at += n
	}
	return from, true
}

// decodeHeader returns the message that a header describes, without its content.
func decodeHeader(line []byte) (driver.Message, header, error) {
	var h header
	if err := json.Unmarshal(line, &h); err != nil {
		return driver.Message{}, h, fmt.Errorf("%w: header: %w", ErrCorrupt, err)
	}
	switch {
	case h.Version > correctedVersion:
		return driver.Message{}, h, fmt.Errorf("%w: version %d, and this program reads up to %d", ErrNewer, h.Version, correctedVersion)
	case h.Version < 1 || h.Sealed != (h.Version == sealVersion) || (h.Corrected != nil) != (h.Version == correctedVersion):
		return driver.Message{}, h, fmt.Errorf("%w: header: version %d", ErrCorrupt, h.Version)
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

const (
	// MaxContent is how many bytes the content of an event may have: twice as many as a
	// request to Cloud Run. What has more is not stored, and an object whose header says that it
	// has more is not read.
	MaxContent = 64 << 20
	// longestHeader is more than an event's header has, unless an event wrapped four times has as many attributes
	// as decode.MaxContext allows each time, of characters that are escaped in JSON.
	longestHeader = 16 << 20
	// headerCopies is how often a header is there at most: as its line grows, and decoded.
	headerCopies = 3
)

// checkContent refuses what could not be read again.
func checkContent(m driver.Message) error {
	if len(m.Content) > MaxContent {
		return tooLarge("a content", len(m.Content), MaxContent)
	}
	return nil
}

func tooLarge(what string, bytes, most int) error {
	return driver.Reject(driver.ReasonTooLarge,
		fmt.Errorf("%s of %d bytes: it must not have more than %d; send a reference to the rest", what, bytes, most))
}

// check refuses what no event can have.
func (h header) check() error {
	if h.Length < 0 || h.Length > MaxContent {
		return fmt.Errorf("%w: header: a content of %d bytes: it must not have more than %d", ErrCorrupt, h.Length, MaxContent)
	}
	return nil
}
