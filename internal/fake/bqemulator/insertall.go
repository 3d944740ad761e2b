package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
)

var insertAllPath = regexp.MustCompile(`/projects/[^/]+/datasets/([^/]+)/tables/([^/]+)/insertAll$`)

type field struct{ Name, Type string }

// insertAll is tabledata.insertAll. The emulator's own keeps bytes in base64 as they are
// sent, where BigQuery decodes them. So each row is inserted by a statement.
func (p *project) insertAll(rw http.ResponseWriter, r *http.Request, body []byte) {
	names := insertAllPath.FindStringSubmatch(r.URL.Path)
	place := fmt.Sprintf("/projects/%s/datasets/%s/tables/%s", p.name, names[1], names[2])
	found := p.ask(httptest.NewRequestWithContext(r.Context(), http.MethodGet, place, nil))
	var table struct{ Schema struct{ Fields []field } }
	var asked struct {
		Rows []struct{ JSON map[string]any }
	}
	decoder := json.NewDecoder(bytes.NewReader(body))
	decoder.UseNumber()
	if err := decoder.Decode(&asked); err != nil {
		http.Error(rw, err.Error(), http.StatusBadRequest)
		return
	}
	if json.Unmarshal(found.Body.Bytes(), &table) != nil || found.Code != http.StatusOK {
		found.write(rw)
		return
	}
	into := "`" + p.name + "." + names[1] + "." + names[2] + "`"
	for _, row := range asked.Rows {
		a := &answer{httptest.NewRecorder()}
		statement := insertOf(into, table.Schema.Fields, row.JSON)
		p.query(a, httptest.NewRequestWithContext(r.Context(), http.MethodPost, "/projects/"+p.name+"/queries", strings.NewReader(statement)))
		if a.Code != http.StatusOK {
			a.write(rw)
			return
		}
	}
	rw.Header().Set("Content-Type", "application/json")
	_, _ = rw.Write([]byte("{}"))
}

// insertOf returns the request of jobs.query that inserts the row. A column that the table does
// not have makes the statement fail, as it makes insertAll.
func insertOf(into string, fields []field, row map[string]any) string {
	types := make(map[string]string)
	for _, f := range fields {
		types[f.Name] = f.Type
	}
	var columns, values []string
	var parameters []any
	for name, value := range row {
		if value == nil {
			continue
		}
		kind, expression := types[name], "@"+name
		if kind == "BYTES" {
			kind, expression = "STRING", "FROM_BASE64(@"+name+")"
		}
		columns, values = append(columns, name), append(values, expression)
		parameters = append(parameters, map[string]any{"name": name, "parameterType": map[string]any{"type": kind},
			"parameterValue": map[string]any{"value": fmt.Sprint(value)}})
	}
	request, _ := json.Marshal(map[string]any{"useLegacySql": false, "parameterMode": "NAMED", "queryParameters": parameters,
		"query": "INSERT INTO " + into + " (" + strings.Join(columns, ", ") + ") VALUES (" + strings.Join(values, ", ") + ")"})
	return string(request)
}
