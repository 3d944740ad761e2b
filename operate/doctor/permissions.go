package doctor

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"example.com/eventdriver/operate/deployed"
)

// permissions looks for what the accounts may not do, and must.
func permissions(f facts) (all []Finding) {
	if f.Service == nil {
		return nil
	}
	for _, email := range slices.Sorted(maps.Keys(f.Accounts)) {
		if a := f.Accounts[email]; a == nil || a.Disabled {
			n := on(email)
			n.add(Error, "the service account is disabled or does not exist",
				"what runs as it, or calls the service with it, fails",
				"gcloud iam service-accounts enable "+email+", or create it again and grant its roles again")
			all = append(all, n.all...)
		}
	}
	if account := f.Account(); account != "" {
		all = slices.Concat(all, f.ofBucket(account), f.ofDataset(account),
			f.ofTopic(account, "DEAD_LETTER_TOPIC", f.Config.DeadLetterTopic), f.ofTopic(account, "OUTPUT_TOPIC",
				f.Config.OutputTopic))
	}
	for _, r := range f.Routes {
		for _, finding := range slices.Concat(f.ofCaller(r), f.ofToken(r), f.ofReceiver(r), f.ofPubSub(r)) {
			if !slices.Contains(all, finding) { // several routes have one account
				all = append(all, finding)
			}
		}
	}
	return all
}

// needs returns a finding unless policies let the account do something with a resource, or it
// is not known whether they do. A command gives it the role, when --member and --role are
// added to it.
func (f facts) needs(account, permission, role, resource, why, command string,
	policies ...deployed.Policy) []Finding {
	if f.may(account, permission, policies...) != no {
		return nil
	}
	n := on(resource)
	n.add(Error, fmt.Sprintf("no role on it or on its project gives %s the permission %s", account, permission), why,
		command+" --member=serviceAccount:"+account+" --role="+role)
	return n.all
}

// failing is what a missing permission of the function does.
const failing = "every event fails, and comes again until Pub/Sub deletes it"

// ofBucket looks at what the function must be able to do in its bucket.
func (f facts) ofBucket(account string) []Finding {
	b, name := f.Buckets[f.Config.Bucket], "gs://"+f.Config.Bucket
	if !f.gcs() || b == nil || b.Info == nil {
		return nil
	}
	project := f.ofProject(f.Project)
	if n := b.Info.ProjectNumber; n != 0 && f.Number != "" && fmt.Sprint(n) != f.Number {
		project = deployed.Policy{} // the bucket is of another project, whose policy is unknown
	}
	for _, permission := range []string{deployed.ObjectsCreate, deployed.ObjectsGet, deployed.ObjectsList,
		deployed.ObjectsDelete} {
		if all := f.needs(account, permission, "roles/storage.objectUser", name, failing,
			"gcloud storage buckets add-iam-policy-binding "+name, b.Policy, project); all != nil {
			return all // the remedy gives all permissions
		}
	}
	return nil
}

// ofDataset looks at what the function must be able to do in its dataset.
func (f facts) ofDataset(account string) (all []Finding) {
	name := f.Config.Project + "." + f.Config.Dataset
	d, project := f.Datasets[name], f.ofProject(f.Config.Project)
	if !f.bigQuery() || d == nil || d.Info == nil {
		return nil
	}
	for _, permission := range []string{deployed.ReadData, deployed.WriteData} {
		if all == nil && f.may(account, permission, accessOf(d.Info), project) == no {
			n := on(name)
			n.add(Error, fmt.Sprintf("no role on it or on its project gives %s the permission %s", account, permission),
				failing,
				"bq query --nouse_legacy_sql 'GRANT `roles/bigquery.dataEditor` ON SCHEMA "+
					"`"+name+"` TO \"serviceAccount:"+account+"\"'")
			all = n.all
		}
	}
	return append(all, f.needs(account, deployed.CreateJobs, "roles/bigquery.jobUser", "projects/"+f.Config.Project,
		failing,
		"gcloud projects add-iam-policy-binding "+f.Config.Project, project)...)
}

// ofTopic looks whether the function may publish to the topic that a variable names.
func (f facts) ofTopic(account, variable, name string) []Finding {
	t := f.Topics[name]
	if t == nil || t.Info == nil {
		return nil
	}
	return f.needs(account, deployed.Publish, "roles/pubsub.publisher", name,
		"nothing can be published to "+variable+", so its events fail until Pub/Sub deletes them",
		"gcloud pubsub topics add-iam-policy-binding "+name, t.Policy, f.ofProject(projectOf(name)))
}

const turnedAway = "the service answers 403, and nothing arrives"

// ofCaller looks whether the account of a route may call the service.
func (f facts) ofCaller(r deployed.Route) []Finding {
	switch account := r.Account(); {
	case account != "":
		return f.invokes(account)
	case r.Trigger != nil:
		n := on(r.Name())
		n.add(Error, "the trigger has no service account", turnedAway,
			"gcloud eventarc triggers update "+short(r.Name())+" --location="+location(r.Name())+" --service-account=…")
		return n.all
	}
	return nil
}

// invokes looks whether an account may call the service.
func (f facts) invokes(account string) []Finding {
	return f.needs(account, deployed.Invoke, "roles/run.invoker", f.Target.String(), turnedAway,
		"gcloud run services add-iam-policy-binding "+f.flags(), f.Policies[f.Target.String()], f.ofProject(f.Project))
}

// ofToken looks whether Pub/Sub may call the service as the account of a route, in a project in which it has to be
// granted that. In younger ones it may.
func (f facts) ofToken(r deployed.Route) []Finding {
	account := f.Accounts[r.Account()]
	if account == nil || f.Number == "" || !f.MayNotMakeTokens() {
		return nil
	}
	return f.needs(f.agentOfPubSub(), deployed.MakeToken, "roles/iam.serviceAccountTokenCreator", r.Account(), turnedAway,
		"gcloud iam service-accounts add-iam-policy-binding "+r.Account(), f.Policies[r.Account()],
		f.ofProject(cmp.Or(account.ProjectId, f.Project)))
}

// agentOfPubSub is the account of Pub/Sub itself in the project.
func (f facts) agentOfPubSub() string {
	return "service-" + f.Number + "@gcp-sa-pubsub.iam.gserviceaccount.com"
}

// ofReceiver looks at what Eventarc asks for to get events that are no messages of a topic.
func (f facts) ofReceiver(r deployed.Route) []Finding {
	if r.Trigger == nil || filter(r, "type") == ofMessages {
		return nil
	}
	name, project := "projects/"+f.Project, f.ofProject(f.Project)
	all := f.needs(r.Account(), deployed.ReceiveEvent, "roles/eventarc.eventReceiver", name, noEvent,
		"gcloud projects add-iam-policy-binding "+f.Project, project)
	if !strings.HasPrefix(filter(r, "type"), "google.cloud.storage.") || f.Number == "" {
		return all
	}
	var topic deployed.Policy
	if t := f.Topics[r.Topic()]; t != nil {
		topic = t.Policy
	}
	return append(all, f.needs("service-"+f.Number+"@gs-project-accounts.iam.gserviceaccount.com", deployed.Publish,
		"roles/pubsub.publisher", name, noEvent, "gcloud projects add-iam-policy-binding "+f.Project, project, topic)...)
}

// ofPubSub looks whether Pub/Sub may publish the dead letters of a route's subscription.
func (f facts) ofPubSub(r deployed.Route) []Finding {
	if withoutLetters(r) || f.Number == "" {
		return nil
	}
	name := r.Subscription.DeadLetterPolicy.DeadLetterTopic
	t := f.Topics[name]
	if t == nil || t.Info == nil {
		return nil
	}
	return f.needs(f.agentOfPubSub(), deployed.Publish,
		"roles/pubsub.publisher", name,
		"Pub/Sub can't dead-letter an event there, and deletes it after its retention",
		"gcloud pubsub topics add-iam-policy-binding "+name, t.Policy, f.ofProject(projectOf(name)))
}

// projectOf returns the project in the full name of a topic.
func projectOf(name string) string { return strings.Split(name+"//", "/")[1] }
