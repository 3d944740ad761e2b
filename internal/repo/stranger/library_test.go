package stranger

import (
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"example.com/eventdriver/internal/repo/clone"
	"example.com/eventdriver/internal/repo/prove"
)

// What a program with the core and the store in Cloud Storage costs. It had 49 modules and
// 51 MB, nearly all of it the client of Cloud Storage, when these were written down.
const (
	mostModules = 55
	mostBytes   = 56_000_000
)

// unwanted are the beginnings of packages that such a program must not have: they belong to
// other stores, to the function, or to tests.
var unwanted = []string{"testing", "net/http/httptest", "cloud.google.com/go/bigquery", "cloud.google.com/go/pubsub",
	"github.com/apache/arrow", "github.com/fsouza/fake-gcs-server", "github.com/GoogleCloudPlatform/functions-framework-go",
	"github.com/cloudevents/", "github.com/google/cel-go", "github.com/yuin/goldmark", "github.com/hashicorp/hcl", "github.com/zclconf/go-cty"}

// TestModuleAsALibrary makes a module with a replacement, as the README says, and builds
// and runs a program in it.
func TestModuleAsALibrary(t *testing.T) {
	prove.Only(t, "it builds a program in a module of its own")
	root, err := filepath.Abs("../../..")
	if err != nil {
		t.Fatal(err)
	}
	path, err := clone.Module(root)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	for from, to := range map[string]string{"testdata/library.go": "main.go", filepath.Join(root, "go.sum"): "go.sum"} {
		text, err := os.ReadFile(from)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, to), text, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	goTool(t, dir, "mod", "init", "shop.example/shop")
	goTool(t, dir, "mod", "edit", "-replace", path+"="+root)
	goTool(t, dir, "mod", "tidy")

	var mod struct{ Require []struct{ Path string } }
	if err := json.Unmarshal([]byte(goTool(t, dir, "mod", "edit", "-json")), &mod); err != nil {
		t.Fatal(err)
	}
	if n := len(mod.Require); n == 0 || n > mostModules {
		t.Errorf("its go.mod requires %d modules, want %d at most", n, mostModules)
	}
	for dep := range strings.Lines(goTool(t, dir, "list", "-deps", ".")) {
		for _, begin := range unwanted {
			if strings.HasPrefix(dep, begin) {
				t.Errorf("it has %s", dep)
			}
		}
	}
	program := filepath.Join(dir, "shop")
	goTool(t, dir, "build", "-o", program, ".")
	info, err := os.Stat(program)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%d modules, %d bytes", len(mod.Require), info.Size())
	if info.Size() > mostBytes {
		t.Errorf("it has %d bytes, want %d at most", info.Size(), mostBytes)
	}
	out, err := exec.CommandContext(t.Context(), program).CombinedOutput()
	if want := `parcel-1: {"packed":1,"paid":1}` + "\n"; err != nil || string(out) != want {
		t.Errorf("it printed %q, %v; want %q", out, err, want)
	}
}

// TestDeployedSourceIsTidied: the buildpack runs go mod tidy in what is uploaded, which must
// not miss what is not.
func TestDeployedSourceIsTidied(t *testing.T) {
	prove.Only(t, "go mod tidy may download modules that nothing here is built from")
	dir := t.TempDir()
	if err := clone.CopyDeployed("../../..", dir); errors.Is(err, clone.ErrNoGit) {
		t.Skip(err)
	} else if err != nil {
		t.Fatal(err)
	}
	goTool(t, dir, "mod", "tidy")
	goTool(t, dir, "vet", "./...")
}

// goTool runs the go command in a folder, and returns what it printed.
func goTool(t *testing.T, dir string, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GOFLAGS=-mod=mod -buildvcs=false", "GOWORK=off")
	var problems strings.Builder
	cmd.Stderr = &problems
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s: %v\n%s", cmd, err, problems.String())
	}
	return string(out)
}
