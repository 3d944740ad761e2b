package driver

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"slices"
	"time"
)

// Fingerprint tells events of one key, source and Time apart: by ID and Content.
type Fingerprint [16]byte

// Fingerprint returns m's.
func (m Message) Fingerprint() Fingerprint {
	h := sha256.New()
	h.Write(binary.BigEndian.AppendUint64(nil, uint64(len(m.ID))))
	h.Write([]byte(m.ID))
	h.Write(m.Content)
	return Fingerprint(h.Sum(nil)[:16])
}

// maxReplaced is how many fingerprints of what was replaced are remembered.
const maxReplaced = 1000

// Succession is what a store keeps for a key and source: the last event, what of the same Time
// was replaced, and what was corrected.
type Succession struct {
	Last     Message
	Replaced []Fingerprint
	// Correction is that by which Last is kept; nil: Last was sent so.
	Correction *Correction
	// Contents are those that were corrected, by the Fingerprint of a message that has nothing else.
	Contents []Fingerprint
}

// Conflict returns nil where m has the content that is kept, else the [*ConflictError] of
// [EventStore], with the message that is kept.
func (s Succession) Conflict(m Message) error {
	if bytes.Equal(s.Last.Content, m.Content) {
		return nil
	}
	return &ConflictError{Stored: s.Last, Corrected: slices.Contains(s.Contents, fingerprintOf(m.Content))}
}

func fingerprintOf(content []byte) Fingerprint { return Message{Content: content}.Fingerprint() }

// Correct returns what is to be kept when m is put in the place of the event that is kept, and
// whether that changes anything. It is the rule of [Corrector].
func (s Succession) Correct(m Message, c Correction) (Succession, bool) {
	if s.Correction != nil && s.Correction.same(c) && s.Last.MediaType == m.MediaType && bytes.Equal(s.Last.Content, m.Content) {
		return s, false
	}
	contents := append(slices.Clone(s.Contents), fingerprintOf(s.Last.Content))
	return Succession{Last: m, Correction: &c, Contents: contents[max(0, len(contents)-maxReplaced):]}, true
}

// Replace returns what is to be kept when m comes, and whether that is m. It is the rule
// of [Replacer].
func (s Succession) Replace(m Message) (Succession, bool) {
	if s.Correction != nil {
		return s, false
	}
	switch order := compareTimes(m.Time, s.Last.Time); {
	case order < 0:
		return s, false
	case order > 0:
		return Succession{Last: m}, true
	}
	old, mine := s.Last.Fingerprint(), m.Fingerprint()
	if mine == old || slices.Contains(s.Replaced, mine) {
		return s, false
	}
	replaced := append(slices.Clone(s.Replaced), old)
	return Succession{Last: m, Replaced: replaced[max(0, len(replaced)-maxReplaced):]}, true
}

// compareTimes compares to the microsecond, which every store keeps.
func compareTimes(a, b time.Time) int {
	if a.IsZero() || b.IsZero() {
		return truth(!a.IsZero()) - truth(!b.IsZero())
	}
	return a.Truncate(time.Microsecond).Compare(b.Truncate(time.Microsecond))
}

func truth(b bool) int {
	if b {
		return 1
	}
	return 0
}
