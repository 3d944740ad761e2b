package gcsstore

import (
	"crypto/sha256"
	"encoding/hex"
	"maps"
	"net/http"
	"path"
	"slices"
	"strings"
	"time"

	"example.com/eventdriver/driver"
)

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

// deadLetter names a letter by the day and by what a redelivery has in common
// with the delivery before, so that both have the same name: of the headers those
// that are the event's own.
func (l layout) deadLetter(d driver.DeadLetter, day time.Time) string {
	h, body := sha256.New(), sha256.Sum256(d.Body)
	h.Write(body[:])
	parts := []string{string(d.Reason), d.ID, d.Key, d.Source}
	for _, name := range slices.Sorted(maps.Keys(d.Header)) {
		if canonical := http.CanonicalHeaderKey(name); canonical == "Content-Type" || strings.HasPrefix(canonical, "Ce-") {
			parts = append(append(parts, canonical), d.Header[name]...)
		}
	}
	for _, part := range parts {
		sum := sha256.Sum256([]byte(part)) // of one length, so that parts don't run into each other
		h.Write(sum[:])
	}
	id := hex.EncodeToString(h.Sum(nil)[:16])
	return l.deadLetters() + day.UTC().Format(time.DateOnly) + "/" + objectName(string(d.Reason)) + "-" + id + ".json"
}
