package googlecloud

import (
	"fmt"
	"maps"
	"strings"
)

// bigquery answers for datasets and tables, which are bigquery/projects/P/datasets/D and …/tables/T. A dataset's
// policy is a field of it.
func (c *Cloud) bigquery(k *call) (any, error) {
	parts := strings.Split(k.name, "/")
	item := c.items[k.name]
	switch {
	case strings.HasSuffix(k.name, "/serviceAccount"):
		c.items["agent/"+bigqueryAgent] = Item{}
		return Item{"kind": "bigquery#getServiceAccountResponse", "email": bigqueryAgent}, nil
	case len(parts) == 4 && k.method == "POST":
		return c.makeDataset(k)
	case len(parts) == 6 && k.method == "POST":
		return c.makeTable(k)
	case item == nil:
		return nil, refuse(404, "Not found: %s", k.name)
	case k.method == "GET":
		return item, nil
	case k.method == "DELETE":
		return nil, c.removeTables(k)
	}
	return c.changeDataset(k, item)
}

func (c *Cloud) makeDataset(k *call) (any, error) {
	id := text(k.body, "datasetReference", "datasetId")
	name := k.name + "/" + id
	if c.items[name] != nil {
		return nil, refuse(409, "Already Exists: Dataset %s", id)
	}
	if err := c.encrypts(text(k.body, "defaultEncryptionConfiguration", "kmsKeyName"), "bigquery"); err != nil {
		return nil, err
	}
	project := strings.Split(k.name, "/")[2]
	dataset := clone(k.body)
	dataset["datasetReference"] = Item{"datasetId": id, "projectId": project}
	maps.Copy(dataset, c.described(name))
	maps.Copy(dataset, Item{
		"kind": "bigquery#dataset", "id": project + ":" + id, "type": "DEFAULT", "maxTimeTravelHours": "168",
	})
	dataset["access"] = []any{
		Item{"role": "OWNER", "specialGroup": "projectOwners"}, Item{"role": "OWNER", "userByEmail": "me@example.com"},
	}
	c.items[name] = dataset
	c.wrote("create %s", name)
	return dataset, nil
}

// described is what BigQuery adds to all that is new.
func (c *Cloud) described(name string) Item {
	return Item{
		"selfLink": "https://bigquery.googleapis.com/bigquery/v2/" + strings.TrimPrefix(name, "bigquery/"),
		"etag":     fmt.Sprint(c.next()), "creationTime": "1700000000000", "lastModifiedTime": "1700000000000",
	}
}

func (c *Cloud) makeTable(k *call) (any, error) {
	dataset := strings.TrimSuffix(k.name, "/tables")
	if c.items[dataset] == nil {
		return nil, refuse(404, "Not found: Dataset %s", dataset)
	}
	id := text(k.body, "tableReference", "tableId")
	name := k.name + "/" + id
	if c.items[name] != nil {
		return nil, refuse(409, "Already Exists: Table %s", id)
	}
	if err := c.encrypts(text(k.body, "encryptionConfiguration", "kmsKeyName"), "bigquery"); err != nil {
		return nil, err
	}
	table := clone(k.body)
	maps.Copy(table, c.described(name))
	maps.Copy(table, Item{
		"kind": "bigquery#table", "id": name, "type": "TABLE", "location": text(c.items[dataset], "location"),
		"numBytes": "0", "numLongTermBytes": "0", "numRows": "0",
	})
	if table["view"] != nil {
		table["type"] = "VIEW"
		table["schema"] = Item{"fields": []any{Item{"name": "key", "type": "STRING"}}}
	}
	c.items[name] = table
	c.wrote("create %s", name)
	return table, nil
}

func (c *Cloud) changeDataset(k *call, item Item) (any, error) {
	changed := clone(item)
	if k.method == "PUT" { // it says all but what the server adds
		for field := range changed {
			if _, given := k.body[field]; !given && (field == "labels" || field == "description") {
				delete(changed, field)
			}
		}
	}
	maps.Copy(changed, clone(k.body))
	before, after := entries(item["access"]), entries(changed["access"])
	for entry := range after {
		if !before[entry] {
			c.wrote("grant %s on %s", entry, k.name)
		}
	}
	for entry := range before {
		if !after[entry] {
			c.wrote("revoke %s on %s", entry, k.name)
		}
	}
	changed["etag"] = fmt.Sprint(c.next())
	c.items[k.name] = changed
	c.wrote("change %s", k.name)
	return changed, nil
}

func entries(access any) map[string]bool {
	found := map[string]bool{}
	list, _ := access.([]any)
	for _, entry := range list {
		found[fmt.Sprint(entry)] = true
	}
	return found
}

func (c *Cloud) removeTables(k *call) error {
	for other := range c.items {
		if !strings.HasPrefix(other, k.name+"/") {
			continue
		}
		if k.query.Get("deleteContents") != "true" {
			return refuse(400, "Dataset %s is still in use", k.name)
		}
		delete(c.items, other)
	}
	c.remove(k.name)
	return nil
}
