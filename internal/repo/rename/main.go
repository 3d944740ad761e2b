// Command rename gives this clone a module path of its own: in go.mod, and in
// every import, document and workflow that names the old one. The root package
// keeps its name. It is run as
//
//	make rename MODULE=github.com/you/orders
//
// go.mod says what the old path is and is written last, so a run that was
// interrupted can be repeated.
package main

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"go/format"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"golang.org/x/mod/module"

	"example.com/eventdriver/internal/repo/clone"
)

func main() {
	path := strings.Join(os.Args[1:], " ")
	if err := rename(os.Stdout, ".", path); err != nil {
		fmt.Fprintln(os.Stderr, "rename:", err)
		os.Exit(1)
	}
}

// rename gives the module in the folder root, the top of a git clone, the path.
func rename(out io.Writer, root, path string) error {
	if err := checkModulePath(path); err != nil {
		return err
	}
	old, err := clone.Module(root)
	if err != nil {
		return err
	}
	if path == old {
		_, err := fmt.Fprintf(out, "This clone is %s already: nothing to do.\n", path)
		return err
	}
	files, err := clone.Files(root)
	if err != nil {
		return err
	}
	changed := 0
	files = slices.DeleteFunc(files, func(name string) bool { return name == "go.mod" })
	for _, name := range append(files, "go.mod") { // last, since it says what is old
		did, err := renameIn(filepath.Join(root, name), old, path)
		if err != nil {
			return err
		}
		if did {
			changed++
		}
	}
	_, err = fmt.Fprintf(out, "This clone is %s now: %d files have changed. Look with git diff, and run make test.\n", path, changed)
	return err
}

// checkModulePath returns what is wrong with a new module path. Go's own rule has it begin
// with a host's name, which has a dot. That suits Google's Go buildpack, too, which takes
// any other path for one of the standard library.
func checkModulePath(path string) error {
	if path == "" {
		return errors.New("which module path? Say: make rename MODULE=github.com/you/orders")
	}
	if err := module.CheckPath(path); err != nil {
		return fmt.Errorf("%w; say, for example, github.com/you/orders, as Go and Google's buildpack demand it", err)
	}
	return nil
}

// renameIn replaces the old path in one file, unless that is no text, and says
// whether it was there.
func renameIn(name, old, module string) (bool, error) {
	info, err := os.Stat(name)
	if err != nil {
		return false, err
	}
	text, err := os.ReadFile(name)
	if err != nil || bytes.IndexByte(text, 0) >= 0 {
		return false, err
	}
	renamed := replacePath(text, old, module)
	if filepath.Base(name) == "go.mod" {
		renamed = requireVersion(renamed, module)
	}
	if bytes.Equal(renamed, text) {
		return false, nil
	}
	if filepath.Ext(name) == ".go" {
		// Imports are sorted by path, so their order may change.
		if formatted, err := format.Source(renamed); err == nil {
			renamed = formatted
		}
	}
	return true, os.WriteFile(name, renamed, info.Mode().Perm())
}

// requireVersion has the go.mod of another module, which replaces the module at path by this clone,
// require a version that the path allows: v2.0.0 for one that ends in /v2.
func requireVersion(text []byte, path string) []byte {
	_, major, _ := module.SplitPathVersion(path)
	version := cmp.Or(module.PathMajorPrefix(major), "v0") + ".0.0"
	required := regexp.MustCompile(`(?m)^((?:require)?\s+` + regexp.QuoteMeta(path) + `) v\S+`)
	return required.ReplaceAll(text, []byte("$1 "+version))
}

// replacePath replaces old by module where it stands for itself or begins a
// longer path, but not where it is a part of another word: example.org/tool is
// not in example.org/toolbox, nor in my-example.org/tool.
func replacePath(text []byte, old, module string) []byte {
	var out bytes.Buffer
	for {
		at := bytes.Index(text, []byte(old))
		if at < 0 {
			out.Write(text)
			return out.Bytes()
		}
		end := at + len(old)
		out.Write(text[:at])
		if at > 0 && continues(text[at-1], ".-_~") || end < len(text) && continues(text[end], "-_~") {
			out.WriteString(old)
		} else {
			out.WriteString(module)
		}
		text = text[end:]
	}
}

// continues says that c next to a path makes it a part of another word.
func continues(c byte, marks string) bool {
	return isAlphanumeric(c) || strings.IndexByte(marks, c) >= 0
}

func isAlphanumeric(c byte) bool {
	return isLowerOrDigit(c) || 'A' <= c && c <= 'Z'
}

func isLowerOrDigit(c byte) bool {
	return 'a' <= c && c <= 'z' || '0' <= c && c <= '9'
}
