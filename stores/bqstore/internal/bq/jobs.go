package bq

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"cloud.google.com/go/bigquery"
	"google.golang.org/api/googleapi"

	"example.com/eventdriver/driver"
)

// StartWithin is the usual [DB.StartWithin].
const StartWithin = 30 * time.Second

// cancelWithin is how long the requests to cancel a job may take.
const cancelWithin = 5 * time.Second

// queuedText is in the failure of a statement that began too late.
const queuedText = "queued for too long, or the clock of its writer is slow"

// Insert takes slot n of the log by inserting a row, and returns when that can be read, or
// ErrRefused. The statement is run by a job whose ID is made from the slot: BigQuery takes
// an ID once, so exactly one writer gets the slot. If the job fails, the slot is burned: who
// comes next finds that out. A job that the caller has stopped to wait for is cancelled, and
// writes no row later. After [DB.patience], those who can't ask for the job take the slot for
// one without a row, so then a success counts only if the log says so, too.
func (db *DB) Insert(ctx context.Context, l Log, n int64, row Row) error {
	location, err := db.Locate(ctx, l.Table)
	if err != nil {
		return err
	}
	begun := time.Now()
	until := begun.Add(db.StartWithin)
	if end, ok := ctx.Deadline(); ok {
		until = earlier(until, end.Add(-min(db.StartWithin/3, time.Until(end)/2)))
	}
	q := db.insertion(l.Table, row, until)
	q.JobID, q.Location = db.JobID(l, n), location
	writer := strings.ToLower(rand.Text())
	q.Labels = map[string]string{writerLabel: writer}
	job, err := q.Run(ctx)
	if isStatus(err, http.StatusConflict) {
		return ErrRefused
	}
	if err == nil {
		var failure error
		if failure, err = db.results(ctx, job, until); failure != nil {
			return queued(failure)
		}
	}
	if err == nil && time.Since(begun) > db.patience() {
		return ErrRefused
	}
	if errors.Is(err, ErrQueued) || ctx.Err() != nil {
		db.cancel(q.JobID, location, writer)
	}
	return queued(plain(ctx, err))
}

// patience is how long after its beginning an insert has ended, for those who can't ask for
// its job.
func (db *DB) patience() time.Duration { return db.StartWithin + db.StartWithin/3 }

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}

// insertion is the statement that inserts a row, unless it begins later than until. Its
// time is by BigQuery's clock. The emulator wants parameters in the order in which they are
// used, and finds no row that was inserted with a NULL among the values: it is left out of row.
func (db *DB) insertion(table string, row Row, until time.Time) *bigquery.Query {
	columns := slices.Sorted(maps.Keys(row))
	values := make([]string, len(columns))
	parameters := make([]any, 0, 2*len(row)+2)
	for i, name := range columns {
		value := row[name]
		values[i] = "@" + name
		if content, ok := value.([]byte); ok {
			values[i], value = "FROM_BASE64(@"+name+")", base64.StdEncoding.EncodeToString(content)
		}
		parameters = append(parameters, name, value)
	}
	parameters = append(parameters, "until", until)
	return db.statement("INSERT INTO "+db.Name(table)+" ("+strings.Join(columns, ", ")+", created_at) "+
		"VALUES ("+strings.Join(values, ", ")+", "+
		"IF(CURRENT_TIMESTAMP() < @until, CURRENT_TIMESTAMP(), ERROR('"+queuedText+"')))", parameters...)
}

// results waits for the results of a job, which BigQuery answers when they are there,
// and returns why the job failed, or nil. Of a job that has failed for want of a
// quota, or by an internal error, the client asks for the results on and on, so now
// and then this asks for the job itself. If the job has not begun by until, which may be
// zero, the error is ErrQueued.
func (db *DB) results(ctx context.Context, job *bigquery.Job, until time.Time) (failure, err error) {
	if status := job.LastStatus(); status.Done() {
		return status.Err(), nil
	}
	for {
		part, cancel := context.WithTimeout(ctx, db.StartWithin/6)
		_, err := job.Read(part)
		late := part.Err() != nil
		cancel()
		if err == nil {
			return nil, nil
		}
		if ctx.Err() != nil {
			return nil, plain(ctx, err)
		}
		status, statusErr := job.Status(ctx)
		switch {
		case statusErr != nil:
			return nil, plain(ctx, statusErr)
		case status.Done():
			return status.Err(), nil
		case status.State == bigquery.Pending && !until.IsZero() && time.Now().After(until):
			return nil, ErrQueued
		case !late:
			return nil, plain(ctx, err)
		}
	}
}

// writerLabel is the label that tells a writer's job from that of another for the same slot.
const writerLabel = "writer"

// cancel cancels a writer's job that nobody waits for any more, as far as that is possible: it
// may have ended, and is left alone if it can't be reached. Where the request for it was cut
// off, the slot may have another's job, who still waits.
func (db *DB) cancel(id, location, writer string) {
	db.cancels.Go(func() { _ = driver.Recover(func() error { return db.cancelNow(id, location, writer) }) })
}

func (db *DB) cancelNow(id, location, writer string) error {
	ctx, cancel := context.WithTimeout(context.Background(), cancelWithin)
	defer cancel()
	job, err := db.client.JobFromIDLocation(ctx, id, location)
	if err != nil {
		return err
	}
	config, err := job.Config()
	if q, ok := config.(*bigquery.QueryConfig); err == nil && ok && q.Labels[writerLabel] == writer {
		return job.Cancel(ctx)
	}
	return err
}

// ErrQueued: BigQuery runs few statements that write to a table at once, and some in ten
// seconds, and queues or refuses the others. Nothing was written.
var ErrQueued = errors.New("BigQuery's queue of statements for the table is long")

// queued adds ErrQueued to an error that says so in BigQuery's words.
func queued(err error) error {
	quotas := []string{"quotaExceeded", "rateLimitExceeded", "jobRateLimitExceeded"}
	if err != nil && (slices.Contains(quotas, reasonOf(err)) || strings.Contains(err.Error(), queuedText)) {
		return fmt.Errorf("%w: %w", ErrQueued, err)
	}
	return err
}

// reasonOf is BigQuery's word for why a request or a job failed.
func reasonOf(err error) string {
	var request *googleapi.Error
	var job *bigquery.Error
	switch {
	case errors.As(err, &job):
		return job.Reason
	case errors.As(err, &request) && len(request.Errors) > 0:
		return request.Errors[0].Reason
	}
	return ""
}

func isStatus(err error, code int) bool {
	var e *googleapi.Error
	return errors.As(err, &e) && e.Code == code
}
