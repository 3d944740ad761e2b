package main

import (
	"cmp"
	"strconv"
	"strings"
)

// kind is what gcloud does with one sort of thing.
type kind struct {
	words   string // before the verb
	name    string // of the kind, in IDs
	located bool   // in a location or a region
	full    string // the full name; %p is the project, %l the location, %n the name
	absent  string // what gcloud says if there is no such thing
	sets    map[string]string
}

const notFound = "NOT_FOUND: Resource not found (resource=%s)."

// Order matters: the words of the last are the beginning of those of others.
var kinds = []kind{
	{words: "iam service-accounts", name: "account", full: "projects/%p/serviceAccounts/%n", absent: notFound},
	{words: "storage buckets", name: "bucket", full: "%n", absent: "gs://%s not found: 404.", sets: map[string]string{
		"location": "location", "uniform-bucket-level-access": "uniform_bucket_level_access", "public-access-prevention": "public_access_prevention",
		"soft-delete-duration": "soft_delete_policy.retentionDurationSeconds", "lifecycle-file": "lifecycle", "update-labels": "labels",
	}},
	{words: "pubsub topics", name: "topic", full: "projects/%p/topics/%n", absent: notFound, sets: map[string]string{"labels": "labels"}},
	{words: "pubsub subscriptions", name: "subscription", full: "projects/%p/subscriptions/%n", absent: notFound, sets: map[string]string{
		"topic": "topic", "ack-deadline": "ackDeadlineSeconds", "message-retention-duration": "messageRetentionDuration",
		"expiration-period": "expirationPolicy.ttl", "labels": "labels", "update-labels": "labels",
	}},
	{words: "artifacts repositories", name: "repository", located: true, full: "projects/%p/locations/%l/repositories/%n", absent: notFound,
		sets: map[string]string{"repository-format": "format", "policy": "cleanupPolicies", "labels": "labels"}},
	{words: "functions", name: "function", located: true, full: "projects/%p/locations/%l/functions/%n", absent: "ResponseError: status=[404], code=[Ok], message=[Resource not found (resource=%s).]", sets: map[string]string{
		"runtime": "buildConfig.runtime", "entry-point": "buildConfig.entryPoint", "build-service-account": "buildConfig.serviceAccount",
		"docker-repository": "buildConfig.dockerRepository", "set-build-env-vars": "buildConfig.environmentVariables", "run-service-account": "serviceConfig.serviceAccountEmail",
		"memory": "serviceConfig.availableMemory", "cpu": "serviceConfig.availableCpu", "timeout": "serviceConfig.timeoutSeconds",
		"concurrency": "serviceConfig.maxInstanceRequestConcurrency", "max-instances": "serviceConfig.maxInstanceCount", "ingress-settings": "serviceConfig.ingressSettings",
		"set-env-vars": "serviceConfig.environmentVariables", "update-labels": "labels",
	}},
	{words: "run services", name: "service", located: true, absent: "Cannot find service [%s]"},
	{words: "eventarc triggers", name: "trigger", located: true, full: "projects/%p/locations/%l/triggers/%n", absent: notFound, sets: map[string]string{
		"destination-run-service": "destination.cloudRun.service", "destination-run-region": "destination.cloudRun.region",
		"destination-run-path": "destination.cloudRun.path", "event-filters": "eventFilters", "transport-topic": "transport.pubsub.topic",
		"service-account": "serviceAccount", "labels": "labels",
	}},
	{words: "scheduler jobs", name: "job", located: true, full: "projects/%p/locations/%l/jobs/%n", absent: notFound, sets: map[string]string{
		"schedule": "schedule", "uri": "httpTarget.uri", "oidc-service-account-email": "httpTarget.oidcToken.serviceAccountEmail",
		"oidc-token-audience": "httpTarget.oidcToken.audience", "attempt-deadline": "attemptDeadline", "time-zone": "timeZone",
	}},
	{words: "projects", name: "project"},
}

func (k kind) id(name string, flags map[string]string) string {
	switch {
	case k.name == "account" && !strings.Contains(name, "@"):
		name += "@" + flags["project"] + ".iam.gserviceaccount.com"
	case k.located:
		name = cmp.Or(flags["location"], flags["region"]) + "/" + name
	}
	return k.name + "/" + name
}

func (k kind) fullName(name string, flags map[string]string) string {
	return strings.NewReplacer("%p", flags["project"], "%l", cmp.Or(flags["location"], flags["region"]), "%n", name).Replace(k.full)
}

// needs returns the IDs of what must be there before a thing is created.
func (k kind) needs(flags map[string]string) (ids []string) {
	account := func(flag string) { ids = append(ids, "account/"+flags[flag][strings.LastIndex(flags[flag], "/")+1:]) }
	switch k.name {
	case "subscription":
		ids = append(ids, "topic/"+flags["topic"])
	case "trigger":
		account("service-account")
		ids = append(ids, "topic/"+flags["transport-topic"][strings.LastIndex(flags["transport-topic"], "/")+1:],
			"service/"+flags["destination-run-region"]+"/"+flags["destination-run-service"])
	case "function":
		account("run-service-account")
		account("build-service-account")
	case "job":
		account("oidc-service-account-email")
	}
	return ids
}

// change sets what the flags say.
func (k kind) change(is resource, flags map[string]string) {
	for flag, value := range flags {
		where, ok := k.sets[flag]
		if !ok {
			continue
		}
		switch {
		case flag == "topic":
			is.set(where, "projects/"+flags["project"]+"/topics/"+value)
		case flag == "event-filters":
			attribute, filter, _ := strings.Cut(value, "=")
			is.set(where, []any{map[string]any{"attribute": attribute, "value": filter}})
		case flag == "location":
			is.set(where, strings.ToUpper(value))
		case flag == "public-access-prevention":
			is.set(where, "enforced")
		case flag == "uniform-bucket-level-access":
			is.set(where, true)
		case flag == "ack-deadline":
			seconds, _ := strconv.ParseFloat(value, 64)
			is.set(where, seconds)
		case value == "never":
			is.set(where, nil)
		case value == "7d":
			is.set(where, "604800s")
		case where == "labels" || strings.HasSuffix(where, "nvironmentVariables"):
			is.set(where, pairs(value, where == "labels", is))
		default:
			is.set(where, value)
		}
	}
}

// pairs returns a flag's list NAME=VALUE,… or ^;^NAME=VALUE;…, with the labels that were there before.
func pairs(list string, more bool, is resource) map[string]any {
	separator, all := ",", make(map[string]any)
	if before, ok := is["labels"].(map[string]any); more && ok {
		all = before
	}
	if strings.HasPrefix(list, "^") {
		separator, list = list[1:2], list[3:]
	}
	for pair := range strings.SplitSeq(list, separator) {
		name, value, _ := strings.Cut(pair, "=")
		all[name] = value
	}
	return all
}
