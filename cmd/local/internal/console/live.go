package console

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"time"

	"example.com/eventdriver/cmd/local/internal/events"
	"example.com/eventdriver/cmd/local/internal/fleet"
	"example.com/eventdriver/cmd/local/internal/trouble"
)

// silence is for how many seconds nothing may be sent before the stream shows that it is alive.
const silence = 10

// about is what a page is told first.
type about struct {
	Sources    []string            `json:"sources"`
	Store      string              `json:"store"`
	Operations []trouble.Operation `json:"operations"` // of which answers can be lost
	Sweeps     bool                `json:"sweeps"`     // the clock has the function sweep
}

// labView is how the machinery around the function is.
type labView struct {
	Instances []fleet.Instance  `json:"instances"`
	Troubles  []trouble.Trouble `json:"troubles"`
	Holds     []events.Hold     `json:"holds"`
	Published []events.Event    `json:"published"` // the last, the newest first, without contents
	NextSweep time.Time         `json:"nextSweep,omitzero"`
}

// mostPublished is how many events are told that were published.
const mostPublished = 50

func (c *Console) labView() labView {
	return labView{c.lab.Fleet.Instances(), c.lab.Troubles.List(), c.lab.Events.Holds(), c.published(""), c.lab.NextSweep()}
}

// published returns the last events of a key that were published, or of all, the newest first.
func (c *Console) published(key string) []events.Event {
	all := c.lab.Events.Published(key)
	last := append([]events.Event{}, all[max(0, len(all)-mostPublished):]...)
	slices.Reverse(last)
	for i := range last {
		last[i].Content = nil
	}
	return last
}

// live sends a page all that there is, and from then on what changes, as server-sent events.
func (c *Console) live(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "text/event-stream")
	stream := http.NewResponseController(w)
	news, closePage := c.watch.open()
	defer closePage()
	fmt.Fprint(w, "retry: 1000\n")
	send(w, "about", about{c.lab.Config.Sources, c.name, trouble.Operations(), !c.lab.NextSweep().IsZero()})
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	var seq, quiet int // quiet: ticks since something was sent
	var lab string
	for stream.Flush() == nil {
		select {
		case <-r.Context().Done():
			return
		case <-tick.C:
			if quiet++; quiet > silence {
				fmt.Fprint(w, ": still here\n\n")
				quiet = 0
			}
		case <-news:
			var v view
			if v, seq = c.watch.since(seq); !v.empty() {
				send(w, "view", v)
			}
		}
		if now := asJSON(c.labView()); now != lab {
			lab = now
			fmt.Fprintf(w, "event: lab\ndata: %s\n\n", lab)
		}
	}
}

func send(w http.ResponseWriter, event string, body any) {
	fmt.Fprintf(w, "event: %s\ndata: %s\n\n", event, asJSON(body))
}

func asJSON(body any) string {
	text, err := json.Marshal(body)
	if err != nil {
		panic(err) // strings, numbers and times of this program's own
	}
	return string(text)
}
