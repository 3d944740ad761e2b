package gcsstore

import (
	"encoding/hex"
	"fmt"
	"math/rand/v2"
	"net/url"
	"sort"
	"strconv"
	"strings"

	"example.com/eventdriver/driver"
)

// hashes is how many folders HASH there are.
const hashes = 256

// span is a part of the names below the store's folder that is still to be listed: from a
// name in a folder HASH on, up to a folder HASH, which is not part of it. The order is that of the names'
// bytes, so all objects of a key follow one another.
type span struct {
	from string // mostly "HASH/", or "HASH/KEY/"
	to   int
}

// hashFolder is the name of the folder HASH with that number; of the one behind the last, the
// least name that is behind all names in folders.
func hashFolder(n int) string {
	if n == hashes {
		return "ff0" // '0' follows '/'
	}
	return hex.EncodeToString([]byte{byte(n)}) + "/"
}

// hash is the number of the folder that the span begins in.
func (s span) hash() int {
	n, _ := strconv.ParseUint(s.from[:2], 16, 8)
	return int(n)
}

// left is how many folders the span is in, or in a part of.
func (s span) left() int { return s.to - s.hash() }

// behind is where the span goes on behind a name that is not of a key: within a folder HASH, or
// at the next one.
func (s span) behind(name string) string {
	if inHash(name) {
		return name + "\x00"
	}
	n := sort.Search(hashes, func(n int) bool { return hashFolder(n) > name })
	return hashFolder(min(n, s.to))
}

// inHash says whether a name is in a folder HASH.
func inHash(name string) bool { return len(name) > 2 && isHash(name[:2]) && name[2] == '/' }

// take returns the objects of each key in a page of the span, and what is left of the span,
// which is nothing if there are no more pages and less where the page ends within a key.
// Objects that are in no folder of a key are not the store's.
func (s span) take(folder string, page []listed, more bool) (keys [][]listed, rest []span) {
	last, next := "", s.from
	for _, o := range page {
		name := strings.TrimPrefix(o.name, folder)
		prefix, isKey := keyFolder(name)
		switch {
		case !isKey:
			next = s.behind(name)
		case prefix == last:
			keys[len(keys)-1] = append(keys[len(keys)-1], o)
		default:
			keys = append(keys, []listed{o})
			last, next = prefix, prefix
		}
	}
	if !more {
		return keys, nil
	}
	if next == last && len(keys) > 0 { // more of this key may follow
		keys = keys[:len(keys)-1]
	}
	if next >= hashFolder(s.to) {
		return keys, nil
	}
	return keys, []span{{next, s.to}}
}

// keyFolder returns the beginning "HASH/KEY/" of a name that has it.
func keyFolder(name string) (string, bool) {
	if !inHash(name) {
		return "", false
	}
	end := strings.IndexByte(name[3:], '/')
	if end < 1 {
		return "", false
	}
	return name[:3+end+1], true
}

// all is everything there is.
func all() []span { return []span{{hashFolder(0), hashes}} }

// widen splits spans until there are n, or until no span has two folders.
func widen(spans []span, n int) []span {
	for len(spans) < n {
		widest := 0
		for i := range spans {
			if spans[i].left() > spans[widest].left() {
				widest = i
			}
		}
		if len(spans) == 0 || spans[widest].left() < 2 {
			return spans
		}
		s := spans[widest]
		middle := s.hash() + (s.left()+1)/2
		spans[widest].to = middle
		spans = append(spans, span{hashFolder(middle), s.to})
	}
	return spans
}

// anywhere has a span begin at a random folder, if it has several. A list that ends before all is
// listed, and later begins anew, so comes to each folder some time.
func anywhere(s span) []span {
	if s.left() < 2 {
		return []span{s}
	}
	middle := s.hash() + 1 + rand.IntN(s.left()-1)
	return []span{{hashFolder(middle), s.to}, {s.from, middle}}
}

// shareOf is how much has been listed when the spans are left.
func shareOf(spans []span) float64 {
	left := 0
	for _, s := range spans {
		left += s.left()
	}
	return 1 - float64(left)/hashes
}

// A cursor is the spans that are left: "spans;3a%2Forder-7%2F:64;40%2F:256".
const cursorMark = "spans"

func cursorOf(spans []span) string {
	if len(spans) == 0 {
		return ""
	}
	text := cursorMark
	for _, s := range spans {
		text += ";" + url.QueryEscape(s.from) + ":" + strconv.Itoa(s.to)
	}
	return text
}

// parseCursor is the inverse of cursorOf. An empty cursor is everything.
func parseCursor(cursor string) (spans []span, err error) {
	if cursor == "" {
		return all(), nil
	}
	mark, text, _ := strings.Cut(cursor, ";")
	for part := range strings.SplitSeq(text, ";") {
		s, ok := parseSpan(part)
		if !ok || mark != cursorMark {
			return nil, driver.Permanent(fmt.Errorf("%.80q is no cursor", cursor))
		}
		spans = append(spans, s)
	}
	return spans, nil
}

func parseSpan(text string) (span, bool) {
	escaped, end, _ := strings.Cut(text, ":")
	from, errFrom := url.QueryUnescape(escaped)
	to, errTo := strconv.Atoi(end)
	if errFrom != nil || errTo != nil || to > hashes || !inHash(from) {
		return span{}, false
	}
	s := span{from, to}
	return s, s.left() > 0
}
