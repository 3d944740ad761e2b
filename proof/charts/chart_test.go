package charts_test

import (
	"encoding/xml"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"example.com/eventdriver/proof/charts"
)

func draw(t *testing.T, c charts.Chart) string {
	t.Helper()
	var b strings.Builder
	if _, err := c.WriteTo(&b); err != nil {
		t.Fatal(err)
	}
	for d := xml.NewDecoder(strings.NewReader(b.String())); ; {
		if _, err := d.Token(); errors.Is(err, io.EOF) {
			return b.String()
		} else if err != nil {
			t.Fatalf("no XML: %v\n%s", err, b.String())
		}
	}
}

func TestChart(t *testing.T) {
	points := make([]charts.Point, 10_000)
	for i := range points {
		points[i] = charts.Point{At: time.Duration(i) * time.Millisecond, Value: float64(i)}
	}
	got := draw(t, charts.Chart{Title: "a < b & c", Length: 10 * time.Second,
		Panels: []charts.Panel{{Label: "orders", Height: 200, Lines: []charts.Line{{Name: "<done>", Color: "#123456", Points: points}}}},
		Strips: []charts.Strip{{Name: "kills (2)", Color: "#ff0000", Spans: []charts.Span{{From: time.Second, To: time.Second}, {From: 2 * time.Second, To: time.Hour}}}},
	})
	for _, want := range []string{"a &lt; b &amp; c", "&lt;done&gt;", "#123456", ">orders<", ">seconds<", ">10000<", "kills (2)",
		"L939.9 74.0", // the last point, all but in the upper right corner of the panel
		"H247.0z",     // a tick at one second of ten, of 770 pixels from 170 on
	} {
		if !strings.Contains(got, want) {
			t.Errorf("no %q", want)
		}
	}
	if len(got) > 20_000 {
		t.Errorf("%d bytes for a curve of 10,000 points; want it thinned out", len(got))
	}
}

func TestEmptyChart(t *testing.T) {
	draw(t, charts.Chart{Panels: []charts.Panel{{Height: 100, Lines: []charts.Line{{}}}}, Strips: []charts.Strip{{}}})
}

// measured is a result whose report may not be written.
type measured struct{ failure error }

func (m measured) WriteJSON(w io.Writer) error {
	_, err := io.WriteString(w, "{}")
	return errors.Join(err, m.failure)
}

func (measured) Chart() charts.Chart { return charts.Chart{Title: "measured"} }

func TestFiles(t *testing.T) {
	folder := t.TempDir()
	files := charts.Files{Report: filepath.Join(folder, "report.json"), Plot: filepath.Join(folder, "chart.svg")}
	if err := errors.Join(files.Check(), files.Write(measured{}), charts.Files{}.Check(), charts.Files{}.Write(measured{})); err != nil {
		t.Error(err)
	}
	for name, want := range map[string]string{files.Report: "{}", files.Plot: "measured"} {
		if text, err := os.ReadFile(name); err != nil || !strings.Contains(string(text), want) {
			t.Errorf("%s: %q, %v", name, text, err)
		}
	}
	for _, wrong := range []charts.Files{{Report: files.Report + "/below"}, {Plot: files.Plot + "/below"}} {
		if wrong.Check() == nil || wrong.Write(measured{}) == nil {
			t.Errorf("%+v: a file below a file can be written", wrong)
		}
	}
	if err := files.Write(measured{errors.New("no report")}); err == nil {
		t.Error("a report that can't be made is written")
	}
}
