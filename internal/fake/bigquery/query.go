package bigquery

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"time"

	bq "google.golang.org/api/bigquery/v2"
)

// column is a column of a result.
type column struct {
	expression
	name string
}

// query is a SELECT.
type query struct {
	columns        []column
	table          string
	union          []*query // in place of a table: UNION DISTINCT of these
	where, qualify *expression
	order          string // a column; empty: as they were inserted
	descending     bool
	limit          int // below 0: there is none
}

// run is the answer to the query.
func (q *query) run(p *project, params map[string]param, now time.Time) (r result, err error) {
	t, err := q.evaluate(newScope(p, params, now))
	if err != nil {
		return r, err
	}
	r.fields = t.meta.Schema.Fields
	for _, row := range t.rows {
		cells := make([]*bq.TableCell, len(r.fields))
		for i, f := range r.fields {
			cells[i] = &bq.TableCell{V: cell(row[f.Name])}
		}
		r.rows = append(r.rows, &bq.TableRow{F: cells})
	}
	return r, nil
}

// evaluate returns the rows that the query selects, as a table. Of outer it has what does not
// depend on a row.
func (q *query) evaluate(outer *scope) (*table, error) {
	s := outer.outside()
	t, err := q.from(s)
	if err != nil {
		return nil, err
	}
	rows := t.rows
	s.of(t)
	if q.where != nil {
		if rows, err = s.filter(rows, *q.where); err != nil {
			return nil, err
		}
	}
	s.window = rows
	if q.qualify != nil {
		if rows, err = s.filter(rows, *q.qualify); err != nil {
			return nil, err
		}
	}
	if rows, err = q.sort(s, rows); err != nil {
		return nil, err
	}
	selected := &table{meta: &bq.Table{Schema: &bq.TableSchema{}}}
	for _, c := range q.columns {
		selected.meta.Schema.Fields = append(selected.meta.Schema.Fields,
			&bq.TableFieldSchema{Name: c.name, Type: c.kind(s), Mode: "NULLABLE"})
	}
	for _, s.row = range rows {
		r := make(row, len(q.columns))
		for _, c := range q.columns {
			if r[c.name], err = c.eval(s); err != nil {
				return nil, err
			}
		}
		selected.rows = append(selected.rows, r)
	}
	return selected, nil
}

// from returns what the query reads: a table, a union, or a single row without columns.
func (q *query) from(s *scope) (*table, error) {
	switch {
	case q.union != nil:
		return s.distinct(q.union)
	case q.table == "":
		return &table{meta: &bq.Table{}, rows: []row{{}}}, nil
	}
	t, err := s.project.find(q.table)
	if err == nil && t.meta.View != nil {
		err = fail("invalidQuery", "the fake does not read views")
	}
	return t, err
}

// distinct is UNION DISTINCT: the rows of all parts, each once, under the names of the first.
func (s *scope) distinct(parts []*query) (all *table, err error) {
	seen := make(map[string]bool)
	for _, part := range parts {
		t, err := part.evaluate(s)
		if err != nil {
			return nil, err
		}
		if all == nil {
			all = &table{meta: t.meta}
		}
		fields, names := t.meta.Schema.Fields, all.meta.Schema.Fields
		if len(fields) != len(names) {
			return nil, fail("invalidQuery", "Queries in UNION DISTINCT have mismatched column count")
		}
		for _, r := range t.rows {
			renamed, text := make(row, len(fields)), ""
			for i, f := range fields {
				renamed[names[i].Name] = r[f.Name]
				text += strconv.Quote(fmt.Sprint(cell(r[f.Name])))
			}
			if !seen[text] {
				seen[text] = true
				all.rows = append(all.rows, renamed)
			}
		}
	}
	return all, nil
}

// sort orders the rows and cuts them off at the limit. NULL comes first.
func (q *query) sort(s *scope, rows []row) ([]row, error) {
	if q.order != "" {
		if s.table == nil || s.table.field(q.order) == nil {
			return nil, fail("invalidQuery", "Unrecognized name: %s", q.order)
		}
		rows = slices.Clone(rows)
		slices.SortStableFunc(rows, func(a, b row) (c int) {
			switch x, y := a[q.order], b[q.order]; {
			case x == nil || y == nil:
				c = cmp.Compare(btoi(x != nil), btoi(y != nil))
			default:
				c, _ = order(x, y) // values of a column have one type
			}
			if q.descending {
				return -c
			}
			return c
		})
	}
	if q.limit >= 0 && len(rows) > q.limit {
		rows = rows[:q.limit]
	}
	return rows, nil
}

func btoi(b bool) int {
	if b {
		return 1
	}
	return 0
}
