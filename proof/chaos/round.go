package chaos

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http/httptest"
	"slices"
	"strings"
	"time"

	"example.com/eventdriver/driver/convert"
	"example.com/eventdriver/internal/fake/eventarc"
	"example.com/eventdriver/internal/fake/gcs"
	"example.com/eventdriver/proof/ledger"
)

const bucket = "orders"

// The events of an order. The function keeps no content of the first.
var events = []string{"event1", "event2", "event3"}

// deadline is how long a delivery may take: slightly longer than a run that outlasts its
// lease, so that deliveries to paused instances end soon.
func deadline(lease time.Duration) time.Duration { return 2*lease + time.Second }

// The bounds of a round's deliveries.
const (
	window   = 60  // orders whose events come mixed with each other
	underWay = 200 // events that are not acknowledged, at most
	// patience is how long a round without harm may go on without an acknowledgement
	// before it is given up.
	patience = 2 * time.Minute
)

// round is a bucket, with the orders whose state it keeps.
type round struct {
	*run
	number int
	keys   []string

	fake     *gcs.Server
	ledger   *ledger.Ledger
	fleet    *fleet
	monkey   *monkey
	eventarc *eventarc.Eventarc
}

// do runs the round, and adds its result to the report.
func (r *round) do(ctx context.Context) (err error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	if r.fake, err = gcs.Start("127.0.0.1:0"); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, r.fake.Close()) }()
	r.fake.CreateBucket(bucket)

	lease := time.Duration(r.options.Lease)
	r.fleet = &fleet{program: r.program, logs: r.options.Logs, name: fmt.Sprintf("round-%d", r.number), chronicle: r.chronicle}
	r.monkey = &monkey{options: r.options, fleet: r.fleet, chronicle: r.chronicle}
	r.ledger = ledger.New(ledger.Config{Lease: lease, Fates: r.chronicle, OnBegin: r.monkey.onBegin, OnApplied: r.monkey.onApplied,
		OnStale: func(ledger.Run) { r.chronicle.tick(stale) }})
	r.monkey.ledger = r.ledger
	effects := httptest.NewServer(r.ledger)
	defer effects.Close()

	r.fleet.variables = []string{"GCS_BUCKET=" + bucket, "LEASE=" + lease.String(), "LEDGER=" + effects.URL, "LOG_LEVEL=warn"}
	if err := r.fleet.open(ctx, r.options.Instances, r.fake.Host()); err != nil {
		return err
	}
	r.monkey.start(ctx, r.number)
	r.fake.OnRequest(r.monkey.onRequest)
	r.eventarc = eventarc.New(ctx, eventarc.Config{Route: r.fleet.route, Path: somePaths, Deadline: deadline(lease),
		AtOnce: underWay, FirstBackoff: 50 * time.Millisecond, LongestBackoff: time.Second})
	published := r.schedule()
	all := make(chan struct{})
	go func() {
		defer close(all)
		r.deliver(ctx, published)
	}()
	r.waitPatiently(ctx, all)
	acknowledged := r.eventarc.Acknowledged()
	r.monkey.end()
	r.fleet.end()
	cancel()
	<-all
	r.eventarc.Wait()
	r.eventarc.Close()
	return r.judge(len(published), acknowledged)
}

// somePaths lets the triggers of two sources call their paths, and the third call none,
// as while a deployment changes.
func somePaths(topic string) string {
	if topic == "event2" {
		return ""
	}
	return convert.SourcePath(topic)
}

// delivery is one delivery of an event.
type delivery struct {
	position float64 // among the others
	order    string
	event    eventarc.Event
}

// schedule makes the events of the orders, with duplicates. It mixes those of many orders,
// and lets some duplicates come late.
func (r *round) schedule() (deliveries []delivery) {
	random := rand.New(rand.NewPCG(r.options.Seed, uint64(r.number)*10+9))
	for i, key := range r.keys {
		content := make(map[string]string)
		for _, topic := range events {
			data := fmt.Sprintf(`{"order":%q,"from":%q,"number":9007199254740993}`, key, topic)
			if topic != "event1" {
				content[topic] = data
			}
			event := r.eventarc.NewEvent(topic, key, []byte(data), nil)
			at := float64(i) + random.Float64()*window
			deliveries = append(deliveries, delivery{at, key, event})
			for range duplicates(r.options.Duplicates, random) {
				deliveries = append(deliveries, delivery{at + random.Float64()*random.Float64()*5*window, key, event})
			}
		}
		r.ledger.Expect(key, content)
	}
	slices.SortFunc(deliveries, func(a, b delivery) int {
		if a.position < b.position {
			return -1
		}
		return 1
	})
	return deliveries
}

// duplicates returns a random number whose average is mean.
func duplicates(mean float64, random *rand.Rand) int {
	n := int(mean)
	if random.Float64() < mean-float64(n) {
		n++
	}
	return n
}

// deliver delivers the events at the rate of the options, and returns when all are acknowledged or ctx ends.
func (r *round) deliver(ctx context.Context, deliveries []delivery) {
	free := make(chan struct{}, underWay)
	start := time.Now()
	for _, d := range deliveries {
		if r.options.Rate > 0 {
			due := start.Add(time.Duration(d.position / r.options.Rate * float64(time.Second)))
			select {
			case <-time.After(time.Until(due)):
			case <-ctx.Done():
				return
			}
		}
		select {
		case free <- struct{}{}:
			r.eventarc.Deliver(d.event, func() { <-free })
		case <-ctx.Done():
			return
		}
	}
	for range underWay { // until nothing is under way
		select {
		case free <- struct{}{}:
		case <-ctx.Done():
			return
		}
	}
}

// waitPatiently returns when all is closed. If that takes long it ends the harm, and it
// gives up when nothing is acknowledged for too long after that.
func (r *round) waitPatiently(ctx context.Context, all <-chan struct{}) {
	harm := time.NewTimer(r.harmWithin())
	defer harm.Stop()
	select {
	case <-all:
		return
	case <-ctx.Done():
		return
	case <-harm.C:
	}
	r.report.Rested++
	r.monkey.rest()

	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for last, since := r.eventarc.Acknowledged(), time.Now(); time.Since(since) < patience; {
		select {
		case <-all:
			return
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		if now := r.eventarc.Acknowledged(); now != last {
			last, since = now, time.Now()
		}
	}
}

// harmWithin is the longest time that harm is done to a round: several times the usual
// time of a round. With so much harm that hardly an order gets through, the rest of the
// orders then go through in peace.
func (r *round) harmWithin() time.Duration {
	orders := float64(len(r.keys))
	most := 45*time.Second + time.Duration(orders*float64(400*time.Millisecond))
	if r.options.Rate > 0 {
		most += time.Duration((orders + 6*window) / r.options.Rate * float64(time.Second))
	}
	return most
}

// judge checks the store and the ledger when everything has ended.
func (r *round) judge(published, acknowledged int) error {
	names, err := r.fake.Names(bucket)
	if err != nil {
		return err
	}
	done := make(map[string]bool)
	for _, name := range names {
		parts := strings.Split(name, "/")
		switch {
		case slices.Contains(parts, "=keys"): // refers to a letter
		case slices.Contains(parts, "deadletters"):
			r.report.DeadLetters++
		case parts[len(parts)-1] == "done":
			key := parts[len(parts)-2]
			done[key] = true
			attrs, err := r.fake.Attrs(bucket, name)
			if err != nil {
				return err
			}
			r.ledger.Completed(key, attrs.Created)
		}
	}
	missing := r.ledger.Missing()
	for _, key := range r.keys {
		switch {
		case slices.Contains(missing, key):
			r.report.violated("%s was not acted upon", key)
			r.report.Lost++
		case !done[key]:
			r.report.violated("%s was acted upon, and not completed in the store", key)
			r.report.Lost++
		}
	}
	r.report.Orders += len(r.keys)
	r.report.Events += published
	r.report.Acknowledged += acknowledged
	r.report.Deliveries += r.eventarc.Deliveries()
	r.report.add(r.ledger.Counts(), r.ledger.Violations())
	r.report.Misbehaved += len(r.fleet.broken)
	for _, broken := range r.fleet.broken {
		r.report.violated("%s", broken)
	}
	return nil
}
