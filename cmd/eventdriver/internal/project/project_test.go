package project

import (
	"bytes"
	"go/format"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/hashicorp/hcl/v2/hclwrite"
)

// made writes a project into a folder that is not there, and returns the folder.
func made(t *testing.T, module string, sources ...string) string {
	t.Helper()
	p, err := NewPlan(module, sources)
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(t.TempDir(), "parent", "made")
	if err := Write(t.Context(), dir, p); err != nil {
		t.Fatal(err)
	}
	return dir
}

// filesOf returns the contents of a folder's files, by their names with slashes.
func filesOf(t *testing.T, dir string) map[string]string {
	t.Helper()
	files := make(map[string]string)
	err := fs.WalkDir(os.DirFS(dir), ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		text, err := os.ReadFile(filepath.Join(dir, name))
		files[name] = string(text)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// in runs a command in a folder, with nothing of a workspace and without the network.
func in(t *testing.T, dir string, command ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), command[0], command[1:]...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GOWORK=off", "GOPROXY=off", "GOFLAGS=-buildvcs=false", "EVENT_SOURCES=of,the,shell")
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%s in %s: %v\n%s", cmd, dir, err, out)
	}
	return string(out)
}

// TestProjectIsTestedAtOnce writes a project with odd names, and runs its tests.
func TestProjectIsTestedAtOnce(t *testing.T) {
	dir := made(t, "gitlab.example/team/Parcel-Service/v2", "type", "orders", "Parcel-Seen")
	if out := in(t, dir, "go", "test", "./..."); !strings.Contains(out, "ok  \tgitlab.example/team/Parcel-Service/v2") {
		t.Errorf("go test printed\n%s", out)
	}
}

// TestFilesOfAProject: all that is needed is there, in the form that formatters want, and nothing else
// is. No name of the sample is left.
func TestFilesOfAProject(t *testing.T) {
	files := filesOf(t, made(t, "example.org/parcels", "seen", "Weighed-Twice"))
	for _, name := range []string{
		"go.mod", "go.sum", "parcels.go", "parcels_test.go", "cmd/local/main.go", "Makefile", "README.md", "deploy/build.sh",
		".gitignore", ".gcloudignore", ".github/workflows/ci.yml", "terraform/main.tf",
		vendored + "/LICENSE", vendored + "/terraform/main.tf", vendored + "/terraform/dashboard.json", vendored + "/store_nobigquery.go",
		vendored + "/stores/bqstore/schema/keys.sql", vendored + "/cmd/eventdriver/main.go",
	} {
		if files[name] == "" {
			t.Errorf("the project has no %s", name)
		}
	}
	unwanted := regexp.MustCompile(`_test\.go$|\.md$|/testdata/|^` + vendored + `/(proof|docs|examples|internal/repo)/`)
	left := regexp.MustCompile(`(?i)\borders?_|\borders\b|\bplaced\b|internal/project`)
	for name, text := range files {
		template := strings.HasPrefix(name, vendored+"/cmd/eventdriver/internal/project/")
		if ofLibrary := strings.HasPrefix(name, vendored); !template && ofLibrary && unwanted.MatchString(name) {
			t.Errorf("%s is not needed", name)
		} else if found := left.FindString(strings.ReplaceAll(text, moduleOfLibrary, "")); !ofLibrary && found != "" &&
			name != "deploy/build.sh" {
			t.Errorf("%s has %s of the sample", name, found)
		}
		formatted := []byte(text)
		switch filepath.Ext(name) {
		case ".go":
			formatted, _ = format.Source([]byte(text))
		case ".tf":
			formatted = hclwrite.Format([]byte(text))
		}
		if !bytes.Equal(formatted, []byte(text)) {
			t.Errorf("%s is not formatted", name)
		}
	}
}

// TestLibraryNamedLikeTheSample: the path of a clone that was renamed stays, though it has names of the sample.
func TestLibraryNamedLikeTheSample(t *testing.T) {
	p, err := NewPlan("example.org/parcels", []string{"seen", "weighed"})
	if err != nil {
		t.Fatal(err)
	}
	const library = "github.com/placed/orders"
	text := "import (\n\t\"LIBRARY/driver\"\n\torders \"LIBRARY" + strings.TrimPrefix(sampleModule, placeholder) +
		"\"\n)\n// placed\n"
	got := p.render(strings.ReplaceAll(text, "LIBRARY", library), library, false)
	want := "import (\n\t\"github.com/placed/orders/driver\"\n\tparcels \"example.org/parcels\"\n)\n// seen\n// weighed\n"
	if got != want {
		t.Errorf("%s\nwant\n%s", got, want)
	}
}

// TestFoldersThatAreRefused: a folder with something in it stays as it is, and nothing is left beside it.
func TestFoldersThatAreRefused(t *testing.T) {
	parent := t.TempDir()
	full, file, empty := filepath.Join(parent, "full"), filepath.Join(parent, "file"), filepath.Join(parent, "empty")
	for _, err := range []error{os.Mkdir(full, 0o755), os.Mkdir(empty, 0o755), os.WriteFile(file, nil, 0o644),
		os.WriteFile(filepath.Join(full, "mine"), nil, 0o644)} {
		if err != nil {
			t.Fatal(err)
		}
	}
	good, err := NewPlan("example.org/parcels", []string{"seen"})
	if err != nil {
		t.Fatal(err)
	}
	library, err := NewPlan("example.com/eventdriver/parcels", []string{"seen"})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		dir  string
		plan Plan
		says string
	}{
		{full, good, "is not empty: name a folder that is not there yet"},
		{file, good, "is no folder"},
		{filepath.Join(parent, "new"), library, "give the project a path of its own"},
	} {
		if err := Write(t.Context(), c.dir, c.plan); err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v; want an error that says %s", c.dir, err, c.says)
		}
	}
	if err := Write(t.Context(), empty, good); err != nil {
		t.Errorf("an empty folder: %v", err)
	}
	if len(filesOf(t, empty)) < 100 || len(filesOf(t, full)) != 1 {
		t.Error("the empty folder is not filled, or the full one is")
	}
	entries, err := os.ReadDir(parent)
	names := make([]string, 0, len(entries))
	for _, entry := range entries {
		names = append(names, entry.Name())
	}
	if want := []string{"empty", "file", "full"}; err != nil || !slices.Equal(names, want) {
		t.Errorf("there are %q, %v; want %q", names, err, want)
	}
}
