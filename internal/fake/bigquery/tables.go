package bigquery

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	bq "google.golang.org/api/bigquery/v2"
)

// project holds everything of a project.
type project struct {
	name   string
	server *Server

	mu       sync.Mutex // a statement holds it while it runs: it sees the tables at one moment
	datasets map[string]*bq.Dataset
	tables   map[string]*table // by "dataset.table"
	jobs     map[string]*job
	answered map[string]*job // by the request ID of jobs.query
}

func newProject(name string, s *Server) *project {
	return &project{name: name, server: s, datasets: make(map[string]*bq.Dataset), tables: make(map[string]*table),
		jobs: make(map[string]*job), answered: make(map[string]*job)}
}

// table is a table, with its rows as they were inserted.
type table struct {
	meta  *bq.Table
	rows  []row
	queue queue
}

// row is a row, by column. A value is a string, an int64, a bool, a []byte, a time.Time,
// or nil.
type row map[string]any

// appended is set in the rows that insertAll has appended. No column has an empty name.
const appended = ""

// find returns a table, by "project.dataset.table". Call it with the lock.
func (p *project) find(name string) (*table, error) {
	inProject, ok := strings.CutPrefix(name, p.name+".")
	if t := p.tables[inProject]; ok && t != nil {
		return t, nil
	}
	return nil, fail("notFound", "Not found: Table %s", name)
}

// field returns a column of the table, or nil.
func (t *table) field(name string) *bq.TableFieldSchema {
	if t.meta.Schema == nil {
		return nil
	}
	i := slices.IndexFunc(t.meta.Schema.Fields, func(f *bq.TableFieldSchema) bool { return f.Name == name })
	if i < 0 {
		return nil
	}
	return t.meta.Schema.Fields[i]
}

// add adds a row, which must fit the schema.
func (t *table) add(r row) error {
	for name, value := range r {
		f := t.field(name)
		if f == nil {
			return fail("invalidQuery", "Column %s is not present in table %s", name, t.meta.Id)
		}
		if value != nil && kindOf(value) != canonical(f.Type) {
			return fail("invalidQuery", "Value has type %s which cannot be inserted into column %s, which has type %s", kindOf(value), name, f.Type)
		}
	}
	for _, f := range t.meta.Schema.Fields {
		if f.Mode == "REQUIRED" && r[f.Name] == nil {
			return fail("invalidQuery", "Required field %s cannot be null", f.Name)
		}
	}
	t.rows = append(t.rows, r)
	return nil
}

// canonical is a type by the name that it has in schemas.
func canonical(kind string) string {
	switch kind {
	case "INT64":
		return "INTEGER"
	case "BOOL":
		return "BOOLEAN"
	}
	return kind
}

func kindOf(value any) string {
	switch value.(type) {
	case int64:
		return "INTEGER"
	case bool:
		return "BOOLEAN"
	case []byte:
		return "BYTES"
	case time.Time:
		return "TIMESTAMP"
	}
	return "STRING"
}

// parse reads a value of a type from its text, as parameters and insertAll have it.
func parse(kind, text string) (value any, err error) {
	switch canonical(kind) {
	case "STRING":
		value = text
	case "INTEGER":
		value, err = strconv.ParseInt(text, 10, 64)
	case "BOOLEAN":
		value, err = strconv.ParseBool(text)
	case "BYTES":
		value, err = base64.StdEncoding.DecodeString(text)
	case "TIMESTAMP":
		value, err = parseTime(text)
	default:
		err = fmt.Errorf("the fake has no values of type %s", kind)
	}
	if err != nil {
		return nil, fail("invalid", "Invalid value %q: %v", text, err)
	}
	return value, nil
}

func parseTime(text string) (t time.Time, err error) {
	for _, layout := range []string{"2006-01-02 15:04:05.999999-07:00", time.RFC3339Nano, "2006-01-02 15:04:05.999999 UTC"} {
		if t, err = time.Parse(layout, text); err == nil {
			return t.UTC().Truncate(time.Microsecond), nil
		}
	}
	return t, err
}

// cell is a value as an answer has it.
func cell(value any) any {
	switch v := value.(type) {
	case []byte:
		return base64.StdEncoding.EncodeToString(v)
	case time.Time:
		return strconv.FormatInt(v.UnixMicro(), 10) // clients ask for this form
	case nil:
		return nil
	default:
		return fmt.Sprint(v)
	}
}

func createDataset(c *call) (any, error) {
	var d bq.Dataset
	if err := c.decode(&d); err != nil {
		return nil, err
	}
	c.project.mu.Lock()
	defer c.project.mu.Unlock()
	id := d.DatasetReference.DatasetId
	if c.project.datasets[id] != nil {
		return nil, fail("duplicate", "Already Exists: Dataset %s:%s", c.project.name, id)
	}
	if d.Location == "" {
		d.Location = "US"
	}
	d.CreationTime = time.Now().UnixMilli()
	c.project.datasets[id] = &d
	return &d, nil
}

func getDataset(c *call) (any, error) {
	c.project.mu.Lock()
	defer c.project.mu.Unlock()
	if d := c.project.datasets[c.dataset]; d != nil {
		return d, nil
	}
	return nil, fail("notFound", "Not found: Dataset %s:%s", c.project.name, c.dataset)
}

func createTable(c *call) (any, error) {
	d, err := getDataset(c)
	if err != nil {
		return nil, err
	}
	var meta bq.Table
	if err := c.decode(&meta); err != nil {
		return nil, err
	}
	c.project.mu.Lock()
	defer c.project.mu.Unlock()
	name := c.dataset + "." + meta.TableReference.TableId
	if c.project.tables[name] != nil {
		return nil, fail("duplicate", "Already Exists: Table %s:%s", c.project.name, name)
	}
	if meta.Schema == nil {
		meta.Schema = &bq.TableSchema{}
	}
	meta.Id, meta.Location, meta.Type = c.project.name+":"+name, d.(*bq.Dataset).Location, "TABLE"
	if meta.View != nil {
		meta.Type = "VIEW"
	}
	meta.CreationTime = time.Now().UnixMilli()
	if life := d.(*bq.Dataset).DefaultTableExpirationMs; life > 0 && meta.ExpirationTime == 0 {
		meta.ExpirationTime = meta.CreationTime + life
	}
	c.project.tables[name] = &table{meta: &meta}
	return &meta, nil
}

// the finds the table that a call names. Call it with the lock.
func the(c *call) (*table, error) {
	return c.project.find(c.project.name + "." + c.dataset + "." + c.id)
}

func getTable(c *call) (any, error) {
	c.project.mu.Lock()
	defer c.project.mu.Unlock()
	t, err := the(c)
	if err != nil {
		return nil, err
	}
	meta := *t.meta
	return &meta, nil
}

// patchTable replaces a table's schema.
func patchTable(c *call) (any, error) {
	var change bq.Table
	if err := c.decode(&change); err != nil {
		return nil, err
	}
	c.project.mu.Lock()
	defer c.project.mu.Unlock()
	t, err := the(c)
	if err != nil {
		return nil, err
	}
	meta := *t.meta
	if change.Schema != nil {
		meta.Schema = change.Schema
	}
	t.meta = &meta
	return &meta, nil
}

func deleteTable(c *call) (any, error) {
	c.project.mu.Lock()
	defer c.project.mu.Unlock()
	if _, err := the(c); err != nil {
		return nil, err
	}
	delete(c.project.tables, c.dataset+"."+c.id)
	return struct{}{}, nil
}

// insertAll adds the rows, unless some do not fit: then it adds none, and the answer names
// those.
func insertAll(c *call) (any, error) {
	var asked struct {
		Rows []struct{ JSON map[string]any }
	}
	decoder := json.NewDecoder(strings.NewReader(string(c.body)))
	decoder.UseNumber()
	if err := decoder.Decode(&asked); err != nil {
		return nil, fail("parseError", "%v", err)
	}
	c.project.mu.Lock()
	defer c.project.mu.Unlock()
	t, err := the(c)
	if err != nil {
		return nil, err
	}
	answer := &bq.TableDataInsertAllResponse{}
	before := t.rows
	for i, r := range asked.Rows {
		if err := t.addJSON(r.JSON); err != nil {
			f := asFailure(err)
			answer.InsertErrors = append(answer.InsertErrors, &bq.TableDataInsertAllResponseInsertErrors{Index: int64(i),
				Errors: []*bq.ErrorProto{{Reason: "invalid", Message: f.message}}})
		}
	}
	if len(answer.InsertErrors) > 0 {
		t.rows = before
	}
	return answer, nil
}

func (t *table) addJSON(values map[string]any) (err error) {
	r := make(row, len(values))
	for name, value := range values {
		f := t.field(name)
		switch {
		case f == nil:
			return fail("invalid", "no such field: %s.", name)
		case value == nil:
			continue
		}
		if r[name], err = parse(f.Type, fmt.Sprint(value)); err != nil {
			return err
		}
	}
	if err = t.add(r); err == nil {
		r[appended] = true
	}
	return err
}
