//go:build !nobigquery

package eventdriver

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"time"

	"cloud.google.com/go/bigquery"

	"example.com/eventdriver/stores/bqstore"
)

// StoreBigQuery is the store in BigQuery. The build tag nobigquery leaves it out.
const StoreBigQuery = "bigquery"

// A statement that writes to BigQuery takes seconds, more when others queue.
const bigQueryTimeout = time.Minute

// Claiming a key in BigQuery may take bigQueryTimeout. A lease must last longer, by more than the
// margin with which it is relied upon.
const bigQueryLease = bigQueryTimeout + 15*time.Second

func bigQueryStore() storeKind {
	return storeKind{name: StoreBigQuery, claimsIn: StoreGCS, timeout: bigQueryTimeout, shortest: bqstore.ShortestTimeout,
		lease: bigQueryLease, seals: true, settings: bigQuerySettings, open: openBigQuery}
}

func openBigQuery(ctx context.Context, c Config, o observer) (store, error) {
	opts, err := o.client(ctx, "bigquery", bigquery.Scope)
	if err != nil {
		return nil, err
	}
	return bqstore.New(ctx, bqstore.Config(c.Project, c.Dataset).WithLocation(c.Location).
		WithRetention(c.Retention).WithTimeout(c.storeTimeout()), opts...)
}

var bigQuerySettings = []setting{{
	name:      "BIGQUERY_PROJECT",
	infer:     func(_ Config, env environment) string { return env.text("GOOGLE_CLOUD_PROJECT") },
	unsetText: "`GOOGLE_CLOUD_PROJECT`, if that is set",
	must:      "the ID of a project",
	field:     func(c *Config) flag.Value { return (*text)(&c.Project) },
	check:     func(c Config) error { return c.checkBigQuery(c.Project, bqstore.Config(c.Project, "dataset")) },
	about:     "the project of the dataset; required if a store is `bigquery`",
}, {
	name:  "BIGQUERY_DATASET",
	must:  "the name of a dataset",
	field: func(c *Config) flag.Value { return (*text)(&c.Dataset) },
	check: func(c Config) error { return c.checkBigQuery(c.Dataset, bqstore.Config("project", c.Dataset)) },
	about: "the dataset; required if a store is [`bigquery`](bigquery.md)",
}, {
	name:      "BIGQUERY_LOCATION",
	unsetText: "BigQuery is asked",
	must:      "the dataset's location, as in EU",
	field:     func(c *Config) flag.Value { return (*text)(&c.Location) },
	check: func(c Config) error {
		return c.checkBigQuery(c.Location, bqstore.Config("project", "dataset").WithLocation(c.Location))
	},
	about: "the dataset's location, such as `EU`",
}, {
	name:  "BIGQUERY_RETENTION",
	unset: "168h",
	must:  "a length of time from 1h to 3600h, as in 168h, and no less than LEASE",
	field: func(c *Config) flag.Value { return (*duration)(&c.Retention) },
	check: Config.checkRetention,
	about: "how long rows are seen, from `1h` to `3600h`. The tables' partitions must last a day longer.",
}}

// checkBigQuery checks one value, which stands beside others that are right.
func (c Config) checkBigQuery(value string, beside bqstore.Settings) error {
	switch {
	case !c.uses(StoreBigQuery) || beside.Check() == nil:
		return nil
	case value == "":
		return errors.New("EVENT_STORE or CLAIM_STORE is bigquery")
	}
	return errInvalid
}

func (c Config) checkRetention() error {
	if !c.uses(StoreBigQuery) {
		return nil
	}
	if c.ClaimStore == StoreBigQuery && c.Lease > c.Retention {
		return fmt.Errorf("LEASE is %v", c.Lease)
	}
	return unless(bqstore.Config("project", "dataset").WithRetention(c.Retention).Check() == nil)
}
