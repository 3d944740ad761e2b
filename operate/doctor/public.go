package doctor

import (
	"slices"

	"example.com/eventdriver/operate/deployed"
)

// public looks for what everybody may do.
func public(f facts) []Finding {
	return slices.Concat(f.publicService(), f.publicProject(), f.publicBucket(), f.publicTopics(), f.publicDatasets())
}

const (
	anyEvent = "anybody can send events of any source, and so complete orders that nobody placed"
	anyRead  = "anybody can read, or even change, orders and dead letters"
)

// open reports the bindings of a policy that let everybody do what matters; remove, with
// " --member=… --role=…" behind it, is the command that removes one.
func (f facts) open(resource string, p deployed.Policy, why, remove string) (all []Finding) {
	for _, b := range p.Bindings {
		if who := everybody(b.Members); who != "" {
			all = append(all, Finding{Severity: Error, Resource: resource, Problem: who + " have the role " + b.Role, Why: why,
				Remedy: remove + " --member=" + who + " --role=" + b.Role})
		}
	}
	return all
}

func (f facts) publicService() []Finding {
	name := f.Target.String()
	all := f.open(name, f.Policies[name], anyEvent, "gcloud run services remove-iam-policy-binding "+f.flags())
	if f.Service != nil && f.Service.InvokerIamDisabled {
		all = append(all, Finding{Severity: Error, Resource: name, Problem: "callers need no permission", Why: anyEvent,
			Remedy: "gcloud run services update " + f.flags() + " --invoker-iam-check"})
	}
	return all
}

// publicProject looks at roles on the whole project, of which each counts for all services.
func (f facts) publicProject() []Finding {
	p := f.ofProject(f.Project)
	p.Bindings = slices.DeleteFunc(slices.Clone(p.Bindings), func(b deployed.Binding) bool {
		return f.grants(b, deployed.Invoke) != yes && f.grants(b, deployed.ObjectsGet) != yes &&
			f.grants(b, deployed.ReadData) != yes && f.grants(b, deployed.Publish) != yes
	})
	return f.open("projects/"+f.Project, p, anyEvent+"; or "+anyRead,
		"gcloud projects remove-iam-policy-binding "+f.Project)
}

func (f facts) publicBucket() []Finding {
	b, name := f.Buckets[f.Config.Bucket], "gs://"+f.Config.Bucket
	if !f.gcs() || b == nil {
		return nil
	}
	all := f.open(name, b.Policy, anyRead, "gcloud storage buckets remove-iam-policy-binding "+name)
	if who := listed(b); who != "" {
		all = append(all, Finding{Severity: Error, Resource: name, Problem: who + " are in its access control lists",
			Why:    anyRead,
			Remedy: "gcloud storage buckets update " + name + " --uniform-bucket-level-access --public-access-prevention"})
	}
	return all
}

func (f facts) publicTopics() (all []Finding) {
	for name, t := range f.Topics {
		all = append(all, f.open(name, t.Policy, "anybody can publish events there, or read them",
			"gcloud pubsub topics remove-iam-policy-binding "+name)...)
	}
	return all
}

func (f facts) publicDatasets() (all []Finding) {
	for name, d := range f.Datasets {
		if d.Info != nil && f.bigQuery() {
			all = append(all, f.open(name, accessOf(d.Info), anyRead, "in BigQuery's console, Sharing of the dataset, "+
				"remove")...)
		}
	}
	return all
}

// everybody returns the member that stands for everybody; "": there is none.
func everybody(members []string) string {
	for _, m := range members {
		if m == "allUsers" || m == "allAuthenticatedUsers" {
			return m
		}
	}
	return ""
}

// listed returns who of everybody is in a bucket's access control lists.
func listed(b *deployed.Bucket) string {
	if b.Info == nil {
		return ""
	}
	var entities []string
	for _, a := range b.Info.Acl {
		entities = append(entities, a.Entity)
	}
	for _, a := range b.Info.DefaultObjectAcl {
		entities = append(entities, a.Entity)
	}
	return everybody(entities)
}

// invokedByAll says whether anybody may call the service.
func (f facts) invokedByAll() bool {
	return f.Service.InvokerIamDisabled || slices.ContainsFunc(f.Policies[f.Target.String()].Bindings,
		func(b deployed.Binding) bool {
			return slices.Contains(b.Members, "allUsers") && f.grants(b, deployed.Invoke) == yes
		})
}
