package bigquery

import (
	"encoding/base64"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// function is a call of a function, given its name. Each of the fake's returns NULL for an
// argument that is NULL, but IF and IFNULL.
func (p *parser) function(name string) expression {
	name = strings.ToUpper(name)
	if name == "COUNT" {
		return p.count()
	}
	args := list(p, p.expression)
	switch {
	case name == "CURRENT_TIMESTAMP" && len(args) == 0:
		return expression{kind: always("TIMESTAMP"), eval: func(s *scope) (any, error) { return s.now, nil }}
	case name == "IF" && len(args) == 3:
		return expression{kind: args[1].kind, eval: func(s *scope) (any, error) {
			is, err := args[0].eval(s)
			if err != nil {
				return nil, err
			}
			if is == true {
				return args[1].eval(s)
			}
			return args[2].eval(s)
		}}
	case name == "IFNULL" && len(args) == 2:
		return expression{kind: args[0].kind, eval: func(s *scope) (any, error) {
			if value, err := args[0].eval(s); value != nil || err != nil {
				return value, err
			}
			return args[1].eval(s)
		}}
	case name == "ERROR" && len(args) == 1:
		return strict(args, "STRING", func(v []any) (any, error) { return nil, fail("invalidQuery", "%s", v[0]) })
	case name == "FROM_BASE64" && len(args) == 1:
		return strict(args, "BYTES", func(v []any) (any, error) { return base64.StdEncoding.DecodeString(v[0].(string)) })
	case name == "TIMESTAMP_DIFF" && len(args) == 3 && args[2].plain == "MILLISECOND":
		return strict(args[:2], "INTEGER", func(v []any) (any, error) { return v[0].(time.Time).Sub(v[1].(time.Time)).Milliseconds(), nil })
	case name == "STARTS_WITH" && len(args) == 2:
		return strict(args, "BOOLEAN", func(v []any) (any, error) { return strings.HasPrefix(v[0].(string), v[1].(string)), nil })
	case (name == "MAX" || name == "MIN") && len(args) == 1 && p.take("OVER"):
		p.must("(", "PARTITION", "BY")
		by := []expression{p.expression()}
		for p.take(",") {
			by = append(by, p.expression())
		}
		p.must(")")
		return extreme(args[0], by, name == "MAX")
	}
	p.unknown()
	return expression{}
}

// strict is a function that is NULL where an argument is.
func strict(args []expression, kind string, of func([]any) (any, error)) expression {
	return expression{kind: always(kind), eval: func(s *scope) (any, error) {
		values := make([]any, len(args))
		for i, arg := range args {
			var err error
			if values[i], err = arg.eval(s); values[i] == nil || err != nil {
				return nil, err
			}
		}
		return of(values)
	}}
}

// choice is CASE value WHEN other THEN result … END.
func (p *parser) choice() expression {
	of := p.expression()
	var is, then []expression
	for p.take("WHEN") {
		is = append(is, compare(of, p.expression(), comparisons["="]))
		p.must("THEN")
		then = append(then, p.expression())
	}
	p.must("END")
	if len(is) == 0 {
		p.unknown()
	}
	return expression{kind: then[0].kind, eval: func(s *scope) (any, error) {
		for i := range is {
			holds, err := is[i].eval(s)
			if err != nil {
				return nil, err
			}
			if holds == true {
				return then[i].eval(s)
			}
		}
		return nil, nil
	}}
}

// count is COUNT(DISTINCT of) OVER () or COUNT(*) OVER (). A statement is parsed for each run, so it
// is worked out once.
func (p *parser) count() expression {
	if p.take("(", "*", ")", "OVER", "(", ")") {
		return expression{kind: always("INTEGER"), eval: func(s *scope) (any, error) { return int64(len(s.window)), nil }}
	}
	p.must("(", "DISTINCT")
	of := p.expression()
	p.must(")", "OVER", "(", ")")
	var found map[any]bool
	return expression{kind: always("INTEGER"), eval: func(s *scope) (any, error) {
		if found != nil {
			return int64(len(found)), nil
		}
		found = make(map[any]bool)
		inside := *s
		for _, inside.row = range s.window {
			value, err := of.eval(&inside)
			if err != nil {
				return nil, err
			}
			if value != nil {
				found[cell(value)] = true
			}
		}
		return int64(len(found)), nil
	}}
}

// extreme is MAX(of) OVER (PARTITION BY by), or MIN. A statement is parsed for each run, so it is
// worked out once.
func extreme(of expression, by []expression, greatest bool) expression {
	var most map[string]any // by the partition
	return expression{kind: of.kind, eval: func(s *scope) (any, error) {
		if most == nil {
			most = make(map[string]any)
			inside := *s
			for _, inside.row = range s.window {
				if err := inside.raise(most, of, by, greatest); err != nil {
					return nil, err
				}
			}
		}
		partition, err := s.partition(by)
		return most[partition], err
	}}
}

// partition tells the row's partition from others.
func (s *scope) partition(by []expression) (text string, err error) {
	for _, e := range by {
		value, err := e.eval(s)
		if err != nil {
			return "", err
		}
		text += strconv.Quote(fmt.Sprint(cell(value)))
	}
	return text, nil
}

// raise raises the partition's greatest value to the row's, if that is greater, or lowers its
// least.
func (s *scope) raise(most map[string]any, of expression, by []expression, greatest bool) error {
	value, err := of.eval(s)
	if value == nil || err != nil {
		return err
	}
	partition, err := s.partition(by)
	if err != nil {
		return err
	}
	last := most[partition]
	if last == nil {
		most[partition] = value
		return nil
	}
	c, err := order(value, last)
	if c != 0 && c > 0 == greatest {
		most[partition] = value
	}
	return err
}
