package eventdriver

import (
	"cmp"
	"context"
	"errors"
	"flag"
	"time"

	"cloud.google.com/go/storage"

	"example.com/eventdriver/stores/gcsstore"
)

// StoreGCS is the store in Cloud Storage.
const StoreGCS = "gcs"

func gcsStore() storeKind {
	return storeKind{name: StoreGCS, impliedBy: "GCS_BUCKET", seals: true, settings: gcsSettings, open: openGCS}
}

func openGCS(ctx context.Context, c Config, o observer) (store, error) {
	opts, err := o.client(ctx, "storage", storage.ScopeFullControl)
	if err != nil {
		return nil, err
	}
	timeout := c.storeTimeout()
	return gcsstore.New(ctx, gcsstore.Config(c.Bucket).WithFolder(c.Folder).WithTimeout(gcsstore.Timeout{
		Default: &timeout, Operation: map[gcsstore.Operation]time.Duration{gcsstore.OpAcquire: c.acquireTimeout()}}), opts...)
}

var gcsSettings = []setting{{
	name:  "GCS_BUCKET",
	must:  "the name of a bucket, without gs://",
	field: func(c *Config) flag.Value { return (*text)(&c.Bucket) },
	check: Config.checkBucket,
	about: "the bucket, without `gs://`; required if a store is `gcs`",
}, {
	name:      "GCS_FOLDER",
	infer:     func(_ Config, env environment) string { return cmp.Or(env.text("K_SERVICE"), "event-driver") },
	unsetText: "the service's name (`K_SERVICE`), else `event-driver`",
	must:      "a folder in the bucket, as in orders or team/orders",
	field:     func(c *Config) flag.Value { return (*text)(&c.Folder) },
	check:     func(c Config) error { return gcsstore.Config("bucket").WithFolder(c.Folder).Check() },
	about: "the folder of all objects. **One for each function**: functions that share a folder share its keys, " +
		"and each skips what the other completed.",
}}

func (c Config) checkBucket() error {
	if c.Bucket == "" {
		if c.uses(StoreGCS) {
			return errors.New("EVENT_STORE or CLAIM_STORE is gcs")
		}
		return nil
	}
	return unless(gcsstore.Config(c.Bucket).Check() == nil)
}
