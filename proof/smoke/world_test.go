package smoke

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"cloud.google.com/go/pubsub/v2/apiv1/pubsubpb"
	"cloud.google.com/go/pubsub/v2/pstest"

	"example.com/eventdriver"
	"example.com/eventdriver/driver"
	"example.com/eventdriver/internal/fake/eventarc"
	"example.com/eventdriver/internal/fake/gcs"
	"example.com/eventdriver/internal/fake/googleapis"
	"example.com/eventdriver/operate/deployed"
)

const project = "shop-prod"

// world is a Google Cloud on this machine, and the commands that change it: a terraform that makes the function and
// destroys it, and a gcloud that publishes to it and reads its log. The function is the real one.
type world struct {
	t       *testing.T
	storage *gcs.Server
	pubsub  *pstest.Server
	apis    atomic.Pointer[googleapis.Server] // of what is deployed

	// What goes wrong.
	applyFails   int                 // so often
	destroyFails int                 // so often
	lost         func([]string) bool // of the commands that publish, which do nothing
	acts         int                 // how often the business logs that it acted
	uninvoked    bool                // the triggers' account may not call the function
	applying     func()              // called while Terraform applies, which then waits for its end

	mu       sync.Mutex
	commands []string // that were run
	name     string   // of the function; "": there is none
	everMade bool
	eventarc *eventarc.Eventarc
	logged   []string // the keys of the business's lines
	stop     func()
}

// newWorld returns a world whose commands are in PATH.
func newWorld(t *testing.T) *world {
	w := &world{t: t, storage: gcs.New(t), pubsub: pstest.NewServer(), acts: 1}
	t.Cleanup(func() { _ = w.pubsub.Close() })
	w.apis.Store(googleapis.New(t, nil))
	server := httptest.NewServer(http.HandlerFunc(w.serve))
	t.Cleanup(server.Close)
	t.Cleanup(func() {
		if w.stop != nil {
			w.stop()
		}
	})
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	programs := t.TempDir()
	for _, name := range []string{"terraform", "gcloud"} {
		if err := os.Symlink(self, filepath.Join(programs, name)); err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv("PATH", programs)
	t.Setenv(stubVariable, server.URL+"/command")
	t.Setenv("STORAGE_EMULATOR_HOST", w.storage.Host())
	t.Setenv("PUBSUB_EMULATOR_HOST", w.pubsub.Addr)
	return w
}

// call is a command that was run.
type call struct {
	Program, Dir string
	Args         []string
}

// answer is what a command prints, and its exit code.
type answer struct {
	Out  string
	Code int
}

// serve answers the commands, and else as Google's APIs do.
func (w *world) serve(rw http.ResponseWriter, r *http.Request) {
	if r.URL.Path != "/command" {
		w.apis.Load().ServeHTTP(rw, r)
		return
	}
	var c call
	if err := json.NewDecoder(r.Body).Decode(&c); err != nil {
		w.t.Error(err)
		return
	}
	w.mu.Lock()
	w.commands = append(w.commands, c.Program+" "+strings.Join(c.Args, " "))
	w.mu.Unlock()
	_ = json.NewEncoder(rw).Encode(w.do(r.Context(), c)) // the command may have been interrupted
}

func (w *world) do(ctx context.Context, c call) answer {
	w.mu.Lock()
	defer w.mu.Unlock()
	switch {
	case c.Program == "gcloud" && c.Args[0] == "pubsub":
		return w.publish(c.Args)
	case c.Program == "gcloud" && c.Args[0] == "logging":
		return answer{Out: strings.Join(w.logged, "\n")}
	case c.Args[1] == "init":
		return answer{Out: "initialized\n"}
	case c.Args[1] == "apply":
		return w.apply(ctx, c)
	case c.Args[1] == "output":
		topics := make(map[string]string)
		for _, source := range sources {
			topics[source] = w.topic(source)
		}
		text, err := json.Marshal(topics)
		if err != nil {
			w.t.Error(err)
		}
		return answer{Out: string(text)}
	case c.Args[1] == "destroy":
		return w.destroy()
	}
	return answer{Out: "no such command", Code: 2}
}

func (w *world) topic(name string) string {
	return "projects/" + project + "/topics/" + w.name + "-" + name
}

var nameInput = regexp.MustCompile(`(?m)^  name +=\s+"(.*)"$`)

// apply makes what the folder describes.
func (w *world) apply(ctx context.Context, c call) answer {
	override, err := os.ReadFile(filepath.Join(c.Dir, strings.TrimPrefix(c.Args[0], "-chdir="), "smoke_override.tf"))
	if err != nil {
		return answer{Out: err.Error(), Code: 1}
	}
	w.name, w.everMade = string(nameInput.FindSubmatch(override)[1]), true
	if w.applying != nil {
		w.applying()
		<-ctx.Done()
		return answer{Code: 1}
	}
	if w.applyFails > 0 {
		w.applyFails--
		return answer{Out: "Error 403: Eventarc's agent is not there yet", Code: 1}
	}
	if w.stop == nil {
		w.deploy()
	}
	return answer{Out: "Apply complete!\n"}
}

// deploy starts the function.
func (w *world) deploy() {
	bucket := project + "-" + w.name + "-events"
	w.storage.CreateBucket(bucket)
	letters := w.topic("dead-letters")
	variables := map[string]string{
		"GOMEMLIMIT": "512MiB", "EVENT_SOURCES": strings.Join(sources, ","), "EVENT_STORE": "gcs", "CLAIM_STORE": "gcs",
		"GCS_BUCKET": bucket, "DEAD_LETTER_TOPIC": letters, "CLOUD_RUN_TIMEOUT_SECONDS": "60", "MAX_EVENT_AGE": "20h",
		"GOOGLE_CLOUD_PROJECT": project, "LOG_EXECUTION_ID": "true",
	}
	config, err := deployed.ConfigOf(w.name, variables)
	if err != nil {
		w.t.Error(err)
	}
	if _, err := w.pubsub.GServer.CreateTopic(context.Background(), &pubsubpb.Topic{Name: letters}); err != nil {
		w.t.Error(err)
	}
	subscription := &pubsubpb.Subscription{Name: strings.Replace(letters, "/topics/", "/subscriptions/", 1), Topic: letters, AckDeadlineSeconds: 60}
	if _, err := w.pubsub.GServer.CreateSubscription(context.Background(), subscription); err != nil {
		w.t.Error(err)
	}
	f, err := eventdriver.New(config, driver.HandlerFunc(w.act))
	if err != nil {
		w.t.Error(err)
	}
	server := httptest.NewServer(f)
	ctx, cancel := context.WithCancel(context.Background())
	prefix := w.name + "-"
	w.eventarc = eventarc.New(ctx, eventarc.Config{Route: eventarc.Fixed(server.URL),
		Path: func(topic string) string { return "/events/" + strings.TrimPrefix(topic, prefix) }})
	w.apis.Store(googleapis.New(w.t, answersOf(w.name, bucket, variables, !w.uninvoked)))
	w.stop = func() {
		cancel()
		w.eventarc.Wait()
		w.eventarc.Close()
		server.Close()
		_ = f.Close()
	}
}

// act is the business.
func (w *world) act(ctx context.Context, in driver.Message, next driver.Next) error {
	w.mu.Lock()
	w.logged = append(w.logged, slices.Repeat([]string{in.Key}, w.acts)...)
	w.mu.Unlock()
	return next.Call(ctx, in)
}

func (w *world) destroy() answer {
	if w.destroyFails > 0 {
		w.destroyFails--
		return answer{Out: "Error: something is in use", Code: 1}
	}
	w.apis.Store(googleapis.New(w.t, nil))
	w.name = ""
	return answer{Out: "Destroy complete!\n"}
}

// publish does what gcloud pubsub topics publish does.
func (w *world) publish(args []string) answer {
	flags := make(map[string]string)
	for _, arg := range args[4:] {
		name, value, _ := strings.Cut(arg, "=")
		flags[name] = value
	}
	if w.lost != nil && w.lost(args) {
		return answer{Out: "messageIds:\n- '0'\n"}
	}
	event := w.eventarc.NewEvent(filepath.Base(args[3]), strings.TrimPrefix(flags["--attribute"], "key="), []byte(flags["--message"]), nil)
	w.eventarc.Deliver(event, func() {})
	return answer{Out: fmt.Sprintf("messageIds:\n- '%s'\n", event.ID)}
}

// ran returns the commands that were run, without what differs from run to run.
func (w *world) ran(prefix string) (commands []string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, c := range w.commands {
		if strings.HasPrefix(c, prefix) {
			commands = append(commands, c)
		}
	}
	return commands
}

// left says what is still there.
func (w *world) left() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.name
}

// answersOf is what Google's APIs say of a function that Terraform has made.
func answersOf(name, bucket string, variables map[string]string, invoked bool) map[string]any {
	const region = "europe-west1"
	of := "projects/" + project
	service, runner, caller := of+"/locations/"+region+"/services/"+name, name+"-run@"+project+".iam.gserviceaccount.com", name+"-trigger@"+project+".iam.gserviceaccount.com"
	uri := "https://" + name + "-abcdef-ew.a.run.app"
	var env []any
	for _, variable := range slices.Sorted(maps.Keys(variables)) {
		env = append(env, map[string]any{"name": variable, "value": variables[variable]})
	}
	containers := []any{map[string]any{"env": env, "resources": map[string]any{"cpuIdle": true, "limits": map[string]any{"cpu": "1", "memory": "512Mi"}}}}
	revision := map[string]any{"name": service + "/revisions/" + name + "-00001-abc", "createTime": "2026-11-20T00:00:00Z", "timeout": "60s",
		"containers": containers, "maxInstanceRequestConcurrency": 80, "serviceAccount": runner}
	grant := func(role, member string) any {
		return map[string]any{"role": role, "members": []any{"serviceAccount:" + member}}
	}
	policy := func(bindings ...any) any { return map[string]any{"version": 3, "bindings": bindings} }
	invokers := policy()
	if invoked {
		invokers = policy(grant("roles/run.invoker", caller))
	}
	a := map[string]any{
		"/v2/" + service: map[string]any{"name": service, "uri": uri, "urls": []any{uri}, "ingress": "INGRESS_TRAFFIC_INTERNAL_ONLY",
			"latestReadyRevision": revision["name"], "latestCreatedRevision": revision["name"],
			"trafficStatuses": []any{map[string]any{"type": "TRAFFIC_TARGET_ALLOCATION_TYPE_LATEST", "percent": 100}},
			"template":        map[string]any{"timeout": "60s", "maxInstanceRequestConcurrency": 80, "serviceAccount": runner, "containers": containers}},
		"/v2/" + service + "/revisions":                             map[string]any{"revisions": []any{revision}},
		"/v2/" + service + ":getIamPolicy":                          invokers,
		"/v2/" + of + "/locations/" + region + "/services":          map[string]any{},
		"/v2/" + of + "/locations/" + region + "/functions/" + name: map[string]any{"buildConfig": map[string]any{"entryPoint": "EventDriver"}},
		"/v1/" + of + "/locations/" + region + "/jobs":              map[string]any{},
		"/v3/" + of: map[string]any{"name": "projects/424242", "projectId": project},
		"/v3/" + of + ":getIamPolicy": policy(grant("roles/eventarc.eventReceiver", caller),
			grant("roles/pubsub.serviceAgent", "service-424242@gcp-sa-pubsub.iam.gserviceaccount.com")),
		"/storage/v1/b/" + bucket: map[string]any{"location": "EUROPE-WEST1", "storageClass": "STANDARD", "projectNumber": "424242",
			"softDeletePolicy": map[string]any{}, "iamConfiguration": map[string]any{"uniformBucketLevelAccess": map[string]any{"enabled": true}},
			"lifecycle": map[string]any{"rule": []any{rule(7, "/events/event1", "/events/event2", "/events/event3"), rule(8, "/claim"), rule(9, "/done")}}},
		"/storage/v1/b/" + bucket + "/iam": policy(grant("roles/storage.objectUser", runner)),
	}
	for _, email := range []string{runner, caller} {
		a["/v1/"+of+"/serviceAccounts/"+email] = map[string]any{"email": email}
	}
	addTopics(a, of, name, uri, runner, caller)
	return a
}

func rule(age int, suffixes ...string) any {
	return map[string]any{"action": map[string]any{"type": "Delete"}, "condition": map[string]any{"age": age, "matchesSuffix": suffixes}}
}

// addTopics adds the topics, subscriptions and triggers.
func addTopics(a map[string]any, of, name, uri, runner, caller string) {
	var triggers, subscriptions []any
	add := func(topic, subscription string, s map[string]any, members ...any) {
		topic, subscription = of+"/topics/"+name+"-"+topic, of+"/subscriptions/"+subscription
		s["name"], s["topic"], s["state"], s["expirationPolicy"] = subscription, topic, "ACTIVE", map[string]any{}
		subscriptions, a["/v1/"+subscription] = append(subscriptions, s), s
		a["/v1/"+topic], a["/v1/"+topic+"/subscriptions"] = map[string]any{"name": topic}, map[string]any{"subscriptions": []any{subscription}}
		a["/v1/"+topic+":getIamPolicy"] = map[string]any{"bindings": members}
	}
	for _, source := range sources {
		subscription := "eventarc-europe-west1-" + name + "-" + source + "-sub-123"
		add(source, subscription, map[string]any{"ackDeadlineSeconds": 10, "messageRetentionDuration": "86400s",
			"retryPolicy": map[string]any{"minimumBackoff": "10s", "maximumBackoff": "600s"},
			"pushConfig":  map[string]any{"pushEndpoint": uri + "/events/" + source, "oidcToken": map[string]any{"serviceAccountEmail": caller}}})
		triggers = append(triggers, map[string]any{"name": of + "/locations/europe-west1/triggers/" + name + "-" + source, "serviceAccount": caller,
			"eventDataContentType": "application/json",
			"destination":          map[string]any{"cloudRun": map[string]any{"service": name, "region": "europe-west1", "path": "/events/" + source}},
			"eventFilters":         []any{map[string]any{"attribute": "type", "value": "google.cloud.pubsub.topic.v1.messagePublished"}},
			"transport":            map[string]any{"pubsub": map[string]any{"topic": of + "/topics/" + name + "-" + source, "subscription": of + "/subscriptions/" + subscription}}})
	}
	add("dead-letters", name+"-dead-letters", map[string]any{"ackDeadlineSeconds": 60, "messageRetentionDuration": "604800s"},
		map[string]any{"role": "roles/pubsub.publisher", "members": []any{"serviceAccount:" + runner}})
	a["/v1/"+of+"/locations/-/triggers"], a["/v1/"+of+"/subscriptions"] = map[string]any{"triggers": triggers}, map[string]any{"subscriptions": subscriptions}
}
