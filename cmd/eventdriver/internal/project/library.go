package project

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"reflect"
	"slices"
	"strings"

	"golang.org/x/mod/modfile"
	"golang.org/x/mod/module"
)

// The library's folder in a project.
const vendored = "third_party/eventdriver"

// needed are the packages of the library that a project uses, with all that they need.
var needed = []string{".", "./cmd/local/serve", "./cmd/eventdriver", "./driver/drivertest"}

// others are the files that a project needs beside those packages.
var others = []string{"LICENSE", "go.mod", "go.sum", "deploy/build.sh", "terraform/*.tf", "terraform/dashboard.json"}

// moduleOfLibrary is the path of this module, which make rename changes.
var moduleOfLibrary = strings.TrimSuffix(reflect.TypeFor[library]().PkgPath(), "/cmd/eventdriver/internal/project")

// library is the source of this module.
type library struct {
	module, dir string
	files       []string // with slashes, relative to dir
	modules     []string // the paths of those that its files need
}

// findLibrary finds the source: the go command knows it in a clone, and in each module that requires it.
func findLibrary(ctx context.Context) (library, error) {
	l := library{module: moduleOfLibrary}
	dir, err := goCommand(ctx, "", nil, "list", "-m", "-f", "{{.Dir}}", l.module)
	if err != nil || len(bytes.TrimSpace(dir)) == 0 {
		return library{}, fmt.Errorf("the source of %s is not found here: run this in its clone, or in a module that "+
			"requires it (%w)", l.module, err)
	}
	l.dir = string(bytes.TrimSpace(dir))
	if err := l.listPackages(ctx); err != nil {
		return library{}, err
	}
	for _, pattern := range others {
		found, err := filepath.Glob(filepath.Join(l.dir, pattern))
		if err != nil || len(found) == 0 {
			return library{}, fmt.Errorf("%s has no %s: run this in a complete clone (%w)", l.dir, pattern, err)
		}
		for _, name := range found {
			l.files = append(l.files, path.Join(path.Dir(pattern), filepath.Base(name)))
		}
	}
	return l, nil
}

// systems are those on which a project can be built.
var systems = []string{"linux", "darwin", "windows"}

// listPackages finds the files of the packages, for all systems and tags, but no tests.
func (l *library) listPackages(ctx context.Context) error {
	args := append([]string{"list", "-deps", "-json=Dir,Module,Standard,GoFiles,IgnoredGoFiles,EmbedFiles"}, needed...)
	for _, system := range systems {
		out, err := goCommand(ctx, l.dir, []string{"GOOS=" + system, "CGO_ENABLED=0"}, args...)
		if err != nil {
			return err
		}
		for decoder := json.NewDecoder(bytes.NewReader(out)); ; {
			var pkg listed
			if err := decoder.Decode(&pkg); errors.Is(err, io.EOF) {
				break
			} else if err != nil {
				return err
			}
			if err := l.add(pkg); err != nil {
				return err
			}
		}
	}
	slices.Sort(l.files)
	l.files = slices.Compact(l.files)
	return nil
}

// listed is a package as the go command lists it.
type listed struct {
	Dir                                 string
	Standard                            bool
	Module                              struct{ Path string }
	GoFiles, IgnoredGoFiles, EmbedFiles []string
}

// add adds the files of a package of the library, or the module of another.
func (l *library) add(pkg listed) error {
	if pkg.Standard {
		return nil
	}
	if pkg.Module.Path != l.module {
		l.modules = append(l.modules, pkg.Module.Path)
		return nil
	}
	folder, err := filepath.Rel(l.dir, pkg.Dir)
	if err != nil {
		return err
	}
	ignored := slices.DeleteFunc(pkg.IgnoredGoFiles, func(name string) bool { return strings.HasSuffix(name, "_test.go") })
	for _, name := range slices.Concat(pkg.GoFiles, ignored, pkg.EmbedFiles) {
		l.files = append(l.files, path.Join(filepath.ToSlash(folder), name))
	}
	return nil
}

// checkModule returns an error for a module that can't require the library.
func (l library) checkModule(path string) error {
	if path == l.module || strings.HasPrefix(path, l.module+"/") {
		return fmt.Errorf("--module: %s belongs to the library, %s: give the project a path of its own", path, l.module)
	}
	return nil
}

// copyTo copies the source into the project, with the script that builds the function, and writes the
// project's go.mod and go.sum.
func (l library) copyTo(project string, p Plan) error {
	for _, name := range l.files {
		text, err := os.ReadFile(filepath.Join(l.dir, filepath.FromSlash(name)))
		if err != nil {
			return err
		}
		switch name {
		case "go.mod":
			if err := l.writeGoMod(project, p.Module, text); err != nil {
				return err
			}
		case "go.sum":
			if err := write(filepath.Join(project, name), text, 0o644); err != nil {
				return err
			}
		case "deploy/build.sh":
			script := strings.NewReplacer("\ntarget=EventDriver", "\ntarget="+p.Entry, "\nsource=event1", "\nsource="+p.Sources[0])
			if err := write(filepath.Join(project, name), []byte(script.Replace(string(text))), 0o755); err != nil {
				return err
			}
		}
		if err := write(filepath.Join(project, vendored, filepath.FromSlash(name)), text, mode(name)); err != nil {
			return err
		}
	}
	return nil
}

func mode(name string) os.FileMode {
	if path.Ext(name) == ".sh" {
		return 0o755
	}
	return 0o644
}

// direct are the modules whose packages the project's own files import.
var direct = []string{"github.com/GoogleCloudPlatform/functions-framework-go"}

// writeGoMod writes the project's go.mod: what the library requires for the packages that the project
// uses, and the library itself, in its folder.
func (l library) writeGoMod(project, path string, ofLibrary []byte) error {
	from, err := modfile.Parse("go.mod", ofLibrary, nil)
	if err != nil {
		return err
	}
	to := new(modfile.File)
	version := "v0.0.0"
	if _, major, _ := module.SplitPathVersion(l.module); major != "" {
		version = module.PathMajorPrefix(major) + ".0.0"
	}
	required := []*modfile.Require{{Mod: module.Version{Path: l.module, Version: version}}}
	for _, r := range from.Require {
		if slices.Contains(l.modules, r.Mod.Path) {
			required = append(required, &modfile.Require{Mod: r.Mod, Indirect: !slices.Contains(direct, r.Mod.Path)})
		}
	}
	err = errors.Join(to.AddModuleStmt(path), to.AddGoStmt(from.Go.Version), to.AddTool(l.module+"/cmd/eventdriver"),
		to.AddReplace(l.module, "", "./"+vendored, ""))
	if err != nil {
		return err
	}
	to.SetRequireSeparateIndirect(required)
	to.Cleanup()
	return write(filepath.Join(project, "go.mod"), modfile.Format(to.Syntax), 0o644)
}

// goCommand runs the go command in a folder, with more variables, and returns what it printed.
func goCommand(ctx context.Context, dir string, environ []string, args ...string) ([]byte, error) {
	cmd := exec.CommandContext(ctx, "go", args...)
	cmd.Dir, cmd.Env = dir, append(os.Environ(), environ...)
	var problems strings.Builder
	cmd.Stderr = &problems
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("%s: %w: %s", cmd, err, strings.TrimSpace(problems.String()))
	}
	return out, nil
}
