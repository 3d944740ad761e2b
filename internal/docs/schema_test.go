package docs

import (
	"encoding/json"
	"go/ast"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// field is a column of a table, as BigQuery's JSON has it.
type field struct{ Name, Type, Mode, Description string }

// TestTablesOfTerraformAreThoseOfTheStore compares the schemas from which Terraform
// makes tables with those by which the store does.
func TestTablesOfTerraformAreThoseOfTheStore(t *testing.T) {
	const source = "stores/bqstore/tables.go"
	if _, err := os.Stat(filepath.Join(root, source)); err != nil {
		t.Skip(source, " is not there: nothing to compare with")
	}
	_, file := parse(t, source)
	for variable, name := range map[string]string{"eventSchema": "events", "claimSchema": "claims", "letterSchema": "dead_letters"} {
		var got []field
		if err := json.Unmarshal([]byte(read(t, "stores/bqstore/schema/"+name+".json")), &got); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if want := columns(t, file, variable); len(want) == 0 || !reflect.DeepEqual(got, want) {
			t.Errorf("schema/%s.json has\n%q\nbut %s has\n%q", name, got, variable, want)
		}
	}
	// How they are clustered is said in Terraform, in the same words.
	layout := read(t, "terraform/stores.tf")
	for _, call := range regexp.MustCompile(`\w+Schema((?:, "\w+")+)\)`).FindAllStringSubmatch(read(t, source), -1) {
		if clustering := "[" + strings.TrimPrefix(call[1], ", ") + "]"; !strings.Contains(layout, "clustering = "+clustering) {
			t.Errorf("terraform/stores.tf clusters no table by %s", clustering)
		}
	}
}

// columns returns what the calls of column in a variable's value say.
func columns(t *testing.T, file *ast.File, variable string) (fields []field) {
	t.Helper()
	ast.Inspect(file, func(n ast.Node) bool {
		spec, ok := n.(*ast.ValueSpec)
		if !ok || spec.Names[0].Name != variable {
			return true
		}
		for _, element := range spec.Values[0].(*ast.CompositeLit).Elts {
			args := element.(*ast.CallExpr).Args
			kind := strings.TrimSuffix(args[1].(*ast.SelectorExpr).Sel.Name, "FieldType")
			mode := "NULLABLE"
			if args[2].(*ast.Ident).Name == "true" {
				mode = "REQUIRED"
			}
			fields = append(fields, field{text(t, file, args[0]), strings.ToUpper(kind), mode, text(t, file, args[3])})
		}
		return false
	})
	return fields
}

// text is the value of an expression of strings and constants of the same file.
func text(t *testing.T, file *ast.File, e ast.Expr) string {
	t.Helper()
	switch e := e.(type) {
	case *ast.BasicLit:
		value, err := strconv.Unquote(e.Value)
		if err != nil {
			t.Fatal(err)
		}
		return value
	case *ast.BinaryExpr:
		return text(t, file, e.X) + text(t, file, e.Y)
	case *ast.Ident:
		for _, d := range file.Decls {
			if d, ok := d.(*ast.GenDecl); ok {
				i := slices.IndexFunc(d.Specs, func(s ast.Spec) bool {
					v, ok := s.(*ast.ValueSpec)
					return ok && v.Names[0].Name == e.Name
				})
				if i >= 0 {
					return text(t, file, d.Specs[i].(*ast.ValueSpec).Values[0])
				}
			}
		}
	}
	t.Fatalf("%T is more than this test understands", e)
	return ""
}
