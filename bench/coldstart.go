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

const coldStartText = `From the start of a process until its first event is acknowledged, and what of that is
CPU. The bare function with clients is linked with Google's clients for the same services, and writes one object
for the event; the function keeps the event and looks for others. What the bare one has of Pub/Sub's client is its
opening, of BigQuery's a query, and of OpenTelemetry its SDK with the exporters of traces and metrics; none is
called. The storage is in a process of its own, without a delay. All programs are built as the deployments build
them (disable_grpc_modules, -s -w). What the tags nobigquery and notelemetry leave out where it is not used is
measured with and without it; telemetry is linked then, and off. Each ratio is by the bare function with the same
clients.`

const (
	bareTelemetry = "bare function with OpenTelemetry, too"
	bareBigQuery  = "bare function with BigQuery's client, too"
)

// starts are what one program takes to start.
type starts struct {
	name, program string
	bare          string // the program that it is compared with
	variables     []string
	ms, cpu       sample.Sample
}

// coldStart measures the time to the first acknowledged event, and the sizes of the programs.
func coldStart(ctx context.Context, r *run) (section, error) {
	s := section{title: "Cold start and size", text: coldStartText}
	on, err := r.cloud(ctx, 0, 0)
	if err != nil {
		return s, err
	}
	defer on.process.Close()
	inCloud := []string{"STORAGE_EMULATOR_HOST=" + on.process.Addr, "GCS_BUCKET=" + bucketName}
	all := []*starts{
		{name: "no-op", program: "noop", bare: bareAsDeployed},
		{name: "bare function with clients", program: bareAsDeployed, bare: bareAsDeployed, variables: inCloud},
		{name: "function, in memory", program: asDeployed, bare: bareAsDeployed, variables: inMemory},
		{name: "function, Cloud Storage", program: asDeployed, bare: bareAsDeployed, variables: inCloud},
		{name: bareTelemetry, program: bareWithTelemetry, bare: bareWithTelemetry, variables: inCloud},
		{name: "function with telemetry, Cloud Storage", program: withTelemetry, bare: bareWithTelemetry,
			variables: inCloud},
		{name: bareBigQuery, program: bareWithBigQuery, bare: bareWithBigQuery, variables: inCloud},
		{name: "function with BigQuery's client, Cloud Storage", program: withBigQuery, bare: bareWithBigQuery,
			variables: inCloud},
	}
	rounds := 3 * r.rounds
	if r.quick {
		rounds = 1
	}
	for range rounds {
		for _, one := range all {
			if err := one.measure(ctx, r); err != nil {
				return s, fmt.Errorf("%s: %w", one.name, err)
			}
		}
	}
	bare := make(map[string]sample.Sample)
	for _, one := range all {
		if one.program == one.bare {
			bare[one.bare] = one.ms
		}
	}
	t := table{head: []string{
		"", "first event acknowledged after, ms", "CPU, ms", "time by its bare function"}}
	for _, one := range all {
		t.add(one.name, one.ms.String(), one.cpu.String(), sample.Ratio(one.ms, bare[one.bare]).String())
		r.say("%s: %s ms, %s ms CPU", one.name, one.ms, one.cpu)
	}
	ours := all[3]
	s.summary = fmt.Sprintf("A new instance acknowledges its first event after %s ms, %s of what a bare function "+
		"with Google's clients takes.", ours.ms, sample.Ratio(ours.ms, bare[ours.bare]))
	sizes, err := r.sizes()
	s.tables = []table{t, sizes}
	return s, err
}

// measure starts the program once.
func (s *starts) measure(ctx context.Context, r *run) error {
	p, err := programs.Start(ctx, r.programs[s.program], "", s.variables)
	if err != nil {
		return err
	}
	defer p.Close()
	_, err = load.Run(ctx, load.Options{Addr: p.Addr, Clients: 1, Joins: 1, Sources: sources[:1], Content: small,
		Prefix: fmt.Sprint("start-", time.Now().UnixNano())})
	if err != nil {
		return err
	}
	s.ms = append(s.ms, milliseconds(time.Since(p.Started)))
	used, err := p.Used(ctx)
	s.cpu = append(s.cpu, used.CPU*1000)
	return err
}

// sizes compares each build of the function with a bare one that has the same clients.
func (r *run) sizes() (table, error) {
	t := table{head: []string{"", "bytes", "by its bare function"}}
	for _, one := range []struct{ name, program, bare string }{
		{"bare function with clients", bareAsDeployed, bareAsDeployed},
		{"function", asDeployed, bareAsDeployed},
		{bareTelemetry, bareWithTelemetry, bareWithTelemetry},
		{"function with telemetry", withTelemetry, bareWithTelemetry},
		{bareBigQuery, bareWithBigQuery, bareWithBigQuery},
		{"function with BigQuery's client", withBigQuery, bareWithBigQuery},
	} {
		var bytes [2]float64
		for i, program := range []string{one.program, one.bare} {
			info, err := os.Stat(r.programs[program])
			if err != nil {
				return t, err
			}
			bytes[i] = float64(info.Size())
		}
		t.add(one.name, sample.Number(bytes[0]), sample.Number(bytes[0]/bytes[1]))
		r.say("%s: %s bytes, %s", one.name, sample.Number(bytes[0]), sample.Number(bytes[0]/bytes[1]))
	}
	return t, nil
}
