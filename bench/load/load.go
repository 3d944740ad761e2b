// Package load sends events to a function over connections of its own, with as little work for
// each request as it takes, so that the machine is left to what is measured.
package load

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strconv"
	"sync"
	"time"
)

// Options say what is sent.
type Options struct {
	Addr    string // host and port
	Clients int    // at once; each sends one event after the other
	For     time.Duration
	Sources []string // each key gets an event of each of them, in this order
	Content []byte   // of each event, in JSON
	Prefix  string   // of the keys
	Joins   int      // that each client sends at most; 0: as many as there is time for
}

// Result is what came of it.
type Result struct {
	Events  int
	Seconds float64
	Delays  []time.Duration // of all requests, ordered
}

// Rate is events a second.
func (r Result) Rate() float64 { return float64(r.Events) / r.Seconds }

// Percentile returns the delay that p of 100 requests did not exceed.
func (r Result) Percentile(p float64) time.Duration {
	if len(r.Delays) == 0 {
		return 0
	}
	return r.Delays[min(int(p/100*float64(len(r.Delays))), len(r.Delays)-1)]
}

// Run sends events until the time is up. An answer other than 2xx is an error.
func Run(ctx context.Context, o Options) (Result, error) {
	var (
		wait   sync.WaitGroup
		mu     sync.Mutex
		all    Result
		failed error
	)
	begun := time.Now()
	end := begun.Add(o.For)
	for n := range o.Clients {
		wait.Go(func() {
			c := client{Options: o, prefix: fmt.Sprintf("%s-%d-", o.Prefix, n), end: end}
			err := c.run(ctx)
			mu.Lock()
			defer mu.Unlock()
			all.Delays = append(all.Delays, c.delays...)
			failed = errors.Join(failed, err)
		})
	}
	wait.Wait()
	all.Seconds, all.Events = time.Since(begun).Seconds(), len(all.Delays)
	slices.Sort(all.Delays)
	return all, failed
}

type client struct {
	Options
	prefix string
	end    time.Time
	delays []time.Duration
}

func (c *client) run(ctx context.Context) error {
	var dialer net.Dialer
	connection, err := dialer.DialContext(ctx, "tcp", c.Addr)
	if err != nil {
		return err
	}
	defer connection.Close()
	defer context.AfterFunc(ctx, func() { connection.Close() })()
	answers := bufio.NewReader(connection)
	var request []byte
	for join := 0; (c.Joins == 0 || join < c.Joins) && (c.For == 0 || time.Now().Before(c.end)); join++ {
		key := c.prefix + strconv.Itoa(join)
		for _, source := range c.Sources {
			request = appendEvent(request[:0], source, key, c.Content)
			begun := time.Now()
			if _, err := connection.Write(request); err != nil {
				return err
			}
			if err := readAnswer(answers); err != nil {
				return fmt.Errorf("key %s, source %s: %w", key, source, err)
			}
			c.delays = append(c.delays, time.Since(begun))
		}
	}
	return nil
}

// appendEvent appends a request with a CloudEvent in binary mode.
func appendEvent(b []byte, source, key string, content []byte) []byte {
	b = append(b, "POST / HTTP/1.1\r\nHost: function\r\nContent-Type: application/json\r\nCe-Specversion: 1.0\r\n"+
		"Ce-Type: com.example.order\r\nCe-Time: 2026-11-01T12:00:00Z\r\nCe-Source: "...)
	b = append(b, source...)
	b = append(b, "\r\nCe-Id: "...)
	b = append(append(append(b, source...), '-'), key...)
	b = append(b, "\r\nCe-Subject: "...)
	b = append(b, key...)
	b = append(b, "\r\nContent-Length: "...)
	b = strconv.AppendInt(b, int64(len(content)), 10)
	b = append(b, "\r\n\r\n"...)
	return append(b, content...)
}

// readAnswer reads an answer to its end.
func readAnswer(r *bufio.Reader) error {
	line, err := r.ReadSlice('\n')
	if err != nil {
		return err
	}
	if len(line) < 12 || line[9] != '2' {
		return fmt.Errorf("answered %.60q", line)
	}
	length := 0
	for {
		if line, err = r.ReadSlice('\n'); err != nil {
			return err
		}
		if len(line) <= 2 {
			break
		}
		if name, value, ok := bytes.Cut(line, []byte(": ")); ok && bytes.EqualFold(name, []byte("Content-Length")) {
			if length, err = strconv.Atoi(string(bytes.TrimSpace(value))); err != nil {
				return err
			}
		}
	}
	_, err = r.Discard(length)
	return err
}
