package doctor

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"example.com/eventdriver"
	"example.com/eventdriver/driver/admission"
	"example.com/eventdriver/driver/convert"
)

func settings(f facts) (all []Finding) {
	isSecret := func(line string) bool {
		return slices.ContainsFunc(f.serving.Secret, func(name string) bool { return strings.HasPrefix(line, name+" ") })
	}
	if f.ConfigErr != nil {
		for line := range strings.Lines(f.ConfigErr.Error()) {
			if line = strings.TrimSpace(line); !isSecret(line) {
				all = append(all, Finding{Severity: Error, Resource: f.resource(), Problem: line,
					Why:    "an instance with a wrong setting exits when it starts, and handles no event",
					Remedy: f.update(nameIn(line) + "=…")})
			}
		}
	}
	for _, s := range eventdriver.Settings() {
		if slices.Contains(f.serving.Secret, s.Name) {
			all = append(all, Finding{Severity: Warning, Resource: f.resource(), Problem: s.Name +
				" is a secret, and no setting is one",
				Why: "doctor does not read secrets, and errors of the function quote its settings", Remedy: f.update(s.Name +
					"=…")})
		}
	}
	var environ []string
	for _, name := range slices.Sorted(maps.Keys(f.Variables)) {
		environ = append(environ, name+"="+f.Variables[name])
	}
	for _, sentence := range eventdriver.UnknownVariables(environ) {
		if f.Target.Service == "" {
			break // the process's variables are not the function's alone
		}
		all = append(all, Finding{Severity: Warning, Resource: f.resource(), Problem: sentence,
			Why: "a misspelled setting has no effect, and its default holds", Remedy: "rename the variable, or remove it"})
	}
	if f.Target.Service != "" && (f.Config.EventStore == eventdriver.StoreMemory ||
		f.Config.ClaimStore == eventdriver.StoreMemory) {
		all = append(all, Finding{Severity: Error, Resource: f.resource(), Problem: "EVENT_STORE or CLAIM_STORE is memory",
			Why:    "each instance has a store of its own and forgets it when it ends: orders are lost and doubled",
			Remedy: f.update("GCS_BUCKET=…") + "; the bucket needs the lifecycle rules of deploy/lifecycle.json"})
	}
	return all
}

// resource names the service in findings.
func (f facts) resource() string {
	if f.Target.Service == "" {
		return "the variables of this process"
	}
	return f.Target.String()
}

// nameIn returns the variable that a line of an error begins with.
func nameIn(line string) string {
	name, _, _ := strings.Cut(line, " ")
	return name
}

// timing looks at lengths of time that must be shorter than others.
func timing(f facts) (all []Finding) {
	c, timeout := f.Config, f.serving.Timeout
	add := func(s Severity, problem, why, remedy string) {
		all = append(all, Finding{Severity: s, Resource: f.resource(), Problem: problem, Why: why, Remedy: remedy})
	}
	if own, err := strconv.ParseFloat(f.Variables["CLOUD_RUN_TIMEOUT_SECONDS"], 64); err == nil && timeout > 0 {
		if d := time.Duration(own * float64(time.Second)); d > timeout {
			add(Warning, fmt.Sprintf("CLOUD_RUN_TIMEOUT_SECONDS is %v, and the service's timeout %v", d, timeout),
				"the platform cuts a run off before its context ends, so the run may act while its event comes again",
				f.update(fmt.Sprintf("CLOUD_RUN_TIMEOUT_SECONDS=%d", int(timeout.Seconds()))))
		}
	}
	if timeout > 0 && c.StoreTimeout >= timeout {
		add(Warning, fmt.Sprintf("STORE_TIMEOUT is %v, and the service's timeout %v", c.StoreTimeout, timeout),
			"one slow call of the store takes the whole run, and the key stays held until its lease is over",
			f.update("STORE_TIMEOUT=10s"))
	}
	if f.lease >= f.redelivered {
		add(Error, fmt.Sprintf("LEASE is %v, and events come again for %v only", f.lease, f.redelivered),
			"the key of a holder that vanished is free when no event of it comes any more: the order is lost",
			f.update("LEASE=2m"))
	}
	if age := c.MaxEventAge; age > 0 && f.lease >= age {
		add(Error, fmt.Sprintf("LEASE is %v, and MAX_EVENT_AGE %v", f.lease, age),
			"the events of a holder that vanished are dead-lettered as too old before its key is free",
			f.update("LEASE=2m")+"; or a longer MAX_EVENT_AGE, as in 20h")
	}
	if shortest, found := shortestDeadline(f); found && c.Lease > 0 && c.Lease < timeout && f.serving.CPUIdle &&
		shortest < timeout {
		add(Warning, fmt.Sprintf("LEASE is %v, the service's timeout %v, and push requests end after %v", c.Lease, timeout,
			shortest),
			"a run whose request has ended may get no CPU, so it can't renew its lease: its key is taken over, and the "+
				"order may run twice",
			f.update(fmt.Sprintf("LEASE=%v", timeout+marginOfLease))+
				"; or gcloud run services update "+f.flags()+" --no-cpu-throttling")
	}
	return all
}

// The memory that the function takes beside events, and for each small event at once; both
// deployments reckon with it.
const (
	ofProgram = 128 << 20
	ofEvent   = 4 << 20
)

// memory looks whether the events that may be there at once fit.
func memory(f facts) (all []Finding) {
	if f.memory == 0 {
		return nil
	}
	own := bytes(f.Variables["GOMEMLIMIT"])
	if own > f.memory {
		all = append(all, Finding{Severity: Error, Resource: f.resource(),
			Problem: fmt.Sprintf("GOMEMLIMIT is %s, and an instance has %s", mebibytes(own), mebibytes(f.memory)),
			Why:     "instances are ended for lack of memory in the middle of runs, which may have acted",
			Remedy:  f.update(fmt.Sprintf("GOMEMLIMIT=%dMiB", f.memory>>20))})
	}
	process := f.memory
	if own > 0 {
		process = min(own, process)
	}
	const percent = 50 // of the memory is for events, see docs/input.md
	if largest := convert.LargestBody(admission.New(process / 100 * percent)); largest < f.Config.BodyLimit {
		needed := ((16*f.Config.BodyLimit)>>20 + 2) << 20
		all = append(all, Finding{Severity: Warning, Resource: f.resource(),
			Problem: fmt.Sprintf("%s are enough for a body of %d bytes, and BODY_LIMIT is %d", mebibytes(process), largest,
				f.Config.BodyLimit),
			Why: "larger events are cut and dead-lettered",
			Remedy: fmt.Sprintf("gcloud run services update %s --memory=%s, and GOMEMLIMIT to match; or a smaller BODY_LIMIT",
				f.flags(), strings.TrimSuffix(mebibytes(needed), "B"))})
	}
	if n, most := f.serving.Concurrency, (process-ofProgram)/ofEvent; n > max(most, 1) {
		all = append(all, Finding{Severity: Warning, Resource: f.resource(),
			Problem: fmt.Sprintf("an instance handles %d events at once, and %s are enough for %d", n, mebibytes(process),
				max(most, 1)),
			Why: "events are sent away or the instance is ended for lack of memory, in the middle of runs",
			Remedy: fmt.Sprintf("gcloud run services update %s --concurrency=%d, or --memory=%dMi and GOMEMLIMIT to match",
				f.flags(), max(most, 1), (ofProgram+n*ofEvent)>>20)})
	}
	return all
}

func mebibytes(n int64) string { return fmt.Sprintf("%dMiB", n>>20) }
