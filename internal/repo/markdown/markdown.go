// Package markdown takes documents apart, as GitHub reads them, for the tests that
// compare them with the code.
package markdown

import (
	"bytes"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"github.com/yuin/goldmark"
	"github.com/yuin/goldmark/ast"
	"github.com/yuin/goldmark/extension"
	east "github.com/yuin/goldmark/extension/ast"
	"github.com/yuin/goldmark/parser"
	"github.com/yuin/goldmark/text"
)

// Document is what is in a document.
type Document struct {
	Blocks  []Block // the fenced blocks of code
	Links   []Link
	Tables  [][]Row         // the rows of each table, its head included
	Anchors map[string]bool // what the part of a link behind # may be
}

// Block is a fenced block of code.
type Block struct {
	Language string
	Line     int // of its first line, from 1
	Text     string
	Info     string // what follows the language
}

// Link is a link, an image or the definition of a reference.
type Link struct {
	Text, Target string
	Line         int // from 1
}

// Row is the text of each cell, without its marks.
type Row []string

// Parse takes a document apart.
func Parse(source string) Document {
	p := parsing{source: []byte(source), headings: make(map[string]int)}
	p.Anchors = make(map[string]bool)
	context := parser.NewContext()
	root := goldmark.New(goldmark.WithExtensions(extension.GFM)).Parser().Parse(text.NewReader(p.source), parser.WithContext(context))
	_ = ast.Walk(root, func(n ast.Node, entering bool) (ast.WalkStatus, error) {
		if entering {
			p.node(n)
		}
		return ast.WalkContinue, nil
	})
	for _, r := range context.References() {
		definition := regexp.MustCompile(`(?m)^ {0,3}\[` + regexp.QuoteMeta(string(r.Label())) + `\]:`)
		if at := definition.FindIndex(p.source); at != nil {
			p.Links = append(p.Links, Link{string(r.Label()), string(r.Destination()), p.line(at[0])})
		}
	}
	slices.SortStableFunc(p.Links, func(a, b Link) int { return a.Line - b.Line })
	return p.Document
}

type parsing struct {
	Document
	source   []byte
	headings map[string]int // how many there are, by anchor
}

// line returns the number of the line with that byte.
func (p *parsing) line(offset int) int { return 1 + bytes.Count(p.source[:offset], []byte("\n")) }

// ownAnchor is an anchor in HTML.
var ownAnchor = regexp.MustCompile(`<a\s+(?:id|name)="([^"]+)"`)

func (p *parsing) node(n ast.Node) {
	switch n := n.(type) {
	case *ast.FencedCodeBlock:
		b := Block{Language: string(n.Language(p.source)), Text: string(n.Lines().Value(p.source))}
		if n.Info != nil {
			b.Info = strings.TrimSpace(strings.TrimPrefix(string(n.Info.Value(p.source)), b.Language))
		}
		if n.Lines().Len() > 0 {
			b.Line = p.line(n.Lines().At(0).Start)
		}
		p.Blocks = append(p.Blocks, b)
	case *ast.Link:
		p.Links = append(p.Links, Link{p.text(n), string(n.Destination), p.line(start(n))})
	case *ast.Image:
		p.Links = append(p.Links, Link{p.text(n), string(n.Destination), p.line(start(n))})
	case *ast.Heading:
		p.anchor(slug(p.text(n)))
	case *ast.RawHTML:
		p.html(n.Segments.Value(p.source))
	case *ast.HTMLBlock:
		p.html(n.Lines().Value(p.source))
	case *east.Table:
		p.Tables = append(p.Tables, p.table(n))
	}
}

func (p *parsing) html(code []byte) {
	for _, found := range ownAnchor.FindAllSubmatch(code, -1) {
		p.Anchors[string(found[1])] = true
	}
}

// anchor adds the anchor of a heading: the second of the same words ends in -1.
func (p *parsing) anchor(words string) {
	if n := p.headings[words]; n > 0 {
		p.Anchors[words+"-"+strconv.Itoa(n)] = true
	} else {
		p.Anchors[words] = true
	}
	p.headings[words]++
}

func (p *parsing) table(t *east.Table) (rows []Row) {
	for r := t.FirstChild(); r != nil; r = r.NextSibling() {
		var row Row
		for cell := r.FirstChild(); cell != nil; cell = cell.NextSibling() {
			row = append(row, p.text(cell))
		}
		rows = append(rows, row)
	}
	return rows
}

// text returns the text within a node, without its marks and the targets of links.
func (p *parsing) text(n ast.Node) string {
	var b strings.Builder
	_ = ast.Walk(n, func(n ast.Node, entering bool) (ast.WalkStatus, error) {
		if !entering {
			return ast.WalkContinue, nil
		}
		switch n := n.(type) {
		case *ast.Text:
			b.Write(n.Segment.Value(p.source))
			if n.SoftLineBreak() || n.HardLineBreak() {
				b.WriteByte(' ')
			}
		case *ast.String:
			b.Write(n.Value)
		case *ast.AutoLink:
			b.Write(n.Label(p.source))
		}
		return ast.WalkContinue, nil
	})
	return b.String()
}

// start returns the offset of the first text within a node, or else of its block.
func start(n ast.Node) int {
	found := -1
	_ = ast.Walk(n, func(n ast.Node, _ bool) (ast.WalkStatus, error) {
		if t, ok := n.(*ast.Text); ok {
			found = t.Segment.Start
			return ast.WalkStop, nil
		}
		return ast.WalkContinue, nil
	})
	for ; found < 0 && n != nil; n = n.Parent() {
		if n.Type() == ast.TypeBlock && n.Lines().Len() > 0 {
			found = n.Lines().At(0).Start
		}
	}
	return max(found, 0)
}

// slug is the anchor that GitHub makes of a heading.
func slug(title string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == ' ':
			return '-'
		case r == '-', r == '_', unicode.IsLetter(r), unicode.IsDigit(r):
			return unicode.ToLower(r)
		}
		return -1
	}, title)
}
