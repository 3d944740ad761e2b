package project

import (
	"cmp"
	"embed"
	"fmt"
	"go/format"
	"io/fs"
	"path"
	"path/filepath"
	"regexp"
	"strings"
)

// The template is a function that joins one event, called placed. In the project, the names below are
// replaced by others, and each line with that event is there once for each source. A name that begins with
// dot- begins with a dot there.
//
//go:embed all:template
var template embed.FS

const (
	sampleModule  = placeholder + "/cmd/eventdriver/internal/project/template"
	samplePackage = "orders"
	sampleEntry   = "Orders"
	sampleService = "orders-name"
	sampleSource  = "placed"
	sampleField   = "Placed"
)

// placeholder stands for the path of the library's module while names are replaced: a clone that was renamed
// may have names of the sample in it, as in github.com/you/orders.
const placeholder = "library.invalid"

var (
	samples = regexp.MustCompile(fmt.Sprintf(`\b(?:%[1]s|%[2]s|%[3]s_test|%[3]s|%[4]s|%[5]s|%[6]s)\b`,
		regexp.QuoteMeta(sampleModule), sampleService, samplePackage, sampleEntry, sampleSource, sampleField))
	perSource = regexp.MustCompile(fmt.Sprintf(`\b(?:%s|%s)\b`, sampleSource, sampleField))
)

// writeTemplate writes what is made of the template, which imports the packages of a module.
func (p Plan) writeTemplate(dir, library string) error {
	return fs.WalkDir(template, "template", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		text, err := template.ReadFile(name)
		if err != nil {
			return err
		}
		to := strings.TrimPrefix(name, "template/")
		made := p.render(string(text), library, path.Ext(to) == ".tf")
		if path.Ext(to) == ".go" {
			formatted, err := format.Source([]byte(made))
			if err != nil {
				return fmt.Errorf("%s: %w", to, err)
			}
			made = string(formatted)
		}
		to = strings.ReplaceAll(to, "dot-", ".")
		to = strings.Replace(to, samplePackage, p.Package, 1)
		return write(filepath.Join(dir, filepath.FromSlash(to)), []byte(made), 0o644)
	})
}

// render returns the text with the plan's names. The path of the library's module stays. If aligned, what
// follows the sources begins in one column, as Terraform wants it.
func (p Plan) render(text, library string, aligned bool) string {
	text = strings.ReplaceAll(text, library, placeholder)
	longest := 0
	for _, source := range p.Sources {
		longest = max(longest, len(source))
	}
	var b strings.Builder
	for line := range strings.Lines(text) {
		if !perSource.MatchString(line) {
			b.WriteString(p.replace(line, ""))
			continue
		}
		for _, source := range p.Sources {
			made := p.replace(line, source)
			if quoted := `"` + source + `"`; aligned {
				made = strings.Replace(made, quoted, fmt.Sprintf("%-*s", longest+2, quoted), 1)
			}
			b.WriteString(made)
		}
	}
	return strings.ReplaceAll(b.String(), placeholder, library)
}

// replace replaces the names of the sample in a line, all at once: a source may be called orders.
func (p Plan) replace(line, source string) string {
	names := map[string]string{
		sampleModule: p.Module, sampleService: p.Service, sampleEntry: p.Entry,
		samplePackage: p.Package, samplePackage + "_test": p.Package + "_test",
		sampleSource: source, sampleField: camelCase(source),
	}
	return samples.ReplaceAllStringFunc(line, func(name string) string { return cmp.Or(names[name], name) })
}
