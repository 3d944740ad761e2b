package terraform

import (
	"slices"
	"strings"

	"example.com/eventdriver/internal/fake/googlecloud"
)

const (
	region  = "europe-west1"
	place   = "projects/" + project + "/locations/" + region
	channel = "projects/" + project + "/notificationChannels/1234567890"
)

// makeOthers makes what inputs name and somebody else has made.
func makeOthers(c *googlecloud.Cloud) {
	for _, api := range []string{"pubsub", "eventarc", "monitoring", "cloudkms", "iam", "secretmanager", "storage"} {
		c.Enable(project, api)
	}
	for _, topic := range []string{"orders-created", "payments", "other", "company-dead-letters"} {
		c.Make("pubsub/projects/"+project+"/topics/"+topic, nil)
	}
	c.Make("monitoring/"+channel, nil)
	c.Make("secretmanager/projects/"+project+"/secrets/shop", nil)
	c.Make("eventarc/"+place+"/channels/partners", nil)
	for _, bucket := range []string{project + "-invoices", "builds", "given"} {
		c.Make("storage/"+bucket, inputs{"name": bucket, "location": "EUROPE-WEST1"})
	}
	c.Put("builds", "orders.zip", []byte("zip"))
	c.Make("artifactregistry/"+place+"/repositories/images", nil)
	for _, account := range []string{"a-run", "a-trigger", "a-build", "a-sweep"} {
		email := account + "@" + project + ".iam.gserviceaccount.com"
		c.Make("iam/projects/"+project+"/serviceAccounts/"+email, inputs{
			"name":     "projects/" + project + "/serviceAccounts/" + email,
			"email":    email,
			"uniqueId": "1",
		})
	}
	c.Make("pubsub/projects/"+project+"/subscriptions/letters", inputs{
		"topic": "projects/" + project + "/topics/company-dead-letters",
	})
}

// archive is a source that somebody else has uploaded.
func (r *root) archive() string {
	return "gs://builds/orders.zip#" + r.cloud.Item("storage/builds/o/orders.zip")["generation"].(string)
}

// left destroys, and wants nothing to be left but these topics.
func (r *root) left(topics ...string) {
	r.Helper()
	var want []string
	for _, topic := range topics {
		want = append(want, "pubsub/projects/"+project+"/topics/"+topic)
	}
	got := slices.DeleteFunc(r.destroy(), func(name string) bool { return slices.Contains(r.others, name) })
	if !slices.Equal(got, want) {
		r.Errorf("left is %s, want %s", strings.Join(got, "\n"), want)
	}
}

// step is a change of inputs, and what somebody does by hand before it.
type step struct {
	name   string
	inputs inputs
	first  func()
	keeps  []string // what is not deleted: the beginnings of names
}

// steps applies one change after the other.
func (r *root) steps(steps ...step) {
	r.Helper()
	for _, s := range steps {
		r.set(s.inputs)
		r.cloud.Writes()
		if s.first != nil {
			s.first()
		}
		output, code := r.run("apply", "-no-color", "-auto-approve")
		writes := r.cloud.Writes()
		r.Logf("%s:\n\t%s", s.name, strings.Join(writes, "\n\t"))
		for _, kept := range s.keeps {
			for _, write := range writes {
				if strings.HasPrefix(write, "delete "+kept) {
					r.Errorf("%s: %s", s.name, write)
				}
			}
		}
		if code != 0 {
			r.Errorf("%s: %s", s.name, tail(output))
			continue
		}
		r.settled()
	}
}
