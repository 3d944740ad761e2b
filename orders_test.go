package eventdriver

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"

	cloudevents "github.com/cloudevents/sdk-go/v2"
)

// TestOrderIsProcessedOnce sends the events of an order, each of them twice, to the
// function as it is deployed, with its stores in memory.
//
// Name the sources here, as below: tests do not see the function's variables, such as
// EVENT_SOURCES. Variables of your own are set with t.Setenv before Business is called.
func TestOrderIsProcessedOnce(t *testing.T) {
	var log bytes.Buffer
	previous := slog.Default()
	slog.SetDefault(NewLogger(&log, slog.LevelInfo))
	defer slog.SetDefault(previous)

	business, err := Business()
	if err != nil {
		t.Fatal(err)
	}
	config := DefaultConfig()
	config.Sources, config.EraseSources = []string{"event1", "event2", "event3"}, []string{"event1"}
	function, err := New(config, business)
	if err != nil {
		t.Fatal(err)
	}
	defer function.Close()

	for range 2 {
		for _, source := range config.Sources {
			event := cloudevents.NewEvent()
			event.SetID(source + "-of-order-1")
			event.SetSource(source)
			event.SetType("example.order")
			event.SetExtension("key", "order-1")
			if err := event.SetData("application/json", map[string]string{"card": "4111"}); err != nil {
				t.Fatal(err)
			}
			if err := function.Receive(t.Context(), event); err != nil {
				t.Errorf("%s: %v", source, err)
			}
		}
	}

	if n := strings.Count(log.String(), `"message":"order processed","key":"order-1"`); n != 1 {
		t.Errorf("the order was processed %d times, want once:\n%s", n, log.String())
	}
	if strings.Contains(log.String(), "4111") {
		t.Errorf("the log has the content of an event:\n%s", log.String())
	}
}
