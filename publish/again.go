package publish

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"example.com/eventdriver/driver"
	"example.com/eventdriver/driver/decode"
)

// PublishAgain publishes the event of a dead letter, as it came, to t, one of the function's source
// topics. An event that does not fit into a message is refused, as a permanent error: it has to be
// sent to the function.
func (t *Topic) PublishAgain(ctx context.Context, d driver.DeadLetter) error {
	m := letterMessage(d, maxMessage-reserved)
	if leftOut := m.Attributes["left-out"]; leftOut != "" {
		return driver.Reject(driver.ReasonTooLarge, fmt.Errorf("topic %s: the event's %s do not fit into a message", t.name,
			leftOut))
	}
	return t.publish(ctx, m)
}

// ParseLetter returns the dead letter of which [Letters] made a message with this data and these
// attributes, and what was left out of it: "headers", "body", "headers, body" or nothing. What else
// was cut or left out is so in the letter, too. A letter of which the body is nowhere whole is cut.
func ParseLetter(data []byte, attributes map[string]string) (d driver.DeadLetter, leftOut string) {
	d = driver.DeadLetter{Reason: driver.Reason(attributes["reason"]), Error: attributes["error"], Handler: attributes["handler"],
		ID: attributes["id"], Key: attributes["key"], Source: attributes["source"], Path: attributes["path"], Body: data}
	d.Attempt, _ = strconv.Atoi(attributes["attempts"]) // 0 where it is unknown, as in the letter
	d.Time, _ = time.Parse(time.RFC3339Nano, attributes["time"])
	for _, name := range slices.Sorted(maps.Keys(attributes)) {
		attribute, isEvents := strings.CutPrefix(name, "ce-")
		switch {
		case isEvents:
			setHeader(&d, name, decode.EncodeHeader(attribute, attributes[name]))
		case name == "Content-Type":
			setHeader(&d, name, attributes[name])
		}
	}
	leftOut = attributes["left-out"]
	d.Cut = strings.Contains(leftOut, "body") && attributes["whole"] == ""
	return d, leftOut
}

func setHeader(d *driver.DeadLetter, name, value string) {
	if d.Header == nil {
		d.Header = make(map[string][]string)
	}
	d.Header[name] = []string{value}
}
