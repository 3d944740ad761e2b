package docs

import (
	"go/ast"
	"go/doc"
	"maps"
	"path"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// noExample are constructors and options that users do not call, with the reason.
var noExample = map[string]string{
	"driver.NewClaim":                 "for handlers that claim, and tests of stores",
	"driver.NewOwner":                 "likewise",
	"driver.NewOperator":              "for tools of operators",
	"driver.WithClaim":                "for handlers that claim; ClaimFrom has an example",
	"driver.WithMemory":               "for adapters, which package convert has",
	"driver/convert.ConverterReturns": "it says one thing about the converter, and takes nothing",
	"driver/decode.WithWarnings":      "likewise",
	"driver/drivertest.NewFaults":     "the type Faults has an example",
	"driver/transformer.NewPrompt":    "the same as New, which has an example",
}

// onlyCompiled are examples that are not run, with the reason.
var onlyCompiled = map[string]string{
	"driver/convert.ExampleToCloudFunction":      "registers a function, as a program does once",
	"driver/drivertest.ExamplePipeline":          "needs a *testing.T",
	"driver/drivertest.ExampleEnv_Effect":        "likewise",
	"driver/drivertest.ExampleExploration":       "likewise",
	"driver/drivertest.ExampleHarness":           "likewise",
	"stores/gcsstore.ExampleSettings_WithClient": "speaks gRPC, which the stand-in does not",
}

// TestConstructorsAndOptionsHaveExamples looks at the packages that users import.
func TestConstructorsAndOptionsHaveExamples(t *testing.T) {
	needed, examples := make(map[string]bool), make(map[string]bool)
	for _, name := range files(t, func(name string) bool { return goFile(name) && imported(path.Dir(name)) }) {
		_, file := parse(t, name)
		folder := path.Dir(name)
		if !testFile(name) {
			for _, function := range constructors(file) {
				needed[folder+"."+function] = true
			}
			continue
		}
		for _, e := range doc.Examples(file) {
			example := folder + ".Example" + e.Name
			examples[folder+"."+strings.ReplaceAll(e.Name, "_", ".")] = true
			if run := e.Output != "" || e.EmptyOutput; run == (onlyCompiled[example] != "") {
				t.Errorf("%s: run %v, and onlyCompiled gives the reason %q", example, run, onlyCompiled[example])
			}
		}
	}
	for _, name := range slices.Sorted(maps.Keys(needed)) {
		if _, excused := noExample[name]; examples[name] == excused {
			t.Errorf("%s: it has an example: %v; noExample excuses it: %v; one of the two is wanted", name, examples[name], excused)
		}
	}
	for name := range noExample {
		if !needed[name] {
			t.Errorf("%s is excused from an example, and needs none", name)
		}
	}
}

// imported says that users import the package in a folder.
func imported(folder string) bool {
	first, _, below := strings.Cut(folder, "/")
	return slices.Contains([]string{"driver", "stores", "publish", "telemetry"}, first) && (below || first != "stores") &&
		!strings.Contains("/"+folder+"/", "/internal/")
}

// constructing is what constructors and options are called, or what they return.
var (
	constructing = regexp.MustCompile(`^(New|With|Open|Config)|^To.*(Handler|Function)$`)
	constructed  = []string{"Option", "Rule", "Handler", "Expression", "Settings"}
)

// constructors returns the names of a file's exported constructors and options, and of the methods
// by which settings are set: "New", "Settings.WithFolder".
func constructors(file *ast.File) (names []string) {
	for _, d := range file.Decls {
		f, ok := d.(*ast.FuncDecl)
		if !ok || !f.Name.IsExported() {
			continue
		}
		switch receiver := receiverOf(f); {
		case receiver == "" && (constructing.MatchString(f.Name.Name) || slices.Contains(constructed, resultOf(f))):
			names = append(names, f.Name.Name)
		case strings.HasPrefix(f.Name.Name, "With") && ast.IsExported(receiver) && resultOf(f) == receiver:
			names = append(names, receiver+"."+f.Name.Name)
		}
	}
	return names
}

func receiverOf(f *ast.FuncDecl) string {
	if f.Recv == nil {
		return ""
	}
	return typeName(f.Recv.List[0].Type)
}

// resultOf returns the name of the type of a function's first result.
func resultOf(f *ast.FuncDecl) string {
	if f.Type.Results == nil {
		return ""
	}
	return typeName(f.Type.Results.List[0].Type)
}

func typeName(e ast.Expr) string {
	switch e := e.(type) {
	case *ast.StarExpr:
		return typeName(e.X)
	case *ast.SelectorExpr:
		return e.Sel.Name
	case *ast.Ident:
		return e.Name
	}
	return ""
}
