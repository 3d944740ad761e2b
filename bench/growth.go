package main

import (
	"context"
	"fmt"
	"runtime"
	"strconv"
	"time"

	"example.com/eventdriver/bench/load"
	"example.com/eventdriver/bench/programs"
	"example.com/eventdriver/bench/sample"
	"example.com/eventdriver/driver"
	"example.com/eventdriver/driver/cache"
	"example.com/eventdriver/driver/joiner"
	"example.com/eventdriver/stores/memstore"
)

const growthText = `What grows with what. In memory, the keys of the first column wait for an event, with the
bytes of the second, while others are joined. On Cloud Storage the requests of a join are counted, beside objects
of other keys. The function's memory and CPU with the size of events and the number of clients are those of its
process, which has 512 MiB and keeps events on Cloud Storage; the stand-in's share is in its own column.`

// growth measures what grows with the keys, with the size of events and with the clients.
func growth(ctx context.Context, r *run) (section, error) {
	s := section{title: "Growth", text: growthText}
	all := []func(context.Context, *run, *section) error{keysInMemory, keysInCloud, sizeOfEvents, clientsAtOnce}
	for _, measure := range all {
		if err := measure(ctx, r, &s); err != nil {
			return s, err
		}
	}
	return s, nil
}

// keysInMemory has keys that wait in a store in memory.
func keysInMemory(ctx context.Context, r *run, s *section) error {
	t := table{title: "Keys in memory", head: []string{"keys", "bytes a key", "a join of 3, µs"}}
	c := chart{title: "A join of 3 in memory, in µs, by keys in the store", logX: true}
	keys := []int{1000, 10_000, 100_000, 1_000_000}
	if r.quick {
		keys = keys[:2]
	}
	for _, n := range keys {
		bytes, times, err := joinAmong(ctx, n, r.rounds)
		if err != nil {
			return err
		}
		t.add(sample.Number(float64(n)), sample.Number(bytes), times.String())
		c.point("join of 3", float64(n), times)
		r.say("%d keys in memory: %s µs a join, %.0f bytes a key", n, times, bytes)
	}
	s.tables, s.charts = append(s.tables, t), append(s.charts, c)
	return nil
}

// joinAmong returns how many bytes a key takes that waits with one event, and the time in µs of a
// join among n of them.
func joinAmong(ctx context.Context, n, rounds int) (bytes float64, times sample.Sample, err error) {
	store := memstore.New()
	p := driver.New(joiner.New(joiner.MatchAll(sources...), store), cache.New(store))
	before := heap()
	for key := range n {
		m := driver.Message{ID: "1", Key: "waits-" + strconv.Itoa(key), Source: sources[0], Content: small}
		if err := store.Persist(ctx, m); err != nil {
			return 0, nil, err
		}
	}
	bytes = (heap() - before) / float64(n)
	const joins = 1000
	for round := range rounds {
		begun := time.Now()
		for key := range joins {
			for _, source := range sources {
				m := driver.Message{ID: source, Key: fmt.Sprint(round, "-", key), Source: source, Content: small}
				if err := p.Process(ctx, m); err != nil {
					return 0, nil, err
				}
			}
		}
		times = append(times, float64(time.Since(begun).Microseconds())/joins)
	}
	return bytes, times, nil
}

// heap is what is in use. It takes a second collection to free what pools hold.
func heap() float64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return float64(m.HeapAlloc)
}

// keysInCloud has objects of other keys in the bucket.
func keysInCloud(ctx context.Context, r *run, s *section) error {
	t := table{title: "Keys on Cloud Storage", head: []string{
		"objects there before", "Class A", "Class B", "4xx", "CPU of a join of 3, ms"}}
	objects := []int{100, 1000, 10_000} // the stand-in takes minutes for ten times as many
	if r.quick {
		objects = objects[1:2]
	}
	c := cell{n: 3, size: 1000, instances: 1, keys: 8, atOnce: 4}
	for _, n := range objects {
		on, err := r.cloud(ctx, 0, n)
		if err != nil {
			return err
		}
		var k cost
		for round := range r.rounds {
			if err := c.measure(ctx, on, waysToJoin[0], strconv.Itoa(round)+"-", &k); err != nil {
				on.process.Close()
				return err
			}
		}
		on.process.Close()
		t.add(sample.Number(float64(n)), k.a.String(), k.b.String(), k.refused.String(), k.cpu.String())
		r.say("%d objects: %s A, %s B, %s ms CPU", n, k.a, k.b, k.cpu)
	}
	s.tables = append(s.tables, t)
	return nil
}

// grown are the columns of what grow adds.
var grown = []string{"CPU an event, ms", "allocated an event, KB", "most memory of the function, MB",
	"of the stand-in, MB"}

// sizeOfEvents has events of other sizes, from one client.
func sizeOfEvents(ctx context.Context, r *run, s *section) error {
	t := table{title: "Size of events, one client", head: append([]string{"bytes"}, grown...)}
	sizes := []int{1000, 10_000, 100_000, 1_000_000, 10_000_000}
	if r.quick {
		sizes = sizes[:2]
	}
	for _, size := range sizes {
		joins := max(1, min(20, 20_000_000/size))
		if err := grow(ctx, r, &t, sample.Number(float64(size)), 1, joins, size); err != nil {
			return err
		}
	}
	s.tables = append(s.tables, t)
	return nil
}

// clientsAtOnce has events of 100 KB from many clients.
func clientsAtOnce(ctx context.Context, r *run, s *section) error {
	t := table{title: "Clients, events of 100 KB", head: append([]string{"clients"}, grown...)}
	clients := []int{1, 16, 80, 250}
	if r.quick {
		clients = clients[:2]
	}
	for _, n := range clients {
		if err := grow(ctx, r, &t, strconv.Itoa(n), n, max(1, 160/n), 100_000); err != nil {
			return err
		}
	}
	s.tables = append(s.tables, t)
	return nil
}

// use is what the function and the stand-in have taken, each round.
type use struct{ cpu, kb, peak, other sample.Sample }

// grow adds a row of what the function takes for joins of three, in a process of its own.
func grow(ctx context.Context, r *run, t *table, first string, clients, joins, size int) error {
	var u use
	for range min(r.rounds, 3) {
		o := load.Options{Clients: clients, Joins: joins, Sources: sources, Content: contentOf(size), Prefix: "key"}
		if err := u.measure(ctx, r, o); err != nil {
			return fmt.Errorf("%d clients, %d bytes: %w", clients, size, err)
		}
	}
	t.add(first, u.cpu.String(), u.kb.String(), u.peak.String(), u.other.String())
	r.say("%d clients, %d bytes: %s ms CPU an event, %s MB at most", clients, size, u.cpu, u.peak)
	return nil
}

// measure adds a round.
func (u *use) measure(ctx context.Context, r *run, o load.Options) error {
	on, err := r.cloud(ctx, 5*time.Millisecond, 0)
	if err != nil {
		return err
	}
	defer on.process.Close()
	p, err := programs.Start(ctx, r.programs[asDeployed], "", []string{
		"STORAGE_EMULATOR_HOST=" + on.process.Addr, "GCS_BUCKET=" + bucketName, "ERASE_SOURCES=", "GOMEMLIMIT=512MiB"})
	if err != nil {
		return err
	}
	defer p.Close()
	o.Addr = p.Addr
	result, err := load.Run(ctx, o)
	if err != nil {
		return err
	}
	used, err := p.Used(ctx)
	if err != nil {
		return err
	}
	its, err := on.process.Used(ctx)
	if err != nil {
		return err
	}
	events := float64(result.Events)
	u.cpu, u.kb = append(u.cpu, used.CPU/events*1000), append(u.kb, float64(used.Bytes)/events/1000)
	u.peak, u.other = append(u.peak, float64(used.PeakRSS)/1e6), append(u.other, float64(its.PeakRSS)/1e6)
	return nil
}
