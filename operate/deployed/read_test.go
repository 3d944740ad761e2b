package deployed

import (
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	run "google.golang.org/api/run/v2"

	"example.com/eventdriver/internal/fake/googleapis"
)

var target = Target{Project: "p", Region: "europe-west1", Service: "orders"}

const service = "/v2/projects/p/locations/europe-west1/services/orders"

// variables returns a container that has them.
func variables(name, value string) []*run.GoogleCloudRunV2Container {
	return []*run.GoogleCloudRunV2Container{{Env: []*run.GoogleCloudRunV2EnvVar{{Name: name, Value: value}}}}
}

func connect(t *testing.T, answers map[string]any) *Google {
	t.Helper()
	g, err := Connect(t.Context(), googleapis.New(t, answers).URL)
	if err != nil {
		t.Fatal(err)
	}
	return g
}

// TestVariablesAreThoseOfTheRevisionThatGetsTheEvents: after a roll-back these are not the newest.
func TestVariablesAreThoseOfTheRevisionThatGetsTheEvents(t *testing.T) {
	s := &run.GoogleCloudRunV2Service{
		Name: target.String(), LatestReadyRevision: "orders-2", Uri: "https://orders.run.app",
		Template: &run.GoogleCloudRunV2RevisionTemplate{Containers: variables("A", "new")},
		TrafficStatuses: []*run.GoogleCloudRunV2TrafficTargetStatus{{Revision: "orders-1", Percent: 90},
			{Type: "TRAFFIC_TARGET_ALLOCATION_TYPE_LATEST", Percent: 10}},
	}
	answers := map[string]any{service: s, service +
		"/revisions": map[string]any{"revisions": []*run.GoogleCloudRunV2Revision{
		{Name: service + "/revisions/orders-2", Containers: variables("A", "new"), CreateTime: "2026-01-02T00:00:00Z"},
		{Name: service + "/revisions/orders-1", Containers: variables("A", "old"), CreateTime: "2026-01-01T00:00:00Z"}}}}
	read := func() map[string]string {
		v, url, err := connect(t, answers).Variables(t.Context(), target)
		if err != nil || url != s.Uri {
			t.Fatal(err)
		}
		return v
	}
	if v := read(); !maps.Equal(v, map[string]string{"A": "old"}) {
		t.Errorf("with 90%% for the older revision: %v", v)
	}
	answers[service+"/revisions"] = googleapis.Refusal{Code: 403}
	if v := read(); !maps.Equal(v, map[string]string{"A": "new"}) {
		t.Errorf("where the revisions can't be read: %v", v)
	}
	delete(answers, service)
	if _, _, err := connect(t, answers).Variables(t.Context(), target); err == nil || !strings.Contains(err.Error(),
		"gcloud run services list") {
		t.Errorf("without a service: %v", err)
	}
}

// TestRevisionOfSeveralContainers: the function is in the one that takes the requests.
func TestRevisionOfSeveralContainers(t *testing.T) {
	containers := slices.Concat(variables("A", "sidecar"), variables("A", "function"))
	containers[1].Ports = []*run.GoogleCloudRunV2ContainerPort{{ContainerPort: 8080}}
	if r := revisionOf(containers, ""); r.Variables["A"] != "function" || r.Timeout != 5*time.Minute {
		t.Errorf("%+v", r)
	}
}

// TestRoutes: triggers call a service in several ways.
func TestRoutes(t *testing.T) {
	trigger := func(name string, destination map[string]any) any {
		return map[string]any{"name": name, "destination": destination}
	}
	cloudRun := func(service, region string) map[string]any {
		return map[string]any{"cloudRun": map[string]any{"service": service, "region": region, "path": "/events/a"}}
	}
	d, err := connect(t, map[string]any{
		service: &run.GoogleCloudRunV2Service{Name: target.String(), Uri: "https://orders-abc.a.run.app"},
		"/v1/projects/p/locations/-/triggers": map[string]any{"triggers": []any{
			trigger("run", cloudRun("orders", "europe-west1")),
			trigger("full name", cloudRun("projects/p/locations/europe-west1/services/orders", "europe-west1")),
			trigger("function", map[string]any{"cloudFunction": "projects/p/locations/europe-west1/functions/orders"}),
			trigger("URL", map[string]any{"httpEndpoint": map[string]any{"uri": "https://ORDERS-abc.a.run.app/events/a%20b"}}),
			trigger("another region", cloudRun("orders", "us-central1")),
			trigger("another service", cloudRun("returns", "europe-west1")),
			trigger("another function", map[string]any{"cloudFunction": "projects/p/locations/us-central1/functions/orders"}),
			trigger("another URL",
				map[string]any{"httpEndpoint": map[string]any{"uri": "https://example.com/orders-abc.a.run.app"}}),
			trigger("a workflow", map[string]any{"workflow": "orders"}),
			map[string]any{"name": "nowhere"},
		}},
		"/v1/projects/p/subscriptions": map[string]any{"subscriptions": []any{
			map[string]any{"name": "push", "pushConfig": map[string]any{"pushEndpoint": "https://orders-abc.a.run.app/"}},
			map[string]any{"name": "push to the function",
				"pushConfig": map[string]any{"pushEndpoint": "https://europe-west1-p.cloudfunctions.net/orders/events/b"}},
			map[string]any{"name": "push to another function",
				"pushConfig": map[string]any{"pushEndpoint": "https://europe-west1-p.cloudfunctions.net/orders2"}},
			map[string]any{"name": "elsewhere", "pushConfig": map[string]any{"pushEndpoint": "https://example.com/"}},
			map[string]any{"name": "pull"},
		}},
	}).Read(t.Context(), target, nil)
	if err != nil {
		t.Fatal(err)
	}
	var found []string
	for _, r := range d.Routes {
		found = append(found, r.Name()+" "+r.Path)
	}
	if want := []string{"run /events/a", "full name /events/a", "function ", "URL /events/a%20b",
		"push /", "push to the function /events/b"}; !slices.Equal(found, want) {
		t.Errorf("%q, want %q", found, want)
	}
}

// TestForeignCaller: the answer of a proxy names no account.
func TestForeignCaller(t *testing.T) {
	for _, answer := range []any{nil, map[string]any{}} {
		if account, err := connect(t, map[string]any{"/oauth2/v2/userinfo": answer}).Caller(t.Context()); err == nil {
			t.Errorf("%v: %q", answer, account)
		}
	}
}
