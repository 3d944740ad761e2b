package main

import (
	"context"
	"flag"
	"fmt"
	"strconv"
	"testing"
	"time"

	"example.com/eventdriver/bench/sample"
)

// timed is what one subject took in the rounds.
type timed struct{ ns, allocs, bytes sample.Sample }

// contender is something that is measured in this process.
type contender struct {
	name string
	op   func(b *testing.B)
}

// inProcess measures chains and joins in memory, each beside what does less and what others do.
func inProcess(_ context.Context, r *run) (section, error) {
	testing.Init()
	length := 200 * time.Millisecond
	if r.quick {
		length = 10 * time.Millisecond
	}
	if err := flag.Set("test.benchtime", length.String()); err != nil {
		return section{}, err
	}
	s := section{title: "In one process", text: inProcessText}
	var chains, joins chart
	chains.title, joins.title = "A chain, ns, by handlers", "A join, ns, by events"
	chains.logY, joins.logY = true, true
	for _, n := range []int{3, 10} {
		title := fmt.Sprintf("A chain of %d handlers that pass a message on", n)
		if err := r.compare(&s, &chains, title, n, chainsOf(n)); err != nil {
			return s, err
		}
	}
	for _, n := range []int{3, 10} {
		if err := r.compare(&s, &joins, fmt.Sprintf("A join of %d events", n), n, joinsOf(n)); err != nil {
			return s, err
		}
	}
	s.charts = []chart{chains, joins}
	return s, nil
}

const inProcessText = `Times of one message through a chain, and of all events of one key through a join, in
memory. The floor of a chain is a chain of function calls that was built before; that of a join is a map under a
mutex, without duplicates, failures or anything else in mind. The router of [Watermill](https://watermill.io)
passes messages through as many middlewares, or to a handler with that map. The straightforward join
(bench/straight) keeps an event, lists, reads each and marks the key, on the same kind of map.`

// compare measures contenders, the first of which the others are compared with.
func (r *run) compare(s *section, c *chart, title string, n int, contenders []contender) error {
	t := table{title: title, head: []string{"", "ns", "allocations", "bytes", "time by " + contenders[0].name}}
	all := make([]timed, len(contenders))
	for range r.rounds {
		for i, one := range contenders {
			result := testing.Benchmark(one.op)
			if result.N == 0 {
				return fmt.Errorf("%s, %s failed", title, one.name)
			}
			all[i].ns = append(all[i].ns, float64(result.T.Nanoseconds())/float64(result.N))
			all[i].allocs = append(all[i].allocs, float64(result.AllocsPerOp()))
			all[i].bytes = append(all[i].bytes, float64(result.AllocedBytesPerOp()))
		}
	}
	for i, one := range contenders {
		t.add(one.name, all[i].ns.String(), all[i].allocs.String(), all[i].bytes.String(),
			sample.Ratio(all[i].ns, all[0].ns).String())
		c.point(one.name, float64(n), all[i].ns)
		r.say("%s: %s: %s ns, %s allocations", title, one.name, all[i].ns, all[i].allocs)
	}
	s.tables = append(s.tables, t)
	return nil
}

// sourcesOf returns n names.
func sourcesOf(n int) (names []string) {
	for i := range n {
		names = append(names, "event"+strconv.Itoa(i+1))
	}
	return names
}
