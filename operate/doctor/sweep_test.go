package doctor

import (
	scheduler "google.golang.org/api/cloudscheduler/v1"

	"example.com/eventdriver/internal/fake/googleapis"
)

const schedulerJobs = "/v1/" + project + "/locations/" + region + "/jobs"

// swept has joins end after a day, by a job of Cloud Scheduler.
func swept() *world {
	w := byTerraform()
	w.variables["JOIN_DEADLINE"] = "24h"
	w.job = &scheduler.Job{Name: "orders-sweep", State: "ENABLED", HttpTarget: &scheduler.HttpTarget{Uri: w.service.Uri +
		"/sweep",
		HttpMethod: "POST", OidcToken: &scheduler.OidcToken{ServiceAccountEmail: caller}}}
	return w
}

var sweepMistakes = []mistake{
	{name: "no job", world: swept, make: func(w *world) { w.job.HttpTarget.Uri = "https://example.com/sweep" },
		severity: Warning,
		problem:  "no job of Cloud Scheduler calls /sweep"},
	{name: "another path", world: swept, make: func(w *world) { w.job.HttpTarget.Uri = w.service.Uri },
		severity: Warning,
		problem:  "no job of Cloud Scheduler calls /sweep"},
	{name: "paused", world: swept, make: func(w *world) { w.job.State = "PAUSED" }, severity: Error, problem: "PAUSED"},
	{name: "GET", world: swept, make: func(w *world) { w.job.HttpTarget.HttpMethod = "GET" }, severity: Error,
		problem: "sends GET"},
	{name: "no token", world: swept, make: func(w *world) { w.job.HttpTarget.OidcToken = nil }, severity: Error,
		problem: "without a token"},
	{name: "another account", world: swept, make: func(w *world) {
		w.job.HttpTarget.OidcToken.ServiceAccountEmail = "sweeper@shop-prod.iam.gserviceaccount.com"
		w.accounts = append(w.accounts, "sweeper@shop-prod.iam.gserviceaccount.com")
	}, severity: Error, problem: "roles/run.invoker"},
	{name: "another audience", world: swept, make: func(w *world) { w.job.HttpTarget.OidcToken.Audience = "https://returns.run.app" },
		severity: Error, problem: "--oidc-token-audience=https://orders-abcdef-ew.a.run.app"},
	{name: "paused, without a deadline", world: swept, make: func(w *world) {
		delete(w.variables, "JOIN_DEADLINE")
		w.job.State = "PAUSED"
	}, severity: Warning, problem: "nobody acts upon"},
	{name: "once a month", world: swept, make: func(w *world) { w.job.Schedule = "0 3 1 * *" }, severity: Error,
		problem: "the job runs once in 31 days"},
	{name: "once a week", world: swept, make: func(w *world) { w.job.Schedule = "0 3 * * MON" }, severity: Error,
		problem: "the job runs once in 7 days"},
	{name: "failing", world: swept, make: func(w *world) { w.job.Status = &scheduler.Status{Code: 7, Message: "no"} },
		severity: Warning, problem: "failed: no"},
}

var jobsUnread = mistake{name: "jobs", world: swept,
	make:     func(w *world) { w.job = nil; w.instead[schedulerJobs] = googleapis.Refusal{Code: 403} },
	severity: Warning, problem: "roles/cloudscheduler.viewer"}
