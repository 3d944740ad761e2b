package bqstore

import (
	"context"
	_ "embed" // of the schemas and the view's statement
	"errors"
	"fmt"
	"os"

	"cloud.google.com/go/bigquery"
)

// The tables, and the view for people.
const (
	eventTable  = "events"
	claimTable  = "claims"
	letterTable = "dead_letters"
	keyView     = "keys"
)

// The columns of the tables and the view's statement, which Terraform reads, too. A column
// that is added to a table that people have already is not required: BigQuery adds no
// others, and a table that is replaced loses its rows. So what reads it takes NULL for
// empty.
var (
	//go:embed schema/events.json
	eventSchema []byte
	//go:embed schema/claims.json
	claimSchema []byte
	//go:embed schema/dead_letters.json
	letterSchema []byte
	//go:embed schema/keys.sql
	keysView string
)

// EnsureTables creates the dataset, the tables and the view that are missing, and
// leaves alone those that exist. It is for local runs and tests; in production
// the tables belong into the description of the infrastructure.
func (s *Store) EnsureTables(ctx context.Context) error {
	tables := []*bigquery.TableMetadata{
		s.table(eventTable, "Events that wait to be joined. "+
			"The rows of kind kept and agreed are events, the others steps on the way.", eventSchema, "key", "source"),
		s.table(claimTable, "Who processes which key: a log. The last row of a key says how it stands.", claimSchema, "key"),
		s.table(letterTable, "Events that can never succeed, with the reason.", letterSchema, "reason", "key"),
		{Name: keyView, ViewQuery: s.viewQuery(),
			Description: "One row for each key: what has arrived, and how it stands."},
	}
	return s.do(ctx, "ensure tables", "project "+s.settings.project, nil,
		func(ctx context.Context) error { return s.db.Ensure(ctx, tables...) })
}

func (s *Store) table(name, description string, schema []byte, cluster ...string) *bigquery.TableMetadata {
	columns, err := bigquery.SchemaFromJSON(schema)
	if err != nil {
		panic(err) // a file of this package
	}
	return &bigquery.TableMetadata{
		Name:        name,
		Description: description,
		Schema:      columns,
		TimePartitioning: &bigquery.TimePartitioning{
			Type: bigquery.DayPartitioningType, Field: "created_at", Expiration: s.db.Expiration()},
		Clustering: &bigquery.Clustering{Fields: cluster},
	}
}

// viewQuery is one row for each key, for people.
func (s *Store) viewQuery() string {
	tables := map[string]string{"events": s.db.Name(eventTable), "claims": s.db.Name(claimTable)}
	return os.Expand(keysView, func(table string) string { return tables[table] })
}

// The forms of the rows. What a version of the package does not know, it does not read.
const (
	form    = 1 // of most rows
	newForm = 2 // of those that earlier versions would take for something else: seals and reopenings
)

// ErrNewer: a row has a form that a later version of this package writes, as happens while
// a new revision of a function replaces an old one. It is not permanent: the new revision
// reads the row.
var ErrNewer = errors.New("row of a newer form")

// revision is the column that each row has. Rows that were written before there was
// the column have the first form.
type revision struct {
	Form int64 `bigquery:"form"`
}

const formColumn = "IFNULL(form, 1) AS form"

func (r revision) Check() error {
	if r.Form > newForm {
		return fmt.Errorf("%w: version %d, and this program reads up to %d", ErrNewer, r.Form, newForm)
	}
	return nil
}
