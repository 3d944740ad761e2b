package main

import (
	"bytes"
	"context"
	"fmt"
	"strconv"
	"time"

	"example.com/eventdriver/bench/load"
	"example.com/eventdriver/bench/programs"
	"example.com/eventdriver/bench/sample"
)

// inMemory are the settings of a function whose stores are in memory, with the memory of the
// default deployment.
var inMemory = []string{"EVENT_STORE=memory", "CLAIM_STORE=memory", "GOMEMLIMIT=512MiB"}

var sources = []string{"event1", "event2", "event3"}

// small is the content of an event, with 100 bytes.
var small = []byte(`{"order":"4711","text":"` + string(bytes.Repeat([]byte("x"), 74)) + `"}`)

// served is what one program did under one number of clients.
type served struct {
	rate, cpu, half, most sample.Sample // events a second, µs an event, percentiles in ms
}

// throughput measures how many events a second the function takes, and what CPU an event costs,
// beside functions that do less. Each round starts each program anew.
func throughput(ctx context.Context, r *run) (section, error) {
	names := []string{"noop", "decode", "function"}
	clients, length := []int{1, 16, 80, 250}, 1500*time.Millisecond
	if r.quick {
		clients, length = []int{1, 16}, 200*time.Millisecond
	}
	s := section{title: "The function", text: functionText}
	t := table{head: []string{"clients", "program", "events/s", "CPU an event, µs", "half within, ms", "99 % within, ms"}}
	ratios := table{head: []string{"clients", "function by", "events/s", "CPU an event"}}
	var rates, cpus chart
	rates.title, cpus.title = "Events a second, by clients", "CPU an event in µs, by clients"
	for _, n := range clients {
		all := make(map[string]*served)
		for range r.rounds {
			for _, name := range names {
				if all[name] == nil {
					all[name] = &served{}
				}
				if err := all[name].measure(ctx, r, name, n, length); err != nil {
					return s, err
				}
			}
		}
		for _, name := range names {
			m := all[name]
			t.add(strconv.Itoa(n), label[name], m.rate.String(), m.cpu.String(), m.half.String(), m.most.String())
			rates.point(label[name], float64(n), m.rate)
			cpus.point(label[name], float64(n), m.cpu)
		}
		for _, name := range names[:2] {
			f := all["function"]
			ratios.add(strconv.Itoa(n), label[name], sample.Ratio(f.rate, all[name].rate).String(), sample.Ratio(f.cpu, all[name].cpu).String())
		}
		f, decode := all["function"], all["decode"]
		s.summary = fmt.Sprintf("An instance takes %s events a second in memory, for %s µs of CPU each: %s and %s of what a function takes "+
			"that only decodes them, with %d clients.", f.rate, f.cpu, sample.Ratio(f.rate, decode.rate), sample.Ratio(f.cpu, decode.cpu), n)
		r.say("%d clients: %s events/s, %s µs CPU", n, f.rate, f.cpu)
	}
	rates.logX, cpus.logX = true, true
	s.tables, s.charts = []table{t, ratios}, []chart{rates, cpus}
	return s, nil
}

var label = map[string]string{
	"noop": "no-op", "decode": "no-op that decodes", "function": "function", "clients": "bare function with clients",
}

const functionText = `Programs under the Functions Framework, each a process of its own, get events of 100 bytes, three a key, from
clients that each wait for the answer. The function joins them in memory, logs a line for each event to a file, and
has the 512 MiB of the default deployment. The no-op answers at once; the other one reads the CloudEvent with the SDK.
The client runs on the same cores.`

// measure adds the values of a round.
func (s *served) measure(ctx context.Context, r *run, name string, clients int, length time.Duration) error {
	p, err := programs.Start(ctx, r.programs[name], "", inMemory)
	if err != nil {
		return err
	}
	defer p.Close()
	o := load.Options{Addr: p.Addr, Clients: clients, Sources: sources, Content: small, Prefix: "warm", For: length / 5}
	if _, err := load.Run(ctx, o); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	before, err := p.Used(ctx)
	if err != nil {
		return err
	}
	o.Prefix, o.For = "key", length
	result, err := load.Run(ctx, o)
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	after, err := p.Used(ctx)
	if err != nil {
		return err
	}
	s.rate = append(s.rate, result.Rate())
	s.cpu = append(s.cpu, (after.CPU-before.CPU)/float64(result.Events)*1e6)
	s.half = append(s.half, milliseconds(result.Percentile(50)))
	s.most = append(s.most, milliseconds(result.Percentile(99)))
	return nil
}

func milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
