package gcsstore

import (
	"fmt"

	"example.com/eventdriver/driver"
)

const (
	// MaxContent is how many bytes the content of an event may have: twice as many as a
	// request to Cloud Run. What has more is not stored, and an object whose header says that it
	// has more is not read.
	MaxContent = 64 << 20
	// longestHeader is more than an event's header can have: decode.MaxContext bounds
	// the attributes, four times wrapped at most.
	longestHeader = 16 << 20
	// headerCopies is how often a header is there at most: as its line grows, and decoded.
	headerCopies = 3
)

// checkContent refuses what could not be read again.
func checkContent(m driver.Message) error {
	if len(m.Content) > MaxContent {
		return driver.Reject(driver.ReasonTooLarge, fmt.Errorf("a content of %d bytes: it must not have more than %d", len(m.Content), MaxContent))
	}
	return nil
}

// check refuses what no event can have.
func (h header) check() error {
	if h.Length < 0 || h.Length > MaxContent {
		return fmt.Errorf("%w: header: a content of %d bytes: it must not have more than %d", ErrCorrupt, h.Length, MaxContent)
	}
	return nil
}
