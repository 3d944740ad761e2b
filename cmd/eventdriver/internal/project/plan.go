package project

import (
	"errors"
	"fmt"
	"go/token"
	"regexp"
	"slices"
	"strings"

	"golang.org/x/mod/module"
)

// mostSources is how many events the function joins at most.
const mostSources = 100

// Plan is what a project is about. Make it with [NewPlan].
type Plan struct {
	Module  string   // the path of its module
	Package string   // the name of its package: orders
	Entry   string   // the name of the function: Orders
	Service string   // the name of what is deployed: orders
	Sources []string // the events that it joins
}

// NewPlan returns the plan of a module that joins the events of the sources. The error lists all that is
// wrong, and says what to do about it.
func NewPlan(path string, sources []string) (Plan, error) {
	p := Plan{Module: path, Sources: sources}
	if err := errors.Join(p.name(), checkSources(sources)); err != nil {
		return Plan{}, err
	}
	return p, nil
}

// name derives the names from the last element of the module's path.
func (p *Plan) name() error {
	if p.Module == "" {
		return errors.New("--module must say what the module is called, as in --module=github.com/you/orders")
	}
	if err := module.CheckPath(p.Module); err != nil {
		return fmt.Errorf("--module: %w; it must be as in github.com/you/orders", err)
	}
	prefix, _, _ := module.SplitPathVersion(p.Module)
	last := prefix[strings.LastIndexByte(prefix, '/')+1:]
	p.Package = strings.ToLower(strings.Join(words(last), ""))
	p.Entry = camelCase(last)
	p.Service = service(p.Package)
	switch {
	case !token.IsIdentifier(p.Package), slices.Contains([]string{"main", "init", "serve", "documentation"}, p.Package):
		return fmt.Errorf("--module: no Go package can be called %q, after the path's last element, %q: end the path "+
			"otherwise, as in github.com/you/orders", p.Package, last)
	case strings.HasPrefix(p.Entry, "EventDriver"):
		return fmt.Errorf("--module: the function would be called %s, like one of the library, after the path's last "+
			"element, %q: end the path otherwise, as in github.com/you/orders", p.Entry, last)
	case strings.HasPrefix(p.Service, "goog"), strings.Contains(p.Service, "google"):
		return fmt.Errorf("--module: no topic may begin with goog, and no bucket's name contain google, and both are called "+
			"after the path's last element, %q: end the path otherwise, as in github.com/you/orders", last)
	}
	return nil
}

// service returns what is deployed for a package: Terraform makes the names of accounts from it, so it
// has 3 to 20 characters.
func service(name string) string {
	if len(name) < 3 {
		name += "-function"
	}
	return name[:min(len(name), 20)]
}

// sourceName is what Terraform's module takes for the name of an event, which is part of a path and of a
// trigger's name.
var sourceName = regexp.MustCompile(`^[A-Za-z]([-_A-Za-z0-9]{0,37}[A-Za-z0-9])?$`)

func checkSources(sources []string) error {
	if len(sources) == 0 {
		return errors.New("--sources must name the events to join, as in --sources=placed,paid,packed")
	}
	if len(sources) > mostSources {
		return fmt.Errorf("--sources names %d events, and a function joins up to %d: join some of them in a function "+
			"before this one", len(sources), mostSources)
	}
	var problems []error
	fields, triggers := make(map[string]string), make(map[string]string)
	for i, source := range sources {
		field, trigger := camelCase(source), strings.ToLower(strings.ReplaceAll(source, "_", "-"))
		other, same := fields[field]
		if similar, taken := triggers[trigger]; taken {
			other, same = similar, true
		}
		switch {
		case source == "":
			problems = append(problems, fmt.Errorf("--sources: name %d is empty: write placed,paid,packed", i+1))
		case !sourceName.MatchString(source):
			problems = append(problems, fmt.Errorf("--sources: %q must be a letter, then up to 38 letters, digits, hyphens and "+
				"underscores, a letter or a digit at the end, since it becomes a part of a path, a topic and a trigger", source))
		case slices.Contains(sources[:i], source):
			problems = append(problems, fmt.Errorf("--sources: %q is there twice: leave one out", source))
		case same:
			problems = append(problems, fmt.Errorf("--sources: %q and %q would have the same field or trigger: rename one, so "+
				"that they differ by more than case, hyphens and underscores", other, source))
		}
		fields[field], triggers[trigger] = source, source
	}
	return errors.Join(problems...)
}

// words returns the words of a name.
func words(name string) []string {
	return strings.FieldsFunc(name, func(r rune) bool { return strings.ContainsRune("-_.~", r) })
}

// camelCase returns the exported Go identifier that is nearest to a name.
func camelCase(name string) string {
	var b strings.Builder
	for _, word := range words(name) {
		b.WriteString(strings.ToUpper(word[:1]) + word[1:])
	}
	return b.String()
}
