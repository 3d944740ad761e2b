package bigquery_test

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"cloud.google.com/go/bigquery"
	"google.golang.org/api/googleapi"
	"google.golang.org/api/iterator"
	"google.golang.org/api/option"

	fake "example.com/eventdriver/internal/fake/bigquery"
)

// client is Google's client of a server with a table of numbers and words.
func client(t *testing.T) (*fake.Server, *bigquery.Client) {
	t.Helper()
	s := fake.New(t)
	c, err := bigquery.NewClient(t.Context(), "project", option.WithEndpoint("http://"+s.Host()), option.WithoutAuthentication())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	if err := c.Dataset("d").Create(t.Context(), &bigquery.DatasetMetadata{Location: "EU"}); err != nil {
		t.Fatal(err)
	}
	if err := c.Dataset("d").Table("t").Create(t.Context(), &bigquery.TableMetadata{Schema: bigquery.Schema{
		{Name: "n", Type: bigquery.IntegerFieldType, Required: true},
		{Name: "word", Type: bigquery.StringFieldType},
		{Name: "at", Type: bigquery.TimestampFieldType},
	}}); err != nil {
		t.Fatal(err)
	}
	return s, c
}

const insert = "INSERT INTO `project.d.t` (n, word, at) VALUES (@n, @word, CURRENT_TIMESTAMP())"

// begin begins a job that inserts n.
func begin(ctx context.Context, c *bigquery.Client, id string, n int) (*bigquery.Job, error) {
	q := c.Query(insert)
	q.JobID, q.Location = id, "EU"
	q.Parameters = []bigquery.QueryParameter{{Name: "n", Value: n}, {Name: "word", Value: "x"}}
	return q.Run(ctx)
}

// read runs a statement and returns its rows.
func read(t *testing.T, c *bigquery.Client, sql string, parameters ...bigquery.QueryParameter) (rows [][]bigquery.Value, err error) {
	t.Helper()
	q := c.Query(sql)
	q.Parameters = parameters
	all, err := q.Read(t.Context())
	if err != nil {
		return nil, err
	}
	for {
		var r []bigquery.Value
		switch err := all.Next(&r); {
		case errors.Is(err, iterator.Done):
			return rows, nil
		case err != nil:
			return nil, err
		}
		rows = append(rows, r)
	}
}

// outcome waits for a job and returns why it failed, or nil.
func outcome(ctx context.Context, job *bigquery.Job) error {
	is, err := job.Wait(ctx)
	if err != nil {
		return err
	}
	return is.Err()
}

func status(err error) int {
	var e *googleapi.Error
	if errors.As(err, &e) {
		return e.Code
	}
	return 0
}

func TestStatements(t *testing.T) {
	_, c := client(t)
	for _, r := range []struct {
		n    int
		word any
	}{{1, "b"}, {2, "a"}, {3, bigquery.NullString{}}, {4, "a"}} {
		if _, err := read(t, c, insert, bigquery.QueryParameter{Name: "n", Value: r.n}, bigquery.QueryParameter{Name: "word", Value: r.word}); err != nil {
			t.Fatal(err)
		}
	}
	for sql, want := range map[string][]any{
		"SELECT n FROM `project.d.t`":                                                {1, 2, 3, 4},
		"SELECT n FROM `project.d.t` WHERE word = 'a'":                               {2, 4},
		"SELECT n FROM `project.d.t` WHERE word != 'a'":                              {1}, // NULL is neither
		"SELECT n FROM `project.d.t` WHERE IFNULL(word, '') = '' OR n <= 1":          {1, 3},
		"SELECT n FROM `project.d.t` WHERE word IN ('b', 'c') AND (n = 1)":           {1},
		"SELECT n FROM `project.d.t` WHERE n >= @least ORDER BY n DESC LIMIT 2":      {4, 3},
		"SELECT IFNULL(word, 'none') AS word FROM `project.d.t` ORDER BY word":       {"none", "a", "a", "b"},
		"SELECT n FROM `project.d.t` QUALIFY n = MAX(n) OVER (PARTITION BY word)":    {1, 3, 4},
		"SELECT TIMESTAMP_DIFF(at, at, MILLISECOND) AS d FROM `project.d.t` LIMIT 1": {0},
		"SELECT 1": {1},
		"SELECT IF(n < 3, n, 0) AS m FROM `project.d.t`":                                                                                        {1, 2, 0, 0},
		"SELECT IFNULL(CASE word WHEN 'a' THEN 1 WHEN 'b' THEN 2 END, 0) AS m FROM `project.d.t`":                                               {2, 1, 0, 1},
		"SELECT COUNT(DISTINCT word) OVER () AS m FROM `project.d.t` WHERE n > 1 QUALIFY n = MAX(n) OVER (PARTITION BY 1)":                      {1},
		"SELECT n FROM `project.d.t` WHERE n < 4 AND NOT STARTS_WITH(word, 'a')":                                                                {1}, // NULL is neither
		"SELECT n FROM `project.d.t` WHERE word IS NULL":                                                                                        {3},
		"SELECT n FROM `project.d.t` WHERE word IS NOT NULL AND STARTS_WITH(word, 'a')":                                                         {2, 4},
		"SELECT MIN(n) OVER (PARTITION BY word, n > 3) AS m FROM `project.d.t`":                                                                 {1, 2, 3, 4},
		"SELECT MIN(n) OVER (PARTITION BY word) AS m FROM `project.d.t` WHERE n != 3":                                                           {1, 2, 2},
		"SELECT COUNT(*) OVER () AS m FROM `project.d.t` WHERE n > 1 ORDER BY n LIMIT 2":                                                        {3, 3},
		"SELECT n FROM `project.d.t` WHERE n NOT IN (SELECT n FROM `project.d.t` WHERE word = 'a' QUALIFY n = MAX(n) OVER (PARTITION BY word))": {1, 2, 3},
		"SELECT m FROM (SELECT n AS m FROM `project.d.t` UNION DISTINCT SELECT n FROM `project.d.t` WHERE n > @least) ORDER BY m DESC LIMIT 3":  {4, 3, 2},
		"SELECT word FROM (SELECT word FROM `project.d.t` WHERE n > 1 UNION DISTINCT SELECT 'c' AS word) WHERE word IS NOT NULL ORDER BY word":  {"a", "c"},
		"SELECT IF(n > 0, n, ERROR('x')) AS m FROM `project.d.t` WHERE n = 1":                                                                   {1},
	} {
		rows, err := read(t, c, sql, bigquery.QueryParameter{Name: "least", Value: 2})
		if err != nil || len(rows) != len(want) {
			t.Errorf("%s: %v, %v; want %v", sql, rows, err, want)
			continue
		}
		for i, r := range rows {
			is := r[0]
			if n, ok := is.(int64); ok {
				is = int(n)
			}
			if is != want[i] {
				t.Errorf("%s: row %d is %v, want %v", sql, i, is, want[i])
			}
		}
	}
	if _, err := read(t, c, "DELETE FROM `project.d.t` WHERE n < 3"); err != nil {
		t.Error(err)
	}
	if rows, err := read(t, c, "SELECT n FROM `project.d.t`"); err != nil || len(rows) != 2 {
		t.Errorf("after DELETE: %v, %v; want two rows", rows, err)
	}
}

func TestWrongStatements(t *testing.T) {
	_, c := client(t)
	for sql, says := range map[string]string{
		"UPDATE `project.d.t` SET n = 1 WHERE TRUE":                           "more than the fake knows",
		"SELECT n FROM `project.d.t` WHERE n LIKE 'x'":                        "more than the fake knows",
		"SELECT n FROM (SELECT n FROM `project.d.t` UNION ALL SELECT 1 AS n)": "more than the fake knows",
		"SELECT n FROM `project.d.t` GROUP BY n":                              "more than the fake knows",
		"SELECT COUNT(n) FROM `project.d.t`":                                  "more than the fake knows",
		"SELECT n FROM `project.d.missing`":                                   "Not found: Table project.d.missing",
		"SELECT n FROM `project.d.t` ORDER BY m":                              "Unrecognized name: m",
		"INSERT INTO `project.d.t` (n) VALUES (ERROR('x'))":                   "x",
		"INSERT INTO `project.d.t` (m) VALUES (1)":                            "Column m is not present",
		"INSERT INTO `project.d.t` (word) VALUES ('x')":                       "Required field n cannot be null",
		"INSERT INTO `project.d.t` (n) VALUES ('x')":                          "cannot be inserted into column n",
		"INSERT INTO `project.d.t` (n) VALUES (@n)":                           "parameter 'n' not found",
		"INSERT INTO `project.d.t` (n, word) VALUES (1)":                      "more than the fake knows",
		"INSERT INTO `project.d.t` (n, word) VALUES (1, 2":                    "more than the fake knows",
	} {
		if rows, err := read(t, c, sql); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: %v, %v; want it to say %q", sql, rows, err, says)
		}
	}
}

// An ID is taken for good, whatever became of its job.
func TestIDIsTakenOnce(t *testing.T) {
	s, c := client(t)
	s.OnJob(func(j fake.Job) fake.Fate {
		if j.ID == "fails" {
			return fake.Fate{Failure: "resourcesExceeded"}
		}
		return fake.Fate{}
	})
	for _, id := range []string{"works", "fails"} {
		job, err := begin(t.Context(), c, id, 1)
		if err != nil {
			t.Fatal(err)
		}
		if err := outcome(t.Context(), job); (err == nil) != (id == "works") {
			t.Errorf("%s: %v", id, err)
		}
		if _, err := begin(t.Context(), c, id, 2); status(err) != http.StatusConflict {
			t.Errorf("%s again: %v; want 409", id, err)
		}
	}
	if rows, err := read(t, c, "SELECT n FROM `project.d.t`"); err != nil || len(rows) != 1 {
		t.Errorf("%v, %v; want one row", rows, err)
	}
}

// One statement inserts, one waits behind it, and a third is refused. A job that is
// cancelled while it waits has no effect.
func TestInsertsQueue(t *testing.T) {
	s, c := client(t)
	s.LimitInserts(1, 1)
	running, hold := make(chan string, 3), make(chan struct{})
	s.OnJob(func(j fake.Job) fake.Fate {
		running <- j.ID
		return fake.Fate{Hold: hold}
	})
	jobs := make([]*bigquery.Job, 3)
	for i, id := range []string{"first", "second", "third"} {
		var err error
		if jobs[i], err = begin(t.Context(), c, id, i); err != nil {
			t.Fatal(err)
		}
	}
	if id := <-running; id != "first" {
		t.Errorf("%s runs", id)
	}
	for i, want := range []bigquery.State{bigquery.Running, bigquery.Pending, bigquery.Done} {
		if is, err := jobs[i].Status(t.Context()); err != nil || is.State != want {
			t.Errorf("job %d: %+v, %v; want state %v", i, is, err, want)
		}
	}
	if is, err := jobs[2].Status(t.Context()); err != nil || is.Err() == nil || !strings.Contains(is.Err().Error(), "Quota exceeded") {
		t.Errorf("the third: %v, %v; want a failure for want of a quota", is.Err(), err)
	}
	if err := jobs[1].Cancel(t.Context()); err != nil {
		t.Error(err)
	}
	if err := outcome(t.Context(), jobs[1]); err == nil || !strings.Contains(err.Error(), "cancelled") {
		t.Errorf("the second: %v; want it to be cancelled", err)
	}
	close(hold)
	if err := outcome(t.Context(), jobs[0]); err != nil {
		t.Errorf("the first: %v", err)
	}
	s.OnJob(nil)
	last, err := begin(t.Context(), c, "last", 7) // the cancelled one has left the queue
	if err != nil {
		t.Fatal(err)
	}
	if err := outcome(t.Context(), last); err != nil {
		t.Errorf("the last: %v", err)
	}
	if rows, err := read(t, c, "SELECT n FROM `project.d.t`"); err != nil || len(rows) != 2 || rows[0][0] != int64(0) || rows[1][0] != int64(7) {
		t.Errorf("%v, %v; want the rows of the first and the last", rows, err)
	}
}

// A job can be asked for by its own account only; that it is there, others learn as well.
func TestJobOfAnotherAccount(t *testing.T) {
	s, _ := client(t)
	as := func(account, method, path, body string) int {
		r, err := http.NewRequestWithContext(t.Context(), method, "http://"+s.Host()+"/projects/project/jobs"+path, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Authorization", "Bearer "+account)
		response, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		response.Body.Close()
		return response.StatusCode
	}
	const job = `{"jobReference": {"jobId": "j", "location": "EU"}, "configuration": {"query": {"query": "SELECT 1"}}}`
	for i, got := range []int{as("a", "POST", "", job), as("a", "GET", "/j", ""), as("b", "GET", "/j", ""), as("b", "POST", "", job), as("b", "GET", "/k", "")} {
		if want := []int{200, 200, 403, 409, 404}[i]; got != want {
			t.Errorf("request %d: %d, want %d", i, got, want)
		}
	}
}

func TestInsertAll(t *testing.T) {
	_, c := client(t)
	add := func(values map[string]bigquery.Value) error {
		return c.Dataset("d").Table("t").Inserter().Put(t.Context(), &bigquery.ValuesSaver{
			Schema: bigquery.Schema{{Name: "n"}, {Name: "word"}}, InsertID: "the same", Row: []bigquery.Value{values["n"], values["word"]}})
	}
	for range 2 { // the service may add the second or not
		if err := add(map[string]bigquery.Value{"n": 5, "word": "x"}); err != nil {
			t.Error(err)
		}
	}
	if err := add(map[string]bigquery.Value{"n": "five"}); err == nil {
		t.Error("a word is taken for a number")
	}
	if rows, err := read(t, c, "SELECT n FROM `project.d.t`"); err != nil || len(rows) != 2 {
		t.Errorf("%v, %v; want two rows", rows, err)
	}
}

// A request is refused, or its answer is lost.
func TestFaultsOfRequests(t *testing.T) {
	s, c := client(t)
	faults := []fake.Fault{{Status: http.StatusServiceUnavailable, Reason: "backendError"}, {Drop: true}}
	var requests atomic.Int64
	s.OnRequest(func(r fake.Request) fake.Fault {
		if n := requests.Add(1); int(n) <= len(faults) {
			return faults[n-1]
		}
		return fake.Fault{}
	})
	if _, err := read(t, c, "INSERT INTO `project.d.t` (n) VALUES (1)"); err == nil || int(requests.Load()) != len(faults) {
		t.Errorf("%v after %d requests; want the client to try again, and the answer to be lost", err, requests.Load())
	}
	s.OnRequest(nil)
	if rows, err := read(t, c, "SELECT n FROM `project.d.t`"); err != nil || len(rows) != 1 {
		t.Errorf("%v, %v; want one row", rows, err)
	}
}

// A statement that is sent again with its request ID runs once.
func TestRequestID(t *testing.T) {
	s, c := client(t)
	for range 2 {
		response, err := http.Post("http://"+s.Host()+"/bigquery/v2/projects/project/queries", "application/json",
			strings.NewReader(`{"query": "INSERT INTO `+"`project.d.t`"+` (n) VALUES (1)", "requestId": "r"}`))
		if err != nil {
			t.Fatal(err)
		}
		response.Body.Close()
		if response.StatusCode != http.StatusOK {
			t.Error(response.Status)
		}
	}
	if rows, err := read(t, c, "SELECT n FROM `project.d.t`"); err != nil || len(rows) != 1 {
		t.Errorf("%v, %v; want one row", rows, err)
	}
}
