package dashboard

import (
	"bytes"
	"fmt"
	"html"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"

	"example.com/eventdriver/proof/charts"
)

// The measures of the picture, in pixels.
const (
	column    = 20 // of the dashboard
	row       = 17
	heading   = 60
	padding   = 14
	axisLeft  = 52 // of a panel, for the numbers of its axis
	above     = 34 // of a panel's plot, for the title
	axisBelow = 22
	legendRow = 17
)

const (
	step = 30  // seconds between two values that are drawn
	bars = 120 // seconds between two bars
)

// style has colors that can be told apart, on light and on dark ground.
const style = `<style>
text{font:12px sans-serif;fill:#24292f}.title{font-weight:bold}.ground{fill:#f6f8fa}.panel{fill:#fff;stroke:#d0d7de}.grid{stroke:#d8dee4}
@media (prefers-color-scheme:dark){text{fill:#e6edf3}.ground{fill:#010409}.panel{fill:#0d1117;stroke:#30363d}.grid{stroke:#21262d}}
</style>`

var colors = []string{"#2f81f7", "#e16f24", "#2da44e", "#a475f9", "#e85aad", "#c69026", "#33b3ae", "#d1242f", "#7d8590",
	"#0a3069", "#6f3a0b", "#116329", "#512a97", "#8e1f5c", "#f2cc60", "#7ee0d6"}

// Picture returns the picture of a dashboard, an SVG: each panel with its title, at its place, and what its queries
// have of the recording.
func (b Board) Picture(r *Recording) ([]byte, error) {
	width, height := b.MosaicLayout.Columns*column, 0
	var panels bytes.Buffer
	for _, tile := range b.MosaicLayout.Tiles {
		height = max(height, (tile.YPos+tile.Height)*row)
		p, err := newPanel(tile, r)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", tile.Widget.Title, err)
		}
		p.draw(&panels)
	}
	var picture bytes.Buffer
	fmt.Fprintf(&picture, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %[1]d %[2]d" role="img">%[3]s
<title>%[4]s</title><rect class="ground" width="%[1]d" height="%[2]d"/>`+
		`<text class="title" x="%[5]d" y="24" style="font-size:16px">%[4]s</text>
<text x="%[5]d" y="46">%[6]s</text>
%[7]s</svg>
`, width, height+heading, style, html.EscapeString(b.DisplayName), padding, html.EscapeString(r.About), panels.String())
	return picture.Bytes(), nil
}

// panel is a tile with the curves that it shows.
type panel struct {
	tile                     Tile
	curves                   []*curve
	length                   float64 // seconds
	unit                     string
	left, top, right, bottom float64 // of the plot
	highest                  float64
}

// curve is what a panel shows of one time series.
type curve struct {
	name   string
	plot   string    // the kind of plot
	values []float64 // of each step; NaN: none
}

func newPanel(tile Tile, r *Recording) (*panel, error) {
	p := &panel{tile: tile, length: r.Seconds}
	for _, set := range tile.Widget.XYChart.DataSets {
		q, err := Parse(set.TimeSeriesQuery.PrometheusQuery)
		if err != nil {
			return nil, err
		}
		p.unit = set.TimeSeriesQuery.UnitOverride
		p.curves = append(p.curves, curvesOf(set, q, r)...)
	}
	p.stack()
	p.place()
	return p, nil
}

// steps is how many values of a curve are drawn.
func steps(r *Recording) int { return int(r.Seconds/step) + 1 }

func curvesOf(set DataSet, q Query, r *Recording) (curves []*curve) {
	byName := make(map[string]*curve)
	for i := range steps(r) {
		for _, s := range q.eval(r, float64(i*step)) {
			c := byName[name(s.labels)]
			if c == nil {
				c = &curve{legend(set, s.labels), set.PlotType, slices.Repeat([]float64{math.NaN()}, steps(r))}
				byName[name(s.labels)] = c
			}
			c.values[i] = s.value
		}
	}
	for _, which := range slices.Sorted(maps.Keys(byName)) {
		curves = append(curves, byName[which])
	}
	return curves
}

// legend is what a curve is called: the values of its labels, where the dashboard has no name for it.
func legend(set DataSet, labels map[string]string) string {
	if set.LegendTemplate != "" {
		return set.LegendTemplate
	}
	var values []string
	for _, label := range slices.Backward(slices.Sorted(maps.Keys(labels))) {
		values = append(values, labels[label])
	}
	return strings.Join(values, ", ")
}

// stack adds to each curve of a stacked plot those before it.
func (p *panel) stack() {
	sums := make(map[int]float64)
	for _, c := range p.curves {
		for i, v := range c.values {
			if c.plot != "LINE" {
				if !math.IsNaN(v) {
					sums[i] += v
				}
				c.values[i] = sums[i]
			}
			if !math.IsNaN(c.values[i]) {
				p.highest = max(p.highest, c.values[i])
			}
		}
	}
}

// place finds the place of the plot, above the legend.
func (p *panel) place() {
	x, y := p.tile.XPos*column+padding/2, heading+p.tile.YPos*row+padding/2
	p.left, p.right = float64(x+axisLeft), float64(x+p.tile.Width*column-2*padding)
	p.top = float64(y + above)
	p.bottom = float64(y + p.tile.Height*row - padding - axisBelow - legendRow*p.legendRows())
}

func (p *panel) x(i int) float64 {
	return p.left + (p.right-p.left)*float64(i)*step/max(p.length, step)
}
func (p *panel) y(v float64) float64 { return p.bottom - (p.bottom-p.top)*v/p.scale() }

// scale is the value at the top of the axis.
func (p *panel) scale() float64 {
	if p.highest == 0 {
		return 1
	}
	every := charts.NiceStep(p.highest, 4)
	return math.Ceil(p.highest/every) * every
}

func (p *panel) draw(b *bytes.Buffer) {
	fmt.Fprintf(b, `<rect class="panel" x="%d" y="%d" width="%d" height="%d" rx="4"/>`+
		`<text class="title" x="%d" y="%d">%s</text>`+"\n",
		p.tile.XPos*column+padding/2, heading+p.tile.YPos*row+padding/2,
		p.tile.Width*column-padding, p.tile.Height*row-padding,
		p.tile.XPos*column+padding+6, heading+p.tile.YPos*row+padding+12, html.EscapeString(p.tile.Widget.Title))
	every := charts.NiceStep(p.scale(), 4)
	for v := 0.0; v <= p.scale()+every/2; v += every {
		fmt.Fprintf(b, `<path class="grid" d="M%.1f %.1fH%.1f"/><text x="%.1f" y="%.1f" text-anchor="end">%s</text>`+"\n",
			p.left, p.y(v), p.right, p.left-6, p.y(v)+4, short(v, p.unit))
	}
	minutes := charts.NiceStep(p.length/60, 6)
	for m := 0.0; m*60 <= p.length; m += minutes {
		fmt.Fprintf(b, `<text x="%.1f" y="%.1f" text-anchor="middle">%s</text>`+"\n",
			p.left+(p.right-p.left)*m*60/p.length, p.bottom+16, strconv.FormatFloat(m, 'g', 4, 64)+" min")
	}
	for i, c := range slices.Backward(p.curves) { // what is stacked higher is behind
		p.drawCurve(b, c, colors[i%len(colors)])
	}
	p.drawLegend(b)
}

func (p *panel) drawCurve(b *bytes.Buffer, c *curve, color string) {
	switch c.plot {
	case "STACKED_BAR":
		p.drawBars(b, c, color)
	case "STACKED_AREA":
		fmt.Fprintf(b, `<path fill="%s" fill-opacity="0.85" d="M%.1f %.1f%sV%.1fZ"/>`+"\n",
			color, p.x(0), p.bottom, p.path(c, 'L'), p.bottom)
	default:
		fmt.Fprintf(b, `<path fill="none" stroke="%s" stroke-width="1.8" d="%s"/>`+"\n", color, p.path(c, 'M'))
	}
}

// path is a curve; command is how it begins. It has a gap where there is no value.
func (p *panel) path(c *curve, command byte) string {
	var b strings.Builder
	for i, v := range c.values {
		if math.IsNaN(v) {
			command = 'M'
			continue
		}
		fmt.Fprintf(&b, "%c%.1f %.1f", command, p.x(i), p.y(v))
		command = 'L'
	}
	return b.String()
}

func (p *panel) drawBars(b *bytes.Buffer, c *curve, color string) {
	fmt.Fprintf(b, `<path fill="%s" d="`, color)
	for i := bars / step; i < len(c.values); i += bars / step {
		if c.values[i] > 0 {
			right := p.x(i)
			fmt.Fprintf(b, "M%.1f %.1fV%.1fH%.1fV%.1fZ", p.x(i-bars/step)+3, p.bottom, p.y(c.values[i]), right, p.bottom)
		}
	}
	b.WriteString(`"/>` + "\n")
}

// legendAt returns where each name is in the legend, from its left, and in which row.
func (p *panel) legendAt() (at []struct{ x, row int }) {
	x, rows := 0, 0
	for _, c := range p.curves {
		width := 30 + 7*len(c.name)
		if x > 0 && x+width > p.tile.Width*column-3*padding {
			x, rows = 0, rows+1
		}
		at = append(at, struct{ x, row int }{x, rows})
		x += width
	}
	return at
}

func (p *panel) legendRows() int {
	at := p.legendAt()
	if len(at) == 0 {
		return 1
	}
	return at[len(at)-1].row + 1
}

func (p *panel) drawLegend(b *bytes.Buffer) {
	left := p.tile.XPos*column + padding + 6
	for i, at := range p.legendAt() {
		y := int(p.bottom) + axisBelow + 14 + at.row*legendRow
		fmt.Fprintf(b, `<rect x="%d" y="%d" width="12" height="10" fill="%s"/><text x="%d" y="%d">%s</text>`+"\n",
			left+at.x, y-9, colors[i%len(colors)], left+at.x+17, y, html.EscapeString(p.curves[i].name))
	}
}

// short writes a value in its unit, with few digits.
func short(v float64, unit string) string {
	for _, prefix := range []struct {
		least float64
		name  string
	}{{1e6, "M"}, {1e3, "k"}} {
		if v >= prefix.least {
			return strconv.FormatFloat(v/prefix.least, 'g', 4, 64) + prefix.name + map[string]string{"By": "B"}[unit]
		}
	}
	return strconv.FormatFloat(v, 'g', 4, 64) + map[string]string{"s": " s", "1/s": "/s"}[unit]
}
