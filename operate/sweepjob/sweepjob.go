// Package sweepjob has a deployed function sweep now, by the job of Cloud Scheduler that calls it. This
// works where the function answers only inside its project.
package sweepjob

import (
	"context"
	"errors"
	"fmt"
	"slices"

	scheduler "google.golang.org/api/cloudscheduler/v1"

	"example.com/eventdriver/operate/deployed"
)

// Job is one of Cloud Scheduler that calls a function's /sweep.
type Job struct {
	Name     string `json:"name"` // in full
	URI      string `json:"uri"`  // what it calls
	Schedule string `json:"schedule"`
	Paused   bool   `json:"paused,omitempty"` // it does not run by itself
}

// ErrNone is the failure to find a job: the caller may list all, and none calls /sweep.
var ErrNone = errors.New("no job of Cloud Scheduler calls /sweep of the function")

// Find returns the job of a service. The error is [ErrNone], or says what is missing.
func Find(ctx context.Context, google *deployed.Google, t deployed.Target) (Job, error) {
	jobs, err := google.SweepJobs(ctx, t)
	if err != nil {
		return Job{}, err
	}
	if len(jobs) == 0 {
		return Job{}, ErrNone
	}
	j := jobs[max(slices.IndexFunc(jobs, runs), 0)] // several do the same
	return Job{Name: j.Name, URI: j.HttpTarget.Uri, Schedule: j.Schedule, Paused: !runs(j)}, nil
}

// runs says whether a job runs by itself.
func runs(j *scheduler.Job) bool { return j.State != "PAUSED" && j.State != "DISABLED" }

// Run has Cloud Scheduler call the function now, also where the job is paused. It does not wait for
// the sweep. An endpoint is that of a stand-in; "" is Google.
func (j Job) Run(ctx context.Context, endpoint string) error {
	client, err := scheduler.NewService(ctx, deployed.Options(endpoint, "/")...)
	if err != nil {
		return err
	}
	if _, err := client.Projects.Locations.Jobs.Run(j.Name, &scheduler.RunJobRequest{}).Context(ctx).Do(); err != nil {
		return fmt.Errorf("run the job %s, which takes roles/cloudscheduler.jobRunner on its project: %w", j.Name, err)
	}
	return nil
}
