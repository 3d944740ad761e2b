package sim_test

import (
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

// anchor is a place in the project's code, which survives its being formatted, and
// moved to another file: the syntax of an expression, or of some statements in a row,
// in one function.
type anchor struct {
	folder string // "driver/cache"
	in     string // the name of the function, constant or variable; "type.name" for a method
	at     string // Go code; "_" stands for any expression, or for all that a block has
	nth    int    // which of the places that look so, from 1; 0: there must be only one
}

// edit returns the path of the file that has the anchor, and its text with the place
// replaced; "$0" in the replacement is what stood there.
func (a anchor) edit(replacement string) (path, text string, err error) {
	pattern, err := parsePattern(a.at)
	if err != nil {
		return "", "", fmt.Errorf("%q is no Go code: %w", a.at, err)
	}
	paths, err := filepath.Glob(filepath.Join("../..", a.folder, "*.go"))
	if err != nil {
		return "", "", err
	}
	var places []place
	for _, path := range paths {
		if strings.HasSuffix(path, "_test.go") {
			continue
		}
		source, err := os.ReadFile(path)
		if err != nil {
			return "", "", err
		}
		found, err := a.places(path, source, pattern)
		if err != nil {
			return "", "", err
		}
		places = append(places, found...)
	}
	n := max(a.nth, 1)
	if len(places) < n || a.nth == 0 && len(places) > 1 {
		return "", "", fmt.Errorf("%d places look like %q in %s of %s", len(places), a.at, a.in, a.folder)
	}
	p := places[n-1]
	if path, err = filepath.Abs(p.path); err != nil {
		return "", "", err
	}
	stood := p.source[p.from:p.to]
	return path, p.source[:p.from] + strings.ReplaceAll(replacement, "$0", stood) + p.source[p.to:], nil
}

// place is where in a file something stands.
type place struct {
	path, source string
	from, to     int
}

// places returns the places in a file that look like the pattern.
func (a anchor) places(path string, source []byte, pattern []ast.Node) ([]place, error) {
	files := token.NewFileSet()
	file, err := parser.ParseFile(files, path, source, parser.SkipObjectResolution)
	if err != nil {
		return nil, err
	}
	var found []place
	for _, d := range file.Decls {
		for _, within := range named(d, a.in) {
			ast.Inspect(within, func(n ast.Node) bool {
				for from, to := range matches(n, pattern) {
					found = append(found, place{path, string(source), files.Position(from).Offset, files.Position(to).Offset})
				}
				return true
			})
		}
	}
	return found, nil
}

// named returns what a declaration declares under that name.
func named(d ast.Decl, name string) []ast.Node {
	switch d := d.(type) {
	case *ast.FuncDecl:
		if d.Name.Name == name || d.Recv != nil && receiver(d)+"."+d.Name.Name == name {
			return []ast.Node{d}
		}
	case *ast.GenDecl:
		var specs []ast.Node
		for _, s := range d.Specs {
			if v, ok := s.(*ast.ValueSpec); ok && len(v.Names) == 1 && v.Names[0].Name == name {
				specs = append(specs, v)
			}
		}
		return specs
	}
	return nil
}

func receiver(d *ast.FuncDecl) string {
	t := d.Recv.List[0].Type
	if star, ok := t.(*ast.StarExpr); ok {
		t = star.X
	}
	if name, ok := t.(*ast.Ident); ok {
		return name.Name
	}
	return ""
}

// parsePattern returns an expression, or some statements.
func parsePattern(text string) ([]ast.Node, error) {
	if e, err := parser.ParseExpr(text); err == nil {
		return []ast.Node{e}, nil
	}
	file, err := parser.ParseFile(token.NewFileSet(), "", "package p\nfunc _() {\n"+text+"\n}", parser.SkipObjectResolution)
	if err != nil {
		return nil, err
	}
	var pattern []ast.Node
	for _, s := range file.Decls[0].(*ast.FuncDecl).Body.List {
		pattern = append(pattern, s)
	}
	if len(pattern) == 0 {
		return nil, errors.New("there is nothing in it")
	}
	return pattern, nil
}

// matches returns where the pattern begins and ends in n itself: n is the expression,
// or the list that the statements stand in.
func matches(n ast.Node, pattern []ast.Node) func(yield func(from, to token.Pos) bool) {
	return func(yield func(from, to token.Pos) bool) {
		if e, ok := pattern[0].(ast.Expr); ok {
			if candidate, ok := n.(ast.Expr); ok && alike(reflect.ValueOf(e), reflect.ValueOf(candidate)) {
				yield(n.Pos(), n.End())
			}
			return
		}
		list := statements(n)
		for i := 0; i+len(pattern) <= len(list); i++ {
			all := true
			for j, p := range pattern {
				all = all && alike(reflect.ValueOf(p), reflect.ValueOf(list[i+j]))
			}
			if all && !yield(list[i].Pos(), list[i+len(pattern)-1].End()) {
				return
			}
		}
	}
}

func statements(n ast.Node) []ast.Stmt {
	switch n := n.(type) {
	case *ast.BlockStmt:
		return n.List
	case *ast.CaseClause:
		return n.Body
	case *ast.CommClause:
		return n.Body
	}
	return nil
}

var positions = reflect.TypeFor[token.Pos]()

// alike says whether two pieces of syntax are the same, but for positions and
// comments.
func alike(pattern, v reflect.Value) bool {
	if pattern.Kind() == reflect.Interface {
		pattern, v = pattern.Elem(), v.Elem()
	}
	if pattern.IsValid() && anything(pattern) && v.IsValid() {
		return true
	}
	if !pattern.IsValid() || !v.IsValid() || pattern.Type() != v.Type() {
		return !pattern.IsValid() && !v.IsValid()
	}
	switch pattern.Kind() {
	case reflect.Pointer:
		if pattern.IsNil() || v.IsNil() {
			return pattern.IsNil() == v.IsNil()
		}
		return alike(pattern.Elem(), v.Elem())
	case reflect.Slice:
		if pattern.Len() != v.Len() {
			return false
		}
		for i := range pattern.Len() {
			if !alike(pattern.Index(i), v.Index(i)) {
				return false
			}
		}
		return true
	case reflect.Struct:
		for i := range pattern.NumField() {
			if f := pattern.Type().Field(i); f.Type == positions || f.Type == reflect.TypeFor[*ast.CommentGroup]() {
				continue
			}
			if !alike(pattern.Field(i), v.Field(i)) {
				return false
			}
		}
		return true
	}
	return pattern.Interface() == v.Interface()
}

// anything says whether a pattern stands for any expression, or any block.
func anything(pattern reflect.Value) bool {
	switch p := pattern.Interface().(type) {
	case *ast.Ident:
		return p != nil && p.Name == "_"
	case *ast.BlockStmt:
		if p == nil || len(p.List) != 1 {
			return false
		}
		s, ok := p.List[0].(*ast.ExprStmt)
		return ok && anything(reflect.ValueOf(s.X))
	}
	return false
}

// Anchors hold whatever the layout of the code, and say so if they do not.
func TestAnchors(t *testing.T) {
	const source = `package p

func f(a int) int {
	// A comment.
	if a >
		1 { // another
		a++
	}
	for range 3 { g(a,
		2) }
	return a
}

func (s *T) f() { _, g := 1, 2; g(a, 2) }

const c = 3
`
	for _, c := range []struct {
		in, at   string
		nth      int
		replaced []string
	}{
		{"f", "a > 1", 0, []string{"a >\n\t\t1"}},
		{"f", "if a > 1 { _ }", 0, []string{"if a >\n\t\t1 { // another\n\t\ta++\n\t}"}},
		{"f", "if _ { a++ }; for range 3 { _ }", 0, []string{"if a >\n\t\t1 { // another\n\t\ta++\n\t}\n\tfor range 3 { g(a,\n\t\t2) }"}},
		{"f", "g(a, 2)", 0, []string{"g(a,\n\t\t2)", "g(a, 2)"}},
		{"T.f", "g(a, _)", 0, []string{"g(a, 2)"}},
		{"c", "3", 0, []string{"3"}},
		{"f", "a > 2", 0, nil},
		{"f", "return a + 1", 0, nil},
		{"g", "a > 1", 0, nil},
	} {
		pattern, err := parsePattern(c.at)
		if err != nil {
			t.Fatal(err)
		}
		places, err := anchor{in: c.in}.places("p.go", []byte(source), pattern)
		if err != nil {
			t.Fatal(err)
		}
		var replaced []string
		for _, p := range places {
			replaced = append(replaced, source[p.from:p.to])
		}
		if fmt.Sprintf("%q", replaced) != fmt.Sprintf("%q", c.replaced) {
			t.Errorf("%q in %s is found as %q, not %q", c.at, c.in, replaced, c.replaced)
		}
	}
}

func TestAnchorsThatDoNotHold(t *testing.T) {
	for _, a := range []anchor{
		{"stores/memstore", "nothing", "1", 0},
		{"stores/memstore", "Acquire", "nothing", 0},
		{"stores/memstore", "Acquire", "err", 0}, // several
		{"stores/memstore", "Acquire", "err", 1000},
		{"stores/memstore", "Acquire", ") (", 0},
		{"stores/memstore", "Acquire", "", 0},
	} {
		if _, text, err := a.edit("x"); err == nil {
			t.Errorf("%+v is found: %.200s", a, text)
		}
	}
}
