package eventdriver

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sync/errgroup"

	"example.com/eventdriver/driver"
	"example.com/eventdriver/driver/joiner"
	"example.com/eventdriver/operate/keys"
)

// sourcesChange is a function before and after its sources were changed: two instances on one store, as while a deployment
// replaces the one by the other.
type sourcesChange struct {
	t        *testing.T
	business *counted
	before   string // the URL of the instance that knows the old sources
	after    string
	f        *Function // the one that knows the new sources
	join     joiner.Join
}

func changeSources(t *testing.T, before, after string) *sourcesChange {
	t.Helper()
	config, business := onGCS(t), count()
	c := &sourcesChange{t: t, business: business}
	config.Sources, config.EraseSources = strings.Split(before, ","), nil
	_, server := serve(t, config, business)
	c.before = server.URL
	config.Sources = strings.Split(after, ",")
	c.join = config.Join()
	c.f, server = serve(t, config, business)
	c.after = server.URL
	return c
}

// sent is an event of an order, and the instance that gets it: the old one, or the new one.
type sent struct {
	source string
	toNew  bool
}

// send brings the events of each order in their sequence, those of several orders at once.
func (c *sourcesChange) send(orders map[string][]sent) {
	c.t.Helper()
	var group errgroup.Group
	group.SetLimit(4)
	for key, events := range orders {
		group.Go(func() error {
			for _, e := range events {
				url := c.before
				if e.toNew {
					url = c.after
				}
				deliver(c.t, url+"/events/"+e.source, e.source, key, `{"of":"`+e.source+`"}`)
			}
			return nil
		})
	}
	_ = group.Wait()
}

// again brings all events again, which were sent to either, to the new instance alone.
func (c *sourcesChange) again(orders map[string][]sent, known ...string) {
	c.t.Helper()
	all := make(map[string][]sent)
	for key, events := range orders {
		for _, e := range events {
			if slices.Contains(known, e.source) {
				all[key] = append(all[key], sent{e.source, true})
			}
		}
	}
	c.send(all)
}

// look returns what looks at keys as the command waiting does, for the new sources.
func (c *sourcesChange) look() keys.Function {
	c.t.Helper()
	state, err := c.f.State(c.t.Context())
	if err != nil {
		c.t.Fatal(err)
	}
	store, err := state.Inspector()
	if err != nil {
		c.t.Fatal(err)
	}
	return keys.Function{Store: store, Join: c.join}
}

// waiting returns the keys that the command waiting lists.
func (c *sourcesChange) waiting(forSource string) (listed []string) {
	c.t.Helper()
	list, err := c.look().Waiting(c.t.Context(), keys.Query{For: forSource, Limit: 1000})
	if err != nil {
		c.t.Fatal(err)
	}
	for _, k := range list.Oldest {
		listed = append(listed, k.Key)
	}
	slices.Sort(listed)
	return listed
}

// unprocessed returns the orders that nobody has acted for.
func (c *sourcesChange) unprocessed(orders map[string][]sent) (open []string) {
	c.business.mu.Lock()
	defer c.business.mu.Unlock()
	for key := range orders {
		if c.business.processed[key] == 0 {
			open = append(open, key)
		}
	}
	slices.Sort(open)
	return open
}

// eachWay returns the sequences of three sources, each event of which goes to the old instance, or to the new one.
func eachWay(sources ...string) (ways [][]sent) {
	for _, sequence := range [][]int{{0, 1, 2}, {0, 2, 1}, {1, 0, 2}, {1, 2, 0}, {2, 0, 1}, {2, 1, 0}} {
		for bits := range 8 {
			var way []sent
			for _, i := range sequence {
				way = append(way, sent{sources[i], bits>>i&1 == 1})
			}
			ways = append(ways, way)
		}
	}
	return ways
}

// TestSourceIsAddedUnderWay: an order whose first events came before the new source either was processed without it, or
// is listed as waiting for it, and is processed when that event is published.
func TestSourceIsAddedUnderWay(t *testing.T) {
	c := changeSources(t, "event1,event2,event3", "event1,event2,event3,event4")
	orders, begun := make(map[string][]sent), make(map[string][]sent)
	for i, way := range eachWay("event1", "event2", "event3") {
		orders[fmt.Sprintf("old-%d", i)] = way
		key := fmt.Sprintf("new-%d", i)
		orders[key] = way
		begun[key] = []sent{{"event4", true}}
	}
	c.send(orders)
	c.send(begun) // the old instance is gone
	open := c.unprocessed(orders)
	if listed := c.waiting("event4"); !slices.Equal(listed, open) || len(open) == 0 || slices.ContainsFunc(open, isNew) {
		t.Errorf("%q wait for event4, and %q are not processed", listed, open)
	}
	missing := make(map[string][]sent)
	for _, key := range open {
		missing[key] = []sent{{"event4", true}}
	}
	c.send(missing)
	c.again(orders, "event1", "event2", "event3")
	c.business.once(t, slices.Collect(maps.Keys(orders))...)
	if listed := c.waiting(""); len(listed) > 0 || len(letters(t, c.f)) > 0 {
		t.Errorf("%q wait, and there are %d letters", listed, len(letters(t, c.f)))
	}
}

func isNew(key string) bool { return strings.HasPrefix(key, "new-") }

// TestSourceIsRemovedUnderWay: an order that waited for the removed source is complete, and a sweep processes it. An
// event of that source that comes late is a dead letter.
func TestSourceIsRemovedUnderWay(t *testing.T) {
	c := changeSources(t, "event1,event2,event3", "event1,event2")
	orders, late := make(map[string][]sent), 0
	for i, way := range eachWay("event1", "event2", "event3") {
		orders[fmt.Sprintf("late-%d", i)] = way
		orders[fmt.Sprintf("never-%d", i)] = slices.DeleteFunc(slices.Clone(way), func(e sent) bool { return e.source == "event3" })
		if slices.Contains(way, sent{"event3", true}) {
			late++
		}
	}
	c.send(orders)
	open := c.unprocessed(orders) // the old instance is gone
	if listed := c.waiting(""); !slices.Equal(listed, open) || len(open) == 0 {
		t.Errorf("%q are listed, and %q are not processed", listed, open)
	}
	sweepable(t, c.f)
	if r := sweepOf(t, c.after); r.Processed != len(open) || !r.Finished {
		t.Errorf("the sweep: %+v, want %d processed", r, len(open))
	}
	c.again(orders, "event1", "event2")
	c.business.once(t, slices.Collect(maps.Keys(orders))...)
	all := letters(t, c.f)
	if slices.ContainsFunc(all, func(d driver.DeadLetter) bool {
		return d.Reason != driver.ReasonUnknownSource || d.Path != "/events/event3"
	}) || len(all) != late {
		t.Errorf("%d letters, want %d, all of event3", len(all), late)
	}
}

// TestSourceIsRenamedUnderWay: an order whose event was kept under the old name is listed as waiting for the new one, and
// is processed when the event is published again. Others are complete, and a sweep processes them.
func TestSourceIsRenamedUnderWay(t *testing.T) {
	c := changeSources(t, "event1,event2,event3", "event1,event2,parcel")
	orders := make(map[string][]sent)
	for i, way := range eachWay("event1", "event2", "event3") {
		for j, e := range way {
			if e == (sent{"event3", true}) {
				way[j].source = "parcel"
			}
		}
		orders[fmt.Sprintf("order-%d", i)] = way
	}
	c.send(orders)
	open := c.unprocessed(orders) // the old instance is gone
	listed := c.waiting("parcel")
	both := slices.DeleteFunc(slices.Clone(open), func(key string) bool { return slices.Contains(listed, key) })
	if len(listed) == 0 || len(c.waiting("")) != len(open) {
		t.Errorf("%q wait for the new name, of %q that are not processed", listed, open)
	}
	a, err := c.look().Why(t.Context(), listed[0])
	if err != nil || !slices.ContainsFunc(a.Sources, func(s keys.Source) bool { return s.Name == "event3" && s.Unjoined }) {
		t.Errorf("the event under the old name must be told of: %+v, %v", a, err)
	}
	published := make(map[string][]sent)
	for _, key := range listed {
		published[key] = []sent{{"parcel", true}}
	}
	c.send(published)
	sweepable(t, c.f)
	if r := sweepOf(t, c.after); r.Processed != len(both) || !r.Finished || len(both) == 0 {
		t.Errorf("the sweep: %+v, want %d processed, which have all events", r, len(both))
	}
	c.again(orders, "event1", "event2", "parcel")
	c.business.once(t, slices.Collect(maps.Keys(orders))...)
	if n := len(letters(t, c.f)); n > 0 {
		t.Errorf("%d letters", n)
	}
	if status, answer := post(t, c.after+"/events/event3", "event3", "order-0", `1`); status != http.StatusOK || !strings.Contains(answer, "unknown-source") {
		t.Errorf("an event that comes under the old name is dead-lettered, so that it is seen: %d %s", status, answer)
	}
}
