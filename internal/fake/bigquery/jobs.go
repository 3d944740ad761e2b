package bigquery

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"strconv"
	"time"

	bq "google.golang.org/api/bigquery/v2"
)

// Job is a job that is about to run.
type Job struct {
	ID, Project string
	Statement   string
	Cache       bool // an answer to the same statement would do
}

// Fate is what happens to a job. The zero value: it runs at once.
type Fate struct {
	// Hold, if not nil, keeps the job running until it is closed.
	Hold <-chan struct{}
	// Delay is how long the job runs at least.
	Delay time.Duration
	// Failure, if not empty, is the reason for which the job fails, without an effect.
	Failure string
}

// OnJob lets decide choose the fate of each job from now on; nil: nothing unusual. decide is
// called from many goroutines at once, for statements of jobs.query as well.
func (s *Server) OnJob(decide func(Job) Fate) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.onJob = decide
}

// job is a statement that runs or has run. Its project's lock guards state; the rest is
// fixed once done is closed.
type job struct {
	reference *bq.JobReference
	account   string // whose it is: others may not ask for it
	config    *bq.JobConfiguration
	params    map[string]param
	created   time.Time
	cancel    context.CancelFunc
	state     string // PENDING, RUNNING, DONE
	done      chan struct{}
	result    result
	failure   *failure // nil: it has not failed
}

// result is what a statement returns.
type result struct {
	fields   []*bq.TableFieldSchema
	rows     []*bq.TableRow
	affected int64
}

// begin makes a job and runs it beside others. Call it with the project's lock.
func (p *project) begin(account string, reference *bq.JobReference, config *bq.JobConfiguration, params map[string]param) *job {
	ctx, cancel := context.WithCancel(p.server.ended)
	j := &job{reference: reference, account: account, config: config, params: params, created: time.Now(), cancel: cancel, state: "PENDING", done: make(chan struct{})}
	p.jobs[reference.JobId] = j
	st, err := parseStatement(config.Query.Query)
	if err == nil {
		err = st.check(p)
	}
	var turn <-chan struct{}
	var t *table
	if err == nil && st.changes {
		t, _ = p.find(st.table) // it was there when it was checked
		p.server.mu.Lock()
		l := p.server.limit
		p.server.mu.Unlock()
		turn, err = t.queue.enter(l)
	}
	if err != nil {
		j.end(result{}, err)
		return j
	}
	p.server.serving.Go(func() {
		result, err := p.run(ctx, j, st, turn)
		p.mu.Lock()
		defer p.mu.Unlock()
		j.end(result, err)
		if turn != nil {
			go p.leave(t, turn)
		}
	})
	return j
}

// leave ends a job's turn at a table, once it has had it: a job that was cancelled may
// not have.
func (p *project) leave(t *table, turn <-chan struct{}) {
	select {
	case <-turn:
		p.mu.Lock()
		defer p.mu.Unlock()
		t.queue.leave()
	case <-p.server.ended.Done():
	}
}

// run waits until the job may run, and runs its statement.
func (p *project) run(ctx context.Context, j *job, st *statement, turn <-chan struct{}) (result, error) {
	if turn != nil && !pause(ctx, 0, turn) {
		return result{}, fail("stopped", "Job execution was cancelled")
	}
	p.mu.Lock()
	j.state = "RUNNING"
	p.mu.Unlock()
	begun := time.Now() // CURRENT_TIMESTAMP is that of the statement's beginning
	p.server.mu.Lock()
	decide := p.server.onJob
	p.server.mu.Unlock()
	var fate Fate
	if decide != nil {
		fate = decide(Job{ID: j.reference.JobId, Project: p.name, Statement: j.config.Query.Query,
			Cache: j.config.Query.UseQueryCache == nil || *j.config.Query.UseQueryCache})
	}
	if !pause(ctx, fate.Delay, fate.Hold) {
		return result{}, fail("stopped", "Job execution was cancelled")
	}
	if fate.Failure != "" {
		return result{}, fail(fate.Failure, "a failure that was asked for")
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	return st.run(p, j.params, begun)
}

func (j *job) end(r result, err error) {
	j.cancel()
	j.state, j.result = "DONE", r
	if err != nil {
		j.failure = asFailure(err)
	}
	close(j.done)
}

// describe returns the job as jobs.get answers it. Call it with the project's lock.
func (j *job) describe() *bq.Job {
	status := &bq.JobStatus{State: j.state}
	if j.failure != nil {
		status.ErrorResult = &bq.ErrorProto{Reason: j.failure.reason, Message: j.failure.message}
		status.Errors = []*bq.ErrorProto{status.ErrorResult}
	}
	return &bq.Job{JobReference: j.reference, Configuration: j.config, Status: status,
		Statistics: &bq.JobStatistics{CreationTime: j.created.UnixMilli(), StartTime: j.created.UnixMilli(), Query: &bq.JobStatistics2{}}}
}

// param is a named parameter. Google's type does not tell NULL from an empty string.
type param struct {
	Name          string
	ParameterType struct{ Type string }
	// ParameterValue is null for NULL.
	ParameterValue struct{ Value *string }
}

func byName(list []param) map[string]param {
	params := make(map[string]param, len(list))
	for _, p := range list {
		params[p.Name] = p
	}
	return params
}

// insertJob answers once the job is begun. An ID is taken once.
func insertJob(c *call) (any, error) {
	var asked bq.Job
	var typed struct {
		Configuration struct {
			Query struct{ QueryParameters []param }
		}
	}
	if err := c.decode(&asked); err != nil {
		return nil, err
	}
	if err := c.decode(&typed); err != nil {
		return nil, err
	}
	if asked.Configuration == nil || asked.Configuration.Query == nil {
		return nil, fail("invalid", "the fake runs queries only")
	}
	c.project.mu.Lock()
	defer c.project.mu.Unlock()
	reference := &bq.JobReference{ProjectId: c.project.name, JobId: "job_" + rand.Text(), Location: "US"}
	if asked.JobReference != nil {
		reference.JobId, reference.Location = asked.JobReference.JobId, asked.JobReference.Location
	}
	if c.project.jobs[reference.JobId] != nil {
		return nil, fail("duplicate", "Already Exists: Job %s:%s.%s", c.project.name, reference.Location, reference.JobId)
	}
	return c.project.begin(c.account(), reference, asked.Configuration, byName(typed.Configuration.Query.QueryParameters)).describe(), nil
}

// job finds the job that a call names. Call it with the project's lock.
func (c *call) job() (*job, error) {
	j := c.project.jobs[c.id]
	if location := c.URL.Query().Get("location"); j == nil || location != "" && location != j.reference.Location {
		return nil, fail("notFound", "Not found: Job %s:%s", c.project.name, c.id)
	}
	if j.account != c.account() {
		return nil, fail("accessDenied", "Access Denied: Job %s:%s: User does not have bigquery.jobs.get permission for job", c.project.name, c.id)
	}
	return j, nil
}

func getJob(c *call) (any, error) {
	c.project.mu.Lock()
	defer c.project.mu.Unlock()
	j, err := c.job()
	if err != nil {
		return nil, err
	}
	return j.describe(), nil
}

// cancelJob asks for a job's end, which may come too late.
func cancelJob(c *call) (any, error) {
	c.project.mu.Lock()
	defer c.project.mu.Unlock()
	j, err := c.job()
	if err != nil {
		return nil, err
	}
	j.cancel()
	return &bq.JobCancelResponse{Job: j.describe()}, nil
}

// patience is how long a call waits for a job where the client does not say.
const patience = 10 * time.Second

// wait waits for a job, and returns its results as far as there are any.
func (c *call) wait(j *job, timeout time.Duration) (*bq.QueryResponse, error) {
	timer := time.NewTimer(timeout)
	defer timer.Stop()
	answer := &bq.QueryResponse{JobReference: j.reference}
	select {
	case <-j.done:
	case <-timer.C:
		return answer, nil
	case <-c.Context().Done():
		return answer, nil
	}
	if j.failure != nil {
		return nil, j.failure
	}
	answer.JobComplete = true
	answer.Schema = &bq.TableSchema{Fields: j.result.fields}
	answer.Rows, answer.TotalRows, answer.NumDmlAffectedRows = j.result.rows, uint64(len(j.result.rows)), j.result.affected
	return answer, nil
}

// queryResults waits for a job's end, for as long as the client says, and returns its rows.
func queryResults(c *call) (any, error) {
	c.project.mu.Lock()
	j, err := c.job()
	c.project.mu.Unlock()
	if err != nil {
		return nil, err
	}
	timeout := patience
	if ms, err := strconv.Atoi(c.URL.Query().Get("timeoutMs")); err == nil {
		timeout = time.Duration(ms) * time.Millisecond
	}
	answer, err := c.wait(j, timeout)
	if err != nil {
		return nil, err
	}
	if c.URL.Query().Get("maxResults") == "0" { // the client waits for the end only
		answer.Rows = nil
	}
	return answer, nil
}

// runQuery is a job whose results are waited for. A request that is sent again, with the
// same request ID, is answered as the first was.
func runQuery(c *call) (any, error) {
	var asked bq.QueryRequest
	var typed struct{ QueryParameters []param }
	if err := c.decode(&asked); err != nil {
		return nil, err
	}
	if err := json.Unmarshal(c.body, &typed); err != nil {
		return nil, fail("parseError", "%v", err)
	}
	c.project.mu.Lock()
	j := c.project.answered[asked.RequestId]
	if j == nil {
		reference := &bq.JobReference{ProjectId: c.project.name, JobId: "job_" + rand.Text(), Location: asked.Location}
		j = c.project.begin(c.account(), reference,
			&bq.JobConfiguration{Query: &bq.JobConfigurationQuery{Query: asked.Query, UseQueryCache: asked.UseQueryCache}}, byName(typed.QueryParameters))
		if asked.RequestId != "" {
			c.project.answered[asked.RequestId] = j
		}
	}
	c.project.mu.Unlock()
	timeout := patience
	if asked.TimeoutMs > 0 {
		timeout = time.Duration(asked.TimeoutMs) * time.Millisecond
	}
	answer, err := c.wait(j, timeout)
	if err == nil && answer.JobComplete && asked.JobCreationMode == "JOB_CREATION_OPTIONAL" {
		answer.JobReference, answer.QueryId = nil, j.reference.JobId
	}
	return answer, err
}
