package serve

import (
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"
	"unicode/utf8"

	"example.com/eventdriver"
	"example.com/eventdriver/cmd/local/internal/events"
	"example.com/eventdriver/cmd/local/internal/records"
	"example.com/eventdriver/driver/convert"
	"example.com/eventdriver/internal/fake/eventarc"
)

const publishLimit = 10 << 20 // bytes; Pub/Sub's limit for a message

// bus brings events to the function by the stand-in for Eventarc.
type bus struct{ *eventarc.Eventarc }

// Prepare implements [events.Bus].
func (b bus) Prepare(e events.Event) (id string, send events.Send, err error) {
	event := b.NewEvent(e.Topic, e.Key, e.Content, e.Attributes)
	return event.ID, func() (string, error) {
		b.Deliver(event, func() {})
		return event.ID, nil
	}, nil
}

// record describes a delivery.
func (l *local) record(kind records.Kind, severity, what string, d eventarc.Delivery) records.Record {
	return records.Record{Kind: kind, Severity: severity, Instance: l.Fleet.At(d.URL), Key: d.Event.Key,
		Source: sources(l.Config)(d.Event.Topic), Event: d.Event.ID, Message: what,
		Attributes: map[string]any{"attempt": d.Attempt}}
}

func (l *local) onSend(d eventarc.Delivery) {
	l.Records.Add(l.record(records.Delivered, "DEBUG", "delivered", d))
}

func (l *local) onAnswer(d eventarc.Delivery) {
	if d.Err == nil {
		r := l.record(records.Answered, "DEBUG", "acknowledged", d)
		r.Attributes["status"] = d.Status
		l.Records.Add(r)
		return
	}
	r := l.record(records.Redelivered, "INFO", "not acknowledged, it will be delivered again", d)
	r.Attributes["status"], r.Attributes["answer"] = d.Status, d.Err.Error()
	if d.Again > 0 { // otherwise Pub/Sub decides
		r.Attributes["after"] = d.Again.Round(time.Millisecond).String()
	}
	l.Records.Add(r)
}

// sources returns the source of a topic; "": it has none.
func sources(config eventdriver.Config) func(topic string) string {
	names := make(map[string]string)
	for source, aliases := range config.SourceAliases {
		for _, alias := range aliases {
			names[alias] = source
		}
	}
	for _, source := range config.Sources {
		names[source] = source
	}
	return func(topic string) string { return names[topic] }
}

// triggers returns the path that the trigger of a topic calls. If the topic has the name
// or an alias of a source, that is the source's path. Events of other topics reach the
// function without a path, and are dead-lettered.
func triggers(config eventdriver.Config) func(topic string) string {
	source := sources(config)
	return func(topic string) string {
		if name := source(topic); name != "" {
			return convert.SourcePath(name)
		}
		return ""
	}
}

// mostKey is how many bytes the value of an attribute may have in Pub/Sub, which takes only UTF-8.
const mostKey = 1024

// publishHandler takes POST /publish/TOPIC?key=KEY with the event's content as body. Programs
// publish, and pages that are open in a browser don't: those say where they are from.
func publishHandler(p *events.Publisher) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /publish/{topic}", func(w http.ResponseWriter, r *http.Request) {
		query, err := url.ParseQuery(r.URL.RawQuery)
		key := query.Get("key")
		keys := len(query["key"])
		switch {
		case r.Header.Get("Origin") != "":
			http.Error(w, "pages in a browser can't publish here", http.StatusForbidden)
			return
		case err != nil || keys > 1 || keys != len(query):
			const text = "the query must be as in ?key=order-1, with each of %&+; in the key written as in %2F"
			http.Error(w, text, http.StatusBadRequest)
			return
		case len(key) > mostKey || !utf8.ValidString(key):
			http.Error(w, fmt.Sprintf("the key must be UTF-8 of at most %d bytes, as Pub/Sub's attributes are", mostKey), http.StatusBadRequest)
			return
		}
		data, err := io.ReadAll(http.MaxBytesReader(w, r.Body, publishLimit))
		if err != nil {
			text := fmt.Sprintf("the content could not be read, which may have %d bytes: %v", publishLimit, err)
			http.Error(w, text, http.StatusBadRequest)
			return
		}
		id, err := p.Publish(events.Event{Topic: r.PathValue("topic"), Key: key, Content: data})
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadGateway)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusAccepted)
		fmt.Fprintf(w, "{\"messageId\":%q}\n", id)
	})
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		http.Error(w, "publish with: POST /publish/TOPIC?key=KEY, the content as the body", http.StatusNotFound)
	})
	return mux
}
