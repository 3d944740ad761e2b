package dashboard_test

import (
	"bytes"
	"context"
	"html"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"example.com/eventdriver/internal/repo/prove"
	"example.com/eventdriver/proof/dashboard"
)

const module = "../.."

func open(t *testing.T) (dashboard.Board, *dashboard.Recording) {
	t.Helper()
	board, recording, err := dashboard.Open(module)
	if err != nil {
		t.Fatal(err)
	}
	return board, recording
}

// TestPictureIsOfTheDashboard: the picture in the documentation is what go run ./proof/cmd/dashboard draws, to the
// byte: of each panel that Terraform makes, in which something happens.
func TestPictureIsOfTheDashboard(t *testing.T) {
	board, recording := open(t)
	drawn, err := board.Picture(recording)
	if err != nil {
		t.Fatal(err)
	}
	kept, err := os.ReadFile(module + "/" + dashboard.Drawn)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(drawn, kept) {
		t.Errorf("%s is not drawn from %s and %s: run go run ./proof/cmd/dashboard",
			dashboard.Drawn, dashboard.Template, dashboard.Recorded)
	}
	for _, tile := range board.MosaicLayout.Tiles {
		if !bytes.Contains(kept, []byte(">"+html.EscapeString(tile.Widget.Title)+"<")) {
			t.Errorf("the picture has no panel %q", tile.Widget.Title)
		}
		for _, set := range tile.Widget.XYChart.DataSets {
			alone := board
			tile.Widget.XYChart.DataSets = []dashboard.DataSet{set}
			alone.MosaicLayout.Tiles = []dashboard.Tile{tile}
			if one, err := alone.Picture(recording); err != nil || !strings.Contains(string(one), `<rect x=`) {
				t.Errorf("%q shows nothing of %s: %v", tile.Widget.Title, set.TimeSeriesQuery.PrometheusQuery, err)
			}
		}
	}
}

// TestPictureFollowsTheRecordingAndTheDashboard: with another, it is another.
func TestPictureFollowsTheRecordingAndTheDashboard(t *testing.T) {
	board, recording := open(t)
	board.MosaicLayout.Tiles = slices.DeleteFunc(board.MosaicLayout.Tiles, func(tile dashboard.Tile) bool {
		return !strings.HasPrefix(tile.Widget.Title, "Completed joins")
	})
	before, err := board.Picture(recording)
	if err != nil {
		t.Fatal(err)
	}
	var text bytes.Buffer
	if err := recording.Write(&text); err != nil {
		t.Fatal(err)
	}
	kept, err := os.ReadFile(module + "/" + dashboard.Recorded)
	if err != nil || !bytes.Equal(text.Bytes(), kept) {
		t.Errorf("a recording that is read and written is another: %v", err)
	}
	other, err := dashboard.Read(&text)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range other.Sent {
		if s.Metric == "eventdriver.joins" {
			s.Points[len(s.Points)-1][1] += 100
		}
	}
	if after, err := board.Picture(other); err != nil || bytes.Equal(before, after) {
		t.Errorf("100 joins more are not shown: %v", err)
	}
	board.MosaicLayout.Tiles[0].Widget.Title = "Other"
	if after, err := board.Picture(recording); err != nil || bytes.Equal(before, after) {
		t.Errorf("another title is not shown: %v", err)
	}
	board.MosaicLayout.Tiles[0].Widget.XYChart.DataSets[0].TimeSeriesQuery.PrometheusQuery = "avg(x)"
	if _, err := board.Picture(recording); err == nil {
		t.Error("a query that can't be evaluated is drawn")
	}
}

// TestRecord records a short run: what was sent has the metrics that the dashboard asks for.
func TestRecord(t *testing.T) {
	prove.Only(t, "builds the function, and has three processes join orders for half a minute")
	board, _ := open(t)
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	recording, err := dashboard.Record(ctx, dashboard.Options{
		For: 24 * time.Second, Rate: 3, Metrics: board.Metrics(), Say: func(line string) { t.Log(line) }})
	if err != nil {
		t.Fatal(err)
	}
	metrics := make(map[string]bool)
	for _, s := range recording.Sent {
		metrics[s.Metric] = true
	}
	for _, want := range []string{"eventdriver.joins", "eventdriver.join.wait", "messaging.client.consumed.messages",
		"messaging.process.duration", "eventdriver.store.requests", "eventdriver.runs", "eventdriver.memory.in_flight"} {
		if !metrics[want] {
			t.Errorf("nothing of %s is recorded", want)
		}
	}
	if _, err := board.Picture(recording); err != nil {
		t.Error(err)
	}
	t.Logf("dashboard: %d time series of three instances recorded and drawn", len(recording.Sent))
}
