package deployed

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	bigquery "google.golang.org/api/bigquery/v2"
	projects "google.golang.org/api/cloudresourcemanager/v3"
	scheduler "google.golang.org/api/cloudscheduler/v1"
	eventarc "google.golang.org/api/eventarc/v1"
	iam "google.golang.org/api/iam/v1"
	pubsub "google.golang.org/api/pubsub/v1"
	run "google.golang.org/api/run/v2"

	"example.com/eventdriver"
)

// Variables returns the variables of the revision that gets the service's events, and the
// service's URL. The error says what to do.
func (g *Google) Variables(ctx context.Context, t Target) (variables map[string]string, url string, err error) {
	r := newReader(ctx, g, t)
	if err := r.service(); err != nil {
		return nil, "", err
	}
	return r.d.Variables, r.d.Service.Uri, nil
}

// Read reads what is deployed of a target. Without a service, variables are those of the
// function, and only what they name is read. The error says why the service could not be
// read; what else can't be is in Unread.
func (g *Google) Read(ctx context.Context, t Target, variables map[string]string) (*Deployment, error) {
	r := newReader(ctx, g, t)
	r.d.Variables = variables
	if t.Service != "" {
		if err := r.service(); err != nil {
			return nil, err
		}
	}
	r.d.Config, r.d.ConfigErr = ConfigOf(t.Service, r.d.Variables)
	r.project()
	if t.Service != "" {
		r.access()
		r.routes()
		r.neighbours()
		r.jobs()
		r.earlier()
	}
	r.topics()
	r.stores()
	r.accounts()
	r.roles()
	return r.d, ctx.Err()
}

type reader struct {
	*Google
	ctx      context.Context
	d        *Deployment
	triggers []*eventarc.Trigger // all of the project
}

func newReader(ctx context.Context, g *Google, t Target) *reader {
	return &reader{Google: g, ctx: ctx, d: &Deployment{Target: t, Now: time.Now(),
		Topics: make(map[string]*Topic), Buckets: make(map[string]*Bucket), Datasets: make(map[string]*Dataset),
		Accounts: make(map[string]*iam.ServiceAccount), Policies: make(map[string]Policy), Roles: make(map[string][]string),
		Waiting: make(map[Place]Keys), subscribed: make(map[string]*pubsub.Subscription)}}
}

// read says whether a resource was read. If it exists, but can't be read, that is noted.
func (r *reader) read(resource, role string, err error) bool {
	if err != nil && !absent(err) {
		r.d.Unread = append(r.d.Unread, r.d.unreadable(resource, role, err))
	}
	return err == nil
}

// policy converts a policy of any API.
func (r *reader) policy(resource string, policy any, err error) (p Policy) {
	if !r.read("who may use "+resource, rolePolicies, err) {
		return Policy{}
	}
	text, err := json.Marshal(policy)
	if err := errors.Join(err, json.Unmarshal(text, &p)); err != nil {
		panic(err) // all policies have this form
	}
	p.Read = true
	return p
}

// service reads the service and its revisions.
func (r *reader) service() (err error) {
	name := r.d.Target.String()
	if r.d.Service, err = got(r.run.Projects.Locations.Services.Get(name).Context(r.ctx).Do()); absent(err) {
		return fmt.Errorf("there is no Cloud Run service %s: list them with gcloud run services list --project=%s", name,
			r.d.Project)
	}
	if err != nil {
		return r.d.unreadable(name, roleRun, err)
	}
	if r.d.Service.Name == "" { // a proxy has answered, and nothing is known of the service
		return Unread{name, "the answer names no service, so it is not Cloud Run's", tryAgain}
	}
	var list []*run.GoogleCloudRunV2Revision
	err = r.run.Projects.Locations.Services.Revisions.List(name).Pages(r.ctx,
		each(func(page *run.GoogleCloudRunV2ListRevisionsResponse) {
			list = append(list, page.Revisions...)
		}))
	r.read("revisions of "+name, roleRun, err)
	r.d.Revisions = revisions(r.d.Service, list)
	r.d.Variables = r.d.Serving().Variables
	return nil
}

// project reads the project's number, and who may do what in it.
func (r *reader) project() {
	name := "projects/" + r.d.Project
	info, err := got(r.projects.Projects.Get(name).Context(r.ctx).Do())
	if r.read(name, rolePolicies, err) {
		r.d.Number = last(info.Name)
		r.d.Began, _ = time.Parse(time.RFC3339, info.CreateTime)
	}
	policy, err := got(r.projects.Projects.GetIamPolicy(name, &projects.GetIamPolicyRequest{
		Options: &projects.GetPolicyOptions{RequestedPolicyVersion: policyVersion}}).Context(r.ctx).Do())
	r.d.Policies[name] = r.policy(name, policy, err)
}

// policyVersion is that of policies whose bindings have conditions.
const policyVersion = 3

// access reads who may call the service, and the function that made it.
func (r *reader) access() {
	name := r.d.Target.String()
	call := r.run.Projects.Locations.Services.GetIamPolicy(name).OptionsRequestedPolicyVersion(policyVersion)
	policy, err := got(call.Context(r.ctx).Do())
	r.d.Policies[name] = r.policy(name, policy, err)
	if r.d.Service.Labels["goog-managed-by"] == "cloudfunctions" {
		function := strings.Replace(name, "/services/", "/functions/", 1)
		r.d.Function, err = got(r.functions.Projects.Locations.Functions.Get(function).Context(r.ctx).Do())
		r.read(function, roleFunctions, err)
	}
}

// neighbours reads the other services of the regions in which there is a trigger or a push
// subscription of the project: each of them may be another function.
func (r *reader) neighbours() {
	for _, region := range r.regions() {
		parent := "projects/" + r.d.Project + "/locations/" + region
		err := r.run.Projects.Locations.Services.List(parent).Pages(r.ctx,
			each(func(page *run.GoogleCloudRunV2ListServicesResponse) {
				for _, s := range page.Services {
					if s.Name != r.d.Service.Name {
						r.d.Neighbours = append(r.d.Neighbours, s)
					}
				}
			}))
		r.read("services in "+parent, roleRun, err)
	}
}

// jobs reads what Cloud Scheduler calls the service for. Without a deadline nobody need have a job, or
// Cloud Scheduler's API.
func (r *reader) jobs() {
	before := len(r.d.Unread)
	r.listJobs()
	if r.d.Config.JoinDeadline == 0 {
		r.d.Unread = r.d.Unread[:before]
	}
}

// SweepJobs returns the jobs of Cloud Scheduler in the service's region that call its /sweep. The error
// says what to do.
func (g *Google) SweepJobs(ctx context.Context, t Target) (sweep []*scheduler.Job, err error) {
	r := newReader(ctx, g, t)
	if err := r.service(); err != nil {
		return nil, err
	}
	if r.listJobs(); !r.d.JobsRead && len(r.d.Unread) > 0 {
		return nil, r.d.Unread[len(r.d.Unread)-1]
	}
	for _, job := range r.d.Jobs {
		if path, _ := r.d.Called(job.HttpTarget.Uri); path == "/sweep" {
			sweep = append(sweep, job)
		}
	}
	return sweep, nil
}

// listJobs reads the jobs that call the service.
func (r *reader) listJobs() {
	r.d.JobsRead = true
	for _, region := range r.regions() {
		parent := "projects/" + r.d.Project + "/locations/" + region
		err := r.scheduler.Projects.Locations.Jobs.List(parent).Pages(r.ctx, each(func(page *scheduler.ListJobsResponse) {
			for _, job := range page.Jobs {
				if job.HttpTarget == nil {
					continue
				}
				if _, called := r.d.Called(job.HttpTarget.Uri); called {
					r.d.Jobs = append(r.d.Jobs, job)
				}
			}
		}))
		r.d.JobsRead = r.read("jobs of Cloud Scheduler in "+parent, roleScheduler, err) && r.d.JobsRead
	}
}

// accounts reads the service accounts that run the function, and that call it.
func (r *reader) accounts() {
	emails := []string{r.d.Account()}
	for _, route := range r.d.Routes {
		emails = append(emails, route.Account())
	}
	for _, job := range r.d.Jobs {
		if job.HttpTarget.OidcToken != nil {
			emails = append(emails, job.HttpTarget.OidcToken.ServiceAccountEmail)
		}
	}
	for _, email := range emails {
		if _, known := r.d.Accounts[email]; known || !strings.HasSuffix(email, ".gserviceaccount.com") {
			continue
		}
		name := "projects/" + projectOf(email, r.d.Project) + "/serviceAccounts/" + email
		account, err := got(r.iam.Projects.ServiceAccounts.Get(name).Context(r.ctx).Do())
		if r.read("service account "+email, rolePolicies, err) || noAccount(err) {
			r.d.Accounts[email] = account
		}
		if account != nil && r.d.MayNotMakeTokens() {
			call := r.iam.Projects.ServiceAccounts.GetIamPolicy(name).OptionsRequestedPolicyVersion(policyVersion)
			policy, err := got(call.Context(r.ctx).Do())
			r.d.Policies[email] = r.policy("the service account "+email, policy, err)
		}
	}
}

// projectOf returns the project of a service account, which its e-mail mostly names.
func projectOf(email, fallback string) string {
	_, domain, _ := strings.Cut(email, "@")
	if project, ok := strings.CutSuffix(domain, ".iam.gserviceaccount.com"); ok && !strings.HasPrefix(project,
		"gcp-sa-") {
		return project
	}
	return fallback
}

// stores reads the buckets and datasets that the function is set up with.
func (r *reader) stores() {
	for _, store := range []string{r.d.Config.EventStore, r.d.Config.ClaimStore} {
		switch bucket, dataset := r.d.Config.Bucket, r.d.Config.Project+"."+r.d.Config.Dataset; {
		case store == eventdriver.StoreGCS && bucket != "" && r.d.Buckets[bucket] == nil:
			r.d.Buckets[bucket] = r.bucket(bucket)
		case store == eventdriver.StoreBigQuery && r.d.Config.Dataset != "" && r.d.Datasets[dataset] == nil:
			r.d.Datasets[dataset] = r.dataset(r.d.Config.Project, r.d.Config.Dataset)
		}
	}
}

func (r *reader) bucket(name string) *Bucket {
	info, err := got(r.storage.Buckets.Get(name).Context(r.ctx).Do())
	if !r.read("bucket "+name, roleBuckets, err) {
		return &Bucket{Gone: absent(err)}
	}
	if c := info.IamConfiguration; c == nil || c.UniformBucketLevelAccess == nil || !c.UniformBucketLevelAccess.Enabled {
		full, err := got(r.storage.Buckets.Get(name).Projection("full").Context(r.ctx).Do())
		if r.read("access control lists of the bucket "+name, rolePolicies, err) {
			info = full
		}
	}
	policy, err := got(r.storage.Buckets.GetIamPolicy(name).OptionsRequestedPolicyVersion(policyVersion).Context(r.ctx).Do())
	return &Bucket{Info: info, Policy: r.policy("the bucket "+name, policy, err)}
}

// tables are the store's.
var tables = []string{"events", "claims", "dead_letters"}

func (r *reader) dataset(project, name string) *Dataset {
	info, err := got(r.bigquery.Datasets.Get(project, name).Context(r.ctx).Do())
	if !r.read("dataset "+project+"."+name, roleBigQuery, err) {
		return &Dataset{Gone: absent(err)}
	}
	d := &Dataset{Info: info, Tables: make(map[string]*bigquery.Table)}
	for _, id := range tables {
		table, err := got(r.bigquery.Tables.Get(project, name, id).Context(r.ctx).Do())
		if r.read("table "+project+"."+name+"."+id, roleBigQuery, err) {
			d.Tables[id] = table
		} else if absent(err) {
			d.Missing = append(d.Missing, id)
		}
	}
	return d
}
