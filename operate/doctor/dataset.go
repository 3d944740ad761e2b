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
func dataset(f facts) []Finding {
	name := f.Config.Project + "." + f.Config.Dataset
	d, n := f.Datasets[name], on(name)
	if d == nil || !f.bigQuery() {
		return nil
	}
	if d.Gone {
		n.add(Error, "the dataset does not exist", "every event fails",
			"bq --location="+f.Region+" mk --dataset "+bq(name)+", or set BIGQUERY_DATASET to one that exists")
	}
	if d.Info == nil {
		return n.all
	}
	if l := f.Config.Location; l != "" && d.Info.Location != "" && !strings.EqualFold(l, d.Info.Location) {
		n.add(Error, "it is in "+d.Info.Location+", and BIGQUERY_LOCATION is "+l,
			"no query finds it, and every event fails",
			f.update("BIGQUERY_LOCATION="+d.Info.Location))
	}
	for _, id := range d.Missing {
		if f.uses(id) {
			n.add(Error, "its table "+id+" does not exist", "the function makes no table: what it keeps there fails",
				"make it as Terraform's module does, with the schema stores/bqstore/schema/"+id+".json, partitioned by created_at")
		}
	}
	f.newTables(n, d)
	for _, id := range slices.Sorted(maps.Keys(d.Tables)) {
		if f.uses(id) {
			n.all = append(n.all, f.table(name+"."+id, d.Tables[id])...)
		}
	}
	return n.all
}

// newTables looks at what tables get that do not exist yet, or that are created again.
func (f facts) newTables(n *notes, d *deployed.Dataset) {
	severity := Warning
	if len(d.Tables) < tablesOfStore {
		severity = Error
	}
	if ms := d.Info.DefaultTableExpirationMs; ms > 0 {
		n.add(severity, "its new tables are deleted after "+days(milliseconds(ms)),
			"such a table takes the state of all orders with it", "bq update --default_table_expiration=0 "+bq(n.resource))
	}
	if ms := d.Info.DefaultPartitionExpirationMs; severity == Error && ms > 0 && milliseconds(ms) < f.partitions() {
		n.add(Warning, "partitions of its new tables are deleted after "+days(milliseconds(ms)),
			"rows go before BIGQUERY_RETENTION is over", "bq update --default_partition_expiration=0 "+bq(n.resource))
	}
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

// partitions is for how long partitions must be kept, since one ends as a whole.
func (f facts) partitions() time.Duration { return f.Config.Retention + day }

func (f facts) table(name string, t *bigquery.Table) []Finding {
	n := on(name)
	if t.ExpirationTime > 0 {
		n.add(Error, "the table is deleted at "+time.UnixMilli(t.ExpirationTime).UTC().Format(time.RFC3339),
			"it takes the state of all orders with it", "bq update --expiration=0 "+bq(name))
	}
	letters, keep := strings.HasSuffix(name, ".dead_letters"), f.partitions()
	if letters {
		keep = max(keep, lettersAge+day)
	}
	longer := fmt.Sprintf("bq update --time_partitioning_expiration=%d %s", int(keep.Seconds()), bq(name))
	switch p := t.TimePartitioning; {
	case p == nil || p.ExpirationMs == 0:
		n.add(Cost, "its rows are never deleted", "storage and queries cost more with each order",
			longer+", if it is partitioned by created_at")
	case letters && milliseconds(p.ExpirationMs) < lettersAge:
		n.add(Warning, "a dead letter is deleted after "+days(milliseconds(p.ExpirationMs)),
			"nobody may have read it by then, and the order is lost", longer)
	case !letters && milliseconds(p.ExpirationMs) < f.partitions():
		n.add(Error, fmt.Sprintf("its partitions are deleted after %s, and rows must be kept for %s",
			days(milliseconds(p.ExpirationMs)), days(f.partitions())),
			"the store refuses such a table, or rows that orders need are gone", longer)
	}
	if insensitive(t) {
		n.add(Error, "its texts are compared without regard to letter case",
			"keys that differ in letter case are one order",
			"create the table anew, in a dataset without a default collation")
	}
	return n.all
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
