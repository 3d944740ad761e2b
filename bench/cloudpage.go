package main

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"example.com/eventdriver/bench/bill"
	"example.com/eventdriver/bench/sample"
)

// roundTrip is how long the proxy delays a request.
const roundTrip = 20 * time.Millisecond

// cells are what is measured on Cloud Storage. The larger the events, the fewer joins, so that a round
// stays within seconds, and all objects within memory.
func (r *run) cells() (cells []cell) {
	if r.quick {
		return []cell{
			{n: 2, size: 1000, instances: 1, keys: 2, atOnce: 2},
			{n: 3, size: 100_000, instances: 2, keys: 2, atOnce: 2}}
	}
	for _, n := range []int{2, 3, 5, 10, 20} {
		cells = append(cells, cell{n: n, size: 1000, instances: 1, keys: 8, atOnce: 4})
	}
	for _, n := range []int{3, 10, 20} {
		cells = append(cells, cell{n: n, size: 1000, instances: 8, keys: 8, atOnce: 4})
	}
	for _, n := range []int{2, 3, 5, 10, 20} {
		cells = append(cells, cell{n: n, size: 100_000, instances: 1, keys: 4, atOnce: 4})
	}
	for _, n := range []int{2, 3, 5, 10, 20} {
		cells = append(cells, cell{n: n, size: 10_000_000, instances: 1, keys: 1, atOnce: 1})
	}
	return cells
}

const cloudText = `Joins on a stand-in for Cloud Storage in a process of its own, behind a proxy that delays
each request by 20 ms and counts it as Cloud Storage charges it: a Class A operation $5 a million, Class B
$0.40, answers of 4xx nothing. The events of a key come one after the other, four keys at once (of 10 MB one),
to one instance or to eight in turn. Once a key is joined, up to three
of its events come again, as late duplicates; what n of them cost is reckoned from these.

The floor is on paper: what any implementation takes that keeps n events, claims and completes a key, and reads
the other events once. That is n+2 writes, n−1 reads and three round trips of the last event: keep its event and
read the others, claim, complete. The straightforward implementation (bench/straight) has no claim: it keeps
each event, lists the key, reads all when they are there, marks the key, and acts. What it lacks is said in its
source.`

// cloudPage is what is shown of joins on Cloud Storage.
type cloudPage struct {
	summary        string
	charged, taken table
	dollars, last  chart
}

func newCloudPage() *cloudPage {
	return &cloudPage{
		charged: table{title: "Requests and dollars of a join", head: []string{
			"events", "bytes", "instances", "", "Class A", "Class B", "4xx", "$ a million joins",
			"$ if 4xx were charged", "$ by floor", "$ of n duplicates"}},
		taken: table{title: "Time of the last event of a join, and what the process takes for a join", head: []string{
			"events", "bytes", "instances", "", "last event, ms", "by straightforward", "a duplicate, ms", "CPU, ms",
			"allocations", "KB"}},
		dollars: chart{title: "Dollars a million joins of 1 KB, by events"},
		last:    chart{title: "Last event in ms, 1 KB, by events"},
	}
}

// onCloud measures joins on Cloud Storage.
func onCloud(ctx context.Context, r *run) (section, error) {
	page := newCloudPage()
	for _, c := range r.cells() {
		costs, err := r.cell(ctx, c)
		if err != nil {
			return section{}, fmt.Errorf("%+v: %w", c, err)
		}
		page.add(c, costs)
		r.say("%d events of %d bytes, %d instances: $%s, last event %s ms, %s ms CPU, %s allocations, %s KB",
			c.n, c.size, c.instances, costs[0].dollars, costs[0].last, costs[0].cpu, costs[0].allocs, costs[0].kb)
	}
	return section{
		title: "On Cloud Storage", text: cloudText, summary: page.summary,
		tables: []table{page.charged, page.taken}, charts: []chart{page.dollars, page.last},
	}, nil
}

// add adds the rows and points of one cell.
func (p *cloudPage) add(c cell, costs []cost) {
	floor := bill.Counts{A: c.n + 2, B: c.n - 1}
	row := []string{strconv.Itoa(c.n), sample.Number(float64(c.size)), strconv.Itoa(c.instances)}
	p.charged.add(append(row, "floor", strconv.Itoa(floor.A), strconv.Itoa(floor.B), "0",
		sample.Number(floor.Dollars()), sample.Number(floor.Dollars()), "", "")...)
	p.taken.add(append(row, "floor", sample.Number(3*milliseconds(roundTrip)), "",
		sample.Number(2*milliseconds(roundTrip)), "", "", "")...)
	for i, way := range waysToJoin {
		k := costs[i]
		p.charged.add(append(row, way.name, k.a.String(), k.b.String(), k.refused.String(), k.dollars.String(),
			k.all.String(), sample.Number(k.dollars.Median()/floor.Dollars()), k.again.String())...)
		p.taken.add(append(row, way.name, k.last.String(), sample.Ratio(k.last, costs[1].last).String(),
			k.duplicate.String(), k.cpu.String(), k.allocs.String(), k.kb.String())...)
	}
	if c.size == 1000 && c.instances == 1 {
		p.draw(c.n, costs, floor)
	}
	if ours := costs[0]; c.n == 3 && p.summary == "" {
		byFloor := sample.Number(ours.dollars.Median() / floor.Dollars())
		p.summary = fmt.Sprintf("A million joins of %d events cost $%s in operations of Cloud Storage, %s of the floor. "+
			"A join takes %s allocations, %s KB and %s ms of CPU. The last event of a key is acknowledged after %s ms, "+
			"where a request takes %v.", c.n, ours.dollars, byFloor, ours.allocs, ours.kb, ours.cpu, ours.last, roundTrip)
	}
}

// draw adds the points of joins of n events.
func (p *cloudPage) draw(n int, costs []cost, floor bill.Counts) {
	for i, way := range waysToJoin {
		p.dollars.point(way.name, float64(n), costs[i].dollars)
		p.last.point(way.name, float64(n), costs[i].last)
	}
	p.dollars.point("floor", float64(n), sample.Sample{floor.Dollars()})
	p.last.point("floor", float64(n), sample.Sample{3 * milliseconds(roundTrip)})
}

// cell measures each way to join, in turn, on a storage of its own each round.
func (r *run) cell(ctx context.Context, c cell) ([]cost, error) {
	costs := make([]cost, len(waysToJoin))
	rounds := r.rounds
	if c.size > 1_000_000 || c.instances > 1 {
		rounds = min(rounds, 2) // each takes seconds
	}
	for round := range rounds {
		on, err := r.cloud(ctx, roundTrip, 0)
		if err != nil {
			return nil, err
		}
		for i, way := range waysToJoin {
			if err := c.measure(ctx, on, way, fmt.Sprintf("%d-%d-", i, round), &costs[i]); err != nil {
				on.process.Close()
				return nil, err
			}
		}
		on.process.Close()
	}
	return costs, nil
}
