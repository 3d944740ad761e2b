package doctor

import (
	"fmt"
	"slices"
	"strings"
	"time"

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
	f.often(n, job)
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

// often looks whether a job comes before what it looks for is deleted.
func (f facts) often(n *notes, job *scheduler.Job) {
	a, known := f.ages()
	deadline, pause := f.Config.JoinDeadline, rarest(job.Schedule)
	if !known || deadline == 0 {
		return
	}
	if events, _, _ := f.shortest(a); events > deadline && events-deadline < pause {
		n.add(Error, fmt.Sprintf("the job runs once in %s, JOIN_DEADLINE is %s, and an event is deleted after %s", days(pause),
			days(deadline), days(events)), neverEnds,
			"gcloud scheduler jobs update http "+job.Name+" --schedule='*/15 * * * *'")
	}
}

// rarest returns the pause of a schedule of cron that names one month, day of the month or day of the week; 0 for
// all others, which are not that rare.
func rarest(schedule string) time.Duration {
	fields := strings.Fields(schedule)
	if len(fields) != 5 {
		return 0
	}
	month, date, weekday := fields[3], fields[2], fields[4]
	one := func(field string) bool { return field != "*" && field != "?" && !strings.ContainsAny(field, ",-/") }
	switch {
	case one(month):
		return 365 * day
	case one(date) && !one(weekday):
		return 31 * day
	case one(weekday) && !one(date):
		return 7 * day
	}
	return 0
}
