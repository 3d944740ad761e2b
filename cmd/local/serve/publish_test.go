package serve

import (
	"testing"

	"example.com/eventdriver"
)

// The trigger of each source calls the source's path, as those that Terraform makes.
func TestTriggersOfTopics(t *testing.T) {
	config := eventdriver.DefaultConfig()
	config.Sources = []string{"placed", "paid", "no path"}
	config.SourceAliases = map[string][]string{"placed": {"orders-created", "orders"}, "no path": {"third"}}
	path := triggers(config)
	for topic, want := range map[string]string{
		"placed": "/events/placed", "orders-created": "/events/placed", "orders": "/events/placed", "paid": "/events/paid",
		"no path": "", "third": "", "nobody": "",
	} {
		if got := path(topic); got != want {
			t.Errorf("the trigger of %s calls %q, want %q", topic, got, want)
		}
	}
}
