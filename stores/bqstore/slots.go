package bqstore

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"cloud.google.com/go/bigquery"
	"google.golang.org/api/googleapi"
)

var (
	// errRefused: the slot is another's, or burned, or its row has expired. Read
	// the log again and go on behind its end and behind this slot.
	errRefused = errors.New("the slot was used before")
	// errRecreated: the table is another than before. Begin again.
	errRecreated = errors.New("the table was created anew")
	errChanging  = errors.New("other writers kept changing it")
)

// attempts is how many slots an operation tries.
const attempts = 100

// identity is what tells a table from one that had its name before.
type identity struct{ incarnation, location string }

// known is an identity that was asked for.
type known struct {
	identity
	at time.Time
}

// identityFor is for how long an identity is taken for granted by reads.
const identityFor = time.Minute

// log is a sequence of rows: those of a key, or of a key and source, in a table.
type log struct {
	table string
	names []string
}

// jobID is the name of the lock on slot n of the log.
func (s *Store) jobID(l log, incarnation string, n int64) string {
	h := sha256.New()
	for _, part := range append([]string{s.settings.dataset, l.table, incarnation, fmt.Sprint(n)}, l.names...) {
		fmt.Fprintf(h, "%d:%s", len(part), part)
	}
	return "eventdriver-" + hex.EncodeToString(h.Sum(nil))
}

// identify returns the table's identity: the one that was asked for a short time ago,
// or else the table's own.
func (s *Store) identify(ctx context.Context, table string) (id identity, asked bool, err error) {
	s.mu.Lock()
	last, found := s.tables[table]
	s.mu.Unlock()
	if found && time.Since(last.at) < identityFor {
		return last.identity, false, nil
	}
	id, err = s.askIdentity(ctx, table)
	return id, true, err
}

func (s *Store) askIdentity(ctx context.Context, table string) (identity, error) {
	meta, err := s.client.Dataset(s.settings.dataset).Table(table).Metadata(ctx)
	if err != nil {
		return identity{}, fmt.Errorf("table %s: %w", table, plain(ctx, err))
	}
	if p := meta.TimePartitioning; p != nil && p.Expiration > 0 && p.Expiration < s.settings.expiration() {
		return identity{}, fmt.Errorf("table %s: its partitions expire after %v, and rows must be kept for %v, the retention and a day: "+
			"raise partition_expiration_days of the table, or lower the retention", table, p.Expiration, s.settings.expiration())
	}
	id := identity{
		incarnation: fmt.Sprintf("%s-%d", meta.Labels[incarnationLabel], meta.CreationTime.UnixMilli()),
		location:    s.settings.location,
	}
	if id.location == "" {
		id.location = meta.Location
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.tables[table] = known{id, time.Now()}
	return id, nil
}

// append takes slot n of the log by inserting a row, or returns errRefused. The
// statement is run by a job whose ID is made from the slot: BigQuery takes an ID
// once, so exactly one writer gets the slot. Meanwhile it is asked whether the
// table is still the one whose incarnation is in the ID: dropping a table frees
// no IDs, and IDs of the old one would not exclude those of the new one.
//
// read is the incarnation in which the slots before n were read; empty: they were
// not. It returns the one in which the slot was taken.
func (s *Store) append(ctx context.Context, l log, read string, n int64, sql string, parameters ...any) (incarnation string, err error) {
	id, fresh, err := s.identify(ctx, l.table)
	if err != nil {
		return "", err
	}
	if read != "" && read != id.incarnation {
		return "", errRecreated
	}
	type answer struct {
		id  identity
		err error
	}
	now := make(chan answer, 1)
	if fresh {
		now <- answer{id, nil}
	} else {
		go func() {
			id, err := s.askIdentity(ctx, l.table)
			now <- answer{id, err}
		}()
	}
	q := s.client.Query(sql)
	q.Parameters = params(append(parameters, "seq", n, "incarnation", id.incarnation)...)
	q.JobID, q.Location = s.jobID(l, id.incarnation, n), id.location
	err = s.insert(ctx, q)
	switch checked := <-now; {
	case checked.err != nil:
		return "", errors.Join(checked.err, err)
	case checked.id != id:
		return "", errRecreated
	}
	return id.incarnation, err
}

// insert runs an INSERT under its job ID, and waits until its row can be read.
func (s *Store) insert(ctx context.Context, q *bigquery.Query) error {
	nonce := strings.ToLower(rand.Text())
	q.Labels = map[string]string{"write": nonce}
	job, err := q.Run(ctx)
	if isStatus(err, http.StatusConflict) {
		return s.refused(ctx, q, nonce)
	}
	if err != nil {
		return plain(ctx, err)
	}
	failure := job.LastStatus().Err()
	if failure == nil {
		failure, err = s.results(ctx, job)
	}
	if err != nil {
		return err
	}
	return failure // the slot is burned then: who comes next finds that out
}

// refused finds out what the job is that has the ID already. It may be this very
// insert, whose first answer was lost; the nonce in its labels tells.
func (s *Store) refused(ctx context.Context, q *bigquery.Query, nonce string) error {
	job, err := s.client.JobFromIDLocation(ctx, q.JobID, q.Location)
	if err != nil {
		return plain(ctx, err)
	}
	config, err := job.Config()
	if err != nil {
		return err
	}
	failure, err := s.ended(ctx, job) // its row can be read then, or will never be
	if err != nil {
		return err
	}
	insert, ok := config.(*bigquery.QueryConfig)
	if ok && insert.Labels["write"] == nonce {
		return failure
	}
	return errRefused
}

func isStatus(err error, code int) bool {
	var e *googleapi.Error
	return errors.As(err, &e) && e.Code == code
}

// position is where an operation writes next. It only ever moves to a slot when
// the one before is known to be used, so the slots of a log have no gaps that
// somebody could still take.
type position struct{ tried, slots int64 }

// after returns the slot to write to, given the log's end.
func (p *position) after(end int64) (int64, error) {
	if p.slots++; p.slots > attempts {
		return 0, errChanging
	}
	p.tried = max(p.tried, end) + 1
	return p.tried, nil
}

// again says whether err is one after which the operation looks at the log again.
func (p *position) again(err error) bool {
	if errors.Is(err, errRecreated) {
		p.tried = 0
		return true
	}
	return errors.Is(err, errRefused)
}

// reread reads the log again after errRefused. The slot that was refused may have no
// row to be read, because it is burned or its row has expired; then the position
// moves behind all such slots, and the log is read once more, since their jobs may
// have ended in between.
func (s *Store) reread(ctx context.Context, at *position, l log, read func() (end int64, err error)) error {
	for {
		end, err := read()
		if err != nil || end >= at.tried {
			return err
		}
		used, err := s.lastUsed(ctx, l, at.tried)
		if err != nil || used == at.tried {
			return err
		}
		at.tried = used
	}
}

// lastUsed returns the last slot that is used, given one that is. The slots of a
// log are used one after another, so it looks twice as far each time, until there
// is a free one, and then in between. The job of the last one has ended when it
// returns.
func (s *Store) lastUsed(ctx context.Context, l log, used int64) (int64, error) {
	id, _, err := s.identify(ctx, l.table)
	if err != nil {
		return 0, err
	}
	var last *bigquery.Job
	isUsed := func(n int64) (bool, error) {
		job, err := s.client.JobFromIDLocation(ctx, s.jobID(l, id.incarnation, n), id.location)
		if isStatus(err, http.StatusNotFound) {
			return false, nil
		}
		if err == nil {
			used, last = n, job
		}
		return err == nil, plain(ctx, err)
	}
	var free int64
	for step := int64(1); ; step *= 2 {
		free = used + step
		if found, err := isUsed(free); err != nil {
			return 0, err
		} else if !found {
			break
		}
	}
	for used+1 < free {
		middle := (used + free) / 2
		if found, err := isUsed(middle); err != nil {
			return 0, err
		} else if !found {
			free = middle
		}
	}
	if last == nil {
		return used, nil
	}
	_, err = s.ended(ctx, last)
	return used, err
}

// resultsWithin is how long a job's results are waited for before its status is
// asked for. Most statements take less.
const resultsWithin = 5 * time.Second

// ended waits until a job has ended, and returns why the job failed, or nil.
func (s *Store) ended(ctx context.Context, job *bigquery.Job) (failure, err error) {
	if status := job.LastStatus(); status.Done() {
		return status.Err(), nil
	}
	return s.results(ctx, job)
}

// results waits for the results of a job, which BigQuery answers when they are there,
// and returns why the job failed, or nil. Of a job that has failed for want of a
// quota, or by an internal error, the client asks for the results on and on, so now
// and then this asks for the job itself.
func (s *Store) results(ctx context.Context, job *bigquery.Job) (failure, err error) {
	for {
		part, cancel := context.WithTimeout(ctx, resultsWithin)
		_, err := job.Read(part)
		late := part.Err() != nil
		cancel()
		if err == nil {
			return nil, nil
		}
		if ctx.Err() != nil {
			return nil, plain(ctx, err)
		}
		switch status, statusErr := job.Status(ctx); {
		case statusErr != nil:
			return nil, plain(ctx, statusErr)
		case status.Done():
			return status.Err(), nil
		case !late:
			return nil, plain(ctx, err)
		}
	}
}

// milliseconds rounds a lease up, so that no one ends early.
func milliseconds(d time.Duration) int64 {
	return int64((d + time.Millisecond - 1) / time.Millisecond)
}
