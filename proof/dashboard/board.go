package dashboard

import (
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// Board is a dashboard of Cloud Monitoring, as far as it is drawn.
type Board struct {
	DisplayName  string
	MosaicLayout struct {
		Columns int
		Tiles   []Tile
	}
}

// Tile is a panel, with its place in columns and rows.
type Tile struct {
	Width, Height, XPos, YPos int
	Widget                    struct {
		Title   string
		XYChart struct{ DataSets []DataSet }
	}
}

// DataSet is what a panel shows of one query.
type DataSet struct {
	LegendTemplate  string
	PlotType        string
	TimeSeriesQuery struct{ PrometheusQuery, UnitOverride string }
}

// ParseBoard reads terraform/dashboard.json.
func ParseBoard(template []byte) (b Board, err error) {
	text := strings.NewReplacer("${name}", ofFunction, "${region}", inRegion).Replace(string(template))
	if err := json.Unmarshal([]byte(text), &b); err != nil {
		return b, err
	}
	if len(b.MosaicLayout.Tiles) == 0 || b.MosaicLayout.Columns == 0 {
		return b, fmt.Errorf("%q has no panels", b.DisplayName)
	}
	return b, nil
}

var named = regexp.MustCompile(`\{"([\w.]+)"`)

// Metrics are the names of what the queries ask for.
func (b Board) Metrics() (metrics []string) {
	for _, tile := range b.MosaicLayout.Tiles {
		for _, set := range tile.Widget.XYChart.DataSets {
			for _, match := range named.FindAllStringSubmatch(set.TimeSeriesQuery.PrometheusQuery, -1) {
				metrics = append(metrics, strings.TrimSuffix(match[1], "_bucket"))
			}
		}
	}
	slices.Sort(metrics)
	return slices.Compact(metrics)
}
