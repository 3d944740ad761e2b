package eventdriver

import (
	"fmt"
	"time"

	"example.com/eventdriver/driver/cache"
)

// acquireTimeout is how long it may take to claim a key: StoreTimeout; or half of a
// short lease, if nobody has chosen another than the default.
func (c Config) acquireTimeout() time.Duration {
	isDefault := c.StoreTimeout == DefaultConfig().StoreTimeout || c.uses(StoreBigQuery) && c.StoreTimeout == bigQueryTimeout
	if isDefault && c.Lease > 0 {
		return min(c.StoreTimeout, c.Lease/2)
	}
	return c.StoreTimeout
}

// checkTimeout returns an error if it may take as long to claim a key as its lease is
// relied upon: a claim whose answer comes that late is of no use.
func (c Config) checkTimeout(timeout time.Duration) error {
	reliedUpon := c.Lease - min(cache.DefaultClockSkew, c.Lease/4)
	if c.Lease < shortestLease || timeout < reliedUpon {
		return nil
	}
	return fmt.Errorf("STORE_TIMEOUT must be less than LEASE and its margin for clocks that differ, so less than %v where LEASE is %v; it is %v",
		reliedUpon, c.Lease, timeout)
}
