package doctor

import (
	"regexp"
	"slices"
	"strings"
	"time"

	bigquery "google.golang.org/api/bigquery/v2"

	"example.com/eventdriver/operate/deployed"
)

// verdict says whether an account has a permission.
type verdict int

const (
	no verdict = iota
	unknown
	yes
)

// may says whether an account has a permission by policies, each of which can give it. Groups
// may have the account as a member, so what they have is unknown.
func (f facts) may(account, permission string, policies ...deployed.Policy) (v verdict) {
	for _, p := range policies {
		if !p.Read {
			v = max(v, unknown)
		}
		for _, b := range p.Bindings {
			if grants := f.grants(b, permission); grants != no && !f.expired(b) && !f.elsewhere(b, permission) {
				v = max(v, min(grants, f.in(account, b.Members)))
			}
		}
	}
	return v
}

// grants says whether the role of a binding has a permission.
func (f facts) grants(b deployed.Binding, permission string) verdict {
	permissions, asked := f.Roles[b.Role]
	if known := deployed.Known(b.Role); known != nil {
		permissions, asked = known, true
	}
	switch {
	case slices.Contains(permissions, permission) || slices.Contains(permissions, "*"):
		return yes
	case asked:
		return no
	}
	return unknown
}

// until and since find the end and the beginning of a grant in its condition, and within finds the objects
// that it is for.
var (
	until  = regexp.MustCompile(`request\.time\s*<=?\s*timestamp\("([^"]+)"\)`)
	since  = regexp.MustCompile(`request\.time\s*>=?\s*timestamp\("([^"]+)"\)`)
	within = regexp.MustCompile(`resource\.name\.startsWith\(["']projects/_/buckets/[^/"']+/objects/([^"']*)["']\)`)
)

// condition returns what a pattern finds in the condition of a binding, where all of the condition must hold.
func condition(b deployed.Binding, pattern *regexp.Regexp) (text string, found bool) {
	m := pattern.FindStringSubmatch(b.Condition.Expression)
	if m == nil || strings.ContainsAny(b.Condition.Expression, "|!?") {
		return "", false
	}
	return m[1], true
}

// expired says that a binding has ended, or has not begun.
func (f facts) expired(b deployed.Binding) bool {
	if end, found := condition(b, until); found {
		if end, err := time.Parse(time.RFC3339, end); err == nil && end.Before(f.Now) {
			return true
		}
	}
	begin, _ := condition(b, since)
	at, err := time.Parse(time.RFC3339, begin)
	return err == nil && at.After(f.Now)
}

// elsewhere says that a binding is for objects that are not the function's.
func (f facts) elsewhere(b deployed.Binding, permission string) bool {
	prefix, found := condition(b, within)
	return found && strings.HasPrefix(permission, "storage.objects.") && !strings.HasPrefix(f.Config.Folder+"/", prefix)
}

// in says whether an account is one of members.
func (f facts) in(account string, members []string) (v verdict) {
	for _, m := range members {
		kind, name, _ := strings.Cut(m, ":")
		switch kind {
		case "allUsers", "allAuthenticatedUsers":
			return yes
		case "serviceAccount":
			if strings.EqualFold(name, account) {
				return yes
			}
		case "group", "domain", "principalSet", "principal":
			v = max(v, unknown)
		case "projectOwner", "projectEditor", "projectViewer":
			role := "roles/" + strings.ToLower(strings.TrimPrefix(kind, "project"))
			v = max(v, f.has(account, role, name))
		}
	}
	return v
}

// has says whether an account has a role on a project.
func (f facts) has(account, role, project string) verdict {
	policy := f.Policies["projects/"+project]
	if !policy.Read {
		return unknown
	}
	for _, b := range policy.Bindings {
		if b.Role == role && slices.Contains(b.Members, "serviceAccount:"+account) {
			return yes
		}
	}
	return no
}

// ofProject returns the policy of a resource's project, which counts for the resource, too.
func (f facts) ofProject(project string) deployed.Policy { return f.Policies["projects/"+project] }

// accessOf returns a dataset's access entries as a policy.
func accessOf(d *bigquery.Dataset) deployed.Policy {
	p := deployed.Policy{Read: true}
	roles := map[string]string{"READER": "roles/bigquery.dataViewer", "WRITER": "roles/bigquery.dataEditor",
		"OWNER": "roles/bigquery.dataOwner"}
	groups := map[string]string{"projectOwners": "projectOwner:", "projectWriters": "projectEditor:",
		"projectReaders": "projectViewer:"}
	for _, a := range d.Access {
		b := deployed.Binding{Role: a.Role}
		if role, basic := roles[a.Role]; basic {
			b.Role = role
		}
		switch {
		case a.UserByEmail != "":
			b.Members = []string{"serviceAccount:" + a.UserByEmail}
		case a.IamMember != "":
			b.Members = []string{a.IamMember}
		case a.GroupByEmail != "" || a.Domain != "":
			b.Members = []string{"group:" + a.GroupByEmail + a.Domain}
		case groups[a.SpecialGroup] != "" && d.DatasetReference != nil:
			b.Members = []string{groups[a.SpecialGroup] + d.DatasetReference.ProjectId}
		case a.SpecialGroup != "":
			b.Members = []string{a.SpecialGroup}
		}
		p.Bindings = append(p.Bindings, b)
	}
	return p
}
