package main

import (
	"bytes"
	"fmt"
	"html"
	"math"
	"slices"

	"example.com/eventdriver/bench/sample"
)

// chart is a drawing of curves with the intervals of their points. Both axes begin at 0 unless
// they are logarithmic.
type chart struct {
	title      string
	logX, logY bool
	lines      []line
}

type line struct {
	name   string
	points []point
}

type point struct{ x, y, low, high float64 }

// point adds what was measured at x to the line of that name.
func (c *chart) point(name string, x float64, s sample.Sample) {
	y, low, high := s.Summary()
	at := slices.IndexFunc(c.lines, func(l line) bool { return l.name == name })
	if at < 0 {
		at = len(c.lines)
		c.lines = append(c.lines, line{name: name})
	}
	c.lines[at].points = append(c.lines[at].points, point{x, y, low, high})
}

// The measures of the drawing, in pixels.
const (
	width, height            = 760, 360
	left, right, top, bottom = 80, 20, 70, 40
)

// style has colors that can be told apart, on light and on dark ground.
const style = `<style>
text{font:13px sans-serif;fill:#24292f}.grid{stroke:#d0d7de}.axis{stroke:#57606a}
.l0{stroke:#0969da;fill:#0969da}.l1{stroke:#bc4c00;fill:#bc4c00}.l2{stroke:#1a7f37;fill:#1a7f37}
.l3{stroke:#8250df;fill:#8250df}.l4{stroke:#bf3989;fill:#bf3989}
.ground{fill:#fff}
@media (prefers-color-scheme:dark){text{fill:#e6edf3}.grid{stroke:#30363d}.axis{stroke:#8b949e}.ground{fill:#0d1117}
.l0{stroke:#58a6ff;fill:#58a6ff}.l1{stroke:#f0883e;fill:#f0883e}.l2{stroke:#3fb950;fill:#3fb950}
.l3{stroke:#bc8cff;fill:#bc8cff}.l4{stroke:#f778ba;fill:#f778ba}}
</style>`

// colors is how many lines have a color of their own.
const colors = 5

// draw returns the drawing as an SVG.
func (c chart) draw() []byte {
	x, y := c.axes()
	var b bytes.Buffer
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" role="img">%s`+"\n",
		width, height, style)
	fmt.Fprintf(&b, `<title>%[1]s</title><rect class="ground" width="%[2]d" height="%[3]d"/>`+
		`<text x="%[4]d" y="22" font-weight="bold">%[1]s</text>`+"\n", html.EscapeString(c.title), width, height, left)
	for _, v := range y.ticks() {
		fmt.Fprintf(&b, `<path class="grid" d="M%d %.1fH%d"/><text x="%d" y="%.1f" text-anchor="end">%s</text>`+"\n",
			left, y.at(v), width-right, left-8, y.at(v)+4, short(v))
	}
	for _, v := range c.xs() {
		fmt.Fprintf(&b, `<path class="axis" d="M%.1f %dv5"/><text x="%.1f" y="%d" text-anchor="middle">%s</text>`+"\n",
			x.at(v), height-bottom, x.at(v), height-bottom+20, short(v))
	}
	at := left
	for i, l := range c.lines {
		l.draw(&b, i%colors, x, y)
		fmt.Fprintf(&b, `<path class="l%d" d="M%d 44h18" stroke-width="3"/><text x="%d" y="48">%s</text>`+"\n",
			i%colors, at, at+24, html.EscapeString(l.name))
		at += 48 + 7*len(l.name)
	}
	b.WriteString("</svg>\n")
	return b.Bytes()
}

func (l line) draw(b *bytes.Buffer, color int, x, y axis) {
	fmt.Fprintf(b, `<g class="l%d" stroke-width="1.8"><path fill="none" d="`, color)
	command := "M"
	for _, p := range l.points {
		fmt.Fprintf(b, "%s%.1f %.1f", command, x.at(p.x), y.at(p.y))
		command = "L"
	}
	b.WriteString(`"/>`)
	for _, p := range l.points {
		fmt.Fprintf(b, `<circle cx="%.1[1]f" cy="%.1[2]f" r="2.5"/><path d="M%.1[1]f %.1[3]fV%.1[4]f"/>`,
			x.at(p.x), y.at(p.y), y.at(p.low), y.at(p.high))
	}
	b.WriteString("</g>\n")
}

// axis maps values to pixels.
type axis struct {
	low, high float64 // values at its ends
	from, to  float64 // pixels
	log       bool
}

func (a axis) at(v float64) float64 {
	low, high := a.low, a.high
	if a.log {
		low, high, v = math.Log10(low), math.Log10(high), math.Log10(max(v, a.low))
	}
	return a.from + (a.to-a.from)*(v-low)/(high-low)
}

// ticks are round values on the axis.
func (a axis) ticks() (ticks []float64) {
	if a.log {
		for v := a.low; v <= a.high*1.001; v *= 10 {
			ticks = append(ticks, v)
		}
		return ticks
	}
	step := math.Pow(10, math.Floor(math.Log10(a.high/4)))
	for _, f := range []float64{5, 2} {
		if a.high/(step*f) >= 4 {
			step *= f
			break
		}
	}
	for v := 0.0; v <= a.high*1.001; v += step {
		ticks = append(ticks, v)
	}
	return ticks
}

// axes returns axes on which all points have room.
func (c chart) axes() (x, y axis) {
	x = axis{low: math.Inf(1), from: left, to: width - right, log: c.logX}
	y = axis{low: math.Inf(1), from: height - bottom, to: top, log: c.logY}
	for _, l := range c.lines {
		for _, p := range l.points {
			x.low, x.high = min(x.low, p.x), max(x.high, p.x)
			y.low, y.high = min(y.low, p.y), max(y.high, p.high)
		}
	}
	if !c.logX {
		x.low = 0
	}
	if x.high <= x.low {
		x.high = x.low + 1
	}
	y.high = max(y.high*1.05, 1e-9)
	if c.logY {
		y.low = math.Pow(10, math.Floor(math.Log10(max(y.low, 1e-9))))
		y.high = math.Pow(10, math.Ceil(math.Log10(y.high)))
	} else {
		y.low = 0
	}
	return x, y
}

// xs are the places of points.
func (c chart) xs() (xs []float64) {
	for _, l := range c.lines {
		for _, p := range l.points {
			xs = append(xs, p.x)
		}
	}
	slices.Sort(xs)
	return slices.Compact(xs)
}

// short writes a value with few digits.
func short(v float64) string {
	switch {
	case v >= 1e6:
		return fmt.Sprintf("%gM", v/1e6)
	case v >= 1e3:
		return fmt.Sprintf("%gk", v/1e3)
	}
	return fmt.Sprintf("%.4g", v)
}
