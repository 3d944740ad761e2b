package main

import (
	"cmp"
	"encoding/json"
	"fmt"
	"path"
	"regexp"
	"strconv"
	"strings"
)

// A resource is in the form of Google's REST API, as gcloud's --format reads it.
type resource map[string]any

func project(id string) resource { return resource{"projectId": id, "projectNumber": "123456789012"} }

// set puts a value where a path says, as in a.b.
func (r resource) set(where string, value any) {
	first, rest, more := strings.Cut(where, ".")
	if !more {
		r[first] = value
		return
	}
	inner, ok := r[first].(map[string]any)
	if !ok {
		if inner, ok = r[first].(resource); !ok {
			inner = make(map[string]any)
		}
	}
	resource(inner).set(rest, value)
	r[first] = inner
}

var value = regexp.MustCompile(`^value(?:\[separator="(.)"\])?\((.*)\)$`)

// print returns what gcloud prints of a resource for --format=value(a.b,c.basename()).
func (r resource) print(format string) string {
	columns := value.FindStringSubmatch(format)
	if columns == nil {
		text, _ := json.Marshal(r)
		return string(text) + "\n"
	}
	var values []string
	for steps := range strings.SplitSeq(columns[2], ",") {
		values = append(values, column(map[string]any(r), steps))
	}
	return strings.Join(values, cmp.Or(columns[1], "\t")) + "\n"
}

var (
	element = regexp.MustCompile(`^(\w+)\[(\d+)\]$`)
	segment = regexp.MustCompile(`^segment\((\d+)\)$`)
)

// column returns the text of one column.
func column(of any, steps string) string {
	for step := range strings.SplitSeq(steps, ".") {
		if r, ok := of.(resource); ok {
			of = map[string]any(r)
		}
		switch {
		case step == "basename()":
			of = path.Base(fmt.Sprint(of))
		case segment.MatchString(step):
			i, _ := strconv.Atoi(segment.FindStringSubmatch(step)[1])
			of = strings.Split(fmt.Sprint(of), "/")[i]
		case element.MatchString(step):
			found := element.FindStringSubmatch(step)
			i, _ := strconv.Atoi(found[2])
			list, _ := field(of, found[1]).([]any)
			of = nil
			if i < len(list) {
				of = list[i]
			}
		default:
			of = field(of, step)
		}
	}
	switch v := of.(type) {
	case nil:
		return ""
	case bool: // gcloud is Python
		return map[bool]string{true: "True", false: "False"}[v]
	}
	return fmt.Sprint(of)
}

func field(of any, name string) any {
	m, _ := of.(map[string]any)
	return m[name]
}
