package googlecloud

import (
	"cmp"
	"fmt"
	"iter"
	"maps"
	"path"
	"slices"
	"strings"
)

// grants yields "ROLE MEMBER" for each grant of a policy.
func grants(bindings []Item) iter.Seq[string] {
	return func(yield func(string) bool) {
		for _, binding := range bindings {
			members, _ := binding["members"].([]any)
			for _, member := range members {
				if !yield(text(binding, "role") + " " + member.(string)) {
					return
				}
			}
		}
	}
}

// granted says whether a member has a role on one of these.
func (c *Cloud) granted(role, member string, on ...string) bool {
	return slices.ContainsFunc(on, func(name string) bool {
		for grant := range grants(c.policies[name]) {
			if grant == "roles/"+role+" "+member {
				return true
			}
		}
		return false
	})
}

func (c *Cloud) policy(k *call) (any, error) {
	if c.items[k.name] == nil && !isProject(k.name) {
		return nil, refuse(404, "%s was not found", k.name)
	}
	if k.verb == "getIamPolicy" {
		return c.policyOf(k.name), nil
	}
	given, _ := k.body["policy"].(Item)
	return c.setPolicy(k.name, given)
}

func isProject(name string) bool {
	return path.Dir(name) == "cloudresourcemanager/projects"
}

func (c *Cloud) policyOf(name string) Item {
	return Item{"version": 3, "etag": fmt.Sprintf("v%d", c.etags[name]), "bindings": c.policies[name]}
}

// setPolicy refuses members that are not there, as Google does.
func (c *Cloud) setPolicy(name string, given Item) (Item, error) {
	if etag := text(given, "etag"); etag != "" && etag != c.policyOf(name)["etag"] {
		return nil, refuse(409, "There were concurrent policy changes of %s", name)
	}
	var bindings []Item
	list, _ := given["bindings"].([]any)
	for _, binding := range list {
		bindings = append(bindings, binding.(Item))
	}
	before, after := slices.Collect(grants(c.policies[name])), slices.Collect(grants(bindings))
	for _, grant := range after {
		if slices.Contains(before, grant) {
			continue
		}
		if _, member, _ := strings.Cut(grant, " "); !c.known(member) {
			return nil, refuse(400, "Service account %s does not exist.", member)
		}
		c.wrote("grant %s on %s", grant, name)
	}
	for _, grant := range before {
		if !slices.Contains(after, grant) {
			c.wrote("revoke %s on %s", grant, name)
		}
	}
	c.policies[name] = bindings
	c.etags[name]++
	return c.policyOf(name), nil
}

// known says whether there is such a member: a service agent once its API made it, an account of a project unless it
// is missing, and whoever is no service account.
func (c *Cloud) known(member string) bool {
	email, ok := strings.CutPrefix(member, "serviceAccount:")
	if !ok {
		return true
	}
	if email == storageAgent || email == bigqueryAgent {
		return c.items["agent/"+email] != nil
	}
	if slices.Contains(slices.Collect(maps.Values(agents)), email) {
		return true
	}
	_, domain, _ := strings.Cut(email, "@")
	project := strings.TrimSuffix(domain, ".iam.gserviceaccount.com")
	return c.items[fmt.Sprintf("iam/projects/%s/serviceAccounts/%s", project, email)] != nil
}

const (
	storageAgent  = "service-" + Number + "@gs-project-accounts.iam.gserviceaccount.com"
	bigqueryAgent = "bq-" + Number + "@bigquery-encryption.iam.gserviceaccount.com"
)

// agents are the accounts as which services act.
var agents = map[string]string{
	"artifactregistry": "service-" + Number + "@gcp-sa-artifactregistry.iam.gserviceaccount.com",
	"bigquery":         bigqueryAgent,
	"eventarc":         "service-" + Number + "@gcp-sa-eventarc.iam.gserviceaccount.com",
	"functions":        "service-" + Number + "@gcf-admin-robot.iam.gserviceaccount.com",
	"pubsub":           "service-" + Number + "@gcp-sa-pubsub.iam.gserviceaccount.com",
	"run":              "service-" + Number + "@serverless-robot-prod.iam.gserviceaccount.com",
	"storage":          storageAgent,
}

// encrypts refuses a key that services may not use.
func (c *Cloud) encrypts(key string, services ...string) error {
	if key == "" {
		return nil
	}
	key, _, _ = strings.Cut(key, "/cryptoKeyVersions/")
	if c.items["kms/"+key] == nil {
		return refuse(404, "Cloud KMS key %s was not found", key)
	}
	for _, service := range services {
		if !c.granted("cloudkms.cryptoKeyEncrypterDecrypter", "serviceAccount:"+agents[service], "kms/"+key) {
			return refuse(403, "Permission denied on Cloud KMS key %s: grant it to %s", key, agents[service])
		}
	}
	return nil
}

// account completes a service account.
func (c *Cloud) account(name string, item, before Item) error {
	if before != nil {
		return nil
	}
	if given, ok := item["serviceAccount"].(Item); ok {
		item["displayName"] = given["displayName"]
	}
	delete(item, "serviceAccount")
	delete(item, "accountId")
	item["email"], item["projectId"] = path.Base(name), strings.Split(name, "/")[2]
	item["uniqueId"] = fmt.Sprintf("1%020d", c.next())
	return nil
}

// accountGone leaves the account's grants to nobody.
func (c *Cloud) accountGone(name string, item Item) error {
	member := "serviceAccount:" + path.Base(name)
	for on, bindings := range c.policies {
		for _, binding := range bindings {
			members, _ := binding["members"].([]any)
			for i := range members {
				if members[i] == member {
					members[i] = "deleted:" + member + "?uid=" + text(item, "uniqueId")
					c.wrote("orphan %s %s on %s", binding["role"], member, on)
				}
			}
		}
	}
	return nil
}

// hasAccount refuses an account that is not there.
func (c *Cloud) hasAccount(email string) error {
	if email == "" || !c.known("serviceAccount:"+email) {
		return refuse(400, "Service account %q does not exist.", email)
	}
	return nil
}

// project answers for projects, their APIs and their policy.
func (c *Cloud) project(k *call) (any, error) {
	parts := strings.Split(k.name, "/")
	if len(parts) > 1 && parts[1] == "operations" {
		return Item{"name": strings.Join(parts[1:], "/"), "done": true}, nil
	}
	if len(parts) < 3 {
		return nil, refuse(501, "the stand-in does not know %s %s", k.method, k.name)
	}
	project := parts[2]
	switch {
	case k.api == "cloudbilling":
		return Item{"projectId": project, "billingEnabled": true}, nil
	case k.verb == "batchEnable":
		for _, id := range k.body["serviceIds"].([]any) {
			c.enable(project, id.(string))
		}
		return Item{"name": "operations/noop.DONE_OPERATION", "done": true}, nil
	case k.verb == "enable":
		c.enable(project, parts[4])
		return Item{"name": "operations/noop.DONE_OPERATION", "done": true}, nil
	case k.api == "serviceusage":
		return Item{"services": c.in(k.name)}, nil
	case strings.HasSuffix(k.verb, "IamPolicy"):
		return c.policy(k)
	}
	return Item{"projectId": project, "projectNumber": Number, "name": project, "lifecycleState": "ACTIVE"}, nil
}

// Enable enables an API, as in pubsub.
func (c *Cloud) Enable(project, api string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.enable(project, api+".googleapis.com")
}

func (c *Cloud) enable(project, host string) {
	c.items["serviceusage/projects/"+project+"/services/"+host] = Item{
		"name": "projects/" + Number + "/services/" + host, "config": Item{"name": host}, "state": "ENABLED",
	}
	c.wrote("enable %s", host)
}

// alwaysOn are the APIs that need not be enabled here.
var alwaysOn = []string{"cloudresourcemanager", "serviceusage", "cloudbilling", "storage"}

// enabled refuses a change by an API that is not enabled in its project.
func (c *Cloud) enabled(k *call) error {
	parts := strings.Split(k.name, "/")
	changes := k.method != "GET" && k.method != "DELETE"
	if !changes || slices.Contains(alwaysOn, k.api) || len(parts) < 3 || parts[1] != "projects" {
		return nil
	}
	host := cmp.Or(map[string]string{"kms": "cloudkms"}[k.api], k.api) + ".googleapis.com"
	if c.items["serviceusage/projects/"+parts[2]+"/services/"+host] == nil {
		return refuse(403, "%s has not been used in project %s before or it is disabled", host, parts[2])
	}
	return nil
}
