package eventdriver

import (
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"cloud.google.com/go/pubsub/v2/apiv1/pubsubpb"

	"example.com/eventdriver/proof/instances"
)

// joinInTurn has one instance store two events, and the next one, which knows
// nothing but the stores, complete the order; a third one then skips it.
func joinInTurn(t *testing.T, variables []string) {
	t.Helper()
	first := start(t, variables...)
	deliver(t, first.URL, "event3", "order-1", `{"to":"Bergen"}`)
	deliver(t, first.URL, "event1", "order-1", `{}`)
	if orders := first.terminate(t); len(orders) != 0 {
		t.Errorf("processed %v before the last event came", orders)
	}
	second := start(t, variables...)
	deliver(t, second.URL, "event2", "order-1", `{"item":"book"}`)
	if orders := second.terminate(t); len(orders) != 1 || orders[0]["key"] != "order-1" || orders[0]["token"].(float64) < 1 {
		t.Errorf("processed %v; want order-1, once, with a token", orders)
	}
	third := start(t, variables...)
	deliver(t, third.URL, "event2", "order-1", `{"item":"book"}`)
	if orders := third.terminate(t); len(orders) != 0 {
		t.Errorf("processed %v when an event came again", orders)
	}
}

func TestProcessOnCloudStorage(t *testing.T) {
	_, variables := storageFor(t)
	joinInTurn(t, variables)
}

func TestProcessOnBigQuery(t *testing.T) {
	config := onBigQuery(t)
	variables := []string{"EVENT_STORE=bigquery", "BIGQUERY_PROJECT=" + config.Project, "BIGQUERY_DATASET=" + config.Dataset, "BIGQUERY_LOCATION=" + config.Location}
	for _, variable := range os.Environ() { // where the emulator listens
		if name, _, _ := strings.Cut(variable, "="); strings.HasPrefix(name, "BIGQUERY_") && strings.HasSuffix(name, "EMULATOR_HOST") {
			variables = append(variables, variable)
		}
	}
	joinInTurn(t, variables)
}

// TestSIGTERMWaitsForWhatIsPublished: an instance that is told to end while Pub/Sub
// has not yet confirmed the joined message ends, and answers, when that is done.
func TestSIGTERMWaitsForWhatIsPublished(t *testing.T) {
	_, fake := withTopics(t)
	p := start(t, "PUBSUB_EMULATOR_HOST="+os.Getenv("PUBSUB_EMULATOR_HOST"), "OUTPUT_TOPIC="+testOutput, "DEAD_LETTER_TOPIC="+testLetters)
	deliver(t, p.URL, "event1", "order-1", `1`)
	deliver(t, p.URL, "event2", "order-1", `2`)
	fake.SetAutoPublishResponse(false)
	var status int
	var wait sync.WaitGroup
	wait.Go(func() { status, _ = post(t, p.URL, "event3", "order-1", `3`) })
	for line := range p.lines {
		if line["message"] == instances.Acted { // what is left is to publish it
			break
		}
	}
	p.Terminate()
	select {
	case <-p.Ended():
		t.Error("the process ended before the message was confirmed")
	case <-time.After(300 * time.Millisecond): // it must not end in this time
	}
	fake.AddPublishResponse(&pubsubpb.PublishResponse{MessageIds: []string{"1"}}, nil)
	wait.Wait()
	<-p.Ended()
	if !taken(status) || p.ExitCode() != 0 {
		t.Errorf("answer %d, exit code %d; want the request to finish, then 0", status, p.ExitCode())
	}
}
