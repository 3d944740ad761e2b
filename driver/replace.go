package driver

import (
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

// Succession is what a [Replacer] keeps for a key and source: the last event, and what
// of the same Time was replaced.
type Succession struct {
	Last     Message
	Replaced []Fingerprint
}

// Replace returns what is to be kept when m comes, and whether that is m. It is the rule
// of [Replacer].
func (s Succession) Replace(m Message) (Succession, bool) {
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
	return Succession{m, replaced[max(0, len(replaced)-maxReplaced):]}, true
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
