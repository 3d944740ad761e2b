package bigquery

import (
	"bytes"
	"cmp"
	"strconv"
	"strings"
	"time"
)

// scope is what an expression is evaluated in.
type scope struct {
	project *project
	table   *table // nil: of no table
	params  map[string]param
	now     time.Time
	row     row
	window  []row // the rows that window functions are about
}

func newScope(p *project, params map[string]param, now time.Time) *scope {
	return &scope{project: p, params: params, now: now.UTC().Truncate(time.Microsecond)}
}

// outside is the scope without its table: that of a query within another.
func (s *scope) outside() *scope { return &scope{project: s.project, params: s.params, now: s.now} }

func (s *scope) of(t *table) *scope {
	s.table = t
	return s
}

// filter returns the rows for which the condition is true.
func (s *scope) filter(rows []row, condition expression) (passed []row, err error) {
	for _, r := range rows {
		s.row = r
		is, err := condition.eval(s)
		if err != nil {
			return nil, err
		}
		if is == true {
			passed = append(passed, r)
		}
	}
	return passed, nil
}

// expression is a value that depends on a row, and on others in window functions.
type expression struct {
	plain string // the name of the column that it is, if it is one
	kind  func(*scope) string
	eval  func(*scope) (any, error)
}

func constant(value any) expression {
	return expression{kind: func(*scope) string { return kindOf(value) }, eval: func(*scope) (any, error) { return value, nil }}
}

func always(kind string) func(*scope) string { return func(*scope) string { return kind } }

// expression is conditions with OR in between.
func (p *parser) expression() expression {
	e := p.conjunction()
	for p.take("OR") {
		e = logical(e, p.conjunction(), true)
	}
	return e
}

func (p *parser) conjunction() expression {
	e := p.negation()
	for p.take("AND") {
		e = logical(e, p.negation(), false)
	}
	return e
}

// negation is a comparison with NOT before it, or without. NULL is taken for false, as in [logical].
func (p *parser) negation() expression {
	if !p.take("NOT") {
		return p.comparison()
	}
	of := p.comparison()
	return expression{kind: always("BOOLEAN"), eval: func(s *scope) (any, error) {
		value, err := of.eval(s)
		if value == nil {
			return nil, err
		}
		return value == false, err
	}}
}

// logical is OR, of which true decides, or AND, of which false does. NULL is taken for
// false: no statement here tells them apart.
func logical(a, b expression, decides bool) expression {
	return expression{kind: always("BOOLEAN"), eval: func(s *scope) (any, error) {
		x, err := a.eval(s)
		if err != nil || (x == true) == decides {
			return decides, err
		}
		y, err := b.eval(s)
		return y == true, err
	}}
}

var comparisons = map[string]func(int) bool{
	"=": func(c int) bool { return c == 0 }, "!=": func(c int) bool { return c != 0 }, "<>": func(c int) bool { return c != 0 },
	"<": func(c int) bool { return c < 0 }, "<=": func(c int) bool { return c <= 0 },
	">": func(c int) bool { return c > 0 }, ">=": func(c int) bool { return c >= 0 },
}

func (p *parser) comparison() expression {
	left := p.value()
	if p.take("NOT", "IN", "(") {
		return notIn(left, p.within())
	}
	if p.take("IS", "NULL") {
		return isNull(left, true)
	}
	if p.take("IS", "NOT", "NULL") {
		return isNull(left, false)
	}
	if p.take("IN") {
		var any expression
		for i, one := range list(p, p.value) {
			if is := compare(left, one, comparisons["="]); i == 0 {
				any = is
			} else {
				any = logical(any, is, true)
			}
		}
		return any
	}
	if holds := comparisons[p.peek()]; holds != nil {
		p.next()
		return compare(left, p.value(), holds)
	}
	return left
}

func isNull(of expression, null bool) expression {
	return expression{kind: always("BOOLEAN"), eval: func(s *scope) (any, error) {
		value, err := of.eval(s)
		return (value == nil) == null, err
	}}
}

// notIn says whether a value is not among those in the only column that a query selects. Neither may
// be NULL. A statement is parsed for each run, so the query is worked out once.
func notIn(of expression, q *query) expression {
	var found map[any]bool
	return expression{kind: always("BOOLEAN"), eval: func(s *scope) (any, error) {
		if found == nil {
			t, err := q.evaluate(s)
			if err != nil {
				return nil, err
			}
			found = make(map[any]bool)
			for _, r := range t.rows {
				found[cell(r[q.columns[0].name])] = true
			}
		}
		value, err := of.eval(s)
		if err == nil && (value == nil || found[nil] || len(q.columns) != 1) {
			err = fail("invalidQuery", "NOT IN, of NULL or of several columns, is more than the fake knows")
		}
		return !found[cell(value)], err
	}}
}

func compare(a, b expression, holds func(int) bool) expression {
	return expression{kind: always("BOOLEAN"), eval: func(s *scope) (any, error) {
		x, err := a.eval(s)
		if err != nil {
			return nil, err
		}
		y, err := b.eval(s)
		if err != nil || x == nil || y == nil {
			return nil, err
		}
		c, err := order(x, y)
		return holds(c), err
	}}
}

// order compares two values of the same type.
func order(x, y any) (int, error) {
	if kindOf(x) != kindOf(y) {
		return 0, fail("invalidQuery", "No matching signature for operator for argument types: %s, %s", kindOf(x), kindOf(y))
	}
	switch x := x.(type) {
	case int64:
		return cmp.Compare(x, y.(int64)), nil
	case []byte:
		return bytes.Compare(x, y.([]byte)), nil
	case time.Time:
		return x.Compare(y.(time.Time)), nil
	case bool:
		if x == y.(bool) {
			return 0, nil
		}
		return 1, nil
	}
	return strings.Compare(x.(string), y.(string)), nil
}

// value is a parameter, a literal, a column, a function, or an expression in parentheses.
func (p *parser) value() expression {
	switch t := p.next(); {
	case t == "(":
		e := p.expression()
		p.must(")")
		return e
	case strings.HasPrefix(t, "'"):
		return constant(strings.Trim(t, "'"))
	case strings.HasPrefix(t, "@"):
		return parameter(t[1:])
	case strings.EqualFold(t, "TRUE"), strings.EqualFold(t, "FALSE"):
		return constant(strings.EqualFold(t, "TRUE"))
	case strings.EqualFold(t, "NULL"):
		return constant(nil)
	case strings.EqualFold(t, "CASE"):
		return p.choice()
	case isWord(t) && p.peek() == "(":
		return p.function(t)
	case isWord(t):
		return columnOf(t)
	default:
		n, err := strconv.ParseInt(t, 10, 64)
		if err != nil {
			p.at--
			p.unknown()
		}
		return constant(n)
	}
}

func parameter(name string) expression {
	return expression{
		kind: func(s *scope) string { return canonical(s.params[name].ParameterType.Type) },
		eval: func(s *scope) (any, error) {
			is, found := s.params[name]
			if !found {
				return nil, fail("invalidQuery", "Query parameter '%s' not found", name)
			}
			if is.ParameterValue.Value == nil {
				return nil, nil
			}
			return parse(is.ParameterType.Type, *is.ParameterValue.Value)
		}}
}

func columnOf(name string) expression {
	return expression{plain: name,
		kind: func(s *scope) string {
			if s.table != nil && s.table.field(name) != nil {
				return canonical(s.table.field(name).Type)
			}
			return ""
		},
		eval: func(s *scope) (any, error) {
			if s.table == nil || s.table.field(name) == nil {
				return nil, fail("invalidQuery", "Unrecognized name: %s", name)
			}
			return s.row[name], nil
		}}
}
