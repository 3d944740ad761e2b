package docs

import (
	"path"
	"slices"
	"strings"
	"testing"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
)

// module is what the files of a Terraform module say.
type module struct {
	t      *testing.T
	source map[string]string // by the file's name
	blocks []*hclsyntax.Block
}

// terraform reads the module in terraform, and with all its examples, too. The edits,
// each of a file, a text in it and another, make a module that lies.
func terraform(t *testing.T, all bool, edits ...[3]string) module {
	t.Helper()
	m := module{t: t, source: make(map[string]string)}
	for _, name := range files(t, func(name string) bool {
		return path.Ext(name) == ".tf" && (path.Dir(name) == "terraform" || all && strings.HasPrefix(name, "terraform/"))
	}) {
		text := read(t, name)
		for _, e := range edits {
			if e[0] != name {
				continue
			}
			if !strings.Contains(text, e[1]) {
				t.Fatalf("%s does not contain %s", name, e[1])
			}
			text = strings.ReplaceAll(text, e[1], e[2])
		}
		m.source[name] = text
		file, problems := hclsyntax.ParseConfig([]byte(text), name, hcl.InitialPos)
		if problems.HasErrors() {
			t.Fatal(problems)
		}
		m.blocks = append(m.blocks, file.Body.(*hclsyntax.Body).Blocks...)
	}
	return m
}

// block returns the only block of a kind with these labels.
func (m module) block(kind string, labels ...string) *hclsyntax.Block {
	m.t.Helper()
	var found *hclsyntax.Block
	for _, b := range m.blocks {
		if b.Type != kind || !slices.Equal(b.Labels, labels) {
			continue
		}
		if found != nil {
			m.t.Fatalf("there are two blocks %s %q", kind, labels)
		}
		found = b
	}
	if found == nil {
		m.t.Fatalf("there is no block %s %q", kind, labels)
	}
	return found
}

// local returns the expression of a local value.
func (m module) local(name string) hclsyntax.Expression {
	m.t.Helper()
	for _, b := range m.blocks {
		if a := b.Body.Attributes[name]; b.Type == "locals" && a != nil {
			return a.Expr
		}
	}
	m.t.Fatalf("there is no local.%s", name)
	return nil
}

// attribute returns the expression of an attribute, which must be there.
func (m module) attribute(b *hclsyntax.Block, name string) hclsyntax.Expression {
	m.t.Helper()
	a := b.Body.Attributes[name]
	if a == nil {
		m.t.Fatalf("%s: %s has no %s", b.DefRange(), b.Type, name)
	}
	return a.Expr
}

// text returns the source of an expression.
func (m module) text(e hclsyntax.Expression) string {
	r := e.Range()
	return m.source[r.Filename][r.Start.Byte:r.End.Byte]
}

// value returns the value of an expression that depends on nothing.
func (m module) value(e hclsyntax.Expression) cty.Value {
	m.t.Helper()
	v, problems := e.Value(nil)
	if problems.HasErrors() {
		m.t.Fatalf("%s: %v", e.Range(), problems)
	}
	return v
}

// words returns the strings of a list, or the names of an object.
func (m module) words(e hclsyntax.Expression) (all []string) {
	m.t.Helper()
	v := m.value(e)
	for key, each := range v.Elements() {
		if v.Type().IsObjectType() {
			each = key
		}
		all = append(all, each.AsString())
	}
	return all
}

// calls returns the calls of a function within a node.
func calls(n hclsyntax.Node, function string) (found []*hclsyntax.FunctionCallExpr) {
	_ = hclsyntax.VisitAll(n, func(n hclsyntax.Node) hcl.Diagnostics {
		if call, ok := n.(*hclsyntax.FunctionCallExpr); ok && call.Name == function {
			found = append(found, call)
		}
		return nil
	})
	return found
}

// onlyCall returns the only call of a function within a node.
func (m module) onlyCall(n hclsyntax.Node, function string) *hclsyntax.FunctionCallExpr {
	m.t.Helper()
	found := calls(n, function)
	if len(found) != 1 {
		m.t.Fatalf("%s: %d calls of %s, want one", n.Range(), len(found), function)
	}
	return found[0]
}

// keys returns the names in all objects within an expression.
func (m module) keys(e hclsyntax.Expression) (names []string) {
	_ = hclsyntax.VisitAll(e, func(n hclsyntax.Node) hcl.Diagnostics {
		if object, ok := n.(*hclsyntax.ObjectConsExpr); ok {
			for _, item := range object.Items {
				names = append(names, m.value(item.KeyExpr).AsString())
			}
		}
		return nil
	})
	return names
}

// A lie is an edit of the module that a check must notice.
type lie struct {
	edit [3]string
	says string // in the problem
}

// tells reports each lie that a check does not notice; see [terraform].
func tells(t *testing.T, all bool, check func(module) []string, lies []lie) {
	t.Helper()
	for _, l := range lies {
		problems := check(terraform(t, all, l.edit))
		if !slices.ContainsFunc(problems, func(p string) bool { return strings.Contains(p, l.says) }) {
			t.Errorf("%s with %s for %s: %q; want a problem that says %s", l.edit[0], l.edit[2], l.edit[1], problems, l.says)
		}
	}
}

// within returns the only block of a kind in another.
func (m module) within(b *hclsyntax.Block, kind string) *hclsyntax.Block {
	m.t.Helper()
	i := slices.IndexFunc(b.Body.Blocks, func(b *hclsyntax.Block) bool { return b.Type == kind })
	if i < 0 || slices.ContainsFunc(b.Body.Blocks[i+1:], func(b *hclsyntax.Block) bool { return b.Type == kind }) {
		m.t.Fatalf("%s: not one block %s", b.DefRange(), kind)
	}
	return b.Body.Blocks[i]
}
