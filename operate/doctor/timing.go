package doctor

import (
	"fmt"
	"strconv"
	"time"
)

// timing looks at lengths of time that must be shorter than others.
func timing(f facts) []Finding {
	n := on(f.resource())
	f.withinTimeout(n)
	if f.lease >= f.redelivered {
		n.add(Error, fmt.Sprintf("LEASE is %v, and events come again for %v only", f.lease, f.redelivered),
			"the key of a holder that vanished is free when no event of it comes any more: the order is lost",
			f.update("LEASE=2m"))
	}
	if age := f.Config.MaxEventAge; age > 0 && f.lease >= age {
		n.add(Error, fmt.Sprintf("LEASE is %v, and MAX_EVENT_AGE %v", f.lease, age),
			"the events of a holder that vanished are dead-lettered as too old before its key is free",
			f.update("LEASE=2m")+"; or a longer MAX_EVENT_AGE, as in 20h")
	}
	if timeout := f.serving.Timeout; timeout > 0 && f.lease > max(longLease, 2*timeout) {
		n.add(Warning, fmt.Sprintf("LEASE is %v, and no run lasts longer than %v", f.lease, timeout),
			"after a crash its order waits for the rest of the lease", f.update(fmt.Sprintf("LEASE=%v",
				timeout+marginOfLease)))
	}
	f.renewal(n)
	return n.all
}

// longLease is the default of a run without a deadline.
const longLease = 10 * time.Minute

// withinTimeout looks at what must be over when the platform cuts off the request.
func (f facts) withinTimeout(n *notes) {
	timeout := f.serving.Timeout
	if timeout == 0 {
		return // there is no service
	}
	own, err := strconv.ParseFloat(f.Variables["CLOUD_RUN_TIMEOUT_SECONDS"], 64)
	if d := time.Duration(own * float64(time.Second)); err == nil && d > timeout {
		n.add(Warning, fmt.Sprintf("CLOUD_RUN_TIMEOUT_SECONDS is %v, and the service's timeout %v", d, timeout),
			"the platform cuts a run off before its context ends, so the run may act while its event comes again",
			f.update(fmt.Sprintf("CLOUD_RUN_TIMEOUT_SECONDS=%d", int(timeout.Seconds()))))
	}
	shorter := "STORE_TIMEOUT=10s"
	if f.bigQuery() {
		shorter = "STORE_TIMEOUT=45s" // the least
	}
	if d := f.Config.StoreTimeout; d >= timeout {
		n.add(Warning, fmt.Sprintf("STORE_TIMEOUT is %v, and the service's timeout %v", d, timeout),
			"one slow call of the store takes the whole run, and the key stays held until its lease is over",
			f.update(shorter))
	}
}

// renewal looks whether a run that is longer than its lease can renew it. It has CPU for that
// only while there is a request, unless CPU is always allocated.
func (f facts) renewal(n *notes) {
	lease, timeout := f.Config.Lease, f.serving.Timeout
	shortest, found := shortestDeadline(f)
	if lease == 0 || lease >= timeout || !f.serving.CPUIdle || !found || shortest >= timeout {
		return
	}
	n.add(Warning, fmt.Sprintf("LEASE is %v, the service's timeout %v, and push requests end after %v", lease, timeout,
		shortest),
		"a run whose request has ended may get no CPU, so it can't renew its lease: its key is taken over, "+
			"and the order may run twice",
		f.update(fmt.Sprintf("LEASE=%v", timeout+marginOfLease))+
			"; or gcloud run services update "+f.flags()+" --no-cpu-throttling")
}
