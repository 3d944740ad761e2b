package doctor

import (
	"slices"

	scheduler "google.golang.org/api/cloudscheduler/v1"
)

// sweep looks whether something calls /sweep, where joins have a deadline, and whether what calls it can.
func sweep(f facts) (all []Finding) {
	if f.Service == nil {
		return nil
	}
	jobs := slices.DeleteFunc(slices.Clone(f.Jobs), func(job *scheduler.Job) bool {
		path, _ := f.Called(job.HttpTarget.Uri)
		return path != "/sweep"
	})
	if len(jobs) == 0 && f.JobsRead && f.Config.JoinDeadline > 0 {
		n := on(f.resource())
		n.add(Warning, "JOIN_DEADLINE is set, and no job of Cloud Scheduler calls /sweep", neverEnds,
			"gcloud scheduler jobs create http "+f.Target.Service+"-sweep --project="+f.Project+" --location="+f.Region+
				" --schedule='*/5 * * * *' --http-method=POST --uri="+f.Service.Uri+"/sweep"+f.token())
		all = n.all
	}
	for _, job := range jobs {
		all = append(all, f.job(job)...)
	}
	return all
}

const (
	neverEnds = "an overdue order is neither dead-lettered nor processed, and deleted in the end"
	neverRuns = "an order whose events are all there, and that nobody acts upon, waits for another event"
)

// token returns the flags by which a job has a token for the service.
func (f facts) token() string {
	return " --oidc-service-account-email=… --oidc-token-audience=" + f.Service.Uri
}

func (f facts) job(job *scheduler.Job) []Finding {
	n, target := on(job.Name), job.HttpTarget
	severity, why := Error, neverEnds
	if f.Config.JoinDeadline == 0 {
		severity, why = Warning, neverRuns
	}
	if job.State == "PAUSED" || job.State == "DISABLED" {
		n.add(severity, "the job is "+job.State, why, "gcloud scheduler jobs resume "+job.Name)
	}
	if target.HttpMethod != "" && target.HttpMethod != "POST" {
		n.add(severity, "the job sends "+target.HttpMethod, "the function answers 405, and sweeps nothing",
			"gcloud scheduler jobs update http "+job.Name+" --http-method=POST")
	}
	if s := job.Status; s != nil && s.Code != 0 {
		n.add(Warning, "its last attempt failed: "+s.Message, why,
			"gcloud scheduler jobs run "+job.Name+", and read the function's log")
	}
	switch token := target.OidcToken; {
	case token == nil && !f.invokedByAll():
		n.add(severity, "the job calls the service without a token", turnedAway,
			"gcloud scheduler jobs update http "+job.Name+f.token())
	case token != nil && token.Audience != "" && !f.audience(token.Audience):
		n.add(severity, "its token is for the audience "+token.Audience+", which is not the service", "the service answers 401, and "+
			"nothing arrives", "gcloud scheduler jobs update http "+job.Name+" --oidc-token-audience="+f.Service.Uri)
	}
	if target.OidcToken != nil {
		n.all = append(n.all, f.invokes(target.OidcToken.ServiceAccountEmail)...)
	}
	return n.all
}
