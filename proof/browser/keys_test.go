package browser

import (
	"os"
	"testing"
)

// TestKeyIsJoined: a key appears, waits, and is done, and the page shows it without being loaded again.
func TestKeyIsJoined(t *testing.T) {
	l, p := start(t, nil), browse(t)
	p.open(l, "")
	l.send(t, "event2", "order-1", `{"item":"book","number":9007199254740993}`)
	p.sees("#grid-rows tr", "order-1")
	p.sees("#grid-rows .state", "waiting")
	p.click("#grid-rows a", "order-1")
	p.sees("#key-why", "It waits for event1, event3")
	l.send(t, "event1", "order-1", `{}`)
	l.send(t, "event3", "order-1", `{"to":"Bergen"}`)
	p.sees("#grid-rows .state", "done")
	p.sees("#key-why", "Nothing happens any more")
	p.sees("#joined", "9007199254740993")
	p.shot(os.Getenv("SHOT"))
}
