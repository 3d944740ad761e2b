// Package records keeps what happens in a local run: the log records of all instances, what
// became of each delivery, and the requests to the store.
package records

import (
	"context"
	"encoding/json"
	"maps"
	"slices"
	"sync"
	"time"
)

// Kind says what a record is about.
type Kind string

// The kinds.
const (
	Log         Kind = "log"         // an instance has logged it: Message is the log's
	Published   Kind = "published"   // an event was published
	HeldBack    Kind = "held back"   // an event was published and waits to be let go
	Delivered   Kind = "delivered"   // an event was sent to an instance
	Answered    Kind = "answered"    // an instance has acknowledged a delivery
	Redelivered Kind = "redelivered" // a delivery failed, and the event is delivered again
	Store       Kind = "store"       // an instance has sent a request to the store
	Run         Kind = "run"         // the business begins or ends
	Instance    Kind = "instance"    // an instance was started, killed, frozen, thawed, or has ended
	Trouble     Kind = "trouble"     // a trouble was made or cleared
)

// Record is one thing that has happened. It has no contents of events.
type Record struct {
	Seq        int64          `json:"seq"` // grows by one from record to record
	Time       time.Time      `json:"time"`
	Kind       Kind           `json:"kind"`
	Instance   string         `json:"instance,omitempty"` // "": none of them, it was this program
	Severity   string         `json:"severity,omitempty"` // DEBUG, INFO, WARNING or ERROR
	Key        string         `json:"key,omitempty"`
	Source     string         `json:"source,omitempty"`
	Event      string         `json:"event,omitempty"` // the event's ID
	Message    string         `json:"message"`
	Attributes map[string]any `json:"attributes,omitempty"`
}

// line is the record in the form of the function's log.
func (r Record) line() []byte {
	fields := maps.Clone(r.Attributes)
	if fields == nil {
		fields = make(map[string]any)
	}
	for name, value := range map[string]string{"severity": r.Severity, "instance": r.Instance, "key": r.Key, "source": r.Source,
		"event": r.Event, "message": r.Message} {
		if value != "" {
			fields[name] = value
		}
	}
	fields["time"] = r.Time.Format(time.RFC3339Nano)
	text, err := json.Marshal(fields)
	if err != nil {
		text, _ = json.Marshal(map[string]string{"message": r.Message, "error": err.Error()})
	}
	return text
}

// Parse reads a line that an instance has logged. A line that is no JSON object, such as a
// part of a crash's stack, is the message of a record.
func Parse(instance string, line []byte) Record {
	r := Record{Kind: Log, Instance: instance, Time: time.Now()}
	var fields map[string]any
	if json.Unmarshal(line, &fields) != nil || fields == nil {
		r.Message = string(line)
		return r
	}
	text := func(name string) string {
		value, is := fields[name].(string)
		if is {
			delete(fields, name)
		}
		return value
	}
	r.Severity, r.Message, r.Key, r.Source, r.Event = text("severity"), text("message"), text("key"), text("source"), text("event")
	if at, err := time.Parse(time.RFC3339Nano, text("time")); err == nil {
		r.Time = at
	}
	if kind := text(kindAttribute); kind != "" {
		r.Kind = Kind(kind)
	}
	delete(fields, "instance") // it says so itself
	r.Attributes = fields
	return r
}

// kindAttribute is what [Attr] adds to a log record.
const kindAttribute = "kind"

// Attr makes a log record of an instance one of another kind than [Log].
func (k Kind) Attr() (name string, value any) { return kindAttribute, string(k) }

// Journal keeps the last records. Make one with [New]; it is safe for concurrent use, and
// nobody who adds to it waits for those who read.
type Journal struct {
	most int
	tee  func(Record, []byte)

	mu    sync.Mutex
	ring  []Record // the record with number n, from 1, is at (n-1) modulo most
	last  int64
	byKey map[string][]int64 // the numbers of those that are in the ring
	added chan struct{}      // closed by the next record
}

// New returns a journal of the last records, at most that many. Each record and its line, in
// the form of the function's log, is given to tee as it comes, one at a time; nil: to nobody.
func New(most int, tee func(r Record, line []byte)) *Journal {
	return &Journal{most: most, tee: tee, byKey: make(map[string][]int64), added: make(chan struct{})}
}

// Add adds a record. Its number, and its time unless it has one, are the journal's.
func (j *Journal) Add(r Record) { j.add(r, nil) }

func (j *Journal) add(r Record, line []byte) {
	if r.Time.IsZero() {
		r.Time = time.Now()
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	j.last++
	r.Seq = j.last
	j.keep(r)
	close(j.added)
	j.added = make(chan struct{})
	if j.tee == nil {
		return
	}
	if line == nil {
		line = r.line()
	}
	j.tee(r, line)
}

func (j *Journal) keep(r Record) {
	if len(j.ring) < j.most {
		j.ring = append(j.ring, r)
	} else {
		place := &j.ring[(r.Seq-1)%int64(j.most)]
		j.forget(*place)
		*place = r
	}
	if r.Key != "" {
		j.byKey[r.Key] = append(j.byKey[r.Key], r.Seq)
	}
}

func (j *Journal) forget(r Record) {
	switch numbers := j.byKey[r.Key]; {
	case len(numbers) > 1:
		j.byKey[r.Key] = numbers[1:]
	case len(numbers) == 1:
		delete(j.byKey, r.Key)
	}
}

// After returns the records with numbers above seq, the oldest first. It waits until there
// is one. A reader that is too slow finds that numbers are missing.
func (j *Journal) After(ctx context.Context, seq int64) ([]Record, error) {
	for {
		found, added := j.after(seq)
		if len(found) > 0 {
			return found, nil
		}
		select {
		case <-added:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

func (j *Journal) after(seq int64) ([]Record, <-chan struct{}) {
	j.mu.Lock()
	defer j.mu.Unlock()
	first := max(seq+1, j.last-int64(len(j.ring))+1)
	found := make([]Record, 0, max(0, j.last-first+1))
	for n := first; n <= j.last; n++ {
		found = append(found, j.at(n))
	}
	return found, j.added
}

func (j *Journal) at(n int64) Record { return j.ring[(n-1)%int64(j.most)] }

// Last returns the number of the newest record; 0: no record was written.
func (j *Journal) Last() int64 {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.last
}

// OfKey returns the records that are kept of a key, the oldest first.
func (j *Journal) OfKey(key string) []Record {
	j.mu.Lock()
	defer j.mu.Unlock()
	found := make([]Record, 0, len(j.byKey[key]))
	for _, n := range j.byKey[key] {
		found = append(found, j.at(n))
	}
	slices.SortStableFunc(found, func(a, b Record) int { return a.Time.Compare(b.Time) })
	return found
}
