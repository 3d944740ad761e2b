package gcsstore

import (
	"errors"
	"maps"
	"math"
	"reflect"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"example.com/eventdriver/driver"
)

// The names of objects are legal, within 1,024 bytes also below the longest folder,
// and different for different keys and sources; no event's is a claim's.
func FuzzLayout(f *testing.F) {
	f.Add("order-1", "event1", "order-2", "event1")
	f.Add("a/events/b", "c", "a", "b/c")
	f.Add(strings.Repeat("\xff", 500), strings.Repeat("/", 500), strings.Repeat("\xff", 501), "claim")
	f.Add("..", ".", "done", "=")
	f.Fuzz(func(t *testing.T, key, source, otherKey, otherSource string) {
		mine, other := driver.Claim{Key: key}, driver.Claim{Key: otherKey}
		for _, l := range []layout{{}, {strings.Repeat("f", 256)}} {
			names := []string{l.event(key, source), l.claim(mine), l.done(mine), l.decision(key, source), l.deadLetter(driver.DeadLetter{Reason: driver.Reason(source), Key: key}, time.Unix(0, 0))}
			names = append(names, l.letterRef(key, names[4]))
			if letter := l.letterOf(key, names[5]); letter != names[4] {
				t.Errorf("%q refers to %q, want %q", names[5], letter, names[4])
			}
			for _, name := range names {
				if len(name) > 1024 || !utf8.ValidString(name) || strings.ContainsAny(name, "\r\n#[]*? %") || strings.Contains(name, "..") && l.folder == "" && !strings.Contains(key+source, "..") ||
					strings.HasPrefix(name, "/") || strings.HasPrefix(name, ".well-known/acme-challenge/") {
					t.Errorf("an object is called %q", name)
				}
			}
			if key == "" || source == "" || otherKey == "" || otherSource == "" {
				continue
			}
			if (names[3] == l.decision(otherKey, otherSource)) != (key == otherKey && source == otherSource) || names[3] == l.event(otherKey, otherSource) {
				t.Errorf("a decision and another, or an event, meet in %q", names[3])
			}
			if (names[0] == l.event(otherKey, otherSource)) != (key == otherKey && source == otherSource) ||
				(names[1] == l.claim(other)) != (key == otherKey) || names[0] == l.claim(other) || names[0] == l.done(other) {
				t.Errorf("(%q, %q) and (%q, %q) meet in %q", key, source, otherKey, otherSource, names)
			}
		}
	})
}

// A cursor that is taken is what its spans are written as, and each of them has something left.
func FuzzCursor(f *testing.F) {
	f.Add("")
	f.Add("spans;3a%2Forder-7%2F:64;40%2F:256")
	f.Add("spans;3a%2F:58")
	f.Add("spans;;")
	f.Fuzz(func(t *testing.T, cursor string) {
		spans, err := parseCursor(cursor)
		if err != nil {
			if !driver.IsPermanent(err) {
				t.Errorf("%q is refused with %v", cursor, err)
			}
			return
		}
		for _, s := range spans {
			if s.left() < 1 || s.left() > hashes || !strings.HasPrefix(s.from, hashFolder(s.hash())) {
				t.Errorf("%q has the span %+v", cursor, s)
			}
		}
		if again, err := parseCursor(cursorOf(spans)); err != nil || !reflect.DeepEqual(again, spans) {
			t.Errorf("%q is %+v, and written as %q %+v, %v", cursor, spans, cursorOf(spans), again, err)
		}
	})
}

// A claim that is read back is the one that was written; what is refused is corrupt;
// and whatever lies in the bucket, a token has a successor that is greater.
func FuzzRecord(f *testing.F) {
	f.Add("held", "1", "owner", "30s", "false", "nonce")
	f.Add("released", "9223372036854775807", "", "-1h", "true", "")
	f.Add("done", "-1", "", "x", "", "")
	f.Add("held", "0x1", "o", "2562047h47m16.854775807s", "T", "w")
	f.Fuzz(func(t *testing.T, state, token, owner, ttl, takeover, write string) {
		metadata := map[string]string{fieldState: state, fieldToken: token, fieldOwner: owner, fieldTTL: ttl, fieldTakeover: takeover, fieldWrite: write}
		r, err := parseRecord(metadata)
		if err != nil {
			if !errors.Is(err, ErrCorrupt) {
				t.Errorf("%v is refused with %v", metadata, err)
			}
			return
		}
		again, err := parseRecord(r.metadata())
		if err != nil || again != r || r.owner != owner || r.write != write {
			t.Errorf("%v was read as %+v, and again as %+v, %v", metadata, r, again, err)
		}
		r.generation, r.stored = 1, time.Now()
		next, err := successor(driver.Claim{Key: "key"}, r, record{token: 1, owner: "another", ttl: time.Second})
		if err == nil && next.token <= r.token || err != nil && !errors.Is(err, driver.ErrHeld) {
			t.Errorf("after token %d comes %d, %v", r.token, next.token, err)
		}
	})
}

func TestTokensOfCorruptClaims(t *testing.T) {
	for _, token := range []int64{0, -1, math.MinInt64, math.MaxInt64} {
		r := record{token: 1, ttl: time.Second}.metadata()
		r[fieldToken] = strconv.FormatInt(token, 10)
		if got, err := parseRecord(r); !errors.Is(err, ErrCorrupt) {
			t.Errorf("token %d: %+v, %v", token, got, err)
		}
	}
}

// What decode accepts, encode writes so that it is the same again.
func FuzzDecodeTwice(f *testing.F) {
	object, err := objectBytes(driver.Message{ID: "i", Key: "k", Source: "s", Content: []byte(strings.Repeat("x", 1000)), Time: time.Unix(1, 2),
		Attributes: map[string]string{"\xff": "base64:"}})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(object)
	f.Add([]byte(`{"v":1,"key":"k","source":"s","length":0,"since1970":[9223372036854775807,-1]}` + "\n"))
	f.Add([]byte(`{"v":1,"key":"k","source":"s","length":9223372036854775807}` + "\nx"))
	f.Fuzz(func(t *testing.T, object []byte) {
		m, err := message(object)
		if err != nil {
			if !errors.Is(err, ErrCorrupt) && !errors.Is(err, ErrNewer) {
				t.Errorf("got %v, want ErrCorrupt or ErrNewer", err)
			}
			return
		}
		object, err = objectBytes(m)
		if err != nil {
			t.Fatal(err)
		}
		again, err := message(object)
		if err != nil || again.ID != m.ID || again.Key != m.Key || again.Source != m.Source || string(again.Content) != string(m.Content) ||
			!again.Time.Equal(m.Time) || !maps.Equal(again.Attributes, m.Attributes) {
			t.Errorf("%+v came back as %+v, %v", m, again, err)
		}
	})
}

// A dead letter that is read is the same when it is written and read again; others
// are corrupt, or of a newer form.
func FuzzDecodeLetter(f *testing.F) {
	content, err := letterBytes(driver.DeadLetter{Reason: "no-key", Error: "\xff", ID: "base64:", Time: time.Unix(1, 2), Attempt: 3,
		Header: map[string][]string{"Ce-Id": {"1", "\xff"}}, Body: []byte{0xff}})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(content)
	f.Add([]byte(`{"body":"x","bodyEncoding":"base64"}`))
	f.Add([]byte(`null`))
	f.Add([]byte(`{"v":10}`)) // of a newer form
	f.Fuzz(func(t *testing.T, content []byte) {
		d, err := decodeLetter(content)
		if err != nil {
			if !errors.Is(err, ErrCorrupt) && !errors.Is(err, ErrNewer) {
				t.Errorf("got %v, want ErrCorrupt or ErrNewer", err)
			}
			return
		}
		content, err = letterBytes(d)
		if err != nil {
			t.Fatal(err)
		}
		again, err := decodeLetter(content)
		if !again.Time.Equal(d.Time) {
			t.Errorf("time %v came back as %v", d.Time, again.Time)
		}
		again.Time = d.Time
		for name, values := range d.Header { // none is as good as an empty list
			if values == nil {
				d.Header[name] = []string{}
			}
		}
		if err != nil || !reflect.DeepEqual(again, d) {
			t.Errorf("%+v came back as %+v, %v", d, again, err)
		}
	})
}
