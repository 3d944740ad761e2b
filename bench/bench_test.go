package main

import (
	"encoding/xml"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestQuickRun: a quick run measures each part, and writes a page that is whole. It checks counts, and
// no times.
func TestQuickRun(t *testing.T) {
	file := filepath.Join(t.TempDir(), "performance.md")
	r := run{out: io.Discard, quick: true, rounds: 2}
	if err := r.page(t.Context(), file, ""); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	page := string(text)
	titles := []string{"In one process", "On Cloud Storage", "The function", "Cold start and size", "Growth"}
	for _, title := range titles {
		if !strings.Contains(page, "\n## "+title+"\n") {
			t.Errorf("the page lacks %q", title)
		}
	}
	checkTables(t, page)
	// A join of 2 keeps 2 events, claims, and completes; its other writes would be charged.
	if !strings.Contains(page, "| 2 | 1,000 | 1 | this project | 4.00 |") {
		t.Error("a join of 2 events does not take 4 Class A operations")
	}
	charts, err := filepath.Glob(filepath.Join(strings.TrimSuffix(file, ".md"), "*.svg"))
	if err != nil || len(charts) < 5 || len(charts) != strings.Count(page, ".svg)") {
		t.Errorf("%d charts, %d on the page, %v", len(charts), strings.Count(page, ".svg)"), err)
	}
	for _, chart := range charts {
		checkChart(t, chart)
	}
}

// checkTables checks that each row has as many cells as the head above it, and that none lacks a figure.
func checkTables(t *testing.T, page string) {
	t.Helper()
	rows, cells := 0, 0
	for line := range strings.Lines(page) {
		if !strings.HasPrefix(line, "|") {
			cells = 0
			continue
		}
		rows++
		if n := strings.Count(line, "|"); cells != 0 && n != cells {
			t.Errorf("a row of another length than its head: %s", line)
		}
		cells = strings.Count(line, "|")
		if strings.Contains(line, " – ") || strings.Contains(line, "NaN") {
			t.Errorf("a row lacks a figure: %s", line)
		}
	}
	if rows < 60 {
		t.Errorf("%d rows in all tables", rows)
	}
}

// checkChart checks that a chart is XML, has points, and has colors for dark ground, too.
func checkChart(t *testing.T, file string) {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	d := xml.NewDecoder(strings.NewReader(string(text)))
	for err == nil {
		_, err = d.Token()
	}
	if !errors.Is(err, io.EOF) {
		t.Errorf("%s: %v", file, err)
	}
	for _, part := range []string{"prefers-color-scheme:dark", "<circle"} {
		if !strings.Contains(string(text), part) {
			t.Errorf("%s lacks %s", file, part)
		}
	}
	if strings.Contains(string(text), "NaN") {
		t.Errorf("%s has a point that is nowhere", file)
	}
}
