package docs

import (
	"go/ast"
	"go/token"
	"path"
	"testing"
)

// TestExportedNamesHaveDocComments checks every package, those under internal and
// cmd included, and that each package says what it is for.
func TestExportedNamesHaveDocComments(t *testing.T) {
	said := make(map[string]bool) // by folder: it has a package comment
	for _, name := range files(t, func(name string) bool { return goFile(name) && !testFile(name) && !userFile(name) }) {
		set, file := parse(t, name)
		folder := path.Dir(name)
		said[folder] = said[folder] || file.Doc != nil
		for _, n := range undocumented(file) {
			t.Errorf("%s: %s has no doc comment", set.Position(n.Pos()), n.Name)
		}
	}
	for folder, ok := range said {
		if !ok {
			t.Errorf("%s: the package has no comment", folder)
		}
	}
}

// undocumented returns the exported names of a file that lack a comment.
func undocumented(file *ast.File) (names []*ast.Ident) {
	for _, d := range file.Decls {
		switch d := d.(type) {
		case *ast.FuncDecl:
			if d.Doc == nil && d.Name.IsExported() && (d.Recv == nil || exportedReceiver(d.Recv.List[0].Type)) {
				names = append(names, d.Name)
			}
		case *ast.GenDecl:
			for _, spec := range d.Specs {
				names = append(names, undocumentedIn(d, spec)...)
			}
		}
	}
	return names
}

func undocumentedIn(d *ast.GenDecl, spec ast.Spec) (names []*ast.Ident) {
	switch spec := spec.(type) {
	case *ast.TypeSpec:
		alone := len(d.Specs) == 1 && d.Doc != nil
		if spec.Name.IsExported() && spec.Doc == nil && spec.Comment == nil && !alone {
			names = append(names, spec.Name)
		}
	case *ast.ValueSpec:
		if d.Tok == token.IMPORT || d.Doc != nil || spec.Doc != nil || spec.Comment != nil {
			return nil
		}
		for _, name := range spec.Names {
			if name.IsExported() {
				names = append(names, name)
			}
		}
	}
	return names
}

// exportedReceiver says that a method is of an exported type.
func exportedReceiver(e ast.Expr) bool {
	switch e := e.(type) {
	case *ast.StarExpr:
		return exportedReceiver(e.X)
	case *ast.IndexExpr:
		return exportedReceiver(e.X)
	case *ast.IndexListExpr:
		return exportedReceiver(e.X)
	case *ast.Ident:
		return e.IsExported()
	}
	return false
}
