package doctor

import (
	"slices"

	scheduler "google.golang.org/api/cloudscheduler/v1"
)

// sweep looks whether something calls /sweep, where joins have a deadline.
func sweep(f facts) (all []Finding) {
	if f.Service == nil || f.Config.JoinDeadline == 0 {
		return nil
	}
	jobs := slices.DeleteFunc(slices.Clone(f.Jobs), func(job *scheduler.Job) bool {
		path, _ := f.Called(job.HttpTarget.Uri)
		return path != "/sweep"
	})
	if len(jobs) == 0 && f.JobsRead {
		n := on(f.resource())
		n.add(Warning, "JOIN_DEADLINE is set, and no job of Cloud Scheduler calls /sweep", neverEnds,
			"gcloud scheduler jobs create http "+f.Target.Service+"-sweep --project="+f.Project+" --location="+f.Region+
				" --schedule='*/5 * * * *' --http-method=POST --uri="+f.Service.Uri+"/sweep --oidc-service-account-email=…")
		all = n.all
	}
	for _, job := range jobs {
		all = append(all, f.job(job)...)
	}
	return all
}

const neverEnds = "an overdue order is neither dead-lettered nor processed, and deleted in the end"

func (f facts) job(job *scheduler.Job) []Finding {
	n, target := on(job.Name), job.HttpTarget
	if job.State == "PAUSED" || job.State == "DISABLED" {
		n.add(Error, "the job is "+job.State, neverEnds, "gcloud scheduler jobs resume "+job.Name)
	}
	if target.HttpMethod != "" && target.HttpMethod != "POST" {
		n.add(Error, "the job sends "+target.HttpMethod, "the function answers 405, and sweeps nothing",
			"gcloud scheduler jobs update http "+job.Name+" --http-method=POST")
	}
	if s := job.Status; s != nil && s.Code != 0 {
		n.add(Warning, "its last attempt failed: "+s.Message, neverEnds,
			"gcloud scheduler jobs run "+job.Name+", and read the function's log")
	}
	if target.OidcToken == nil && !f.invokedByAll() {
		n.add(Error, "the job calls the service without a token", turnedAway,
			"gcloud scheduler jobs update http "+job.Name+" --oidc-service-account-email=…")
	}
	if target.OidcToken != nil {
		n.all = append(n.all, f.invokes(target.OidcToken.ServiceAccountEmail)...)
	}
	return n.all
}
