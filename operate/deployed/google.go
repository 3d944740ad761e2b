package deployed

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"

	bigquery "google.golang.org/api/bigquery/v2"
	cloudfunctions "google.golang.org/api/cloudfunctions/v2"
	projects "google.golang.org/api/cloudresourcemanager/v3"
	scheduler "google.golang.org/api/cloudscheduler/v1"
	eventarc "google.golang.org/api/eventarc/v1"
	"google.golang.org/api/googleapi"
	iam "google.golang.org/api/iam/v1"
	oauth2 "google.golang.org/api/oauth2/v2"
	"google.golang.org/api/option"
	pubsub "google.golang.org/api/pubsub/v1"
	run "google.golang.org/api/run/v2"
	storage "google.golang.org/api/storage/v1"
)

// Google is the clients of the APIs that are read.
type Google struct {
	run       *run.Service
	functions *cloudfunctions.Service
	eventarc  *eventarc.Service
	pubsub    *pubsub.Service
	storage   *storage.Service
	bigquery  *bigquery.Service
	iam       *iam.Service
	projects  *projects.Service
	scheduler *scheduler.Service
	oauth2    *oauth2.Service
}

// Connect returns clients with the application default credentials. An endpoint, as in
// http://127.0.0.1:8080, is where a stand-in serves all the APIs, without credentials; "" is
// Google.
func Connect(ctx context.Context, endpoint string) (*Google, error) {
	var g Google
	var errs []error
	open := func(path string, connect func(...option.ClientOption) error) {
		errs = append(errs, connect(Options(endpoint, path)...))
	}
	open("/", func(o ...option.ClientOption) (err error) { g.run, err = run.NewService(ctx, o...); return })
	open("/", func(o ...option.ClientOption) (err error) {
		g.functions, err = cloudfunctions.NewService(ctx, o...)
		return
	})
	open("/", func(o ...option.ClientOption) (err error) { g.eventarc, err = eventarc.NewService(ctx, o...); return })
	open("/", func(o ...option.ClientOption) (err error) { g.pubsub, err = pubsub.NewService(ctx, o...); return })
	open("/storage/v1/", func(o ...option.ClientOption) (err error) {
		g.storage, err = storage.NewService(ctx,
			o...)
		return
	})
	open("/bigquery/v2/", func(o ...option.ClientOption) (err error) {
		g.bigquery, err = bigquery.NewService(ctx,
			o...)
		return
	})
	open("/", func(o ...option.ClientOption) (err error) { g.iam, err = iam.NewService(ctx, o...); return })
	open("/", func(o ...option.ClientOption) (err error) { g.projects, err = projects.NewService(ctx, o...); return })
	open("/", func(o ...option.ClientOption) (err error) { g.scheduler, err = scheduler.NewService(ctx, o...); return })
	open("/", func(o ...option.ClientOption) (err error) { g.oauth2, err = oauth2.NewService(ctx, o...); return })
	for _, err := range errs {
		if err != nil {
			return nil, fmt.Errorf("%w\nLog in with: gcloud auth application-default login", err)
		}
	}
	return &g, nil
}

// Caller returns the e-mail of the account whose credentials these are.
func (g *Google) Caller(ctx context.Context) (string, error) {
	info, err := g.oauth2.Userinfo.Get().Context(ctx).Do()
	if err != nil {
		return "", err
	}
	if info == nil || info.Email == "" {
		return "", fmt.Errorf("the answer names no account: %w", errForeign)
	}
	return info.Email, nil
}

// Options returns those of a client: where a stand-in serves an API at a path of its endpoint, without
// credentials; for "", none.
func Options(endpoint, path string) []option.ClientOption {
	if endpoint == "" {
		return nil
	}
	return []option.ClientOption{option.WithoutAuthentication(), option.WithEndpoint(strings.TrimRight(endpoint, "/") + path)}
}

// The roles that are enough to read, by what is read.
const (
	roleRun       = "roles/run.viewer"
	roleFunctions = "roles/cloudfunctions.viewer"
	roleEventarc  = "roles/eventarc.viewer"
	roleScheduler = "roles/cloudscheduler.viewer"
	rolePubsub    = "roles/pubsub.viewer"
	roleBuckets   = "roles/storage.bucketViewer"
	roleBigQuery  = "roles/bigquery.metadataViewer"
	rolePolicies  = "roles/iam.securityReviewer"
)

// RoleOfBucket is enough, on a bucket, to list its objects, and does not let them be read.
const RoleOfBucket = "roles/storage.legacyBucketReader"

// apis are the APIs that the roles are for.
var apis = map[string]string{
	roleRun: "run.googleapis.com", roleFunctions: "cloudfunctions.googleapis.com",
	roleEventarc: "eventarc.googleapis.com",
	rolePubsub:   "pubsub.googleapis.com", roleScheduler: "cloudscheduler.googleapis.com",
	roleBuckets: "storage.googleapis.com", RoleOfBucket: "storage.googleapis.com",
	roleBigQuery: "bigquery.googleapis.com", rolePolicies: "iam.googleapis.com cloudresourcemanager.googleapis.com",
}

// Roles returns the roles that are enough to read all of a deployment, on its project. To count
// the keys that wait where an earlier revision kept them takes [RoleOfBucket], too.
func Roles() []string {
	return []string{roleRun, roleFunctions, roleEventarc, roleScheduler, rolePubsub, roleBuckets, roleBigQuery,
		rolePolicies}
}

// tryAgain is the remedy where it may be that no API has answered.
const tryAgain = "try again; if that does not help, look at proxies and --endpoint"

// unreadable says why something could not be read, and what helps.
func (t Target) unreadable(resource, role string, err error) Unread {
	var failed *googleapi.Error
	switch {
	case !errors.As(err, &failed):
		return Unread{resource, err.Error(), tryAgain}
	case disabled(failed):
		return Unread{resource, "the API is disabled in the project, or in that of your credentials: " + said(failed),
			"gcloud services enable " + apis[role] + " --project=" + t.Project}
	case failed.Code == http.StatusForbidden && role == RoleOfBucket:
		return Unread{resource, "you may not read it: " + said(failed), "have " + role + " granted to you on the bucket"}
	case failed.Code == http.StatusForbidden:
		return Unread{resource, "you may not read it: " + said(failed),
			"have " + role + " granted to you on its project"}
	case failed.Code == http.StatusUnauthorized:
		return Unread{resource, said(failed), "gcloud auth application-default login"}
	}
	return Unread{resource, fmt.Sprintf("the API answered %d: %s", failed.Code, said(failed)), "try again"}
}

func disabled(err *googleapi.Error) bool {
	text := err.Body + err.Message
	return err.Code == http.StatusForbidden && (strings.Contains(text, "SERVICE_DISABLED") || strings.Contains(text,
		"has not been used in project"))
}

// said returns what an API said, on one line.
func said(err *googleapi.Error) string {
	text := strings.Join(strings.Fields(err.Message), " ")
	const most = 300
	if len(text) > most {
		text = text[:most] + "…"
	}
	return text
}

// noAccount says that there is no such service account. IAM also answers 404 to those who may
// not know of it, in other words.
func noAccount(err error) bool {
	var failed *googleapi.Error
	return absent(err) && errors.As(err, &failed) && strings.Contains(strings.ToLower(failed.Message), "service account")
}

// absent says that the API does not know the thing.
func absent(err error) bool {
	var failed *googleapi.Error
	return errors.As(err, &failed) && failed.Code == http.StatusNotFound
}

// got returns what an API has answered, which is whole unless there is an error.
func got[T any](answer *T, err error) (*T, error) {
	if err == nil {
		err = Check(answer)
	}
	if err != nil {
		return nil, err
	}
	return answer, nil
}

// each returns what uses the pages of a list.
func each[T any](use func(page *T)) func(page *T) error {
	return func(page *T) error {
		if err := Check(page); err != nil {
			return err
		}
		use(page)
		return nil
	}
}
