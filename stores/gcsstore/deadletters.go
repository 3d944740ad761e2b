package gcsstore

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"example.com/eventdriver/driver"
)

// letter is a dead letter as its object holds it: JSON for a person to read.
// Strings that JSON can't hold are in base64, behind "base64:".
type letter struct {
	Version int    `json:"v"` // 0: a letter of before versions were written down, which is of version 1
	Reason  string `json:"reason"`
	Error   string `json:"error,omitempty"`
	Handler string `json:"handler,omitempty"`
	ID      string `json:"id,omitempty"`
	Key     string `json:"key,omitempty"`
	Source  string `json:"source,omitempty"`
	Path    string `json:"path,omitempty"`
	Attempt int    `json:"attempt,omitempty"`
	moment
	Header map[string][]string `json:"header,omitempty"`
	Cut    bool                `json:"cut,omitempty"` // Body is only the beginning
	// BodyEncoding is "base64" where Body is, which has no mark of its own.
	BodyEncoding string `json:"bodyEncoding"`
	Body         string `json:"body"`
}

const letterVersion = 1

// AddDeadLetter implements [driver.DeadLetterStore]. The letter is a JSON object in
// the folder of its day (in UTC; today, if its Time is zero). A letter that is added
// again on the same day, with the same reason, ID, key, source, ce- headers and body,
// is kept once. It costs one Class A operation; for a letter with a key another, by which
// Inspect finds it.
func (s *Store) AddDeadLetter(ctx context.Context, d driver.DeadLetter) error {
	if err := s.writeLetter(ctx, d); err != nil {
		return failed(OpAddDeadLetter, d.Key, d.Source, err)
	}
	return nil
}

func (s *Store) writeLetter(ctx context.Context, d driver.DeadLetter) error {
	ctx, cancel, err := s.begin(ctx, OpAddDeadLetter, anyKey, anySource)
	if err != nil {
		return err
	}
	defer cancel()
	day := d.Time
	if day.IsZero() {
		day = time.Now()
	}
	content, err := encodeLetter(d)
	if err != nil {
		return fmt.Errorf("encode: %w", err)
	}
	o := object{name: s.layout.deadLetter(d, day), content: content, contentType: "application/json",
		metadata: letterMetadata(d)}
	if _, err = s.insert(ctx, o, absent); err != nil && !errors.Is(err, errRefused) { // refused: it is kept already
		return err
	}
	if d.Key == "" {
		return nil
	}
	return s.writeLetterRef(ctx, d, o.name)
}

// anyKey stands for the key where an operation has none.
const anyKey = "any"

// DeadLetters returns all the dead letters, ordered by their Time. It is for
// tests, local runs and tools: it reads every letter. It costs one Class A
// operation for each 1,000 letters, and one Class B operation for each.
func (s *Store) DeadLetters(ctx context.Context) ([]driver.DeadLetter, error) {
	letters, err := s.readLetters(ctx)
	if err != nil {
		return nil, fmt.Errorf("gcsstore: %s: %w", OpDeadLetters, err)
	}
	slices.SortStableFunc(letters, func(a, b driver.DeadLetter) int { return a.Time.Compare(b.Time) })
	return letters, nil
}

func (s *Store) readLetters(ctx context.Context) ([]driver.DeadLetter, error) {
	ctx, cancel, err := s.begin(ctx, OpDeadLetters, anyKey, anySource)
	if err != nil {
		return nil, err
	}
	defer cancel()
	objects, err := s.list(ctx, s.layout.deadLetters())
	if err != nil {
		return nil, err
	}
	var names []string
	for _, o := range objects {
		if !s.layout.isLetterRef(o.name) {
			names = append(names, o.name)
		}
	}
	return each(ctx, names, func(ctx context.Context, name string) (driver.DeadLetter, error) {
		content, err := s.readAll(ctx, name)
		if err != nil {
			return driver.DeadLetter{}, err
		}
		d, err := decodeLetter(content)
		if err != nil {
			return d, s.unexpected(ctx, name, err)
		}
		return d, nil
	})
}

// encodeLetter returns what writes a letter. It has no copy of the body, which may be
// large.
func encodeLetter(d driver.DeadLetter) (content, error) {
	l := letter{
		Version:      letterVersion,
		Reason:       driver.ToText(string(d.Reason)),
		Error:        driver.ToText(d.Error),
		Handler:      driver.ToText(d.Handler),
		ID:           driver.ToText(d.ID),
		Key:          driver.ToText(d.Key),
		Source:       driver.ToText(d.Source),
		Path:         driver.ToText(d.Path),
		Attempt:      d.Attempt,
		moment:       toMoment(d.Time),
		Header:       make(map[string][]string, len(d.Header)),
		Cut:          d.Cut,
		BodyEncoding: "utf-8",
	}
	for name, values := range d.Header {
		texts := make([]string, len(values))
		for i, value := range values {
			texts[i] = driver.ToText(value)
		}
		l.Header[driver.ToText(name)] = texts
	}
	escape := appendText
	if !readable(d.Body) {
		l.BodyEncoding, escape = "base64", base64.StdEncoding.AppendEncode
	}
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	if err := e.Encode(l); err != nil {
		return nil, err
	}
	const end = "\"\n}\n" // of the body, which is the last and still empty
	start := bytes.TrimSuffix(b.Bytes(), []byte(end))
	return func() io.Reader {
		return io.MultiReader(bytes.NewReader(start), &escaped{rest: d.Body, escape: escape}, strings.NewReader(end))
	}, nil
}

// escaped reads what becomes of bytes that are escaped, some of them at a time.
type escaped struct {
	rest, ready []byte
	escape      func(to, b []byte) []byte
	buffer      []byte
}

// escapedAtOnce is how many bytes are escaped at a time: of three, base64 makes four without padding.
const escapedAtOnce = 3 << 10

// Read implements io.Reader.
func (e *escaped) Read(p []byte) (int, error) {
	if len(e.ready) == 0 {
		if len(e.rest) == 0 {
			return 0, io.EOF
		}
		next := e.rest[:min(len(e.rest), escapedAtOnce)]
		e.buffer = e.escape(e.buffer[:0], next)
		e.rest, e.ready = e.rest[len(next):], e.buffer
	}
	n := copy(p, e.ready)
	e.ready = e.ready[n:]
	return n, nil
}

// appendText appends UTF-8 as it is inside a JSON string.
func appendText(to, text []byte) []byte {
	for _, c := range text {
		switch {
		case c == '"' || c == '\\':
			to = append(to, '\\', c)
		case c >= ' ':
			to = append(to, c)
		case c == '\n':
			to = append(to, `\n`...)
		case c == '\r':
			to = append(to, `\r`...)
		case c == '\t':
			to = append(to, `\t`...)
		default:
			to = fmt.Appendf(to, `\u%04x`, c)
		}
	}
	return to
}

// readable says whether a body is a text that does not grow much as JSON, which has
// six bytes for a control character: base64 is smaller, and no harder to read then.
func readable(body []byte) bool {
	controls := 0
	for _, b := range body {
		if b < ' ' && b != '\n' && b != '\r' && b != '\t' {
			controls++
		}
	}
	return controls <= len(body)/16 && utf8.Valid(body)
}

func decodeLetter(content []byte) (driver.DeadLetter, error) {
	var l letter
	if err := json.Unmarshal(content, &l); err != nil {
		return driver.DeadLetter{}, fmt.Errorf("%w: %w", ErrCorrupt, err)
	}
	if l.Version > letterVersion {
		return driver.DeadLetter{}, fmt.Errorf("%w: version %d, and this program reads up to %d", ErrNewer, l.Version, letterVersion)
	}
	at, err := l.time()
	err = errors.Join(err, fromTexts(&l.Reason, &l.Error, &l.Handler, &l.ID, &l.Key, &l.Source, &l.Path))
	body := []byte(l.Body)
	if l.BodyEncoding == "base64" {
		var errBody error
		body, errBody = base64.StdEncoding.DecodeString(l.Body)
		err = errors.Join(err, errBody)
	}
	header, errHeader := decodeHeaders(l.Header)
	if err := errors.Join(err, errHeader); err != nil {
		return driver.DeadLetter{}, fmt.Errorf("%w: %w", ErrCorrupt, err)
	}
	return driver.DeadLetter{Reason: driver.Reason(l.Reason), Error: l.Error, Handler: l.Handler, ID: l.ID, Key: l.Key,
		Source: l.Source, Path: l.Path, Attempt: l.Attempt, Time: at, Header: header, Body: body, Cut: l.Cut}, nil
}

func decodeHeaders(texts map[string][]string) (map[string][]string, error) {
	if len(texts) == 0 {
		return nil, nil
	}
	header := make(map[string][]string, len(texts))
	for name, values := range texts {
		if err := fromTexts(&name); err != nil {
			return nil, err
		}
		for i := range values {
			if err := fromTexts(&values[i]); err != nil {
				return nil, err
			}
		}
		header[name] = values
	}
	return header, nil
}
