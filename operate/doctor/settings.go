package doctor

import (
	"maps"
	"slices"
	"strings"

	"example.com/eventdriver"
)

// settings looks at each variable by itself.
func settings(f facts) []Finding {
	n := on(f.resource())
	f.wrong(n)
	for _, s := range eventdriver.Settings() {
		if slices.Contains(f.serving.Secret, s.Name) {
			n.add(Warning, s.Name+" is a secret, and no setting is one",
				"doctor does not read secrets, and errors of the function quote its settings", f.update(s.Name+"=…"))
		}
	}
	if f.Target.Service == "" {
		return n.all // the process's variables are not the function's alone
	}
	for _, sentence := range eventdriver.UnknownVariables(f.environ()) {
		n.add(Warning, sentence, "a misspelled setting has no effect, and its default holds",
			"rename the variable, or remove it")
	}
	for _, name := range []string{"STORAGE_EMULATOR_HOST", "BIGQUERY_EMULATOR_HOST", "PUBSUB_EMULATOR_HOST"} {
		if value := f.Variables[name]; value != "" {
			n.add(Error, name+" is "+value, "what is kept or published goes to an emulator, which the service does not have, or "+
				"which forgets it", "gcloud run services update "+f.flags()+" --remove-env-vars="+name)
		}
	}
	if f.Variables["GOOGLE_APPLICATION_CREDENTIALS"] != "" {
		n.add(Warning, "GOOGLE_APPLICATION_CREDENTIALS is set", "the function acts as another account than the service's, "+
			"whose roles doctor has looked at, and fails when the key is gone",
			"gcloud run services update "+f.flags()+" --remove-env-vars=GOOGLE_APPLICATION_CREDENTIALS")
	}
	if f.keepsIn(eventdriver.StoreMemory) {
		n.add(Error, "EVENT_STORE or CLAIM_STORE is memory",
			"each instance has a store of its own and forgets it when it ends: orders are lost and doubled",
			f.update("GCS_BUCKET=…")+"; the bucket needs the lifecycle rules of deploy/lifecycle.json")
	}
	return n.all
}

// wrong notes the variables that keep an instance from starting. Nothing is known of those that
// are secrets.
func (f facts) wrong(n *notes) {
	if f.ConfigErr == nil {
		return
	}
	for line := range strings.Lines(f.ConfigErr.Error()) {
		name, _, _ := strings.Cut(line, " ")
		if !slices.Contains(f.serving.Secret, name) {
			n.add(Error, strings.TrimSpace(line), "an instance with a wrong setting exits when it starts, and handles no "+
				"event",
				f.update(name+"=…"))
		}
	}
}

// environ returns the variables in the form of os.Environ.
func (f facts) environ() (all []string) {
	for _, name := range slices.Sorted(maps.Keys(f.Variables)) {
		all = append(all, name+"="+f.Variables[name])
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
