package gcsstore

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"path"
	"strings"
	"time"

	"example.com/eventdriver/driver"
	"example.com/eventdriver/stores/internal/letterid"
)

// Names of objects. Cloud Storage takes up to 1,024 bytes of UTF-8 without CR and LF. Tools
// choke on more: '#', '[', ']', '*' and '?' are gcloud's wildcards, "." and ".." are folders
// to some tools, and "//" is one slash to others
// (https://cloud.google.com/storage/docs/objects#naming). So an escaped name has letters,
// digits and "-_.@+," as they are, and any other byte as '=' and two upper-case hex digits.
// This is by hand because url.PathEscape leaves "..", and some tool would decode its '%' once
// too often.
const (
	escapeMark = '='
	// hashedMark begins the name of what is too long. No escaped name has it,
	// since in those two hex digits follow each '='.
	hashedMark = "=="
	// maxName is the length of an escaped name in bytes. A folder (256), a key, a
	// source and what is between them fit into 1,024.
	maxName = 320
)

const upperHex = "0123456789ABCDEF"

// objectName returns s as one segment of an object's name: escaped, or hashed if
// that is too long. Different strings have different names.
func objectName(s string) string {
	if len(s) <= maxName {
		if escaped := escape(s); len(escaped) <= maxName {
			return escaped
		}
	}
	sum := sha256.Sum256([]byte(s))
	return hashedMark + hex.EncodeToString(sum[:])
}

// isHashed says that an object's name does not tell what it stands for.
func isHashed(name string) bool { return strings.HasPrefix(name, hashedMark) }

// escape is injective; unescape is its inverse. The empty string, which is no
// legal key or source, stays empty.
func escape(s string) string {
	dots := s == "." || s == ".."
	var b strings.Builder
	b.Grow(len(s))
	for i := range len(s) {
		c := s[i]
		if plain(c) && !(dots && i == 0) {
			b.WriteByte(c)
			continue
		}
		b.WriteByte(escapeMark)
		b.WriteByte(upperHex[c>>4])
		b.WriteByte(upperHex[c&15])
	}
	return b.String()
}

// unescape returns what was escaped, and an error for what escape never returns.
func unescape(name string) (string, error) {
	var b strings.Builder
	b.Grow(len(name))
	for i := 0; i < len(name); i++ {
		if name[i] != escapeMark {
			b.WriteByte(name[i])
			continue
		}
		if i+2 >= len(name) {
			return "", fmt.Errorf("name %q ends within an escape", name)
		}
		high, low := strings.IndexByte(upperHex, name[i+1]), strings.IndexByte(upperHex, name[i+2])
		if high < 0 || low < 0 {
			return "", fmt.Errorf("name %q has the bad escape %q", name, name[i:i+3])
		}
		b.WriteByte(byte(high<<4 | low))
		i += 2
	}
	if s := b.String(); escape(s) == name {
		return s, nil
	}
	return "", fmt.Errorf("name %q is not how its string is escaped", name)
}

// plain says that c stands for itself in an escaped name.
func plain(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || strings.IndexByte("-_.@+,", c) >= 0
}

const deadLetterFolder = "deadletters"

// layout names the objects below a folder.
type layout struct{ folder string }

// ofKey returns the folder of all that belongs to key, without a slash at its end.
func (l layout) ofKey(key string) string {
	sum := sha256.Sum256([]byte(key))
	return path.Join(l.folder, hex.EncodeToString(sum[:1]), objectName(key))
}

func (l layout) events(key string) string        { return l.ofKey(key) + "/events/" }
func (l layout) event(key, source string) string { return l.events(key) + objectName(source) }

// decision names the object of what is decided for a join. It is below the events, so
// that one list has both; no source's name begins like it, since after a '=' there come
// two upper-case hex digits, or another.
func (l layout) decision(key, name string) string {
	return l.events(key) + decisionFolder + objectName(name)
}

const decisionFolder = "=decided/"

// corrected returns the folder of what was kept of source before it was corrected.
func (l layout) corrected(key, source string) string {
	return l.ofKey(key) + "/" + correctedFolder + objectName(source) + "/"
}

const correctedFolder = "corrected/"

func (l layout) claim(c driver.Claim) string { return l.scope(c) + "/claim" }
func (l layout) done(c driver.Claim) string  { return l.scope(c) + "/done" }

// scope returns the folder of a key's claim and completion.
func (l layout) scope(c driver.Claim) string {
	if c.Scope == "" {
		return l.ofKey(c.Key)
	}
	return l.ofKey(c.Key) + "/scopes/" + objectName(c.Scope)
}

func (l layout) deadLetters() string { return path.Join(l.folder, deadLetterFolder) + "/" }

// letterRefs returns the folder of what refers to the letters of a key. No day's name begins
// like it.
func (l layout) letterRefs(key string) string {
	return l.deadLetters() + letterRefFolder + objectName(key) + "/"
}

const letterRefFolder = "=keys/"

// letterRef names what refers to a letter; letterOf is its inverse.
func (l layout) letterRef(key, letter string) string {
	return l.letterRefs(key) + strings.TrimSuffix(strings.TrimPrefix(letter, l.deadLetters()), letterSuffix)
}

func (l layout) letterOf(key, ref string) string {
	return l.deadLetters() + strings.TrimPrefix(ref, l.letterRefs(key)) + letterSuffix
}

func (l layout) isLetterRef(name string) bool {
	return strings.HasPrefix(name, l.deadLetters()+letterRefFolder)
}

const letterSuffix = ".json"

// deadLetter names a letter by the day and by what a redelivery has in common with the delivery before.
func (l layout) deadLetter(d driver.DeadLetter, day time.Time) string {
	id := letterid.Of(d)
	return l.deadLetters() + day.UTC().Format(time.DateOnly) + "/" + objectName(string(d.Reason)) + "-" + id + letterSuffix
}
