package gcsstore

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"example.com/eventdriver/driver"
)

// objectBytes returns an event's object.
func objectBytes(m driver.Message) ([]byte, error) {
	line, err := encode(keptOf(driver.Succession{Last: m}))
	return append(line, m.Content...), err
}

// message reads an event's object.
func message(object []byte) (driver.Message, error) {
	f, err := decode(context.Background(), bytes.NewReader(object))
	if err != nil {
		return driver.Message{}, err
	}
	return f.read(context.Background(), nil)
}

// letterBytes returns a dead letter's object.
func letterBytes(d driver.DeadLetter) ([]byte, error) {
	content, err := encodeLetter(d)
	if err != nil {
		return nil, err
	}
	return io.ReadAll(content())
}

// TestFrameIsReadable pins the bytes: objects outlive the version that wrote
// them.
func TestFrameIsReadable(t *testing.T) {
	m := driver.Message{
		ID: "id", Key: "a/b", Source: "\xff", Content: []byte("{}\n"),
		Time:       time.Date(2026, 1, 2, 3, 4, 5, 6000, time.FixedZone("", 3600)),
		Attributes: map[string]string{"name": "<é>", "\xfe": "base64:"},
	}
	want := `{"v":1,"id":"id","key":"a/b","source":"base64:/w==",` +
		`"attributes":{"base64:/g==":"base64:YmFzZTY0Og==","name":"<é>"},` +
		`"length":3,"time":"2026-01-02T02:04:05.000006Z"}` + "\n{}\n"
	got, err := objectBytes(m)
	if err != nil || string(got) != want {
		t.Errorf("got\n%s\nwant\n%s\n%v", got, want, err)
	}
}

// TestSmallObjectOfALargeContent: an object that says it has a gigabyte is refused by its
// header, and takes no memory before.
func TestSmallObjectOfALargeContent(t *testing.T) {
	for _, length := range []int64{MaxContent + 1, 1 << 30, 1 << 62, -1} {
		object := fmt.Appendf(nil, `{"v":1,"key":"k","source":"s","length":%d}`+"\n%s", length, make([]byte, 100_000))
		before := allocated()
		if _, err := message(object); !errors.Is(err, ErrCorrupt) {
			t.Errorf("%d bytes: %v", length, err)
		}
		if took := allocated() - before; took > 1<<20 {
			t.Errorf("%d bytes: allocated %d bytes", length, took)
		}
	}
}

// TestContentOfMoreThanTheHeaderSays: no more is read than the header says.
func TestContentOfMoreThanTheHeaderSays(t *testing.T) {
	object := fmt.Appendf(nil, `{"v":1,"key":"k","source":"s","length":1000}`+"\n%s", make([]byte, 64<<20))
	before := allocated()
	if _, err := message(object); !errors.Is(err, ErrCorrupt) {
		t.Error(err)
	}
	if took := allocated() - before; took > 1<<20 {
		t.Errorf("of %d bytes: allocated %d bytes", len(object), took)
	}
}

// TestContentThatIsTooLarge: what could not be read again is not stored.
func TestContentThatIsTooLarge(t *testing.T) {
	m := driver.Message{Key: "k", Source: "s", Content: make([]byte, MaxContent)}
	if object, err := objectBytes(m); err != nil {
		t.Error(err)
	} else if got, err := message(object); err != nil || len(got.Content) != MaxContent {
		t.Errorf("%d bytes came back, %v", len(got.Content), err)
	}
	m.Content = append(m.Content, 0)
	if _, err := objectBytes(m); driver.ReasonOf(err) != driver.ReasonTooLarge {
		t.Errorf("%v; want too-large", err)
	}
}

// TestAttributesThatAreTooLarge: what could not be read again is not stored.
func TestAttributesThatAreTooLarge(t *testing.T) {
	const most = longestHeader / len(`\u0001`)
	for length, want := range map[int]driver.Reason{most - 1000: "", most + 1000: driver.ReasonTooLarge} {
		m := driver.Message{Key: "k", Source: "s", Attributes: map[string]string{"a": strings.Repeat("\x01", length)}}
		object, err := objectBytes(m)
		if driver.ReasonOf(err) != want {
			t.Errorf("%d characters: %v, want %q", length, err, want)
		}
		if err == nil {
			_, err = message(object)
		}
		if driver.ReasonOf(err) != want {
			t.Errorf("%d characters, read again: %v, want %q", length, err, want)
		}
	}
}

// TestHeaderIsAsLargeAsItsAttributes: what is written is not many times what came.
func TestHeaderIsAsLargeAsItsAttributes(t *testing.T) {
	m := driver.Message{Key: "k", Source: "s", Attributes: map[string]string{"a": strings.Repeat("<&>", 100_000)}}
	object, err := objectBytes(m)
	if err != nil || len(object) > 310_000 {
		t.Errorf("an object of %d bytes, %v", len(object), err)
	}
}

// allocated is how many bytes the process has allocated so far.
func allocated() uint64 {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.TotalAlloc
}

// A header that tells what was replaced comes back with it.
func TestFrameTellsWhatWasReplaced(t *testing.T) {
	e := driver.Succession{Last: driver.Message{ID: "id", Key: "k", Source: "s"}}
	for i := range 3 {
		e.Replaced = append(e.Replaced, driver.Message{ID: string(rune(i))}.Fingerprint())
	}
	line, err := encode(keptOf(e))
	if err != nil {
		t.Fatal(err)
	}
	f, err := decode(context.Background(), bytes.NewReader(line))
	if err != nil || !slices.Equal(f.kept.Replaced, e.Replaced) {
		t.Errorf("%v came back as %v, %v", e.Replaced, f.kept.Replaced, err)
	}
	for _, bad := range []string{`["x"]`, `["!"]`, `[""]`, `["AAAAAAAAAAAAAAAAAAAAAAAAAAAA"]`} {
		if _, err := decode(context.Background(), strings.NewReader(`{"v":1,"key":"k","source":"s","replaced":`+bad+"}\n")); !errors.Is(err, ErrCorrupt) {
			t.Errorf("%s: got %v, want ErrCorrupt", bad, err)
		}
	}
}

func TestMoments(t *testing.T) {
	for _, at := range []time.Time{
		{},
		time.Unix(0, 0),
		time.Unix(0, 1),
		time.Unix(-1<<40, 999999999),
		time.Unix(1<<40, 0),
		time.Date(9999, 12, 31, 23, 59, 59, 999999999, time.FixedZone("", -3600)),
		time.Date(0, 1, 1, 0, 0, 0, 0, time.FixedZone("", 3600)),
		time.Date(1, 1, 1, 0, 0, 0, 1, time.UTC),
	} {
		if got, err := toMoment(at).time(); err != nil || !got.Equal(at) || got.IsZero() != at.IsZero() {
			t.Errorf("%v came back as %v, %v", at, got, err)
		}
	}
}

// FuzzFrame checks that any message comes back as it was.
func FuzzFrame(f *testing.F) {
	f.Add("id", "key", "source", []byte("content"), int64(1), "name", "value")
	f.Add("\xff", "base64:", "\x00", []byte("\n\n"), int64(-1), "\xff", "base64:x")
	f.Add("", "k", "s", bytes.Repeat([]byte("x"), 100), int64(1<<40), "", "")
	f.Fuzz(func(t *testing.T, id, key, source string, content []byte, seconds int64, name, value string) {
		at := time.Unix(seconds%(1<<45), 1000).UTC()
		m := driver.Message{ID: id, Key: key, Source: source, Content: content, Time: at, Attributes: map[string]string{name: value, "": ""}}
		object, err := objectBytes(m)
		if err != nil {
			t.Fatal(err)
		}
		got, err := message(object)
		if err != nil || got.ID != id || got.Key != key || got.Source != source || !got.Time.Equal(at) ||
			!bytes.Equal(got.Content, content) || !maps.Equal(got.Attributes, m.Attributes) {
			t.Errorf("%+v came back as %+v, %v", m, got, err)
		}
	})
}

// FuzzLetter checks that any dead letter comes back as it was.
func FuzzLetter(f *testing.F) {
	f.Add("no-key", "error", "id", "Content-Type", "text/plain", []byte(`{"a": "<b>"}`))
	f.Add("\xff", "base64:", "\x00", "\xff", "\xfe", []byte{0xff})
	f.Fuzz(func(t *testing.T, reason, text, id, name, value string, body []byte) {
		d := driver.DeadLetter{Reason: driver.Reason(reason), Error: text, Handler: text, ID: id, Key: id, Source: text, Attempt: 3,
			Time: time.Unix(1, 2), Header: map[string][]string{name: {value, ""}}, Body: body}
		content, err := letterBytes(d)
		if err != nil {
			t.Fatal(err)
		}
		got, err := decodeLetter(content)
		if err != nil || got.Reason != d.Reason || got.Error != text || got.Handler != text || got.ID != id || got.Key != id ||
			got.Source != text || got.Attempt != 3 || !got.Time.Equal(d.Time) || !bytes.Equal(got.Body, body) ||
			len(got.Header) != 1 || len(got.Header[name]) != 2 || got.Header[name][0] != value {
			t.Errorf("%+v came back as %+v, %v", d, got, err)
		}
	})
}

// Events that could not be read may differ in their headers alone.
func TestDeadLettersWithOtherHeadersAreOthers(t *testing.T) {
	letter := func(name, value, trace string) driver.DeadLetter {
		return driver.DeadLetter{Reason: driver.ReasonUndecodable, Source: "event1", Body: []byte("same"),
			Header: map[string][]string{name: {value}, "X-Cloud-Trace-Context": {trace}}}
	}
	day := time.Now()
	names := make(map[string]int)
	for _, d := range []driver.DeadLetter{
		letter("Ce-Key", "order-1", "a"), letter("Ce-Key", "order-1", "b"), letter("ce-key", "order-1", "c"), // one
		letter("Ce-Key", "order-2", "a"), letter("Ce-Other", "order-1", "a"), letter("Content-Type", "order-1", "a"),
	} {
		names[layout{}.deadLetter(d, day)]++
	}
	if len(names) != 4 {
		t.Errorf("%v; want four names, since a redelivery differs in other headers only", names)
	}
}

// A body of control characters would be six times as long as a JSON string.
func TestDeadLetterOfControlCharactersStaysSmall(t *testing.T) {
	for name, body := range map[string][]byte{"NUL": make([]byte, 1<<20), "text": bytes.Repeat([]byte("line\r\n\t"), 1<<17)} {
		content, err := letterBytes(driver.DeadLetter{Reason: driver.ReasonUndecodable, Body: body})
		if err != nil || len(content) > 3*len(body)/2 {
			t.Errorf("%s: %d bytes of %d, %v", name, len(content), len(body), err)
		}
		if d, err := decodeLetter(content); err != nil || !bytes.Equal(d.Body, body) {
			t.Errorf("%s: it came back with %d bytes, %v", name, len(d.Body), err)
		}
	}
}
