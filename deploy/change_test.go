package deploy

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
)

func TestSecondRunCreatesNothing(t *testing.T) {
	t.Parallel()
	c := newCloud(t)
	_, first := c.script("--output-topic=done")
	before := c.world()
	_, second := c.script("--output-topic=done")
	after := c.world()
	for _, call := range second {
		if strings.Contains(call, " create ") || strings.Contains(call, "triggers update") || strings.Contains(call, "subscriptions update") {
			t.Errorf("it is there as it is asked for, and the script calls %s", call)
		}
	}
	if len(with(second, "functions deploy")) != 1 {
		t.Error("the function must be deployed again: its source may have changed")
	}
	if !reflect.DeepEqual(before.Things, after.Things) || !reflect.DeepEqual(before.Roles, after.Roles) {
		t.Errorf("the second run made\n%v\nof\n%v", after, before)
	}
	if len(with(first, "iam service-accounts create")) != 4 {
		t.Errorf("%q; want four accounts", with(first, "iam service-accounts create"))
	}
}

// TestChangesAreMade changes each setting, by the script or behind its back, and finds what the
// script then asks for.
func TestChangesAreMade(t *testing.T) {
	const function, bucket, letters = "function/europe-west1/event-driver", "bucket/my-project-123-event-driver-events", "subscription/event-driver-dead-letters"
	const trigger, job = "trigger/europe-west1/event-driver-event1", "job/europe-west1/event-driver-sweep"
	at := []string{"--location=europe-west1"}
	for _, change := range []struct {
		behind  []string // what somebody else does to the deployment, if anything
		args    []string
		id, is  string // what must then be there, and which property of it
		as      any
		changes string // a part of the one more command, if the change takes one
	}{
		{args: []string{"--memory=1Gi"}, id: function, is: "serviceConfig.availableMemory", as: "1Gi"},
		{args: []string{"--concurrency=7"}, id: function, is: "serviceConfig.maxInstanceRequestConcurrency", as: "7"},
		{args: []string{"--env=LOG_LEVEL=debug"}, id: function, is: "serviceConfig.environmentVariables.LOG_LEVEL", as: "debug"},
		{args: []string{"--sweep-schedule=1 2 3 4 5"}, id: job, is: "schedule", as: "1 2 3 4 5"},
		{args: []string{"--output-topic=done"}, id: function, is: "serviceConfig.environmentVariables.OUTPUT_TOPIC", as: "projects/my-project-123/topics/done"},
		{behind: []string{"functions", "deploy", "event-driver", "--region=europe-west1", "--set-env-vars=OLD=x"}, id: function, is: "serviceConfig.environmentVariables.OLD"},
		{behind: []string{"functions", "deploy", "event-driver", "--region=europe-west1", "--runtime=go125"}, id: function, is: "buildConfig.runtime", as: "go126"},
		{behind: []string{"functions", "deploy", "event-driver", "--region=europe-west1", "--max-instances=1"}, id: function, is: "serviceConfig.maxInstanceCount", as: "20"},
		{behind: []string{"functions", "deploy", "event-driver", "--region=europe-west1", "--ingress-settings=all"}, id: function, is: "serviceConfig.ingressSettings", as: "internal-only"},
		{behind: []string{"functions", "deploy", "event-driver", "--region=europe-west1", "--build-service-account=x"}, id: function, is: "buildConfig.serviceAccount",
			as: "projects/my-project-123/serviceAccounts/event-driver-build@my-project-123.iam.gserviceaccount.com"},
		{behind: append([]string{"eventarc", "triggers", "update", "event-driver-event1", "--destination-run-path=/"}, at...), id: trigger, is: "destination.cloudRun.path", as: "/events/event1", changes: "triggers update event-driver-event1 "},
		{behind: append([]string{"eventarc", "triggers", "update", "event-driver-event1", "--service-account=other"}, at...), id: trigger, is: "serviceAccount",
			as: "event-driver-trigger@my-project-123.iam.gserviceaccount.com", changes: "triggers update event-driver-event1 "},
		{behind: []string{"pubsub", "subscriptions", "update", "event-driver-dead-letters", "--ack-deadline=10"}, id: letters, is: "ackDeadlineSeconds", as: 60.0, changes: "subscriptions update"},
		{behind: []string{"pubsub", "subscriptions", "update", "event-driver-dead-letters", "--message-retention-duration=600s"}, id: letters, is: "messageRetentionDuration", as: "604800s", changes: "subscriptions update"},
		{behind: []string{"pubsub", "subscriptions", "update", "event-driver-dead-letters", "--expiration-period=100000s"}, id: letters, is: "expirationPolicy.ttl", changes: "subscriptions update"},
		{behind: []string{"storage", "buckets", "update", "my-project-123-event-driver-events", "--soft-delete-duration=7"}, id: bucket, is: "soft_delete_policy.retentionDurationSeconds", as: "0"},
		{behind: []string{"storage", "buckets", "update", "my-project-123-event-driver-events", "--lifecycle-file=none"}, id: bucket, is: "lifecycle", as: "deploy/.build/my-project-123-event-driver-lifecycle.json"},
		{behind: append([]string{"scheduler", "jobs", "update", "event-driver-sweep", "--uri=x"}, at...), id: job, is: "httpTarget.uri", as: theURL + "/sweep"},
	} {
		t.Run(fmt.Sprint(change.args, change.behind), func(t *testing.T) {
			t.Parallel()
			c := newCloud(t)
			_, first := c.script("--sources=event1")
			if change.behind != nil {
				c.gcloud(change.behind...)
			}
			if is := c.property(change.id, change.is); is == change.as {
				t.Fatalf("%s of %s is %v before", change.is, change.id, is)
			}
			_, calls := c.script(append(change.args, "--sources=event1")...)
			if is := c.property(change.id, change.is); is != change.as {
				t.Errorf("%s of %s is %v, want %v", change.is, change.id, is, change.as)
			}
			if change.changes != "" && (!strings.Contains(strings.Join(calls, ""), change.changes) || strings.Contains(strings.Join(first, ""), change.changes)) {
				t.Errorf("%q lacks %s", calls, change.changes)
			}
		})
	}
}

// TestWhatCannotBeChangedIsRefused: before anything changes but that APIs are enabled, without which
// it can't be looked up.
func TestWhatCannotBeChangedIsRefused(t *testing.T) {
	type commands = [][]string
	topicOf := "projects/my-project-123/topics/"
	for want, behind := range map[string]commands{
		"the function event-driver is in europe-west4: give --region=europe-west4": {{"functions", "deploy", "event-driver", "--region=europe-west4", "--run-service-account=", "--build-service-account="}},
		"bucket my-project-123-event-driver-events is in EU, which":                {{"storage", "buckets", "create", "gs://my-project-123-event-driver-events", "--location=eu"}},
		"event-driver is a service of Cloud Run that is no function":               {{"run", "services", "create", "event-driver", "--region=europe-west1"}},
		"gcloud pubsub subscriptions delete event-driver-dead-letters": {{"pubsub", "topics", "create", "other"},
			{"pubsub", "subscriptions", "create", "event-driver-dead-letters", "--project=my-project-123", "--topic=other"}},
		"event-driver-event1 calls event in europe-west1: it belongs to something else":                {trigger("event", "x", messagePublished)},
		"event-driver-event1 has the topic " + topicOf + "x, which":                                    {trigger("event-driver", "x", messagePublished)},
		"triggers delete event-driver-event1 --project=my-project-123 --location=europe-west1 --quiet": {trigger("event-driver", "x", messagePublished)},
		"event-driver-event1 has events of the type of.buckets":                                        {trigger("event-driver", "event-driver-event1", "of.buckets")},
	} {
		t.Run(want, func(t *testing.T) {
			t.Parallel()
			c := newCloud(t)
			c.gcloud("iam", "service-accounts", "create", "x", "--project=my-project-123")
			for _, needed := range [][]string{{"pubsub", "topics", "create", "x"}, {"pubsub", "topics", "create", "event-driver-event1"}} {
				c.gcloud(needed...)
			}
			for _, command := range behind {
				if command[0] == "eventarc" {
					service := strings.TrimPrefix(command[5], "--destination-run-service=")
					c.gcloud("functions", "deploy", service, "--region=europe-west1", "--run-service-account=x@my-project-123.iam.gserviceaccount.com", "--build-service-account=x@my-project-123.iam.gserviceaccount.com")
				}
				if command[0] == "functions" {
					command = append(command[:4], "--run-service-account=x@my-project-123.iam.gserviceaccount.com", "--build-service-account=x@my-project-123.iam.gserviceaccount.com")
				}
				c.gcloud(command...)
			}
			printed, calls, err := c.try("--sources=event1")
			if err == nil || !strings.Contains(printed, want) {
				t.Errorf("%v: %s\nlacks %s", err, printed, want)
			}
			if made := changes(calls); len(made) != 1 || len(with(made, "services enable")) != 1 {
				t.Errorf("%q; want only APIs enabled", made)
			}
		})
	}
}

const messagePublished = "google.cloud.pubsub.topic.v1.messagePublished"

func trigger(service, topic, kind string) []string {
	return []string{"eventarc", "triggers", "create", "event-driver-event1", "--location=europe-west1", "--destination-run-service=" + service, "--destination-run-region=europe-west1",
		"--transport-topic=projects/my-project-123/topics/" + topic, "--event-filters=type=" + kind, "--service-account=x@my-project-123.iam.gserviceaccount.com"}
}

// TestStateStaysFound: another folder would have the function begin with nothing.
func TestStateStaysFound(t *testing.T) {
	t.Parallel()
	c := newCloud(t)
	c.script("--sources=event1", "--env=GCS_FOLDER=team/orders")
	c.script("--sources=event1", "--env=GCS_FOLDER=team/orders")
	for _, args := range [][]string{nil, {"--env=GCS_FOLDER=orders"}} {
		printed, calls, err := c.try(append(args, "--sources=event1")...)
		if err == nil || !strings.Contains(printed, "the state is in the folder team/orders, and would not be found in ") || len(changes(calls)) != 1 {
			t.Errorf("%q: %v: %s, %q", args, err, printed, changes(calls))
		}
	}
}

// TestFailuresAreNotTakenForAbsence: what can't be looked at is not created again, nor
// left out silently when all is destroyed.
func TestFailuresAreNotTakenForAbsence(t *testing.T) {
	for _, args := range [][]string{nil, {"--destroy"}} {
		c := newCloud(t)
		c.env = []string{"FAKE_GCLOUD_DENY=1"}
		printed, calls, err := c.try(args...)
		if err == nil || !strings.Contains(printed, "PERMISSION_DENIED: ask somebody") {
			t.Errorf("%q: %v, and it said %s", args, err, printed)
		}
		if made := with(changes(calls), ""); len(changes(calls)) > 1 {
			t.Errorf("%q: %q", args, made)
		}
	}
}

// TestNoLongerAsked: triggers of events that are gone and a former output topic are named, and
// removed with --prune; those of another instance whose name begins alike are not touched.
func TestNoLongerAsked(t *testing.T) {
	t.Parallel()
	c := newCloud(t)
	c.script("--name=orders", "--sources=placed,paid", "--output-topic=done")
	c.script("--name=orders-eu", "--sources=placed,packed", "--output-topic=done")
	other := things(c, "orders-eu")
	printed, _ := c.script("--name=orders", "--sources=placed")
	for _, want := range []string{"The trigger orders-paid still delivers", "may still publish to done,", "remove-iam-policy-binding done --project=my-project-123 --member=serviceAccount:orders-run@"} {
		if !strings.Contains(printed, want) {
			t.Errorf("%s\nlacks %q", printed, want)
		}
	}
	if strings.Contains(printed, "orders-eu") || c.property("trigger/europe-west1/orders-paid", "serviceAccount") == nil {
		t.Errorf("%s; the trigger must stay, and the other instance's is no matter", printed)
	}
	c.script("--name=orders", "--sources=placed", "--output-topic=done")
	_, calls := c.script("--name=orders", "--sources=placed", "--prune")
	removed := slices.DeleteFunc(changes(calls), func(c string) bool { return !strings.Contains(c, " delete ") && !strings.Contains(c, " remove-") })
	if len(removed) != 2 || !strings.HasPrefix(removed[0], "eventarc triggers delete orders-paid ") || !strings.HasPrefix(removed[1], "pubsub topics remove-iam-policy-binding done ") {
		t.Errorf("--prune calls %q, want one trigger and one role removed", removed)
	}
	if is := things(c, "orders-eu"); !slices.Equal(is, other) {
		t.Errorf("the other instance has\n%q\nand had\n%q", is, other)
	}
}

// things returns what there is of an instance, and the roles of its accounts.
func things(c *cloud, name string) (of []string) {
	ids, roles := c.things()
	for _, id := range slices.Concat(ids, roles) {
		if strings.Contains(id, name+"-") || strings.HasSuffix(id, "/"+name) || strings.Contains(id, "/"+name+":") {
			of = append(of, id)
		}
	}
	return of
}

// TestNewAccountsAreWaitedFor: IAM is not told at once, so builds right after fail.
func TestNewAccountsAreWaitedFor(t *testing.T) {
	t.Parallel()
	c := newCloud(t)
	first, _ := c.script()
	second, _ := c.script()
	if !strings.Contains(first, "\n+ sleep 60\n+ gcloud functions deploy ") || strings.Contains(second, "sleep") {
		t.Errorf("want one wait, before the function is deployed as new accounts:\n%s\n%s", first, second)
	}
}
