package bigquery

import (
	"cmp"
	"slices"
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
	where, qualify *expression
	order          string // a column; empty: as they were inserted
	descending     bool
	limit          int // below 0: there is none
}

func (q *query) run(p *project, params map[string]param, now time.Time) (r result, err error) {
	s := newScope(params, now)
	rows := []row{{}}
	if q.table != "" {
		t, err := p.find(q.table)
		if err != nil {
			return r, err
		}
		if t.meta.View != nil {
			return r, fail("invalidQuery", "the fake does not read views")
		}
		s, rows = s.of(t), t.rows
	}
	if q.where != nil {
		if rows, err = s.filter(rows, *q.where); err != nil {
			return r, err
		}
	}
	s.window = rows
	if q.qualify != nil {
		if rows, err = s.filter(rows, *q.qualify); err != nil {
			return r, err
		}
	}
	if rows, err = q.sort(s, rows); err != nil {
		return r, err
	}
	for _, c := range q.columns {
		r.fields = append(r.fields, &bq.TableFieldSchema{Name: c.name, Type: c.kind(s), Mode: "NULLABLE"})
	}
	for _, s.row = range rows {
		cells := make([]*bq.TableCell, len(q.columns))
		for i, c := range q.columns {
			value, err := c.eval(s)
			if err != nil {
				return result{}, err
			}
			cells[i] = &bq.TableCell{V: cell(value)}
		}
		r.rows = append(r.rows, &bq.TableRow{F: cells})
	}
	return r, nil
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
