package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// section is a part of the page.
type section struct {
	title, text string
	summary     string // for the head of the page
	tables      []table
	charts      []chart
}

// table is a table of the page.
type table struct {
	title string
	head  []string
	rows  [][]string
}

func (t *table) add(row ...string) { t.rows = append(t.rows, row) }

// writePage writes the page, and its charts into a folder beside it, in place of what is there.
func writePage(file, head string, sections []section) error {
	folder := strings.TrimSuffix(file, filepath.Ext(file))
	if err := os.RemoveAll(folder); err != nil {
		return err
	}
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return err
	}
	var page strings.Builder
	page.WriteString(head)
	for _, s := range sections {
		if s.summary != "" {
			fmt.Fprintf(&page, "- %s\n", s.summary)
		}
	}
	for _, s := range sections {
		fmt.Fprintf(&page, "\n## %s\n\n%s\n", s.title, s.text)
		for _, t := range s.tables {
			t.write(&page)
		}
		for n, c := range s.charts {
			name := fmt.Sprintf("%s-%d.svg", strings.ReplaceAll(strings.ToLower(s.title), " ", "-"), n+1)
			if err := os.WriteFile(filepath.Join(folder, name), c.draw(), 0o644); err != nil {
				return err
			}
			fmt.Fprintf(&page, "\n![%s](%s/%s)\n", c.title, filepath.Base(folder), name)
		}
	}
	return os.WriteFile(file, []byte(page.String()), 0o644)
}

func (t table) write(page *strings.Builder) {
	if t.title != "" {
		fmt.Fprintf(page, "\n**%s**\n", t.title)
	}
	fmt.Fprintf(page, "\n| %s |\n|%s\n", strings.Join(t.head, " | "), strings.Repeat(" --- |", len(t.head)))
	for _, row := range t.rows {
		fmt.Fprintf(page, "| %s |\n", strings.Join(row, " | "))
	}
}
