package dashboard

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Query is a query of the dashboard: the part of PromQL that it needs.
type Query struct{ eval expression }

// expression is what a part of a query has at a time, in seconds since the recording began.
type expression func(r *Recording, at float64) []sample

// Parse reads a query. What is not known here is an error.
func Parse(text string) (q Query, err error) {
	p := &parser{tokens: token.FindAllString(text, -1)}
	defer func() {
		if v := recover(); v != nil {
			problem, ours := v.(syntax)
			if !ours {
				panic(v)
			}
			err = fmt.Errorf("%s: %s, before %q", text, problem, p.rest())
		}
	}()
	q.eval = p.union()
	if p.next < len(p.tokens) {
		panic(syntax("an operator is missing"))
	}
	return q, nil
}

var token = regexp.MustCompile(`"[^"]*"|[0-9.]+(?:e[0-9]+)?[smh]?|[A-Za-z_]\w*|\S`)

// syntax is what is wrong with a query.
type syntax string

type parser struct {
	tokens []string
	next   int
}

func (p *parser) rest() string { return strings.Join(p.tokens[min(p.next, len(p.tokens)):], "") }

func (p *parser) peek() string {
	if p.next == len(p.tokens) {
		return ""
	}
	return p.tokens[p.next]
}

func (p *parser) take() string {
	t := p.peek()
	p.next++
	return t
}

// has takes the next token if it is this one.
func (p *parser) has(t string) bool {
	if p.peek() != t {
		return false
	}
	p.next++
	return true
}

func (p *parser) want(t string) {
	if !p.has(t) {
		panic(syntax("want " + t))
	}
}

// union is a or b, which binds less than a unless b does.
func (p *parser) union() expression {
	left := p.difference()
	for p.has("or") {
		left = or(left, p.difference())
	}
	return left
}

func (p *parser) difference() expression {
	left := p.comparison()
	for p.has("unless") {
		left = unless(left, p.comparison())
	}
	return left
}

func (p *parser) comparison() expression {
	left := p.product()
	if !p.has(">") {
		return left
	}
	than := p.number()
	return func(r *Recording, at float64) []sample {
		return slices.DeleteFunc(left(r, at), func(s sample) bool { return s.value <= than })
	}
}

func (p *parser) product() expression {
	left := p.primary()
	for p.peek() == "*" || p.peek() == "/" {
		operator := p.take()
		by := p.number()
		if operator == "/" {
			by = 1 / by
		}
		left = scaled(left, by)
	}
	return left
}

func (p *parser) primary() expression {
	switch name := p.take(); name {
	case "(":
		inner := p.union()
		p.want(")")
		return inner
	case "{":
		return p.instant()
	case "sum", "max":
		var by []string
		if p.has("by") {
			by = p.labels()
		}
		p.want("(")
		inner := p.union()
		p.want(")")
		return aggregated(name, by, inner)
	case "rate", "increase":
		return p.growth(name)
	case "histogram_quantile":
		p.want("(")
		quantile := p.number()
		p.want(",")
		inner := p.union()
		p.want(")")
		return quantileOf(quantile, inner)
	}
	panic(syntax("neither a selector nor a function that is known"))
}

// instant is a selector behind its brace, with an offset if there is one.
func (p *parser) instant() expression {
	s := p.selector()
	offset := 0.0
	if p.has("offset") {
		offset = p.seconds()
	}
	return func(r *Recording, at float64) []sample { return s.at(r, at-offset) }
}

func (p *parser) growth(name string) expression {
	p.want("(")
	p.want("{")
	s := p.selector()
	p.want("[")
	window := p.seconds()
	p.want("]")
	p.want(")")
	per := 1.0
	if name == "rate" {
		per = window
	}
	return func(r *Recording, at float64) []sample { return s.growth(r, at, window, per) }
}

func (p *parser) selector() selector {
	s := selector{labels: make(map[string]string)}
	for !p.has("}") {
		name := strings.Trim(p.take(), `"`)
		if p.has("=") {
			s.labels[name] = strings.Trim(p.take(), `"`)
		} else {
			s.metric = name
		}
		if !p.has(",") && p.peek() != "}" {
			panic(syntax("want , or }"))
		}
	}
	if s.metric == "" {
		panic(syntax("the selector names no metric"))
	}
	return s
}

func (p *parser) labels() (names []string) {
	p.want("(")
	for !p.has(")") {
		names = append(names, strings.Trim(p.take(), `"`))
		if !p.has(",") && p.peek() != ")" {
			panic(syntax("want , or )"))
		}
	}
	return names
}

func (p *parser) number() float64 {
	n, err := strconv.ParseFloat(p.take(), 64)
	if err != nil {
		panic(syntax("want a number"))
	}
	return n
}

func (p *parser) seconds() float64 {
	d, err := time.ParseDuration(p.take())
	if err != nil {
		panic(syntax("want a duration"))
	}
	return d.Seconds()
}
