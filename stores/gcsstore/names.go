package gcsstore

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"
)

// Names of objects. Cloud Storage takes up to 1,024 bytes of UTF-8 without CR
// and LF; tools choke on more: '#', '[', ']', '*', '?' are gcloud's wildcards,
// "." and ".." are folders to others, "//" is one slash to yet others
// (https://cloud.google.com/storage/docs/objects#naming). So an escaped name has
// letters, digits and "-_.@+," as they are, and any other byte as '=' and two
// upper-case hex digits. '%' would be decoded once too often by something.
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
