package main

import (
	"context"
	"fmt"
	"os"
	"time"

	"example.com/eventdriver/bench/load"
	"example.com/eventdriver/bench/programs"
	"example.com/eventdriver/bench/sample"
)

const coldStartText = `From the start of a process until its first event is acknowledged, and what of that is CPU. The bare function with clients is
linked with the same clients of Google's services, and writes one object for the event; the function keeps the event. The
storage is in a process of its own, without a delay. The sizes are those of plain go build, with BigQuery's client,
and without it by the build tag nobigquery, which the deployment sets where BigQuery is not used.`

// coldStart measures the time to the first acknowledged event, and the sizes of the programs.
func coldStart(ctx context.Context, r *run) (section, error) {
	s := section{title: "Cold start and size", text: coldStartText}
	on, err := r.cloud(ctx, 0, 0)
	if err != nil {
		return s, err
	}
	defer on.process.Close()
	inCloud := []string{"STORAGE_EMULATOR_HOST=" + on.process.Addr, "GCS_BUCKET=" + bucketName}
	starts := []struct {
		name, program string
		variables     []string
		ms, cpu       sample.Sample
	}{
		{name: "no-op", program: "noop"},
		{name: "bare function with clients", program: "clients-nobigquery", variables: inCloud},
		{name: "function, in memory", program: "function-nobigquery", variables: inMemory},
		{name: "function, Cloud Storage", program: "function-nobigquery", variables: inCloud},
		{name: "bare function with BigQuery's client, too", program: "clients", variables: inCloud},
		{name: "function with BigQuery's client, Cloud Storage", program: "function", variables: inCloud},
	}
	rounds := 3 * r.rounds
	if r.quick {
		rounds = 1
	}
	for range rounds {
		for i := range starts {
			ms, cpu, err := r.start(ctx, starts[i].program, starts[i].variables)
			if err != nil {
				return s, fmt.Errorf("%s: %w", starts[i].name, err)
			}
			starts[i].ms, starts[i].cpu = append(starts[i].ms, ms), append(starts[i].cpu, cpu)
		}
	}
	t := table{head: []string{"", "first event acknowledged after, ms", "CPU, ms", "time by bare function with clients"}}
	for _, start := range starts {
		t.add(start.name, start.ms.String(), start.cpu.String(), sample.Ratio(start.ms, starts[1].ms).String())
		r.say("%s: %s ms, %s ms CPU", start.name, start.ms, start.cpu)
	}
	s.summary = fmt.Sprintf("A new instance acknowledges its first event after %s ms, %s of what a bare function with the same clients takes.",
		starts[3].ms, sample.Ratio(starts[3].ms, starts[1].ms))
	sizes, err := r.sizes()
	s.tables = []table{t, sizes}
	return s, err
}

// start starts a program, and returns the time until its first event is acknowledged, and its CPU.
func (r *run) start(ctx context.Context, program string, variables []string) (ms, cpu float64, err error) {
	p, err := programs.Start(ctx, r.programs[program], "", variables)
	if err != nil {
		return 0, 0, err
	}
	defer p.Close()
	key := fmt.Sprint("start-", time.Now().UnixNano())
	if _, err := load.Run(ctx, load.Options{Addr: p.Addr, Clients: 1, Joins: 1, Sources: sources[:1], Content: small, Prefix: key}); err != nil {
		return 0, 0, err
	}
	ms = milliseconds(time.Since(p.Started))
	used, err := p.Used(ctx)
	return ms, used.CPU * 1000, err
}

func (r *run) sizes() (table, error) {
	t := table{head: []string{"", "bytes", "by bare function with clients"}}
	for _, with := range []struct{ about, suffix string }{{"without BigQuery's client", "-nobigquery"}, {"with BigQuery's client", ""}} {
		var sizes [2]float64
		for i, name := range []string{"clients", "function"} {
			info, err := os.Stat(r.programs[name+with.suffix])
			if err != nil {
				return t, err
			}
			sizes[i] = float64(info.Size())
			t.add(label[name]+" "+with.about, sample.Number(sizes[i]), sample.Number(sizes[i]/sizes[0]))
		}
	}
	return t, nil
}
