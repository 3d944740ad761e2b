// Command decode is a function that reads the CloudEvent of each request with the SDK, and
// does nothing with it.
package main

import (
	"net/http"

	"github.com/GoogleCloudPlatform/functions-framework-go/functions"
	cloudevents "github.com/cloudevents/sdk-go/v2"

	"example.com/eventdriver/bench/subject"
)

func init() {
	functions.HTTP("EventDriver", func(w http.ResponseWriter, r *http.Request) {
		event, err := cloudevents.NewEventFromHTTPRequest(r)
		if err != nil || event.Validate() != nil || len(event.Data()) == 0 {
			http.Error(w, "no event", http.StatusBadRequest)
			return
		}
		w.WriteHeader(http.StatusNoContent)
	})
}

func main() { subject.Serve() }
