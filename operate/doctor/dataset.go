package doctor

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	bigquery "google.golang.org/api/bigquery/v2"

	"example.com/eventdriver"
	"example.com/eventdriver/operate/deployed"
)

// dataset looks at what deletes rows early, and at what keeps the store from finding them.
func dataset(f facts) (all []Finding) {
	name := f.Config.Project + "." + f.Config.Dataset
	d := f.Datasets[name]
	if d == nil || !f.bigQuery() {
		return nil
	}
	if d.Gone {
		return []Finding{{Severity: Error, Resource: name, Problem: "the dataset does not exist", Why: "every event fails",
			Remedy: "bq --location=" + f.Region + " mk --dataset " + bq(name) +
				", or set BIGQUERY_DATASET to one that exists"}}
	}
	if d.Info == nil {
		return nil
	}
	add := func(severity Severity, problem, why, remedy string) {
		all = append(all, Finding{Severity: severity, Resource: name, Problem: problem, Why: why, Remedy: remedy})
	}
	if l := f.Config.Location; l != "" && d.Info.Location != "" && !strings.EqualFold(l, d.Info.Location) {
		add(Error, "it is in "+d.Info.Location+", and BIGQUERY_LOCATION is "+l, "no query finds it, and every event fails",
			f.update("BIGQUERY_LOCATION="+d.Info.Location))
	}
	if ms := d.Info.DefaultTableExpirationMs; ms > 0 {
		add(severityOfDefault(d), "its new tables are deleted after "+days(milliseconds(ms)),
			"such a table takes the state of all orders with it",
			"bq update --default_table_expiration=0 "+bq(name))
	}
	if ms := d.Info.DefaultPartitionExpirationMs; ms > 0 && milliseconds(ms) < f.partitions() &&
		len(d.Tables) < tablesOfStore {
		add(Warning, "partitions of its new tables are deleted after "+days(milliseconds(ms)),
			"rows go before BIGQUERY_RETENTION is over",
			"bq update --default_partition_expiration=0 "+bq(name))
	}
	for _, id := range slices.Sorted(maps.Keys(d.Tables)) {
		if f.uses(id) {
			all = append(all, f.table(name+"."+id, d.Tables[id])...)
		}
	}
	return all
}

// uses says whether the function keeps anything in a table.
func (f facts) uses(table string) bool {
	if table == "claims" {
		return f.Config.ClaimStore == eventdriver.StoreBigQuery
	}
	return f.Config.EventStore == eventdriver.StoreBigQuery
}

// tablesOfStore is how many tables the store has.
const tablesOfStore = 3

// severityOfDefault: where all tables are there, the default of new ones matters when one is
// created again.
func severityOfDefault(d *deployed.Dataset) Severity {
	if len(d.Tables) < tablesOfStore {
		return Error
	}
	return Warning
}

// partitions is for how long partitions must be kept, since one ends as a whole.
func (f facts) partitions() time.Duration { return f.Config.Retention + day }

func (f facts) table(name string, t *bigquery.Table) (all []Finding) {
	add := func(severity Severity, problem, why, remedy string) {
		all = append(all, Finding{Severity: severity, Resource: name, Problem: problem, Why: why, Remedy: remedy})
	}
	if t.ExpirationTime > 0 {
		add(Error, "the table is deleted at "+time.UnixMilli(t.ExpirationTime).UTC().Format(time.RFC3339),
			"it takes the state of all orders with it",
			"bq update --expiration=0 "+bq(name))
	}
	switch p := t.TimePartitioning; {
	case p == nil || p.ExpirationMs == 0:
		add(Cost, "its rows are never deleted", "storage and queries cost more with each order",
			fmt.Sprintf("bq update --time_partitioning_expiration=%d %s, if it is partitioned by created_at",
				int(f.partitions().Seconds()), bq(name)))
	case milliseconds(p.ExpirationMs) < f.partitions() && !strings.HasSuffix(name, ".dead_letters"):
		add(Error, fmt.Sprintf("its partitions are deleted after %s, and rows must be kept for %s",
			days(milliseconds(p.ExpirationMs)), days(f.partitions())),
			"the store refuses such a table, or rows that orders need are gone",
			fmt.Sprintf("bq update --time_partitioning_expiration=%d %s", int(f.partitions().Seconds()), bq(name)))
	case milliseconds(p.ExpirationMs) < lettersAge && strings.HasSuffix(name, ".dead_letters"):
		add(Warning, "a dead letter is deleted after "+days(milliseconds(p.ExpirationMs)),
			"nobody may have read it by then, and the order is lost",
			fmt.Sprintf("bq update --time_partitioning_expiration=%d %s", int(f.partitions().Seconds()), bq(name)))
	}
	if insensitive(t) {
		add(Error, "its texts are compared without regard to letter case", "keys that differ in letter case are one order",
			"create the table anew, in a dataset without a default collation")
	}
	return all
}

// insensitive says whether a table's keys are compared so that a and A are the same.
func insensitive(t *bigquery.Table) bool {
	if t.Schema == nil {
		return t.DefaultCollation == "und:ci"
	}
	return slices.ContainsFunc(t.Schema.Fields,
		func(c *bigquery.TableFieldSchema) bool { return c.Collation == "und:ci" })
}

func milliseconds(n int64) time.Duration { return time.Duration(n) * time.Millisecond }

// bq writes a name as the command bq takes it.
func bq(name string) string { return strings.Replace(name, ".", ":", 1) }
