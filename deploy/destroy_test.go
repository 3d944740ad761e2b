package deploy

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"example.com/eventdriver/internal/repo/prove"
)

// stays are what --destroy leaves of an instance.
func stays(name string, topics ...string) (ids []string) {
	ids = append(ids, "bucket/my-project-123-"+name+"-events")
	for _, topic := range append(topics, name+"-dead-letters") {
		ids = append(ids, "topic/"+topic)
	}
	slices.Sort(ids)
	return ids
}

// TestDestroyLeavesStateAndTopics: it need not be told the sources, or the topics, and can be repeated.
func TestDestroyLeavesStateAndTopics(t *testing.T) {
	t.Parallel()
	c := newCloud(t)
	c.script("--name=orders", "--sources=placed,paid:payments", "--output-topic=done")
	printed, _ := c.script("--name=orders", "--destroy")
	want := stays("orders", "orders-placed", "payments", "done")
	for range 2 {
		ids, roles := c.things()
		if !slices.Equal(ids, want) || len(roles) > 0 {
			t.Errorf("left are %q, want %q, and roles %q", ids, want, roles)
		}
		for _, left := range []string{"gcloud storage rm --recursive gs://my-project-123-orders-events\n", "topics delete orders-placed ", "topics delete payments ", "topics delete done ",
			"topics delete orders-dead-letters ", "the APIs", "gcf-v2-"} {
			if !strings.Contains(printed, left) {
				t.Errorf("%s\ndoes not say that %s is left", printed, left)
			}
		}
		var calls []string
		if printed, calls = c.script("--name=orders", "--destroy"); len(changes(calls)) > 0 {
			t.Errorf("nothing is there, and the script calls %q", changes(calls))
		}
	}
}

// TestDestroySaysNothingOfWhatIsGone: what somebody removed is not said to be left.
func TestDestroySaysNothingOfWhatIsGone(t *testing.T) {
	t.Parallel()
	c := newCloud(t)
	c.script("--destroy")
	c.gcloud("pubsub", "topics", "create", "foreign")
	if printed, _ := c.script("--destroy"); strings.Contains(printed, "storage rm") || strings.Contains(printed, "topics delete") {
		t.Errorf("%s; nothing of this is there", printed)
	}
}

func TestDestroyRefusesAnotherRegion(t *testing.T) {
	t.Parallel()
	c := newCloud(t)
	c.script("--region=us-central1")
	printed, calls, err := c.try("--destroy")
	if err == nil || !strings.Contains(printed, "is in us-central1: give --region=us-central1") || len(changes(calls)) > 0 {
		t.Errorf("%v: %s, and %q", err, printed, changes(calls))
	}
}

// TestDestroyRefusesServices: the accounts of a service that gcloud run deploy made are not taken from under it.
func TestDestroyRefusesServices(t *testing.T) {
	t.Parallel()
	c := newCloud(t)
	c.gcloud("run", "services", "create", "event-driver", "--region=europe-west1")
	printed, calls, err := c.try("--destroy")
	if err == nil || !strings.Contains(printed, "is a service of Cloud Run that is no function") || len(changes(calls)) > 0 {
		t.Errorf("%v: %s, and %q", err, printed, changes(calls))
	}
}

// TestDestroyLeavesOtherInstances: also those whose name begins alike.
func TestDestroyLeavesOtherInstances(t *testing.T) {
	t.Parallel()
	c := newCloud(t)
	others := []string{"orders-eu", "order"}
	for _, name := range append(others, "orders") {
		c.script("--name="+name, "--sources=placed", "--output-topic=done")
	}
	before := make(map[string][]string)
	for _, name := range others {
		before[name] = things(c, name)
	}
	c.script("--name=orders", "--destroy")
	for name, was := range before {
		if is := things(c, name); len(was) < 15 || !slices.Equal(is, was) {
			t.Errorf("%s has\n%q\nand had\n%q", name, is, was)
		}
	}
}

// TestInterruptedRunsEnd kills the script after each of its calls, as it deploys and as it
// destroys. Run again it comes to the same end. make test tries each seventh call.
func TestInterruptedRunsEnd(t *testing.T) {
	deployment := []string{"--sources=event1", "--output-topic=done"}
	whole := newCloud(t)
	_, calls := whole.script(deployment...)
	made, roles := whole.things()
	_, removals := whole.script("--destroy")
	left, _ := whole.things()
	if len(calls) < 30 || len(removals) < 20 || len(made) < 10 {
		t.Fatalf("%d calls, %d to remove, of %q", len(calls), len(removals), made)
	}
	for n := range max(len(calls), len(removals)) {
		if n%7 != 0 && !prove.Set() {
			continue
		}
		t.Run(fmt.Sprint(n+1), func(t *testing.T) {
			t.Parallel()
			c := newCloud(t)
			if n < len(calls) {
				c.killed(n+1, deployment...)
				c.script(deployment...)
				if is, granted := c.things(); !slices.Equal(is, made) || !slices.Equal(granted, roles) {
					t.Errorf("a run that was killed and repeated made\n%q %q\nwant\n%q %q", is, granted, made, roles)
				}
			} else {
				c.script(deployment...)
			}
			if n < len(removals) {
				c.killed(n+1, "--destroy")
			}
			c.script("--destroy")
			if is, granted := c.things(); !slices.Equal(is, left) || len(granted) > 0 {
				t.Errorf("a removal that was killed and repeated left\n%q %q\nwant\n%q", is, granted, left)
			}
		})
	}
}

// killed runs the script, and kills it after so many calls.
func (c *cloud) killed(calls int, args ...string) {
	c.t.Helper()
	c.env = []string{fmt.Sprintf("FAKE_GCLOUD_KILL=%d", len(c.world().Calls)+calls)}
	if printed, made, err := c.try(args...); err == nil || len(made) != calls {
		c.t.Fatalf("%q ended with %v after %d calls, want %d\n%s", args, err, len(made), calls, printed)
	}
	c.env = nil
}
