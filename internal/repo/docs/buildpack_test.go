package docs

import (
	"encoding/json"
	"maps"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"example.com/eventdriver/internal/repo/clone"
)

// TestRootSuitsTheBuildpack checks what Google's Go buildpack demands of the
// folder that it compiles a function from. It parses every Go file of the root,
// tests and files with build constraints included, and looks at nothing else.
func TestRootSuitsTheBuildpack(t *testing.T) {
	const framework = "github.com/GoogleCloudPlatform/functions-framework-go/"
	packages := make(map[string][]string) // by name
	var imports []string
	for _, name := range files(t, func(name string) bool { return goFile(name) && path.Dir(name) == "." }) {
		_, file := parse(t, name)
		packages[file.Name.Name] = append(packages[file.Name.Name], name)
		for _, i := range file.Imports {
			if !testFile(name) {
				imports = append(imports, strings.Trim(i.Path.Value, `"`))
			}
		}
	}
	if len(packages) != 1 {
		t.Errorf("the root has the packages %v, want one, tests included", packages)
	}
	if _, isMain := packages["main"]; isMain {
		t.Error("the root's package is main: the buildpack wants one that it can import")
	}
	if !slices.Contains(imports, framework+"functions") {
		t.Errorf("the root imports %q, want %sfunctions among them", imports, framework)
	}

	module, err := clone.Module(root)
	if err != nil {
		t.Fatal(err)
	}
	if first, _, _ := strings.Cut(module, "/"); !strings.Contains(first, ".") {
		t.Errorf("the module path %s has no dot in its first element", module)
	}
	if _, err := os.Stat(filepath.Join(root, "go.work")); err == nil {
		t.Error("the root has a go.work")
	}
}

// TestGoModStandsAlone: a replacement is ignored by users of the packages, and
// refused by the buildpack where it points outside.
func TestGoModStandsAlone(t *testing.T) {
	cmd := exec.Command("go", "mod", "edit", "-json")
	cmd.Dir = root
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	var mod struct{ Replace, Exclude []any }
	if err := json.Unmarshal(out, &mod); err != nil {
		t.Fatal(err)
	}
	if len(mod.Replace) > 0 || len(mod.Exclude) > 0 {
		t.Errorf("go.mod replaces %v and excludes %v, want neither", mod.Replace, mod.Exclude)
	}
}

// TestCoreNeedsTheStandardLibraryOnly: whoever imports the core or its handlers
// inherits no dependencies.
func TestCoreNeedsTheStandardLibraryOnly(t *testing.T) {
	module, err := clone.Module(root)
	if err != nil {
		t.Fatal(err)
	}
	foreign := make(map[string]bool)
	for _, name := range files(t, func(name string) bool {
		return goFile(name) && !testFile(name) && slices.Contains(
			[]string{"driver", "driver/transformer", "driver/joiner", "driver/cache", "driver/drivertest", "stores/memstore"}, path.Dir(name))
	}) {
		_, file := parse(t, name)
		for _, i := range file.Imports {
			imported := strings.Trim(i.Path.Value, `"`)
			first, _, _ := strings.Cut(imported, "/")
			if strings.Contains(first, ".") && !strings.HasPrefix(imported, module+"/driver") && imported != module+"/stores/memstore" {
				foreign[name+" imports "+imported] = true
			}
		}
	}
	if len(foreign) > 0 {
		t.Errorf("the core: %v", slices.Sorted(maps.Keys(foreign)))
	}
}

// TestRuntimeIsNoOlderThanGoMod: the buildpack does not build a module whose go
// directive is newer than the toolchain of the runtime.
func TestRuntimeIsNoOlderThanGoMod(t *testing.T) {
	directive := regexp.MustCompile(`(?m)^go (\d+)\.(\d+)`).FindStringSubmatch(read(t, "go.mod"))
	if directive == nil {
		t.Fatal("go.mod has no go directive")
	}
	want := "go" + directive[1] + directive[2]
	m := terraform(t, false)
	if is := m.value(m.attribute(m.block("variable", "runtime"), "default")).AsString(); is != want {
		t.Errorf("Terraform deploys to the runtime %s, want %s as in go.mod", is, want)
	}
	if !strings.Contains(gcloudScript(t), " --runtime="+want+" ") {
		t.Errorf("deploy/gcloud.sh does not deploy to the runtime %s, as in go.mod", want)
	}
}

// TestFrameworkIsInGoMod: the buildpack's main needs funcframework; where nothing in
// the module imports it, the build edits go.mod.
func TestFrameworkIsInGoMod(t *testing.T) {
	for _, name := range files(t, func(name string) bool { return goFile(name) && !testFile(name) }) {
		_, file := parse(t, name)
		for _, i := range file.Imports {
			if i.Path.Value == `"github.com/GoogleCloudPlatform/functions-framework-go/funcframework"` {
				return
			}
		}
	}
	t.Error("nothing imports funcframework")
}

// TestTestsAloneNeedTheirParsers: what reads documents and Terraform for the tests is in
// go.mod, and in no program.
func TestTestsAloneNeedTheirParsers(t *testing.T) {
	cmd := exec.Command("go", "list", "-deps", "-f", "{{with .Module}}{{.Path}}{{end}}", ".", "./driver/...", "./stores/...", "./publish/...", "./cmd/...")
	cmd.Dir = root
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	modules := strings.Fields(string(out))
	if !slices.Contains(modules, "cloud.google.com/go/storage") {
		t.Fatalf("go list names %d modules only", len(modules))
	}
	for _, parser := range []string{"github.com/yuin/goldmark", "github.com/hashicorp/hcl/v2", "github.com/zclconf/go-cty"} {
		if slices.Contains(modules, parser) {
			t.Errorf("a program contains %s", parser)
		}
		if !strings.Contains(read(t, "go.mod"), parser+" v") {
			t.Errorf("go.mod lacks %s: is it used under this name?", parser)
		}
	}
}

// TestPartsCanBeLeftOut: a program that is built with -tags nobigquery has no client of BigQuery in
// it, one with -tags notelemetry sends no traces, and the tests of such builds compile.
func TestPartsCanBeLeftOut(t *testing.T) {
	module, err := clone.Module(root)
	if err != nil {
		t.Fatal(err)
	}
	plain := deps(t, "")
	for tag, packages := range map[string][]string{
		"nobigquery":  {module + "/stores/bqstore", "cloud.google.com/go/bigquery"},
		"notelemetry": {module + "/telemetry", module + "/telemetry/otlp", "go.opentelemetry.io/otel/exporters/otlp/otlptrace"},
	} {
		without := deps(t, tag)
		for _, name := range packages {
			if !slices.Contains(plain, name) {
				t.Errorf("a plain build lacks %s", name)
			}
			if slices.Contains(without, name) {
				t.Errorf("a build with -tags %s contains %s", tag, name)
			}
		}
		cmd := exec.Command("go", "vet", "-tags", tag, ".")
		cmd.Dir = root
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("go vet -tags %s: %v\n%s", tag, err, out)
		}
	}
}

// deps returns the packages that are in the function, built with these tags.
func deps(t *testing.T, tags string) []string {
	t.Helper()
	cmd := exec.Command("go", "list", "-deps", "-tags", tags, ".")
	cmd.Dir = root
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	return strings.Fields(string(out))
}

// TestNothingCountsFromTheStart: package pubsub would bring OpenCensus into the function, which takes half a
// millisecond of each start and a goroutine.
func TestNothingCountsFromTheStart(t *testing.T) {
	for _, name := range deps(t, "") {
		if strings.HasPrefix(name, "go.opencensus.io/") {
			t.Errorf("the function contains %s", name)
		}
	}
}
