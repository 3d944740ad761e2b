package bqstore

import (
	"context"
	"crypto/rand"
	"time"

	"example.com/eventdriver/driver"
)

// errSealed is the failure of what needs an event whose place is sealed.
var errSealed = driver.Reject(driver.ReasonTooLate, driver.ErrSealed)

// sealDigest is the digest of seals, so that no event's content is the same.
const sealDigest = "sealed"

// Seal implements [driver.Sealer]. A seal is a row of the form newForm in the place of the event's, which
// is agreed on as an event is: so of the two one is kept. It costs what Persist costs.
func (s *Store) Seal(ctx context.Context, key, source string) (sealed bool, err error) {
	err = s.do(ctx, "seal", of(key, source), driver.ValidName(key, source), func(ctx context.Context) error {
		row, err := s.ballot(key, source, source).agree(ctx, newSeal())
		sealed = err == nil && row.isSeal()
		return err
	})
	return sealed, err
}

func newSeal() eventRow {
	return eventRow{revision: revision{newForm}, Writer: rand.Text(), Digest: sealDigest, Content: []byte{}, Attributes: "{}",
		CreatedAt: time.Now().UTC().Truncate(time.Microsecond)}
}

func (r eventRow) isSeal() bool { return r.Form == newForm }
