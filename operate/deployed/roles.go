package deployed

import (
	"maps"
	"slices"
	"strings"

	iam "google.golang.org/api/iam/v1"
)

// roles reads what the roles allow that are granted to the accounts, unless Google's are known.
func (r *reader) roles() {
	asked := make(map[string]bool)
	for _, p := range r.policies() {
		for _, b := range p.Bindings {
			if Known(b.Role) != nil || asked[b.Role] || !slices.ContainsFunc(b.Members, r.ofAccount) {
				continue
			}
			asked[b.Role] = true
			role, err := r.role(b.Role)
			if r.read("role "+b.Role, rolePolicies, err) {
				r.d.Roles[b.Role] = role.IncludedPermissions
			}
		}
	}
}

func (r *reader) role(name string) (*iam.Role, error) {
	switch {
	case strings.HasPrefix(name, "projects/"):
		return got(r.iam.Projects.Roles.Get(name).Context(r.ctx).Do())
	case strings.HasPrefix(name, "organizations/"):
		return got(r.iam.Organizations.Roles.Get(name).Context(r.ctx).Do())
	}
	return got(r.iam.Roles.Get(name).Context(r.ctx).Do())
}

// ofAccount says whether a member is one of the accounts that run or call the function.
func (r *reader) ofAccount(member string) bool {
	email, isAccount := strings.CutPrefix(member, "serviceAccount:")
	_, known := r.d.Accounts[email]
	return isAccount && (known || email == r.d.Account())
}

// policies returns all that were read.
func (r *reader) policies() []Policy {
	all := slices.Collect(maps.Values(r.d.Policies))
	for _, t := range r.d.Topics {
		all = append(all, t.Policy)
	}
	for _, b := range r.d.Buckets {
		all = append(all, b.Policy)
	}
	return all
}

// Known returns which of the permissions that matter to a function a role of Google's
// grants; nil: it is not known here. "*" stands for all.
func Known(role string) []string { return known[role] }

// The permissions that matter to a function.
const (
	ObjectsCreate = "storage.objects.create"
	ObjectsGet    = "storage.objects.get"
	ObjectsList   = "storage.objects.list"
	ObjectsDelete = "storage.objects.delete" // overwriting needs it, too
	Publish       = "pubsub.topics.publish"
	Invoke        = "run.routes.invoke"
	ReceiveEvent  = "eventarc.events.receiveEvent"
	MakeToken     = "iam.serviceAccounts.getOpenIdToken"
	CreateJobs    = "bigquery.jobs.create"
	ReadData      = "bigquery.tables.getData"
	WriteData     = "bigquery.tables.updateData"
)

var known = map[string][]string{
	"roles/owner":  {"*"},
	"roles/editor": {"*"},

	"roles/storage.admin":              {ObjectsCreate, ObjectsGet, ObjectsList, ObjectsDelete},
	"roles/storage.objectAdmin":        {ObjectsCreate, ObjectsGet, ObjectsList, ObjectsDelete},
	"roles/storage.objectUser":         {ObjectsCreate, ObjectsGet, ObjectsList, ObjectsDelete},
	"roles/storage.objectCreator":      {ObjectsCreate},
	"roles/storage.objectViewer":       {ObjectsGet, ObjectsList},
	"roles/storage.legacyBucketOwner":  {ObjectsCreate, ObjectsList, ObjectsDelete},
	"roles/storage.legacyBucketWriter": {ObjectsCreate, ObjectsList, ObjectsDelete},
	"roles/storage.legacyBucketReader": {ObjectsList},
	"roles/storage.legacyObjectOwner":  {ObjectsGet},
	"roles/storage.legacyObjectReader": {ObjectsGet},

	"roles/pubsub.admin":      {Publish},
	"roles/pubsub.editor":     {Publish},
	"roles/pubsub.publisher":  {Publish},
	"roles/pubsub.subscriber": {},
	"roles/pubsub.viewer":     {},

	"roles/pubsub.serviceAgent": {MakeToken},

	"roles/iam.serviceAccountTokenCreator":       {MakeToken},
	"roles/iam.serviceAccountOpenIdTokenCreator": {MakeToken},

	"roles/run.admin":           {Invoke},
	"roles/run.invoker":         {Invoke},
	"roles/run.servicesInvoker": {Invoke},
	"roles/run.viewer":          {},

	"roles/eventarc.eventReceiver": {ReceiveEvent},

	"roles/bigquery.admin":      {CreateJobs, ReadData, WriteData},
	"roles/bigquery.dataOwner":  {ReadData, WriteData},
	"roles/bigquery.dataEditor": {ReadData, WriteData},
	"roles/bigquery.dataViewer": {ReadData},
	"roles/bigquery.jobUser":    {CreateJobs},
	"roles/bigquery.user":       {CreateJobs},

	"roles/logging.logWriter": {},
	"roles/viewer":            {},
}
