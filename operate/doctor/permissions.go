package doctor

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	bigquery "google.golang.org/api/bigquery/v2"

	"example.com/eventdriver/operate/deployed"
)

// permissions looks for what the accounts may not do, and must.
func permissions(f facts) (all []Finding) {
	if f.Service == nil {
		return nil
	}
	for _, email := range slices.Sorted(maps.Keys(f.Accounts)) {
		if a := f.Accounts[email]; a == nil || a.Disabled {
			all = append(all, Finding{Severity: Error, Resource: email,
				Problem: "the service account is disabled or does not exist",
				Why:     "what runs as it, or calls the service with it, fails", Remedy: "gcloud iam service-accounts enable " +
					email + ", or create it again and grant its roles again"})
		}
	}
	if account := f.Account(); account != "" {
		all = append(all, f.ofStores(account)...)
		for variable, topic := range map[string]string{"DEAD_LETTER_TOPIC": f.Config.DeadLetterTopic,
			"OUTPUT_TOPIC": f.Config.OutputTopic} {
			if t := f.Topics[topic]; t != nil && t.Info != nil && f.may(account, deployed.Publish, t.Policy,
				f.ofProject(projectOf(topic))) == no {
				all = append(all, lacks(account, deployed.Publish, topic,
					"nothing can be published to "+variable+", so its events fail until Pub/Sub deletes them",
					grantTo(account, "roles/pubsub.publisher", "gcloud pubsub topics add-iam-policy-binding "+topic)))
			}
		}
	}
	for _, r := range f.Routes {
		all = append(all, f.ofCaller(r)...)
	}
	return compact(all)
}

// compact leaves out findings that are there already: several routes have one account.
func compact(all []Finding) (once []Finding) {
	for _, finding := range all {
		if !slices.Contains(once, finding) {
			once = append(once, finding)
		}
	}
	return once
}

// grantTo ends a command that gives a role to an account.
func grantTo(account, role, command string) string {
	return command + " --member=serviceAccount:" + account + " --role=" + role
}

func lacks(account, permission, resource, why, remedy string) Finding {
	return Finding{Severity: Error, Resource: resource, Why: why, Remedy: remedy,
		Problem: fmt.Sprintf("no role on it or on its project gives %s the permission %s", account, permission)}
}

// ofStores looks at what the function must be able to do in its stores.
func (f facts) ofStores(account string) (all []Finding) {
	const why = "every event fails, and comes again until Pub/Sub deletes it"
	if b := f.Buckets[f.Config.Bucket]; f.gcs() && b != nil && b.Info != nil {
		project := f.ofProject(f.Project)
		if n := b.Info.ProjectNumber; n != 0 && f.Number != "" && fmt.Sprint(n) != f.Number {
			project = deployed.Policy{} // of another project
		}
		for _, permission := range []string{deployed.ObjectsCreate, deployed.ObjectsGet, deployed.ObjectsList,
			deployed.ObjectsDelete} {
			if f.may(account, permission, b.Policy, project) == no {
				all = append(all, lacks(account, permission, "gs://"+f.Config.Bucket, why,
					"gcloud storage buckets add-iam-policy-binding "+
						"gs://"+f.Config.Bucket+" --member=serviceAccount:"+account+" --role=roles/storage.objectUser"))
				break // the remedy gives all
			}
		}
	}
	name := f.Config.Project + "." + f.Config.Dataset
	d := f.Datasets[name]
	if !f.bigQuery() || d == nil || d.Info == nil {
		return all
	}
	for _, permission := range []string{deployed.ReadData, deployed.WriteData} {
		if f.may(account, permission, accessOf(d.Info), f.ofProject(f.Config.Project)) == no {
			all = append(all, lacks(account, permission, name, why, "grant roles/bigquery.dataEditor on the dataset: bq "+
				"add-iam-policy-binding "+
				"--member=serviceAccount:"+account+" --role=roles/bigquery.dataEditor "+bq(name)))
			break
		}
	}
	if f.may(account, deployed.CreateJobs, f.ofProject(f.Config.Project)) == no {
		all = append(all, lacks(account, deployed.CreateJobs, "projects/"+f.Config.Project, why,
			grantTo(account, "roles/bigquery.jobUser", "gcloud projects add-iam-policy-binding "+f.Config.Project)))
	}
	return all
}

// accessOf returns a dataset's access entries as a policy.
func accessOf(d *bigquery.Dataset) deployed.Policy {
	p := deployed.Policy{Read: true}
	roles := map[string]string{"READER": "roles/bigquery.dataViewer", "WRITER": "roles/bigquery.dataEditor",
		"OWNER": "roles/bigquery.dataOwner"}
	groups := map[string]string{"projectOwners": "projectOwner:", "projectWriters": "projectEditor:",
		"projectReaders": "projectViewer:"}
	for _, a := range d.Access {
		b := deployed.Binding{Role: a.Role}
		if role, basic := roles[a.Role]; basic {
			b.Role = role
		}
		switch {
		case a.UserByEmail != "":
			b.Members = []string{"serviceAccount:" + a.UserByEmail}
		case a.IamMember != "":
			b.Members = []string{a.IamMember}
		case a.GroupByEmail != "" || a.Domain != "":
			b.Members = []string{"group:" + a.GroupByEmail + a.Domain}
		case groups[a.SpecialGroup] != "" && d.DatasetReference != nil:
			b.Members = []string{groups[a.SpecialGroup] + d.DatasetReference.ProjectId}
		case a.SpecialGroup != "":
			b.Members = []string{a.SpecialGroup}
		}
		p.Bindings = append(p.Bindings, b)
	}
	return p
}

// ofCaller looks at what the account of a route must be able to do.
func (f facts) ofCaller(r deployed.Route) (all []Finding) {
	account, policy := r.Account(), f.Policies[f.Target.String()]
	if r.Trigger != nil && account == "" {
		return []Finding{{Severity: Error, Resource: r.Name(), Problem: "the trigger has no service account",
			Why: "the service answers 403, and no event arrives",
			Remedy: "gcloud eventarc triggers update " + short(r.Name()) + " --location=" + location(r.Name()) +
				" --service-account=…"}}
	}
	if account != "" && f.may(account, deployed.Invoke, policy, f.ofProject(f.Project)) == no {
		all = append(all, lacks(account, deployed.Invoke, f.Target.String(),
			"the service answers 403, and no event arrives",
			grantTo(account, "roles/run.invoker", "gcloud run services add-iam-policy-binding "+f.flags())))
	}
	all = append(all, f.ofPubSub(r)...)
	if r.Trigger == nil || filter(r, "type") == ofMessages {
		return all
	}
	if f.may(account, deployed.ReceiveEvent, f.ofProject(f.Project)) == no {
		all = append(all, lacks(account, deployed.ReceiveEvent, "projects/"+f.Project, noEvent,
			grantTo(account, "roles/eventarc.eventReceiver", "gcloud projects add-iam-policy-binding "+f.Project)))
	}
	if strings.HasPrefix(filter(r, "type"), "google.cloud.storage.") && f.Number != "" {
		agent := "service-" + f.Number + "@gs-project-accounts.iam.gserviceaccount.com"
		if t := f.Topics[r.Topic()]; f.may(agent, deployed.Publish, f.ofProject(f.Project), policyOf(t)) == no {
			all = append(all, lacks(agent, deployed.Publish, "projects/"+f.Project, noEvent,
				grantTo(agent, "roles/pubsub.publisher", "gcloud projects add-iam-policy-binding "+f.Project)))
		}
	}
	return all
}

// ofPubSub looks whether Pub/Sub may publish the dead letters of a route's subscription.
func (f facts) ofPubSub(r deployed.Route) []Finding {
	if withoutLetters(r) || f.Number == "" {
		return nil
	}
	agent, topic := "service-"+f.Number+"@gcp-sa-pubsub.iam.gserviceaccount.com",
		r.Subscription.DeadLetterPolicy.DeadLetterTopic
	t := f.Topics[topic]
	if t == nil || t.Info == nil || f.may(agent, deployed.Publish, t.Policy, f.ofProject(projectOf(topic))) != no {
		return nil
	}
	return []Finding{lacks(agent, deployed.Publish, topic, "Pub/Sub can't dead-letter an event there, and deletes it "+
		"after its retention",
		grantTo(agent, "roles/pubsub.publisher", "gcloud pubsub topics add-iam-policy-binding "+topic))}
}

func policyOf(t *deployed.Topic) deployed.Policy {
	if t == nil {
		return deployed.Policy{}
	}
	return t.Policy
}

// projectOf returns the project in the full name of a topic.
func projectOf(name string) string { return strings.Split(name+"//", "/")[1] }
