package console

import (
	"encoding/json"
	"fmt"
	"net/http"
	"time"
)

// silence is how long nothing may be written before the stream shows that it is alive.
const silence = 10 * time.Second

// about is what a page is told first.
type about struct {
	Sources []string `json:"sources"`
	Store   string   `json:"store"`
}

// live sends a page all that there is, and from then on what changes, as server-sent events.
func (c *Console) live(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "text/event-stream")
	stream := http.NewResponseController(w)
	news, closePage := c.watch.open()
	defer closePage()
	fmt.Fprint(w, "retry: 1000\n")
	send(w, "about", about{c.Sources, c.Store})
	beat := time.NewTicker(silence)
	defer beat.Stop()
	for seq := 0; stream.Flush() == nil; {
		select {
		case <-r.Context().Done():
			return
		case <-beat.C:
			fmt.Fprint(w, ": still here\n\n")
		case <-news:
			var v view
			if v, seq = c.watch.since(seq); !v.empty() {
				send(w, "view", v)
			}
		}
	}
}

func send(w http.ResponseWriter, event string, body any) {
	text, err := json.Marshal(body)
	if err != nil {
		panic(err) // strings, numbers and times of this package's own
	}
	fmt.Fprintf(w, "event: %s\ndata: %s\n\n", event, text)
}
