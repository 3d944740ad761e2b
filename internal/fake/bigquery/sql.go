package bigquery

import (
	"regexp"
	"strconv"
	"strings"
	"time"
)

// statement is one of the statements that the fake runs.
type statement struct {
	table   string // "project.dataset.table"; empty: SELECT without FROM
	changes bool   // INSERT or DELETE
	run     func(p *project, params map[string]param, now time.Time) (result, error)
	columns []string // of an INSERT
}

// check refuses a statement before it is queued, as the service does, where its table or
// its columns do not exist. Call it with the project's lock.
func (st *statement) check(p *project) error {
	if st.table == "" {
		return nil
	}
	t, err := p.find(st.table)
	if err != nil {
		return err
	}
	for _, name := range st.columns {
		if t.field(name) == nil {
			return fail("invalidQuery", "Column %s is not present in table %s", name, st.table)
		}
	}
	return nil
}

var token = regexp.MustCompile("`[^`]*`|'[^']*'|@?[A-Za-z_][A-Za-z_0-9]*|[0-9]+|>=|<=|!=|<>|[=<>(),*]|\\S")

// parser reads a statement's text, token by token. What it can't read ends it by a panic
// with a failure, which parseStatement returns.
type parser struct {
	tokens []string
	at     int
}

func parseStatement(text string) (st *statement, err error) {
	p := &parser{tokens: token.FindAllString(text, -1)}
	defer func() {
		if f, ok := recover().(*failure); ok {
			st, err = nil, f
		}
	}()
	switch {
	case p.take("INSERT"):
		st = p.insert()
	case p.take("SELECT"):
		st = p.selection()
	case p.take("DELETE"):
		st = p.remove()
	default:
		p.unknown()
	}
	if p.peek() != "" {
		p.unknown()
	}
	return st, nil
}

func (p *parser) peek() string {
	if p.at < len(p.tokens) {
		return p.tokens[p.at]
	}
	return ""
}

func (p *parser) next() string {
	t := p.peek()
	p.at++
	return t
}

// take takes the words if they come next.
func (p *parser) take(words ...string) bool {
	for i, word := range words {
		if p.at+i >= len(p.tokens) || !strings.EqualFold(p.tokens[p.at+i], word) {
			return false
		}
	}
	p.at += len(words)
	return true
}

func (p *parser) must(words ...string) {
	if !p.take(words...) {
		p.unknown()
	}
}

func (p *parser) unknown() {
	panic(&failure{reason: "invalidQuery", message: "Syntax error, or more than the fake knows, at " + strconv.Quote(p.peek()) +
		" in: " + strings.Join(p.tokens, " ")})
}

// list reads what read reads, with commas in between, in parentheses.
func list[T any](p *parser, read func() T) (all []T) {
	p.must("(")
	for !p.take(")") {
		if len(all) > 0 {
			p.must(",")
		}
		all = append(all, read())
	}
	return all
}

func (p *parser) tableName() string {
	name := p.next()
	if !strings.HasPrefix(name, "`") {
		p.unknown()
	}
	return strings.Trim(name, "`")
}

func (p *parser) word() string {
	word := p.next()
	if !isWord(word) {
		p.at--
		p.unknown()
	}
	return word
}

func isWord(s string) bool {
	return s != "" && (s[0] == '_' || s[0]|0x20 >= 'a' && s[0]|0x20 <= 'z')
}

func (p *parser) number() int {
	n, err := strconv.Atoi(p.next())
	if err != nil {
		p.at--
		p.unknown()
	}
	return n
}

// insert is INSERT INTO table (columns) VALUES (expressions).
func (p *parser) insert() *statement {
	p.must("INTO")
	st := &statement{table: p.tableName(), changes: true, columns: list(p, p.word)}
	p.must("VALUES")
	values := list(p, p.expression)
	if len(values) != len(st.columns) {
		p.unknown()
	}
	st.run = func(p *project, params map[string]param, now time.Time) (result, error) {
		t, err := p.find(st.table)
		if err != nil {
			return result{}, err
		}
		s := newScope(p, params, now)
		r := make(row, len(values))
		for i, value := range values {
			if r[st.columns[i]], err = value.eval(s); err != nil {
				return result{}, err
			}
		}
		return result{affected: 1}, t.add(r)
	}
	return st
}

// remove is DELETE FROM table WHERE condition.
func (p *parser) remove() *statement {
	p.must("FROM")
	st := &statement{table: p.tableName(), changes: true}
	p.must("WHERE")
	where := p.expression()
	st.run = func(p *project, params map[string]param, now time.Time) (result, error) {
		t, err := p.find(st.table)
		if err != nil {
			return result{}, err
		}
		s := newScope(p, params, now).of(t)
		var kept []row
		for _, s.row = range t.rows {
			is, err := where.eval(s)
			if err != nil {
				return result{}, err
			}
			switch {
			case is != true:
				kept = append(kept, s.row)
			case s.row[appended] != nil && p.server.buffers.Load():
				return result{}, fail("invalidQuery", "UPDATE or DELETE statement over table %s would affect rows in the "+
					"streaming buffer, which is not supported", st.table)
			}
		}
		r := result{affected: int64(len(t.rows) - len(kept))}
		t.rows = kept
		return r, nil
	}
	return st
}

// selection is a query as a statement.
func (p *parser) selection() *statement {
	q := p.query()
	return &statement{table: q.anyTable(), run: q.run}
}

// anyTable is a table that the query reads.
func (q *query) anyTable() string {
	if len(q.union) > 0 {
		return q.union[0].anyTable()
	}
	return q.table
}

// query is SELECT columns FROM table WHERE … QUALIFY … ORDER BY … LIMIT …, of which all
// but the columns may be missing. In place of the table may be queries in parentheses with UNION
// DISTINCT in between.
func (p *parser) query() *query {
	q := &query{limit: -1}
	for first := true; first || p.take(","); first = false {
		c := column{expression: p.expression()}
		c.name = c.plain
		if p.take("AS") {
			c.name = p.word()
		}
		q.columns = append(q.columns, c)
	}
	switch {
	case p.take("FROM", "("):
		q.union = p.unionOf()
	case p.take("FROM"):
		q.table = p.tableName()
	}
	if p.take("WHERE") {
		q.where = new(p.expression())
	}
	if p.take("QUALIFY") {
		q.qualify = new(p.expression())
	}
	if p.take("ORDER", "BY") {
		q.order = p.word()
		q.descending = p.take("DESC")
	}
	if p.take("LIMIT") {
		q.limit = p.number()
	}
	return q
}

// within is a query within another, up to the closing parenthesis.
func (p *parser) within() *query {
	p.must("SELECT")
	q := p.query()
	p.must(")")
	return q
}

// unionOf is queries with UNION DISTINCT in between, up to the closing parenthesis.
func (p *parser) unionOf() (parts []*query) {
	for first := true; first || p.take("UNION", "DISTINCT"); first = false {
		p.must("SELECT")
		parts = append(parts, p.query())
	}
	p.must(")")
	return parts
}
