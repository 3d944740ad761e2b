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

// functions are the programs that are compared, by their names on the page. The last is the project's.
var functions = []struct{ label, program string }{
	{"no-op", "noop"}, {"no-op that decodes", "decode"}, {"function", asDeployed}}

// throughput measures how many events a second the function takes, and what CPU an event costs,
// beside functions that do less. Each round starts each program anew.
func throughput(ctx context.Context, r *run) (section, error) {
	clients, length := []int{1, 16, 80, 250}, 1500*time.Millisecond
	if r.quick {
		clients, length = []int{1, 16}, 200*time.Millisecond
	}
	page := &functionPage{
		figures: table{head: []string{
			"clients", "program", "events/s", "CPU an event, µs", "half within, ms", "99 % within, ms"}},
		ratios: table{head: []string{"clients", "function by", "events/s", "CPU an event"}},
		rates:  chart{title: "Events a second, by clients", logX: true},
		cpus:   chart{title: "CPU an event in µs, by clients", logX: true},
	}
	for _, n := range clients {
		all := make([]served, len(functions))
		for range r.rounds {
			for i, f := range functions {
				if err := all[i].measure(ctx, r, f.program, n, length); err != nil {
					return section{}, fmt.Errorf("%s: %w", f.label, err)
				}
			}
		}
		page.add(n, all)
		ours := all[len(all)-1]
		r.say("%d clients: %s events/s, %s µs CPU", n, ours.rate, ours.cpu)
	}
	return section{
		title: "The function", text: functionText, summary: page.summary,
		tables: []table{page.figures, page.ratios}, charts: []chart{page.rates, page.cpus},
	}, nil
}

// functionPage is what is shown of them.
type functionPage struct {
	summary         string
	figures, ratios table
	rates, cpus     chart
}

// add adds the rows and points of one number of clients.
func (p *functionPage) add(clients int, all []served) {
	first, ours := strconv.Itoa(clients), all[len(all)-1]
	for i, m := range all {
		name := functions[i].label
		p.figures.add(first, name, m.rate.String(), m.cpu.String(), m.half.String(), m.most.String())
		p.rates.point(name, float64(clients), m.rate)
		p.cpus.point(name, float64(clients), m.cpu)
		if i < len(all)-1 {
			p.ratios.add(first, name, sample.Ratio(ours.rate, m.rate).String(), sample.Ratio(ours.cpu, m.cpu).String())
		}
	}
	decode := all[len(all)-2]
	p.summary = fmt.Sprintf("An instance takes %s events a second in memory, for %s µs of CPU each: %s and %s of "+
		"what a function takes that only decodes them, with %d clients.", ours.rate, ours.cpu,
		sample.Ratio(ours.rate, decode.rate), sample.Ratio(ours.cpu, decode.cpu), clients)
}

const functionText = `Programs under the Functions Framework, each a process of its own, get events of 100
bytes, three a key, from clients that each wait for the answer. The function joins them in memory, logs a line
for each event to a file, and has the 512 MiB of the default deployment. The no-op answers at once; the other
one reads the CloudEvent with the SDK. The client runs on the same cores.`

// measure adds the values of a round.
func (s *served) measure(ctx context.Context, r *run, program string, clients int, length time.Duration) error {
	p, err := programs.Start(ctx, r.programs[program], "", inMemory)
	if err != nil {
		return err
	}
	defer p.Close()
	o := load.Options{Addr: p.Addr, Clients: clients, Sources: sources, Content: small}
	o.Prefix, o.For = "warm", length/5
	if _, err := load.Run(ctx, o); err != nil {
		return err
	}
	before, err := p.Used(ctx)
	if err != nil {
		return err
	}
	o.Prefix, o.For = "key", length
	result, err := load.Run(ctx, o)
	if err != nil {
		return err
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
