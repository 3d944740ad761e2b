package deployed

import (
	"regexp"
	"strings"
)

// earlier counts the keys that wait in buckets where other revisions kept events, and where
// the one that gets the events does not.
func (r *reader) earlier() {
	current, _ := Places(r.d.Config)
	for _, revision := range r.d.Revisions {
		c, _ := ConfigOf(r.d.Target.Service, revision.Variables)
		place, _ := Places(c)
		bucket, folder, inBucket := place.Bucket()
		if _, known := r.d.Waiting[place]; known || !inBucket || place == current || revision.Failed {
			continue
		}
		r.d.Waiting[place] = r.waiting(bucket, folder)
	}
}

// ofKey finds the folder of a key in the name of an object, and what is behind it.
var ofKey = regexp.MustCompile(`^([0-9a-f]{2}/[^/]+)/(events/|claim$|done$)`)

// waiting looks at the first objects of a folder.
func (r *reader) waiting(bucket, folder string) Keys {
	list, err := got(r.storage.Objects.List(bucket).Prefix(folder+"/").Fields("items/name",
		"nextPageToken").Context(r.ctx).Do())
	if !r.read("objects in gs://"+bucket+"/"+folder, RoleOfBucket, err) {
		return Keys{}
	}
	has, done := make(map[string]bool), make(map[string]bool)
	for _, object := range list.Items {
		name, _ := strings.CutPrefix(object.Name, folder+"/")
		switch m := ofKey.FindStringSubmatch(name); {
		case m == nil:
		case m[2] == "events/":
			has[m[1]] = true
		case m[2] == "done":
			done[m[1]] = true
		}
	}
	k := Keys{Listed: true}
	for key := range has {
		if !done[key] {
			k.Waiting++
		}
	}
	return k
}
