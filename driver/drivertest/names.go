package drivertest

import (
	"cmp"
	"context"
	"crypto/md5"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"

	"example.com/eventdriver/driver"
)

// names are legal keys and sources, all different, that a careless store takes
// for one another, or chokes on.
var names = append([]string{
	"x", "X", " x", "x ", "x\t", "x\n", "x\r", "x\r\n", "\x00", "x\x00", "x\x00y",
	"/x", "x/", "/", "//", "x//y", "x/y", "x\\y", "/x/", "./x", "x/.", "x/..", "../x",
	".", "..", "...", "~", "*", "?", "#", "x#y", "[x]", "-", "_", "-x", "+", "x+y", "x y", "&", "=", ":", ";", ",",
	"%", "%%", "%2F", "%2f", "%252F", "x%2Fy", "x%2F", "%00", "%s", "\\", `\n`, `\x00`, "$", "${x}", "{}", "{x}",
	"é", "e\u0301", "É", "ß", "ss", "ﬁ", "fi", "İ", "i̇", "日本", "💥", "👩‍👩‍👧", "\u200b", "\ufeff", "\ufeffx", "\ufffd", "\u2028",
	"\xff", "\xfe", "\xc0\x80", "\xed\xa0\x80", "x\xff", "x\xfe",
	`"`, "'", "`", `"x"`, "''", "x'; DROP TABLE events; --", "' OR '1'='1", "x`; DELETE FROM t WHERE true", "/* x */", "@x",
	"claim", "done", "events", "deadletters", "claims", "leases", "claim/x", "x/claim", "events/x", "x/events/x",
	"null", "nil", "NULL", "true", "0", "00", "1", "1.0", "1e0", "-0", ".well-known/acme-challenge/x",
	strings.Repeat("x", 1024), strings.Repeat("x", 1025), strings.Repeat("/", 1025),
}, longNames()...)

// fewNames are names of each kind: letters in two cases, white space, parts of paths, patterns, escapes,
// Unicode in two forms, what is no UTF-8, quotes and statements, words with a meaning, and long ones.
func fewNames() []string {
	few := []string{"x", "X", "x ", "x\n", "\x00", "x\x00", "/x", "x/y", "x\\y", "..", "*", "?", "#", "%", "x%2Fy", `\n`, "${x}",
		"é", "e\u0301", "ß", "💥", "\ufeffx", "\ufffd", "\xff", "\xfe", "\xc0\x80", `"`, "'", "`", "x'; DROP TABLE events; --", "@x",
		"done", "claim/x", "NULL", "1", "1.0"}
	return append(few, longNames()[:3]...)
}

// longNames are too long for the names of most stores' records, which therefore
// hash them, and names that look like such a hash.
func longNames() []string {
	long := strings.Repeat("long-key/", 2000/9) + "é"
	a, b := long+"a", long+"b"
	sum256, sum1, sumMD5 := sha256.Sum256([]byte(a)), sha1.Sum([]byte(a)), md5.Sum([]byte(a))
	longs := []string{a, b, strings.Repeat("%", 2000), strings.Repeat("\xff", 2000), strings.Repeat("💥", 500)}
	for _, sum := range [][]byte{sum256[:], sum1[:], sumMD5[:]} {
		longs = append(longs, hex.EncodeToString(sum), strings.ToUpper(hex.EncodeToString(sum)),
			base64.RawURLEncoding.EncodeToString(sum), base64.StdEncoding.EncodeToString(sum))
	}
	return append(longs, "sha256:"+hex.EncodeToString(sum256[:]), "sha256-"+hex.EncodeToString(sum256[:]))
}

func anyKey(ctx context.Context, s events) error {
	_, failures := atOnce(len(s.names), func(i int) (any, error) {
		return nil, s.store.Persist(ctx, event(s.names[i], "event1", fmt.Sprint("content ", i)))
	})
	if err := errors.Join(failures...); err != nil {
		return err
	}
	_, failures = atOnce(len(s.names), func(i int) (any, error) {
		want := event(s.names[i], "event1", fmt.Sprint("content ", i))
		return nil, about(s.names[i], expectKept(ctx, s, want), expectAll(ctx, s, s.names[i], want))
	})
	return errors.Join(failures...)
}

func anySource(ctx context.Context, s events) error {
	_, failures := atOnce(len(s.names), func(i int) (any, error) {
		return nil, s.store.Persist(ctx, event("order-1", s.names[i], fmt.Sprint("content ", i)))
	})
	if err := errors.Join(failures...); err != nil {
		return err
	}
	want := make([]driver.Message, len(s.names))
	_, failures = atOnce(len(s.names), func(i int) (any, error) {
		want[i] = event("order-1", s.names[i], fmt.Sprint("content ", i))
		return nil, about(s.names[i], expectKept(ctx, s, want[i]))
	})
	slices.SortFunc(want, func(a, b driver.Message) int { return cmp.Compare(a.Source, b.Source) })
	return errors.Join(append(failures, expectAll(ctx, s, "order-1", want...))...)
}

// about says which name the failures are about, and returns nil if there are none.
func about(name string, failures ...error) error {
	if err := errors.Join(failures...); err != nil {
		return fmt.Errorf("%.80q: %w", name, err)
	}
	return nil
}

func splits(ctx context.Context, s events) error {
	pairs := [][2]string{ // key and source
		{"a", "b"}, {"b", "a"}, {"a/b", "c"}, {"a", "b/c"}, {"a/", "b"}, {"a", "/b"}, {"ab", "c"}, {"a", "bc"}, {"abc", "d"},
		{"a\x00b", "c"}, {"a", "b\x00c"}, {"a,b", "c"}, {"a", "b,c"}, {"a:b", "c"}, {"a", "b:c"}, {"a%2Fb", "c"}, {"a", "b%2Fc"},
		{"a", "events/b"}, {"a/events", "b"}, {"a/events/b", "c"}, {"a", "b/events/c"}, {"a", "claim"}, {"a", "done"}, {"a/claim", "b"},
	}
	var failures []error
	for i, p := range pairs {
		failures = append(failures, about(p[0]+" | "+p[1], s.store.Persist(ctx, event(p[0], p[1], fmt.Sprint("content ", i)))))
	}
	kept := make(map[string][]driver.Message)
	for i, p := range pairs {
		m := event(p[0], p[1], fmt.Sprint("content ", i))
		kept[p[0]] = append(kept[p[0]], m)
		failures = append(failures, about(p[0]+" | "+p[1], expectKept(ctx, s, m)))
	}
	for key, want := range kept {
		slices.SortFunc(want, func(a, b driver.Message) int { return cmp.Compare(a.Source, b.Source) })
		failures = append(failures, about(key, expectAll(ctx, s, key, want...)))
	}
	return errors.Join(failures...)
}
