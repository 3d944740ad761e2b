// Package letterid names dead letters for the stores.
package letterid

import (
	"crypto/sha256"
	"encoding/hex"
	"maps"
	"net/http"
	"slices"
	"strings"

	"example.com/eventdriver/driver"
)

// Of names a letter by what a redelivery has in common with the delivery before, so that both have the
// same name: of the headers those that are the event's own.
func Of(d driver.DeadLetter) string {
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
	return hex.EncodeToString(h.Sum(nil)[:16])
}
