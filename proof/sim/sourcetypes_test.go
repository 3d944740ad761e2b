package sim_test

import (
	"bytes"
	"go/ast"
	"go/importer"
	"go/parser"
	"go/token"
	"go/types"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// typeChecker type-checks the packages that mutants change, without building them.
type typeChecker struct {
	files   *token.FileSet
	exports map[string]string // path of a package: file with what it exports
	imports types.Importer
}

func newTypeChecker(t *testing.T) *typeChecker {
	t.Helper()
	list := exec.CommandContext(t.Context(), "go", "list", "-export", "-deps", "-f", "{{.ImportPath}}\t{{.Export}}",
		"../../driver/...", "../../stores/memstore", "../../stores/gcsstore", "../../operate/change")
	out, err := list.Output()
	if err != nil {
		t.Fatal(err)
	}
	c := &typeChecker{files: token.NewFileSet(), exports: make(map[string]string)}
	for line := range strings.Lines(string(out)) {
		path, file, _ := strings.Cut(strings.TrimSpace(line), "\t")
		c.exports[path] = file
	}
	c.imports = importer.ForCompiler(c.files, "gc", func(path string) (io.ReadCloser, error) {
		return os.Open(c.exports[path])
	})
	return c
}

// check says why the package of the file at path does not compile with text in its place.
func (c *typeChecker) check(path, text string) error {
	names, err := filepath.Glob(filepath.Join(filepath.Dir(path), "*.go"))
	if err != nil {
		return err
	}
	var files []*ast.File
	for _, name := range names {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		source, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		if name == path {
			source = []byte(text)
		}
		file, err := parser.ParseFile(c.files, name, bytes.NewReader(source), parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		files = append(files, file)
	}
	_, err = (&types.Config{Importer: c.imports}).Check(filepath.Dir(path), c.files, files, nil)
	return err
}
