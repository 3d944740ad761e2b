package googlecloud

import (
	"bytes"
	"crypto/md5"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"mime"
	"mime/multipart"
	"net/url"
	"path"
	"slices"
	"strings"
)

const address = "https://www.googleapis.com/storage/v1/b/" // of a bucket

// storage answers for Cloud Storage. Its resources are storage/BUCKET, storage/BUCKET/o/OBJECT and
// storage/BUCKET/managedFolders/FOLDER.
func (c *Cloud) storage(k *call) (any, error) {
	parts := strings.Split(k.name, "/")[1:]
	for i := range parts {
		parts[i], _ = url.PathUnescape(parts[i])
	}
	if parts[0] == "projects" {
		c.items["agent/"+storageAgent] = Item{}
		return Item{"email_address": storageAgent, "kind": "storage#serviceAccount"}, nil
	}
	if len(parts) == 1 {
		return c.makeBucket(k)
	}
	name := "storage/" + parts[1]
	bucket := c.items[name]
	if bucket == nil {
		return nil, refuse(404, "The specified bucket %s does not exist.", parts[1])
	}
	if len(parts) == 2 {
		return c.bucket(k, name, bucket)
	}
	switch parts[2] {
	case "iam":
		if k.method == "GET" {
			return c.policyOf(name), nil
		}
		return c.setPolicy(name, k.body)
	case "anywhereCaches":
		return Item{}, nil
	case "o":
		return c.objects(k, name, strings.Join(parts[3:], "/"))
	}
	return c.managedFolders(k, name, strings.Join(parts[3:], "/"))
}

func (c *Cloud) makeBucket(k *call) (any, error) {
	id := text(k.body, "name")
	name := "storage/" + id
	if c.items[name] != nil {
		return nil, refuse(409, "Your previous request to create the named bucket succeeded and you already own it: %s", id)
	}
	if err := c.encrypts(text(k.body, "encryption", "defaultKmsKeyName"), "storage"); err != nil {
		return nil, err
	}
	bucket := clone(k.body)
	maps.Copy(bucket, Item{
		"kind": "storage#bucket", "id": id, "selfLink": address + id, "projectNumber": Number,
		"location": strings.ToUpper(text(bucket, "location")), "locationType": "region", "storageClass": "STANDARD",
		"timeCreated": now(), "updated": now(), "metageneration": "1", "etag": "CAE=",
	})
	c.items[name] = bucket
	owner := "projectOwner:" + k.query.Get("project")
	c.policies[name] = []Item{{"role": "roles/storage.legacyBucketOwner", "members": []any{owner}}}
	c.wrote("create %s", name)
	return bucket, nil
}

func (c *Cloud) bucket(k *call, name string, bucket Item) (any, error) {
	switch k.method {
	case "GET":
		return bucket, nil
	case "PATCH", "PUT":
		changed := clone(bucket)
		for field, value := range k.body {
			if value == nil {
				delete(changed, field)
				continue
			}
			inner, ok := value.(Item)
			before, was := changed[field].(Item)
			if ok && was && field == "labels" {
				maps.Copy(before, inner)
				maps.DeleteFunc(before, func(_ string, v any) bool { return v == nil })
				continue
			}
			changed[field] = value
		}
		c.items[name] = changed
		c.wrote("change %s %s", name, strings.Join(slices.Sorted(maps.Keys(k.body)), ","))
		return changed, nil
	}
	for other := range c.items {
		if strings.HasPrefix(other, name+"/") {
			return nil, refuse(409, "The bucket you tried to delete is not empty.")
		}
	}
	c.remove(name)
	return nil, nil
}

// Put writes an object, as whoever uses the bucket does.
func (c *Cloud) Put(bucket, object string, data []byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.put(bucket, Item{"name": object}, data)
}

func (c *Cloud) put(bucket string, object Item, data []byte) Item {
	sum := md5.Sum(data)
	name := text(object, "name")
	maps.Copy(object, Item{
		"kind": "storage#object", "bucket": bucket, "id": bucket + "/" + name, "size": fmt.Sprint(len(data)),
		"generation": fmt.Sprint(1700000000000000 + c.next()), "metageneration": "1", "timeCreated": now(),
		"md5Hash": base64.StdEncoding.EncodeToString(sum[:]), "crc32c": "AAAAAA==", "storageClass": "STANDARD",
		"contentType": "application/zip", "selfLink": address + bucket + "/o/" + url.PathEscape(name),
	})
	c.items["storage/"+bucket+"/o/"+name] = object
	c.wrote("create storage/%s/o/%s", bucket, name)
	return object
}

func (c *Cloud) objects(k *call, bucket, id string) (any, error) {
	name := bucket + "/o/" + id
	switch {
	case k.method == "POST":
		return c.upload(k, path.Base(bucket))
	case id == "":
		found := []Item{}
		for _, other := range slices.Sorted(maps.Keys(c.items)) {
			if strings.HasPrefix(other, name) {
				found = append(found, c.items[other])
			}
		}
		return Item{"kind": "storage#objects", "items": found}, nil
	case c.items[name] == nil:
		return nil, refuse(404, "No such object: %s", name)
	case k.method == "GET":
		return c.items[name], nil
	case k.method == "DELETE":
		c.remove(name)
		return nil, nil
	}
	return nil, refuse(501, "the stand-in does not know %s %s", k.method, k.name)
}

// upload takes one in a single request, of the two parts description and data.
func (c *Cloud) upload(k *call, bucket string) (any, error) {
	_, parameters, err := mime.ParseMediaType(k.contentType)
	if err != nil || k.query.Get("uploadType") != "multipart" {
		return nil, refuse(501, "the stand-in does not know uploads of type %s", k.query.Get("uploadType"))
	}
	parts := multipart.NewReader(bytes.NewReader(k.raw), parameters["boundary"])
	object := Item{}
	description, err := parts.NextPart()
	if err != nil {
		return nil, err
	}
	if err := json.NewDecoder(description).Decode(&object); err != nil {
		return nil, err
	}
	media, err := parts.NextPart()
	if err != nil {
		return nil, err
	}
	data, err := io.ReadAll(media)
	if err != nil {
		return nil, err
	}
	if name := k.query.Get("name"); name != "" {
		object["name"] = name
	}
	return c.put(bucket, object, data), nil
}

func (c *Cloud) managedFolders(k *call, bucket, id string) (any, error) {
	name := bucket + "/managedFolders/" + id
	switch k.method {
	case "POST":
		id = text(k.body, "name")
		if c.items[name+id] != nil {
			return nil, refuse(409, "The managed folder %s exists", id)
		}
		c.items[name+id] = Item{
			"kind": "storage#managedFolder", "name": id, "bucket": path.Base(bucket), "id": path.Base(bucket) + "/" + id,
			"selfLink":   address + path.Base(bucket) + "/managedFolders/" + url.PathEscape(id),
			"createTime": now(), "updateTime": now(), "metageneration": "1",
		}
		c.wrote("create %s", name+id)
		return c.items[name+id], nil
	case "GET":
		if id == "" {
			return Item{"items": c.in(bucket + "/managedFolders")}, nil
		}
	}
	if c.items[name] == nil {
		return nil, refuse(404, "The managed folder %s does not exist", id)
	}
	if k.method == "GET" {
		return c.items[name], nil
	}
	for other := range c.items {
		if strings.HasPrefix(other, bucket+"/o/"+id) && k.query.Get("allowNonEmpty") != "true" {
			return nil, refuse(409, "The managed folder you tried to delete is not empty.")
		}
	}
	c.remove(name)
	return nil, nil
}
