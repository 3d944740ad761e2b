package googlecloud

import (
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"
)

// kind is what sets the resources of one collection apart from those of others.
type kind struct {
	id        string // the parameter that names a new one; empty: its body does
	operation bool   // answers come as operations, which are done
	inside    string // an update comes inside this field
	// made completes one that is created or changed, or refuses it. before is nil for a new one.
	made func(c *Cloud, name string, item, before Item) error
	gone func(c *Cloud, name string, item Item) error
}

var kinds map[string]kind

func init() { // kinds' functions create resources, too
	kinds = map[string]kind{
		"artifactregistry/repositories": {id: "repository_id", operation: true, made: (*Cloud).repository},
		"cloudfunctions/functions": {
			id: "functionId", operation: true, made: (*Cloud).function, gone: (*Cloud).functionGone,
		},
		"cloudscheduler/jobs": {made: (*Cloud).job},
		"eventarc/triggers": {
			id: "triggerId", operation: true, made: (*Cloud).trigger, gone: (*Cloud).triggerGone,
		},
		"eventarc/channels":               {id: "channelId", operation: true},
		"iam/serviceAccounts":             {made: (*Cloud).account, gone: (*Cloud).accountGone},
		"kms/keyRings":                    {id: "keyRingId"},
		"kms/cryptoKeys":                  {id: "cryptoKeyId"},
		"kms/cryptoKeyVersions":           {},
		"monitoring/alertPolicies":        {made: (*Cloud).alert},
		"monitoring/dashboards":           {made: stamp},
		"monitoring/notificationChannels": {},
		"pubsub/subscriptions":            {inside: "subscription", made: (*Cloud).subscription},
		"pubsub/topics":                   {inside: "topic", made: (*Cloud).topic, gone: (*Cloud).topicGone},
		"run/services":                    {id: "serviceId", operation: true, made: (*Cloud).service},
		"secretmanager/secrets":           {id: "secretId"},
	}
}

func (c *Cloud) resource(k *call) (any, error) {
	collection, existing := path.Base(path.Dir(k.name)), true
	kind, ok := kinds[k.api+"/"+collection]
	if !ok {
		collection, existing = path.Base(k.name), false
		if kind, ok = kinds[k.api+"/"+collection]; !ok {
			return nil, refuse(501, "the stand-in does not know %s %s", k.method, k.name)
		}
	}
	item, err := c.actOn(k, kind, existing)
	if err != nil || !kind.operation || k.method == "GET" {
		return item, err
	}
	return Item{"name": fmt.Sprintf("operations/%d", c.next()), "done": true, "response": item}, nil
}

func (c *Cloud) actOn(k *call, kind kind, existing bool) (any, error) {
	if !existing {
		if k.method == "POST" {
			return c.create(c.newName(k, kind), k.body, kind)
		}
		return Item{path.Base(k.name): c.in(k.name)}, nil
	}
	item := c.items[k.name]
	if k.method == "PUT" {
		return c.create(k.name, k.body, kind)
	}
	if item == nil {
		return nil, refuse(404, "%s was not found", k.name)
	}
	switch k.method {
	case "GET":
		return item, nil
	case "PATCH":
		return c.change(k, item, kind)
	case "DELETE":
		if kind.gone != nil {
			if err := kind.gone(c, k.name, item); err != nil {
				return nil, err
			}
		}
		c.remove(k.name)
		return Item{}, nil
	}
	return nil, refuse(501, "the stand-in does not know %s %s", k.method, k.name)
}

func (c *Cloud) newName(k *call, kind kind) string {
	id := k.query.Get(kind.id)
	switch {
	case id != "":
	case k.api == "iam":
		id = k.body["accountId"].(string) + "@" + strings.Split(k.name, "/")[2] + ".iam.gserviceaccount.com"
	case k.body["name"] != nil:
		id = path.Base(k.body["name"].(string))
	default:
		id = fmt.Sprint(1000 + c.next())
	}
	return k.name + "/" + id
}

func (c *Cloud) create(name string, item Item, kind kind) (Item, error) {
	if c.items[name] != nil {
		return nil, refuse(409, "%s already exists", name)
	}
	item = clone(item)
	if item == nil {
		item = Item{}
	}
	_, item["name"], _ = strings.Cut(name, "/")
	if kind.made != nil {
		if err := kind.made(c, name, item, nil); err != nil {
			return nil, err
		}
	}
	item["createTime"] = now()
	c.items[name] = item
	c.wrote("create %s", name)
	return item, nil
}

func (c *Cloud) change(k *call, before Item, kind kind) (Item, error) {
	body, mask := k.body, k.query.Get("updateMask")
	if inside, ok := k.body[kind.inside].(Item); ok {
		body = inside
	}
	fields := strings.Split(mask, ",")
	if mask == "" {
		fields = slices.Collect(maps.Keys(body))
	}
	item := clone(before)
	for _, field := range fields {
		set(item, clone(body), strings.Split(camel(field), "."))
	}
	if kind.made != nil {
		if err := kind.made(c, k.name, item, before); err != nil {
			return nil, err
		}
	}
	item["updateTime"] = now()
	c.items[k.name] = item
	c.wrote("change %s %s", k.name, strings.Join(fields, ","))
	return item, nil
}

// set takes over what is at a path, also that nothing is there.
func set(item, from Item, path []string) {
	if len(path) > 1 {
		inner, _ := item[path[0]].(Item)
		if inner == nil {
			inner = Item{}
		}
		given, _ := from[path[0]].(Item)
		set(inner, given, path[1:])
		item[path[0]] = inner
		return
	}
	if value, ok := from[path[0]]; ok && path[0] != "name" {
		item[path[0]] = value
	} else if path[0] != "name" {
		delete(item, path[0])
	}
}

func camel(field string) string {
	words := strings.Split(field, "_")
	for i, word := range words[1:] {
		words[i+1] = strings.ToUpper(word[:1]) + word[1:]
	}
	return strings.Join(words, "")
}

func (c *Cloud) remove(name string) {
	delete(c.items, name)
	delete(c.policies, name)
	c.wrote("delete %s", name)
}

// in lists what is right below a name.
func (c *Cloud) in(name string) []Item {
	found := []Item{}
	for _, of := range slices.Sorted(maps.Keys(c.items)) {
		if path.Dir(of) == name {
			found = append(found, c.items[of])
		}
	}
	return found
}

// at returns what is inside an item, or nil.
func at(item Item, path ...string) any {
	var value any = item
	for _, step := range path {
		inner, ok := value.(Item)
		if !ok {
			return nil
		}
		value = inner[step]
	}
	return value
}

func text(item Item, path ...string) string {
	value, _ := at(item, path...).(string)
	return value
}

// Make puts a resource there, as somebody else would have made it.
func (c *Cloud) Make(name string, item Item) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if item = clone(item); item == nil {
		item = Item{}
	}
	if item["name"] == nil {
		_, item["name"], _ = strings.Cut(name, "/")
	}
	c.items[name] = item
}
