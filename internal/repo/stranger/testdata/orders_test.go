package eventdriver

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"

	cloudevents "github.com/cloudevents/sdk-go/v2"
)

func TestShipmentIsBookedOnce(t *testing.T) {
	var log bytes.Buffer
	previous := slog.Default()
	slog.SetDefault(NewLogger(&log, slog.LevelInfo))
	defer slog.SetDefault(previous)

	t.Setenv("SHIPPER_URL", "https://shipper.example")
	handler, err := Business()
	if err != nil {
		t.Fatal(err)
	}
	config := DefaultConfig()
	config.Sources, config.EraseSources = []string{"paid", "packed"}, nil
	function, err := New(config, handler)
	if err != nil {
		t.Fatal(err)
	}
	defer function.Close()

	for _, source := range []string{"packed", "paid", "packed"} {
		event := cloudevents.NewEvent()
		event.SetID(source + "-1")
		event.SetSource(source)
		event.SetType("example.parcel")
		event.SetExtension("key", "parcel-1")
		if err := event.SetData("application/json", map[string]float64{"amount": 3, "weight": 2}); err != nil {
			t.Fatal(err)
		}
		if err := function.Receive(t.Context(), event); err != nil {
			t.Errorf("%s: %v", source, err)
		}
	}
	if n := strings.Count(log.String(), `"message":"shipment booked","parcel":"parcel-1"`); n != 1 {
		t.Errorf("booked %d times:\n%s", n, log.String())
	}
}

func TestShipperMustBeNamed(t *testing.T) {
	if _, err := Business(); err == nil || !strings.Contains(err.Error(), "SHIPPER_URL") {
		t.Errorf("%v; want an error that names the variable", err)
	}
}
