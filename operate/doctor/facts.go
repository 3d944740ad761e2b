package doctor

import (
	"math"
	"strconv"
	"strings"
	"time"

	"example.com/eventdriver"
	"example.com/eventdriver/operate/deployed"
)

// facts is a deployment, and what follows from it.
type facts struct {
	*deployed.Deployment
	serving     deployed.Revision
	memory      int64         // bytes of an instance; 0: unknown
	lease       time.Duration // how long a key stays held by a holder that has vanished
	redelivered time.Duration // how long an event may come again after it was published
}

// marginOfLease is by how much the default lease outlasts the request.
const marginOfLease = 10 * time.Second

func newFacts(d *deployed.Deployment) facts {
	f := facts{Deployment: d, serving: d.Serving(), lease: d.Config.Lease}
	f.memory = bytes(f.serving.Limits["memory"])
	if f.lease == 0 {
		f.lease = f.serving.Timeout + marginOfLease
	}
	for _, r := range d.Routes {
		f.redelivered = max(f.redelivered, retention(r))
	}
	if f.redelivered == 0 {
		f.redelivered = day
	}
	return f
}

const day = 24 * time.Hour

// retention returns for how long a route's subscription keeps an event that is not acknowledged.
func retention(r deployed.Route) time.Duration {
	if r.Subscription != nil && r.Subscription.MessageRetentionDuration != "" {
		return seconds(r.Subscription.MessageRetentionDuration)
	}
	if r.Eventarc() {
		return day
	}
	return 7 * day
}

// seconds reads a duration as Google's APIs write it, as in 60s; 0: it is not one.
func seconds(s string) time.Duration {
	d, _ := time.ParseDuration(s)
	return d
}

var units = []struct {
	suffix string
	bytes  float64
}{
	{"KiB", 1 << 10}, {"MiB", 1 << 20}, {"GiB", 1 << 30}, {"TiB", 1 << 40},
	{"Ki", 1 << 10}, {"Mi", 1 << 20}, {"Gi", 1 << 30}, {"Ti", 1 << 40},
	{"k", 1e3}, {"M", 1e6}, {"G", 1e9}, {"T", 1e12}, {"B", 1},
}

// bytes reads a number of bytes with a unit, as Kubernetes and Go's runtime write it; 0: it is
// none.
func bytes(s string) int64 {
	unit := 1.0
	for _, u := range units {
		if number, ok := strings.CutSuffix(s, u.suffix); ok {
			s, unit = number, u.bytes
			break
		}
	}
	n, err := strconv.ParseFloat(s, 64)
	if err != nil || n < 0 || n*unit > math.MaxInt64/2 {
		return 0
	}
	return int64(n * unit)
}

// update returns the command that sets variables of the service.
func (f facts) update(variables string) string {
	if f.Target.Service == "" {
		return "set " + variables
	}
	return "gcloud run services update " + f.flags() + " --update-env-vars=" + variables +
		", and set it in the deployment, or the next one undoes it"
}

// flags names the service for gcloud.
func (f facts) flags() string {
	return f.Target.Service + " --project=" + f.Project + " --region=" + f.Region
}

// keepsIn says whether the function keeps anything in a store of that name.
func (f facts) keepsIn(store string) bool {
	return f.Config.EventStore == store || f.Config.ClaimStore == store
}

// gcs and bigQuery say whether the function keeps anything there.
func (f facts) gcs() bool      { return f.keepsIn(eventdriver.StoreGCS) }
func (f facts) bigQuery() bool { return f.keepsIn(eventdriver.StoreBigQuery) }

// short returns the last part of a name.
func short(name string) string { return name[strings.LastIndexByte(name, '/')+1:] }

// days writes a time in days, where it is some.
func days(d time.Duration) string {
	if d == never {
		return "never"
	}
	if d == day {
		return "1 day"
	}
	if d%day == 0 {
		return strconv.Itoa(int(d/day)) + " days"
	}
	return d.String()
}

// never is the age of what is not deleted.
const never = time.Duration(math.MaxInt64)
