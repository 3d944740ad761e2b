// Package charts draws what happened over time as an SVG: curves in panels above
// each other, and below them strips with marks, all on one axis of time.
package charts

import (
	"fmt"
	"html"
	"io"
	"math"
	"strconv"
	"strings"
	"time"
)

// Chart is a drawing.
type Chart struct {
	Title  string
	Length time.Duration // of the axis of time
	Panels []Panel
	Strips []Strip
}

// Panel is a part of a chart with an axis of its own, from 0 up.
type Panel struct {
	Label  string // of the axis, with its unit
	Height int    // in pixels
	Lines  []Line
}

// Line is a curve.
type Line struct {
	Name   string
	Color  string
	Points []Point // ordered by time
}

// Point is a value at a time since the start.
type Point struct {
	At    time.Duration
	Value float64
}

// Strip is a row of marks.
type Strip struct {
	Name  string // with how many there are, say
	Color string
	Spans []Span
}

// Span is a mark, from one time since the start to another. A span of no length is a
// tick.
type Span struct{ From, To time.Duration }

// The measures of the drawing, in pixels.
const (
	width      = 960
	left       = 170 // of the panels and strips
	right      = 20
	top        = 40
	gap        = 34 // above each panel, for its legend
	stripAbove = 14
	rowHeight  = 22
	axisBelow  = 48
	most       = 500 // points of a line that are drawn
)

// drawing is a chart that is being drawn.
type drawing struct {
	strings.Builder
	length time.Duration
}

// WriteTo draws the chart. It implements [io.WriterTo].
func (c Chart) WriteTo(w io.Writer) (int64, error) {
	d := &drawing{length: max(c.Length, time.Second)}
	y := top
	for _, p := range c.Panels {
		y += gap
		d.panel(p, y)
		y += p.Height
	}
	y += stripAbove
	bottom := y + rowHeight*len(c.Strips)
	for i, s := range c.Strips {
		d.strip(s, y+rowHeight*i)
	}
	d.timeAxis(bottom)

	n, err := fmt.Fprintf(w, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %[1]d %[2]d" width="%[1]d" height="%[2]d" font-family="sans-serif" font-size="13" fill="#222">
<rect width="%[1]d" height="%[2]d" fill="#fff"/>
<text x="%[3]d" y="28" font-size="17" font-weight="bold">%[4]s</text>
%[5]s</svg>
`, width, bottom+axisBelow, left, html.EscapeString(c.Title), d.String())
	return int64(n), err
}

func (d *drawing) x(at time.Duration) float64 {
	return left + (width-left-right)*float64(at)/float64(d.length)
}

func (d *drawing) panel(p Panel, y int) {
	highest := 1.0
	for _, l := range p.Lines {
		for _, point := range l.Points {
			highest = max(highest, point.Value)
		}
	}
	step := NiceStep(highest, max(2, p.Height/45))
	highest = math.Ceil(highest/step) * step
	bottom := float64(y + p.Height)
	scale := func(v float64) float64 { return bottom - float64(p.Height)*v/highest }

	for v := 0.0; v <= highest+step/2; v += step {
		d.printf(`<path d="M%d %.1fH%d" stroke="#ddd"/><text x="%d" y="%.1f" text-anchor="end">%s</text>`+"\n",
			left, scale(v), width-right, left-8, scale(v)+4, strconv.FormatFloat(v, 'f', -1, 64))
	}
	d.printf(`<text transform="translate(%d %d) rotate(-90)" text-anchor="middle">%s</text>`+"\n",
		left-80, y+p.Height/2, html.EscapeString(p.Label))
	legend := left
	for _, l := range p.Lines {
		d.printf(`<path d="M%d %dh18" stroke="%s" stroke-width="3"/><text x="%d" y="%d">%s</text>`+"\n",
			legend, y-14, l.Color, legend+24, y-10, html.EscapeString(l.Name))
		legend += 60 + 8*len(l.Name)
		d.line(l, scale)
	}
}

func (d *drawing) line(l Line, scale func(float64) float64) {
	d.printf(`<path fill="none" stroke="%s" stroke-width="1.8" stroke-linejoin="round" d="`, l.Color)
	every := max(1, (len(l.Points)+most-1)/most)
	command := "M"
	for i, point := range l.Points {
		if i%every == 0 || i == len(l.Points)-1 {
			d.printf("%s%.1f %.1f", command, d.x(point.At), scale(point.Value))
			command = "L"
		}
	}
	d.printf(`"/>` + "\n")
}

func (d *drawing) strip(s Strip, y int) {
	const height = rowHeight - 6
	d.printf(`<text x="%d" y="%d" text-anchor="end">%s</text><rect x="%d" y="%d" width="%d" height="%d" fill="#f4f4f4"/>`+"\n",
		left-8, y+height-3, html.EscapeString(s.Name), left, y, width-left-right, height)
	d.printf(`<path fill="%s" fill-opacity="0.75" d="`, s.Color)
	for _, span := range s.Spans {
		x := d.x(span.From)
		d.printf("M%.1f %dh%.1fv%dH%.1fz", x, y, max(1, d.x(min(span.To, d.length))-x), height, x)
	}
	d.printf(`"/>` + "\n")
}

func (d *drawing) timeAxis(y int) {
	step := NiceStep(d.length.Seconds(), 10)
	d.printf(`<path d="M%d %dH%d" stroke="#222"/>`+"\n", left, y, width-right)
	for v := 0.0; v <= d.length.Seconds(); v += step {
		x := d.x(time.Duration(v * float64(time.Second)))
		d.printf(`<path d="M%.1f %dv5" stroke="#222"/><text x="%.1f" y="%d" text-anchor="middle">%s</text>`+"\n",
			x, y, x, y+19, strconv.FormatFloat(v, 'f', -1, 64))
	}
	d.printf(`<text x="%d" y="%d" text-anchor="middle">seconds</text>`+"\n", left+(width-left-right)/2, y+38)
}

func (d *drawing) printf(format string, args ...any) { fmt.Fprintf(d, format, args...) }

// NiceStep returns 1, 2 or 5 times a power of ten, such that about n steps reach to.
func NiceStep(to float64, n int) float64 {
	power := math.Pow(10, math.Floor(math.Log10(to/float64(n))))
	for _, f := range []float64{1, 2, 5} {
		if to/(f*power) <= float64(n) {
			return f * power
		}
	}
	return 10 * power
}
