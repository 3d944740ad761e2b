package publish_test

import (
	"bytes"
	"strings"
	"testing"
	"unicode/utf8"

	"example.com/eventdriver/driver"
	"example.com/eventdriver/publish"
)

// checkLetter checks that Pub/Sub would take a letter, and that it is whole.
func checkLetter(t *testing.T, d driver.DeadLetter) {
	t.Helper()
	m := publish.LetterMessage(d)
	size := len(m.Data)
	for name, value := range m.Attributes {
		size += len(name) + len(value) + 16
		if name == "" || len(name) > 256 || len(value) > 1024 || !utf8.ValidString(name+value) || strings.HasPrefix(name, "goog") {
			t.Errorf("attribute %q: %q", name, value)
		}
	}
	if size > 10_000_000 || len(m.Attributes) > 100 || len(m.Attributes) == 0 {
		t.Errorf("%d bytes, %d attributes", size, len(m.Attributes))
	}
	body, leftOut := m.Data, m.Attributes["left-out"]
	cut := strings.Contains(leftOut, "body")
	for name, values := range d.Header {
		if lower := strings.ToLower(name); !strings.HasPrefix(lower, "ce-") || len(values) == 0 || strings.Contains(leftOut, "headers") {
			continue
		} else if _, ok := m.Attributes[lower]; !ok {
			t.Errorf("header %q: %q is left out, and %q does not say so", name, values, leftOut)
		}
	}
	if !cut && !bytes.Equal(body, d.Body) || cut && !bytes.HasPrefix(d.Body, body) {
		t.Errorf("a body of %d bytes is kept as %d", len(d.Body), len(body))
	}
}

// Pub/Sub takes every dead letter, whatever it is. One that it refused would come back
// without end.
func FuzzLetterMessage(f *testing.F) {
	f.Add("no-key", "error", "id", "k", "Ce-Id", "1", "", []byte(`{}`))
	f.Add("r", strings.Repeat("é", 600), strings.Repeat("k", 1025), "\xff", "Content-Type", "\xff", "2", []byte{0xff})
	f.Add("r", "", "", "", "Ce-\xff", "base64:", "\x00", []byte(nil))
	f.Fuzz(func(t *testing.T, reason, text, id, key, name, first, second string, body []byte) {
		header := map[string][]string{name: {first}, "Ce-Type": {"t"}}
		if second != "" {
			header[name] = append(header[name], second)
		}
		checkLetter(t, driver.DeadLetter{Reason: driver.Reason(reason), Error: text, Handler: text, ID: id, Key: key, Source: text,
			Header: header, Body: body})
	})
}

// So it is with headers as large as the server lets them be, and a large body.
func TestLetterOfLargeHeaders(t *testing.T) {
	for _, c := range []string{"<", `"`, "\xff", "\u2028"} {
		for _, size := range []int{0, 5 << 20, 30 << 20} {
			checkLetter(t, driver.DeadLetter{Reason: driver.ReasonUndecodable, Body: make([]byte, size),
				Header: map[string][]string{"Ce-Subject": {strings.Repeat(c, (1<<20)/len(c))}}})
		}
	}
}

// A name that is taken for a topic's has a project and a topic, and nothing that a
// request would be refused for.
func FuzzCheckTopic(f *testing.F) {
	f.Add("projects/my-project/topics/my-topic")
	f.Add("projects/example.com:p/topics/a.b_c~d+e%f")
	f.Add("projects/p\n/topics/abc")
	f.Add("projects/a b/topics/abc")
	f.Fuzz(func(t *testing.T, name string) {
		err := publish.CheckTopic(name)
		if err != nil {
			if !strings.Contains(err.Error(), "projects/my-project/topics/my-topic") || strings.Contains(err.Error(), "\n") {
				t.Errorf("%q: %v", name, err)
			}
			return
		}
		parts := strings.Split(name, "/")
		if len(parts) != 4 || parts[1] == "" || len(parts[3]) < 3 || strings.ContainsAny(name, " \t\r\n\x00\"'") || !utf8.ValidString(name) {
			t.Errorf("%q is taken for a topic", name)
		}
	})
}
