package serve

import (
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"time"

	"example.com/eventdriver"
	"example.com/eventdriver/driver/convert"
	"example.com/eventdriver/internal/fake/eventarc"
)

const publishLimit = 10 << 20 // bytes; Pub/Sub's limit for a message

// logFailure logs a failed delivery, which will be repeated.
func logFailure(id string, again time.Duration, err error) {
	slog.Info("not acknowledged, it will be delivered again", "event", id, "after", again.String(), "answer", err.Error())
}

// triggers returns the path that the trigger of a topic calls. If the topic has the name
// or an alias of a source, that is the source's path. Events of other topics reach the
// function without a path, and are dead-lettered.
func triggers(config eventdriver.Config) func(topic string) string {
	paths := make(map[string]string)
	for source, aliases := range config.SourceAliases {
		for _, alias := range aliases {
			paths[alias] = convert.SourcePath(source)
		}
	}
	for _, source := range config.Sources {
		paths[source] = convert.SourcePath(source)
	}
	return func(topic string) string { return paths[topic] }
}

// publishHandler takes POST /publish/TOPIC?key=KEY with the event's content as body.
func publishHandler(e *eventarc.Eventarc) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /publish/{topic}", func(w http.ResponseWriter, r *http.Request) {
		data, err := io.ReadAll(http.MaxBytesReader(w, r.Body, publishLimit))
		if err != nil {
			http.Error(w, "the content could not be read: "+err.Error(), http.StatusBadRequest)
			return
		}
		id := e.Publish(r.PathValue("topic"), r.URL.Query().Get("key"), data)
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusAccepted)
		fmt.Fprintf(w, "{\"messageId\":%q}\n", id)
	})
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		http.Error(w, "publish with: POST /publish/TOPIC?key=KEY, the content as the body", http.StatusNotFound)
	})
	return mux
}
