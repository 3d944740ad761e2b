package doctor

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	bigquery "google.golang.org/api/bigquery/v2"
	cloudfunctions "google.golang.org/api/cloudfunctions/v2"
	scheduler "google.golang.org/api/cloudscheduler/v1"
	eventarc "google.golang.org/api/eventarc/v1"
	pubsub "google.golang.org/api/pubsub/v1"
	run "google.golang.org/api/run/v2"
	storage "google.golang.org/api/storage/v1"

	"example.com/eventdriver/internal/fake/googleapis"
	"example.com/eventdriver/operate/deployed"
)

// world is what is deployed in a project, as Google's APIs have it. Its functions return what
// tests change.
type world struct {
	variables  map[string]string
	service    *run.GoogleCloudRunV2Service
	revisions  []*run.GoogleCloudRunV2Revision // earlier ones
	begun      string                          // when the one that gets the events was made
	neighbours []*run.GoogleCloudRunV2Service
	function   *cloudfunctions.Function
	job        *scheduler.Job
	triggers   []*eventarc.Trigger
	subs       map[string]*pubsub.Subscription // by their short names
	topics     map[string]*pubsub.Topic        // likewise
	buckets    map[string]*storage.Bucket
	objects    map[string][]string // names, by bucket
	datasets   map[string]*bigquery.Dataset
	tables     map[string]*bigquery.Table // by DATASET.TABLE
	policies   map[string][]binding       // by the path of the resource
	accounts   []string                   // e-mails
	created    string                     // when the project was
	disabled   string                     // an account
	roles      map[string][]string
	instead    map[string]any // answers, by path, that prevail
}

type binding = map[string]any

const (
	project       = "projects/shop-prod"
	region        = "europe-west1"
	runner        = "orders-run@shop-prod.iam.gserviceaccount.com"
	caller        = "orders-trigger@shop-prod.iam.gserviceaccount.com"
	agentOfPubSub = "serviceAccount:service-424242@gcp-sa-pubsub.iam.gserviceaccount.com"
	letter        = project + "/topics/orders-dead-letters"
	host          = "https://orders-424242.europe-west1.run.app"
)

// now is when the worlds are looked at.
var now = time.Date(2026, 11, 25, 0, 0, 0, 0, time.UTC)

var target = deployed.Target{Project: "shop-prod", Region: region, Service: "orders"}

func grant(role string, members ...string) binding { return binding{"role": role, "members": members} }

func account(email string) string { return "serviceAccount:" + email }

// byTerraform is what Terraform's module makes by default.
func byTerraform() *world {
	w := &world{
		begun: "2026-11-20T00:00:00Z",
		variables: map[string]string{
			"GOMEMLIMIT": "512MiB", "EVENT_SOURCES": "event1,event2,event3", "EVENT_STORE": "gcs", "CLAIM_STORE": "gcs",
			"SOURCE_ALIASES":    "event1:orders-event1,event2:orders-event2,event3:orders-event3",
			"DEAD_LETTER_TOPIC": letter, "CLOUD_RUN_TIMEOUT_SECONDS": "60", "GOOGLE_CLOUD_PROJECT": "shop-prod",
			"LOG_EXECUTION_ID": "true", "GCS_BUCKET": "shop-prod-orders-events", "MAX_EVENT_AGE": "20h",
		},
		service: &run.GoogleCloudRunV2Service{
			Name: target.String(), Uri: "https://orders-abcdef-ew.a.run.app", Urls: []string{host},
			Ingress: "INGRESS_TRAFFIC_INTERNAL_ONLY", LatestReadyRevision: target.String() + "/revisions/orders-00002-abc",
			LatestCreatedRevision: target.String() + "/revisions/orders-00002-abc",
			Labels:                map[string]string{"goog-managed-by": "cloudfunctions"},
			TrafficStatuses: []*run.GoogleCloudRunV2TrafficTargetStatus{{Type: "TRAFFIC_TARGET_ALLOCATION_TYPE_LATEST",
				Percent: 100}},
			Template: &run.GoogleCloudRunV2RevisionTemplate{
				Timeout: "60s", MaxInstanceRequestConcurrency: 80, ServiceAccount: runner,
				Containers: []*run.GoogleCloudRunV2Container{{
					Resources: &run.GoogleCloudRunV2ResourceRequirements{CpuIdle: true, Limits: map[string]string{"cpu": "1",
						"memory": "512Mi"}},
				}},
			},
		},
		function: &cloudfunctions.Function{BuildConfig: &cloudfunctions.BuildConfig{EntryPoint: "EventDriver"}},
		subs:     map[string]*pubsub.Subscription{},
		topics:   map[string]*pubsub.Topic{},
		buckets: map[string]*storage.Bucket{"shop-prod-orders-events": {
			Location: "EUROPE-WEST1", StorageClass: "STANDARD", ProjectNumber: 424242,
			SoftDeletePolicy: &storage.BucketSoftDeletePolicy{},
			IamConfiguration: &storage.BucketIamConfiguration{
				UniformBucketLevelAccess: &storage.BucketIamConfigurationUniformBucketLevelAccess{Enabled: true}},
			Lifecycle: lifecycle("orders", 7, "event1", "event2", "event3"),
		}},
		objects: map[string][]string{}, datasets: map[string]*bigquery.Dataset{}, tables: map[string]*bigquery.Table{},
		policies: map[string][]binding{
			project: {grant("roles/eventarc.eventReceiver", account(caller)), grant("roles/owner", "user:owner@example.com"),
				grant("roles/pubsub.serviceAgent", agentOfPubSub)},
			target.String(): {grant("roles/run.invoker", account(caller))},
			"shop-prod-orders-events": {grant("roles/storage.objectUser", account(runner)),
				grant("roles/storage.legacyBucketOwner", "projectOwner:shop-prod", "projectEditor:shop-prod")},
		},
		accounts: []string{runner, caller}, roles: map[string][]string{}, instead: map[string]any{},
	}
	for _, source := range []string{"event1", "event2", "event3"} {
		w.addTrigger(source)
	}
	w.addTopic("orders-dead-letters", grant("roles/pubsub.publisher", account(runner)))
	w.subs["orders-dead-letters"] = &pubsub.Subscription{Topic: letter, AckDeadlineSeconds: 60,
		MessageRetentionDuration: "604800s",
		ExpirationPolicy:         &pubsub.ExpirationPolicy{}, State: "ACTIVE"}
	return w
}

// addTrigger adds a topic, a trigger for a source and its subscription, as Eventarc makes it.
func (w *world) addTrigger(source string) *eventarc.Trigger {
	w.addTopic("orders-" + source)
	sub := "eventarc-" + region + "-orders-" + source + "-sub-123"
	w.subs[sub] = &pubsub.Subscription{
		Topic: project + "/topics/orders-" + source, AckDeadlineSeconds: 10, MessageRetentionDuration: "86400s",
		State:            "ACTIVE",
		ExpirationPolicy: &pubsub.ExpirationPolicy{}, RetryPolicy: &pubsub.RetryPolicy{MinimumBackoff: "10s",
			MaximumBackoff: "600s"},
		PushConfig: &pubsub.PushConfig{PushEndpoint: w.service.Uri + "/events/" + source +
			"?__GCP_CloudEventsMode=CUSTOM_PUBSUB_" + source,
			OidcToken: &pubsub.OidcToken{ServiceAccountEmail: caller}},
	}
	t := &eventarc.Trigger{
		Name: project + "/locations/" + region + "/triggers/orders-" + source, ServiceAccount: caller,
		EventDataContentType: "application/json",
		Destination: &eventarc.Destination{CloudRun: &eventarc.CloudRun{Service: "orders", Region: region,
			Path: "/events/" + source}},
		EventFilters: []*eventarc.EventFilter{{Attribute: "type", Value: ofMessages}},
		Transport: &eventarc.Transport{Pubsub: &eventarc.Pubsub{Topic: project + "/topics/orders-" + source,
			Subscription: project + "/subscriptions/" + sub}},
	}
	w.triggers = append(w.triggers, t)
	return t
}

func (w *world) addTopic(name string, bindings ...binding) {
	w.topics[name] = &pubsub.Topic{}
	w.policies[project+"/topics/"+name] = bindings
}

// sub returns the subscription of the trigger of event1.
func (w *world) sub() *pubsub.Subscription {
	return w.subs["eventarc-"+region+"-orders-event1-sub-123"]
}

func (w *world) template() *run.GoogleCloudRunV2RevisionTemplate { return w.service.Template }
func (w *world) bucket() *storage.Bucket                         { return w.buckets["shop-prod-orders-events"] }
func (w *world) dataset() *bigquery.Dataset                      { return w.datasets["orders"] }

// lifecycle returns the rules of both deployments, with events that are kept for days.
func lifecycle(folder string, days int64, events ...string) *storage.BucketLifecycle {
	text, err := os.ReadFile("../../deploy/lifecycle.json")
	if err != nil {
		panic(err)
	}
	var l storage.BucketLifecycle
	var suffixes []string
	for _, event := range events {
		suffixes = append(suffixes, `"/events/`+event+`"`)
	}
	replaced := strings.NewReplacer("FOLDER/", folder+"/", `"/events/SOURCE"`, strings.Join(suffixes,
		",")).Replace(string(text))
	if err := json.Unmarshal([]byte(replaced), &l); err != nil {
		panic(err)
	}
	for i, rule := range l.Rule {
		age := days + int64(i)
		rule.Condition.Age = &age
	}
	return &l
}

// answers returns what Google's APIs answer.
func (w *world) answers() map[string]any {
	const lists = "/v1/" + project
	revision := &run.GoogleCloudRunV2Revision{
		Name: w.service.LatestReadyRevision, CreateTime: w.begun, Timeout: w.template().Timeout,
		Containers:                    w.template().Containers,
		MaxInstanceRequestConcurrency: w.template().MaxInstanceRequestConcurrency,
		ServiceAccount:                w.template().ServiceAccount,
	}
	w.template().Containers[0].Env = append(w.template().Containers[0].Env, env(w.variables)...)
	service := "/v2/" + target.String()
	a := map[string]any{
		service: w.service,
		service + "/revisions": map[string]any{"revisions": append([]*run.GoogleCloudRunV2Revision{revision},
			w.revisions...)},
		"/v2/" + project + "/locations/" + region + "/services": map[string]any{"services": append(w.neighbours,
			w.service)},
		"/v2/" + project + "/locations/" + region + "/functions/orders": w.function,
		"/v3/" + project:                   map[string]any{"name": "projects/424242", "projectId": "shop-prod", "createTime": w.created},
		lists + "/locations/-/triggers":    map[string]any{"triggers": w.triggers},
		"/v3/" + project + ":getIamPolicy": policy(w.policies[project]),
		service + ":getIamPolicy":          policy(w.policies[target.String()]),
	}
	if w.job != nil {
		a[schedulerJobs] = map[string]any{"jobs": []any{w.job}}
	}
	var subs []*pubsub.Subscription
	for _, name := range slices.Sorted(maps.Keys(w.subs)) {
		s := w.subs[name]
		s.Name = project + "/subscriptions/" + name
		subs, a["/v1/"+s.Name] = append(subs, s), s
	}
	a[lists+"/subscriptions"] = map[string]any{"subscriptions": subs}
	for name, topic := range w.topics {
		topic.Name = project + "/topics/" + name
		var of []string
		for _, s := range subs {
			if s.Topic == topic.Name {
				of = append(of, s.Name)
			}
		}
		a["/v1/"+topic.Name], a["/v1/"+topic.Name+"/subscriptions"] = topic, map[string]any{"subscriptions": of}
		a["/v1/"+topic.Name+":getIamPolicy"] = policy(w.policies[topic.Name])
	}
	for name, b := range w.buckets {
		path := "/storage/v1/b/" + name
		a[path], a[path+"/iam"] = b, policy(w.policies[name])
	}
	for name, objects := range w.objects {
		var items []map[string]string
		for _, object := range objects {
			items = append(items, map[string]string{"name": object})
		}
		a["/storage/v1/b/"+name+"/o"] = map[string]any{"items": items}
	}
	for name, d := range w.datasets {
		a["/bigquery/v2/"+project+"/datasets/"+name] = d
	}
	for name, table := range w.tables {
		dataset, id, _ := strings.Cut(name, ".")
		a["/bigquery/v2/"+project+"/datasets/"+dataset+"/tables/"+id] = table
	}
	for _, email := range w.accounts {
		a["/v1/"+project+"/serviceAccounts/"+email] = map[string]any{"email": email,
			"disabled": email == w.disabled, "projectId": "shop-prod"}
		a["/v1/"+project+"/serviceAccounts/"+email+":getIamPolicy"] = policy(w.policies[email])
	}
	for name, permissions := range w.roles {
		a["/v1/"+name] = map[string]any{"name": name, "includedPermissions": permissions}
	}
	maps.Copy(a, w.instead)
	return a
}

func policy(bindings []binding) any { return map[string]any{"version": 3, "bindings": bindings} }

func env(variables map[string]string) (all []*run.GoogleCloudRunV2EnvVar) {
	for _, name := range slices.Sorted(maps.Keys(variables)) {
		all = append(all, &run.GoogleCloudRunV2EnvVar{Name: name, Value: variables[name]})
	}
	return all
}

// examine reads the world over HTTP, and returns what the doctor finds.
func (w *world) examine(t *testing.T) []Finding {
	t.Helper()
	server := googleapis.New(t, w.answers())
	google, err := deployed.Connect(t.Context(), server.URL)
	if err != nil {
		t.Fatal(err)
	}
	d, err := google.Read(t.Context(), target, nil)
	if err != nil {
		t.Fatal(err)
	}
	d.Now = now
	return Examine(d)
}

func (f Finding) String() string {
	return fmt.Sprintf("%s %s: %s: %s (%s) remedy: %s", f.Severity, f.Check, f.Resource, f.Problem, f.Why, f.Remedy)
}
