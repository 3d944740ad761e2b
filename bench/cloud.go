package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"cloud.google.com/go/storage"
	"google.golang.org/api/option"

	"example.com/eventdriver/bench/bill"
	"example.com/eventdriver/bench/programs"
	"example.com/eventdriver/bench/sample"
	"example.com/eventdriver/bench/straight"
	"example.com/eventdriver/bench/subject"
	"example.com/eventdriver/driver"
	"example.com/eventdriver/driver/cache"
	"example.com/eventdriver/driver/joiner"
	"example.com/eventdriver/proof/instances"
	"example.com/eventdriver/stores/gcsstore"
)

const bucketName = "bench"

// cloud is a Cloud Storage in a process of its own, behind its proxy.
type cloud struct {
	process *programs.Process
	control string
}

func (r *run) cloud(ctx context.Context, delay time.Duration, objects int) (*cloud, error) {
	var ports [2]string
	for i := range ports {
		port, err := instances.FreePort()
		if err != nil {
			return nil, err
		}
		ports[i] = "127.0.0.1:" + port
	}
	p, err := programs.Start(ctx, r.programs["storage"], ports[0], nil, "-addr", ports[0], "-control", ports[1],
		"-bucket", bucketName, "-delay", delay.String(), "-objects", strconv.Itoa(objects))
	return &cloud{p, ports[1]}, err
}

// counts are the requests since they were asked for last.
func (c *cloud) counts(ctx context.Context) (counts bill.Counts, err error) {
	return counts, programs.Get(ctx, c.control, &counts)
}

// options are those of a client of its own, as an instance has it.
func (c *cloud) options() []option.ClientOption {
	at := "http://" + c.process.Addr + "/storage/v1/"
	return []option.ClientOption{option.WithoutAuthentication(), option.WithEndpoint(at)}
}

// handle handles one event.
type handle func(ctx context.Context, key, source string, content []byte) error

// joins is one way to join on Cloud Storage.
type joins struct {
	name string
	// open returns the handler of an instance, which counts in acted, and its client.
	open func(ctx context.Context, on *cloud, sources []string, acted *atomic.Int64) (handle, io.Closer, error)
}

var waysToJoin = []joins{{"this project", openOurs}, {"straightforward", openStraight}}

func openOurs(ctx context.Context, on *cloud, sources []string, acted *atomic.Int64) (handle, io.Closer, error) {
	store, err := gcsstore.New(ctx, gcsstore.Config(bucketName), on.options()...)
	if err != nil {
		return nil, nil, err
	}
	act := driver.HandlerFunc(func(ctx context.Context, m driver.Message, next driver.Next) error {
		acted.Add(1)
		return next(ctx, m)
	})
	p := driver.New(joiner.New(joiner.MatchAll(sources...), store), cache.New(store, cache.SkipOnConflict()), act)
	return func(ctx context.Context, key, source string, content []byte) error {
		return p.Process(ctx, driver.Message{
			ID: source + "-" + key, Key: key, Source: source, Content: content, MediaType: "application/json"})
	}, store, nil
}

func openStraight(ctx context.Context, on *cloud, sources []string, acted *atomic.Int64) (handle, io.Closer, error) {
	client, err := storage.NewClient(ctx, append(on.options(), storage.WithJSONReads())...)
	if err != nil {
		return nil, nil, err
	}
	act := func([]byte) error {
		acted.Add(1)
		return nil
	}
	j := straight.Joiner{Store: straight.Cloud{Bucket: client.Bucket(bucketName)}, Sources: len(sources), Act: act}
	return j.Handle, client, nil
}

// cell is one row of what is measured: joins of n events of size bytes.
type cell struct {
	n, size, instances int
	keys               int // joins a round
	atOnce             int // keys at once
}

// cost is what a join took, each round.
type cost struct {
	a, b, refused, dollars, all sample.Sample
	last, cpu, allocs, kb       sample.Sample // of the last event in ms; of the process in ms, objects, KB
	again, duplicate            sample.Sample // dollars of n late duplicates, and one's time in ms
}

// measure adds a round of one way to join.
func (c cell) measure(ctx context.Context, on *cloud, way joins, prefix string, into *cost) error {
	var acted atomic.Int64
	handles, closeAll, err := c.open(ctx, on, way, &acted)
	defer closeAll()
	if err != nil {
		return err
	}
	content := contentOf(c.size)
	if err := c.warm(ctx, handles, prefix); err != nil {
		return err
	}
	if _, err := on.counts(ctx); err != nil {
		return err
	}
	acted.Store(0)
	before := subject.Self()
	last, err := c.send(ctx, handles, prefix, content)
	if err != nil {
		return err
	}
	after := subject.Self()
	if int(acted.Load()) != c.keys {
		return fmt.Errorf("%s acted %d times on %d keys", way.name, acted.Load(), c.keys)
	}
	counts, err := on.counts(ctx)
	if err != nil {
		return err
	}
	into.last = append(into.last, last)
	into.count(counts, float64(c.keys))
	into.use(before, after, float64(c.keys))
	return c.duplicates(ctx, on, handles, prefix, content, into)
}

// open opens the instances, which count in acted. closeAll closes those that were opened.
func (c cell) open(
	ctx context.Context, on *cloud, way joins, acted *atomic.Int64,
) (handles []handle, closeAll func(), err error) {
	var clients []io.Closer
	closeAll = func() {
		for _, client := range clients {
			_ = client.Close()
		}
	}
	for range c.instances {
		handle, client, err := way.open(ctx, on, sourcesOf(c.n), acted)
		if err != nil {
			return nil, closeAll, err
		}
		handles, clients = append(handles, handle), append(clients, client)
	}
	return handles, closeAll, nil
}

// warm has each instance keep two events of some keys, so that its connections are open.
func (c cell) warm(ctx context.Context, handles []handle, prefix string) error {
	for i := range handles {
		one := cell{n: 2, keys: c.atOnce, atOnce: c.atOnce}
		if _, err := one.send(ctx, handles[i:i+1], fmt.Sprintf("%swarm-%d-", prefix, i), []byte("1")); err != nil {
			return err
		}
	}
	return nil
}

// use adds what this process has used for that many joins.
func (c *cost) use(before, after subject.Usage, joins float64) {
	c.cpu = append(c.cpu, (after.CPU-before.CPU)/joins*1000)
	c.allocs = append(c.allocs, float64(after.Mallocs-before.Mallocs)/joins)
	c.kb = append(c.kb, float64(after.Bytes-before.Bytes)/joins/1000)
}

// count adds the requests of that many joins.
func (c *cost) count(counts bill.Counts, keys float64) {
	c.a = append(c.a, float64(counts.A)/keys)
	c.b = append(c.b, float64(counts.B)/keys)
	c.refused = append(c.refused, float64(counts.Refused)/keys)
	c.dollars = append(c.dollars, counts.Dollars()/keys)
	c.all = append(c.all, counts.DollarsOfAll()/keys)
}

// mostLate is how many of a key's events are sent once more: each costs the same, and at many large ones
// the straightforward implementation would take minutes.
const mostLate = 3

// duplicates sends events once more, each to the next instance.
func (c cell) duplicates(
	ctx context.Context, on *cloud, handles []handle, prefix string, content []byte, into *cost,
) error {
	late := c
	late.n = min(c.n, mostLate)
	one, err := late.send(ctx, handles, prefix, content)
	if err != nil {
		return err
	}
	counts, err := on.counts(ctx)
	if err != nil {
		return err
	}
	into.again = append(into.again, counts.Dollars()/float64(c.keys*late.n)*float64(c.n))
	into.duplicate = append(into.duplicate, one)
	return nil
}

// send sends the events of all keys, those of one key one after the other, and returns the median
// time of the last events of keys in ms.
func (c cell) send(ctx context.Context, handles []handle, prefix string, content []byte) (last float64, err error) {
	keys := make(chan int, c.keys)
	for key := range c.keys {
		keys <- key
	}
	close(keys)
	var (
		wait  sync.WaitGroup
		mu    sync.Mutex
		times sample.Sample
	)
	for range c.atOnce {
		wait.Go(func() {
			for key := range keys {
				took, failed := c.join(ctx, handles, prefix+strconv.Itoa(key), key, content)
				mu.Lock()
				times = append(times, milliseconds(took))
				err = errors.Join(err, failed)
				mu.Unlock()
			}
		})
	}
	wait.Wait()
	return times.Median(), err
}

// join sends the events of a key, each to the next instance, and returns the time of the last.
func (c cell) join(
	ctx context.Context, handles []handle, key string, first int, content []byte,
) (last time.Duration, err error) {
	for i, source := range sourcesOf(c.n) {
		begun := time.Now()
		if err := handles[(first+i)%len(handles)](ctx, key, source, content); err != nil {
			return 0, fmt.Errorf("key %s, source %s: %w", key, source, err)
		}
		last = time.Since(begun)
	}
	return last, nil
}

// contentOf is a JSON string of size bytes.
func contentOf(size int) []byte {
	return append(append([]byte{'"'}, bytes.Repeat([]byte("0123456789"), size/10)[:size-2]...), '"')
}
