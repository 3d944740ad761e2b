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
	"fmt"
	"go/format"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"example.com/eventdriver/internal/repo/clone"
)

func main() {
	module := strings.Join(os.Args[1:], " ")
	if err := rename(os.Stdout, ".", module); err != nil {
		fmt.Fprintln(os.Stderr, "rename:", err)
		os.Exit(1)
	}
}

// rename gives the module in the folder root, the top of a git clone, the path
// module.
func rename(out io.Writer, root, module string) error {
	if err := checkModulePath(module); err != nil {
		return err
	}
	old, err := clone.Module(root)
	if err != nil {
		return err
	}
	if module == old {
		_, err := fmt.Fprintf(out, "This clone is %s already: nothing to do.\n", module)
		return err
	}
	files, err := clone.Files(root)
	if err != nil {
		return err
	}
	changed := 0
	files = slices.DeleteFunc(files, func(name string) bool { return name == "go.mod" })
	for _, name := range append(files, "go.mod") { // last, since it says what is old
		did, err := renameIn(filepath.Join(root, name), old, module)
		if err != nil {
			return err
		}
		if did {
			changed++
		}
	}
	_, err = fmt.Fprintf(out, "This clone is %s now: %d files have changed. Look with git diff, and run make test.\n", module, changed)
	return err
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
