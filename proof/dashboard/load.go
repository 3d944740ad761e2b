package dashboard

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"example.com/eventdriver/proof/instances"
)

// load makes all happen that the run consists of, and ends the instances. The first failure ends the run.
func (r *run) load(ctx context.Context) error {
	ending, cancel := context.WithTimeout(ctx, r.For)
	defer cancel()
	all, ending := errgroup.WithContext(ending)
	all.Go(func() error { return r.publish(ending) })
	all.Go(func() error { return r.sweep(ending) })
	all.Go(func() error { return r.trouble(ctx, ending) })
	all.Go(func() error { return r.record(ending) })
	if err := all.Wait(); err != nil {
		return err
	}
	for _, p := range r.processes {
		p.Terminate()
		<-p.Ended()
	}
	r.collect()
	return nil
}

// every calls do again and again until the run ends.
func every(ending context.Context, pause time.Duration, do func() error) error {
	tick := time.NewTicker(pause)
	defer tick.Stop()
	for {
		select {
		case <-ending.Done():
			return nil
		case <-tick.C:
		}
		if err := do(); err != nil {
			return err
		}
	}
}

func (r *run) record(ending context.Context) error {
	return every(ending, 5*time.Second, func() error {
		r.collect()
		return nil
	})
}

func (r *run) collect() {
	for _, metric := range r.Metrics {
		r.recorder.add(r.collector.Points(metric), float64(r.began.UnixMilli())/1000)
	}
}

// sweep sweeps once a minute, as Cloud Scheduler does.
func (r *run) sweep(ending context.Context) error {
	return every(ending, time.Minute, func() error {
		request, err := http.NewRequestWithContext(ending, http.MethodPost, r.any().URL+"sweep", nil)
		if err != nil {
			return err
		}
		if answer, err := http.DefaultClient.Do(request); err == nil { // an instance that was stopped does not answer
			_ = answer.Body.Close()
		}
		return nil
	})
}

// publish publishes orders, whose number rises and falls.
func (r *run) publish(ending context.Context) error {
	for n := 0; ending.Err() == nil; n++ {
		r.order(ending, fmt.Sprint("order-", n))
		tide := 1 + 0.5*math.Sin(2*math.Pi*time.Since(r.began).Seconds()/r.For.Seconds())
		pause(ending, time.Duration(rand.ExpFloat64()/(r.Rate*tide)*float64(time.Second)))
	}
	return nil
}

func pause(ending context.Context, d time.Duration) {
	select {
	case <-ending.Done():
	case <-time.After(d):
	}
}

// order has the three events of an order come.
func (r *run) order(ending context.Context, key string) {
	sources := []string{"event1", "event2", "event3"}
	rand.Shuffle(len(sources), func(i, j int) { sources[i], sources[j] = sources[j], sources[i] })
	fate := rand.IntN(100)
	for i, source := range sources {
		after := time.Duration(rand.ExpFloat64() * float64(3*time.Second))
		switch {
		case i == 0 && fate == 0:
			continue // it never comes
		case i == 0 && fate < 4:
			after += time.Minute + rand.N(4*time.Minute)
		}
		r.publishAfter(ending, after, source, key, `{"n":1}`)
		if rand.IntN(12) == 0 {
			r.publishAfter(ending, after+rand.N(30*time.Second), source, key, `{"n":1}`)
		}
	}
	switch fate {
	case 10:
		r.publishAfter(ending, 0, "event1", "", `{"n":1}`) // without a key
	case 11:
		r.publishAfter(ending, 20*time.Second, "event2", key, `{"n":2}`) // another content
	}
}

func (r *run) publishAfter(ending context.Context, after time.Duration, source, key, content string) {
	time.AfterFunc(after, func() {
		if ending.Err() == nil {
			r.eventarc.Publish(source, key, []byte(content))
		}
	})
}

// trouble has one thing after another go wrong.
func (r *run) trouble(ctx, ending context.Context) error {
	all := []func(ctx, ending context.Context) error{r.kill, r.freeze, r.fill, r.kill, r.freeze, r.freeze}
	for _, do := range all {
		pause(ending, r.For/8)
		if ending.Err() != nil {
			return nil
		}
		if err := do(ctx, ending); err != nil && ending.Err() == nil {
			return err
		}
	}
	return nil
}

// kill kills an instance that holds a key, and starts another.
func (r *run) kill(ctx, ending context.Context) error {
	p, err := r.acting(ending)
	if err != nil {
		return err
	}
	r.say("killed an instance")
	p.Kill()
	r.mu.Lock()
	slot := slices.Index(r.processes[:], p)
	r.mu.Unlock()
	return r.startInstance(ctx, slot)
}

// freeze stops an instance that holds a key, for longer than its lease.
func (r *run) freeze(_, ending context.Context) error {
	for range 3 {
		p, err := r.acting(ending)
		if err != nil {
			return err
		}
		r.stop(ending, p)
	}
	return nil
}

func (r *run) stop(ending context.Context, p *instances.Process) {
	r.say("stopped an instance")
	p.Stop()
	defer p.Continue()
	pause(ending, 20*time.Second)
}

// fill publishes events that take more memory than there is.
func (r *run) fill(_, ending context.Context) error {
	r.say("published large events")
	large := `{"text":"` + strings.Repeat("x", 5<<20) + `"}`
	for n := range 40 {
		for _, source := range []string{"event1", "event2", "event3"} {
			content := `{"n":1}`
			if source == "event1" {
				content = large
			}
			r.publishAfter(ending, time.Duration(n)*80*time.Millisecond, source, fmt.Sprint("large-", n), content)
		}
	}
	return nil
}

func (r *run) say(line string) {
	r.Say(fmt.Sprintf("%4.0f s: %s", time.Since(r.began).Seconds(), line))
}
